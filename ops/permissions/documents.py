"""From grants to IAM policies: statements joined by what they reach, packed to AWS's size. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from ops.errors import OperatorError
from ops.permissions.table import Grant, Table
from tapstack.well_known import SUFFIX_TAG

Role = Literal["deploy", "read", "operate", "drill", "emergency"]
Statement = dict[str, Any]

MOST_CHARACTERS = 6_144
"""Of a managed policy, white space not counted (IAM user guide, "IAM and AWS STS quotas")."""
MOST_POLICIES = 10
"""Attached to a role, by default (the same)."""
BOUNDED = frozenset({"iam:CreateRole"})
"""What makes a role, and so must give it the boundary."""
REBOUND = "iam:PutRolePermissionsBoundary"
DOCUMENT: dict[str, Any] = {"Version": "2012-10-17", "Statement": []}


@dataclass(frozen=True)
class Place:
    """Whose resources the policies reach."""

    account: str
    """Twelve digits."""
    suffix: str
    regions: tuple[str, str]
    attached: tuple[str, ...] = ()
    """ARNs of AWS's own policies that the programs attach."""
    state_bucket: str = ""
    """Name of the bucket with Pulumi's state; empty: none."""
    boundary: str = ""
    """ARN of the boundary of every role; empty: roles have none."""

    def arns(self, templates: Iterable[str]) -> list[str]:
        """The templates with account, suffix and each region filled in, each once."""
        names = {"account": self.account, "suffix": self.suffix}
        filled = [
            template.format(**names, region=region)
            for template in templates
            for region in self.regions
        ]
        return list(dict.fromkeys(filled))


def policies(role: Role, table: Table, grants: Iterable[Grant], place: Place) -> list[Statement]:
    """The role's policies, each within AWS's size, in an order that doesn't change. ``grants``: of
    the declared types; an operators' role needs none of them."""
    writes = role != "read"
    if role in table.operators:
        wanted = [*grants, *table.operators[role].values()]
    else:
        wanted = [*grants, *table.reading, *(table.deploying if writes else ())]
    statements = [
        *_reaching(table, wanted, place, writes=writes),
        *_by_region("Anywhere", _all(wanted, "read_any", "write_any", writes), place),
        *_tagged(_all(wanted, "tagged_read", "tagged", writes), place),
        *(_handing(table, wanted, place) if writes else ()),
        *_state(place, locks=role not in table.operators),
    ]
    packed = list(_packed(statements))
    if len(packed) > MOST_POLICIES:
        raise OperatorError(
            f"the {role} role would need {len(packed)} policies, and a role takes "
            f"{MOST_POLICIES}: ask AWS for more (quota L-0DA4ABF3 of iam)"
        )
    return packed


def size(document: Mapping[str, Any]) -> int:
    """Characters as AWS counts them."""
    return len(json.dumps(document, separators=(",", ":")))


def _all(grants: Iterable[Grant], read: str, write: str, writes: bool) -> set[str]:
    names = (read, write) if writes else (read,)
    return {action for grant in grants for name in names for action in getattr(grant, name)}


def _reaching(
    table: Table, grants: Iterable[Grant], place: Place, *, writes: bool
) -> Iterator[Statement]:
    """A statement for each group of resources that is reached by the same actions."""
    reached: dict[tuple[str, ...], set[str]] = {}
    for grant in grants:
        reached.setdefault(grant.on, set()).update(_all([grant], "read", "write", writes))
        for name, actions in grant.also.items() if writes else ():
            reached.setdefault((name,), set()).update(actions)
    for names, actions in sorted(reached.items()):
        templates = [template for name in names for template in table.resources[name]]
        arns = place.arns(templates)
        bounded = BOUNDED & actions if place.boundary else set()
        if bounded:
            # Nor may it take the boundary from a role, or change the boundary itself.
            yield {**_allow("Bounded", {*bounded, REBOUND}, arns), **_within(place)}
        if actions - bounded:
            sid = "On" + "".join(part.title().replace("_", "") for part in names)
            condition = _condition(table, names, arns, place)
            yield {**_allow(sid, actions - bounded, arns), **condition}


def _condition(
    table: Table, names: tuple[str, ...], arns: Sequence[str], place: Place
) -> dict[str, Any]:
    """As the table has it; what has no ARN is limited to our two regions as well."""
    found = {key: dict(value) for name in names for key, value in _conditions(table, name)}
    if arns == ["*"]:
        found.setdefault("StringEquals", {})["aws:RequestedRegion"] = list(place.regions)
    return {"Condition": found} if found else {}


def _conditions(table: Table, name: str) -> Iterable[tuple[str, Any]]:
    return table.conditions.get(name, {}).items()


def _by_region(
    sid: str, actions: set[str], place: Place, condition: Mapping[str, Any] | None = None
) -> Iterator[Statement]:
    """Actions without a resource, in our two regions only; global services count as us-east-1."""
    if actions:
        equal = {"aws:RequestedRegion": list(place.regions), **(condition or {})}
        yield {**_allow(sid, actions, ["*"]), "Condition": {"StringEquals": equal}}


def _tagged(actions: set[str], place: Place) -> Iterator[Statement]:
    return _by_region("Tagged", actions, place, {f"aws:ResourceTag/{SUFFIX_TAG}": place.suffix})


def _handing(table: Table, grants: Sequence[Grant], place: Place) -> Iterator[Statement]:
    """Which roles are handed to which services, and what may be attached to them."""
    roles = place.arns(table.resources["role"])
    for hands in sorted({grant.hands for grant in grants if grant.passes}):
        passed = sorted({to for grant in grants if grant.hands == hands for to in grant.passes})
        sid = "PassRoles" if hands == "role" else f"Pass{hands.title().replace('_', '')}"
        yield {
            **_allow(sid, {"iam:PassRole"}, place.arns(table.resources[hands])),
            "Condition": {"StringEquals": {"iam:PassedToService": passed}},
        }
    if any(grant.attaches for grant in grants):
        ours = [*place.arns(table.resources["policy"]), *sorted(place.attached)]
        attaching = {"iam:AttachRolePolicy", "iam:DetachRolePolicy"}
        within = _within(place)["Condition"] if place.boundary else {}
        yield {
            **_allow("AttachPolicies", attaching, roles),
            "Condition": {"ArnLike": {"iam:PolicyARN": ours}, **within},
        }
    services = sorted({service for grant in grants for service in grant.service_roles})
    if services:
        own = place.arns(table.resources["service_role"])
        yield {
            **_allow("ServiceRoles", {"iam:CreateServiceLinkedRole"}, own),
            "Condition": {"StringEquals": {"iam:AWSServiceName": services}},
        }


def _within(place: Place) -> dict[str, Any]:
    return {"Condition": {"StringEquals": {"iam:PermissionsBoundary": place.boundary}}}


def _state(place: Place, *, locks: bool) -> Iterator[Statement]:
    """Pulumi's state: who previews locks it, too; operators read its outputs."""
    if place.state_bucket:
        bucket = f"arn:aws:s3:::{place.state_bucket}"
        yield _allow("StateBucket", {"s3:ListBucket", "s3:GetBucketLocation"}, [bucket])
        locking = {"s3:PutObject", "s3:DeleteObject"} if locks else set()
        yield _allow("State", {"s3:GetObject", *locking}, [f"{bucket}/.pulumi/*"])


def _allow(sid: str, actions: Iterable[str], resources: Sequence[str]) -> Statement:
    return {
        "Sid": sid,
        "Effect": "Allow",
        "Action": sorted(actions),
        "Resource": list(resources),
    }


def _packed(statements: Iterable[Statement]) -> Iterator[dict[str, Any]]:
    """The statements in as few documents as their order gives."""
    held: list[Statement] = []
    for statement in statements:
        grown = {**DOCUMENT, "Statement": [*held, statement]}
        if held and size(grown) > MOST_CHARACTERS:
            yield {**DOCUMENT, "Statement": held}
            held = []
        held.append(statement)
    if held:
        yield {**DOCUMENT, "Statement": held}

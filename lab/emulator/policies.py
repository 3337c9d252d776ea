"""A small evaluator of IAM policies: what the lab must decide as AWS would.

Covers Allow and Deny, Action/NotAction, Resource/NotResource with wildcards, principals, and the
condition operators below, with IfExists and ForAnyValue/ForAllValues, and variables in what they
compare with (``${aws:userid}``). An operator it doesn't know fails the statement's condition, so
that an Allow is never given on a misreading (and a Deny with an unknown operator applies). Source:
IAM user guide, "Policy evaluation logic".
"""

from __future__ import annotations

import fnmatch
import ipaddress
import json
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

_VARIABLE = re.compile(r"\$\{([^}]+)\}")


@dataclass(frozen=True)
class Access:
    """One request for access. ``principal`` is an ARN (role, user, account root) or empty;
    ``service`` a service principal (``events.amazonaws.com``) or empty."""

    action: str
    resource: str
    principal: str = ""
    service: str = ""
    context: Mapping[str, str | list[str]] = field(default_factory=dict)


def allows(
    policies: Iterable[Any], access: Access, *, identity: bool = False, direct: bool = False
) -> bool:
    """Whether the policies (documents as dict or JSON text) allow: at least one Allow, no Deny.

    ``identity``: policies of an identity, which name no principal. ``direct``: an Allow to the
    principal's account doesn't count, for that leaves the decision to the identity's policies.
    """
    allowed = False
    for policy in policies:
        for statement in statements(policy):
            if not _applies(statement, access, identity):
                continue
            if statement.get("Effect") == "Deny":
                return False
            allowed = allowed or not direct or _named_directly(statement, access)
    return allowed


def denies(policies: Iterable[Any], access: Access, *, identity: bool = False) -> bool:
    """Whether a resource's policies, or an identity's, deny explicitly."""
    return any(
        statement.get("Effect") == "Deny" and _applies(statement, access, identity)
        for policy in policies
        for statement in statements(policy)
    )


def statements(policy: Any) -> list[dict[str, Any]]:
    """A policy's statements."""
    if isinstance(policy, str):
        policy = json.loads(policy) if policy.strip() else {}
    found = (policy or {}).get("Statement", [])
    return [found] if isinstance(found, dict) else list(found)


def _applies(statement: Mapping[str, Any], access: Access, identity: bool) -> bool:
    if not identity and not _principal_matches(statement, access):
        return False
    if "Action" in statement:
        if not _any(access.action, statement["Action"], True):
            return False
    elif _any(access.action, statement.get("NotAction", []), True):
        return False
    if "Resource" in statement:
        if not _any(access.resource, statement["Resource"], False):
            return False
    elif "NotResource" in statement and _any(access.resource, statement["NotResource"], False):
        return False
    denying = statement.get("Effect") == "Deny"
    return all(
        _condition(operator, wanted, access, denying)
        for operator, wanted in (statement.get("Condition") or {}).items()
    )


def _principal_matches(statement: Mapping[str, Any], access: Access) -> bool:
    if "NotPrincipal" in statement:
        return not _named(statement["NotPrincipal"], access)
    return _named(statement.get("Principal", {}), access)


def _named(principal: Any, access: Access) -> bool:
    if principal == "*":
        return True
    account = access.principal.split(":")[4] if access.principal.count(":") >= 5 else ""
    for kind, names in principal.items() if isinstance(principal, dict) else ():
        for name in _list(names):
            if kind == "Service" and access.service and name == access.service:
                return True
            if (
                kind == "AWS"
                and access.principal
                and name in ("*", access.principal, account, f"arn:aws:iam::{account}:root")
            ):
                return True
    return False


def _named_directly(statement: Mapping[str, Any], access: Access) -> bool:
    principal = statement.get("Principal", {})
    if principal == "*" or not isinstance(principal, dict):
        return principal == "*"
    return (
        access.principal in _list(principal.get("AWS", []))
        or "*" in _list(principal.get("AWS", []))
        or (bool(access.service) and access.service in _list(principal.get("Service", [])))
    )


def _any(text: str, patterns: Any, fold: bool) -> bool:
    if fold:
        text = text.lower()
    return any(
        fnmatch.fnmatchcase(text, _pattern(pattern.lower() if fold else pattern))
        for pattern in _list(patterns)
    )


def _pattern(pattern: str) -> str:
    return pattern.replace("[", "[[]")


def _list(value: Any) -> list[Any]:
    return list(value) if isinstance(value, (list, tuple)) else [value]


def _condition(operator: str, wanted: Mapping[str, Any], access: Access, denying: bool) -> bool:
    every, _, name = operator.rpartition(":")
    if_exists = name.endswith("IfExists")
    name = name.removesuffix("IfExists")
    given_by_name = {key.lower(): _list(value) for key, value in access.context.items()}
    for key, values in wanted.items():
        given = given_by_name.get(key.lower())
        if name == "Null":
            if (given is None) != (str(_list(values)[0]).lower() == "true"):
                return False
            continue
        negated = name.startswith(("StringNot", "ArnNot", "NotIp", "NumericNot"))
        if given is None:
            if if_exists or negated or every == "ForAllValues":
                continue
            return False
        test = _OPERATORS.get(name)
        if test is None:
            return denying
        filled = [_filled(str(value), given_by_name) for value in _list(values)]
        matches = [
            any(value is not None and test(str(item), value) for value in filled) for item in given
        ]
        holds = all(matches) if every == "ForAllValues" else any(matches)
        if holds == negated:
            return False
    return True


def _filled(value: str, given: Mapping[str, list[Any]]) -> str | None:
    """The value with its variables; None where one has no value, or several: it equals nothing."""
    for name in _VARIABLE.findall(value):
        found = given.get(name.lower(), [])
        if len(found) != 1:
            return None
        value = value.replace("${" + name + "}", str(found[0]))
    return value


def _number(test: Callable[[float, float], bool]) -> Callable[[str, str], bool]:
    return lambda given, wanted: test(float(given), float(wanted))


def _in_network(given: str, wanted: str) -> bool:
    return ipaddress.ip_address(given) in ipaddress.ip_network(wanted, strict=False)


def _like(given: str, wanted: str) -> bool:
    return fnmatch.fnmatchcase(given, _pattern(wanted))


def _equal(given: str, wanted: str) -> bool:
    return given == wanted


def _equal_ignoring_case(given: str, wanted: str) -> bool:
    return given.lower() == wanted.lower()


_OPERATORS: dict[str, Callable[[str, str], bool]] = {
    "StringEquals": _equal,
    "StringNotEquals": _equal,
    "StringEqualsIgnoreCase": _equal_ignoring_case,
    "StringNotEqualsIgnoreCase": _equal_ignoring_case,
    "StringLike": _like,
    "StringNotLike": _like,
    "ArnEquals": _like,
    "ArnLike": _like,
    "ArnNotEquals": _like,
    "ArnNotLike": _like,
    "Bool": _equal_ignoring_case,
    "IpAddress": _in_network,
    "NotIpAddress": _in_network,
    "NumericEquals": _number(lambda given, wanted: given == wanted),
    "NumericNotEquals": _number(lambda given, wanted: given == wanted),
    "NumericLessThan": _number(lambda given, wanted: given < wanted),
    "NumericLessThanEquals": _number(lambda given, wanted: given <= wanted),
    "NumericGreaterThan": _number(lambda given, wanted: given > wanted),
    "NumericGreaterThanEquals": _number(lambda given, wanted: given >= wanted),
}

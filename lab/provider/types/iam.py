"""IAM: roles, their policies, managed policies and attachments."""

from __future__ import annotations

from typing import Any, ClassVar

from lab.provider import shapes
from lab.provider.aws import Aws
from lab.provider.declaration import Properties, Tagging, op
from lab.provider.resource import ResourceType
from pulumi_protocol.values import plain_without_nulls

VERSIONS_KEPT = 5
"""AWS keeps at most five versions of a managed policy."""


class Role(ResourceType):
    """A role."""

    pulumi_type = "aws:iam/role:Role"
    service, is_global = "iam", True
    inputs = "name assumeRolePolicy description maxSessionDuration path permissionsBoundary"
    settings = "forceDetachPolicies"
    names: ClassVar = {
        "name": "RoleName",
        "assumeRolePolicy": "AssumeRolePolicyDocument",
    }
    autoname = "name"
    identity = ("name",)
    creation = op("CreateRole")
    updates = (
        op("UpdateRole", only="description maxSessionDuration", put=True, RoleName="{id}"),
        op(
            "UpdateAssumeRolePolicy",
            only="assumeRolePolicy",
            names={"assumeRolePolicy": "PolicyDocument"},
            RoleName="{id}",
        ),
    )
    in_place = "permissionsBoundary"
    id = "{name}"
    reading = op(
        "GetRole",
        "Role",
        names={"permissionsBoundary": "PermissionsBoundary.PermissionsBoundaryArn"},
        RoleName="{id}",
    )
    deletion = op("DeleteRole", RoleName="{id}")
    tagging = Tagging(
        tag=op("TagRole", RoleName="{id}"),
        untag=op("UntagRole", RoleName="{id}"),
        list=op("ListRoleTags", RoleName="{id}"),
    )
    outputs: ClassVar = {"arn": "Arn", "uniqueId": "RoleId", "createDate": "CreateDate"}

    def update(
        self, aws: Aws, ident: str, before: Any, after: Properties, changed: Any, state: Any
    ) -> None:
        super().update(aws, ident, before, after, changed, state)
        if "permissionsBoundary" in changed:
            if after.get("permissionsBoundary"):
                parameters = {
                    "RoleName": ident,
                    "PermissionsBoundary": after["permissionsBoundary"],
                }
                aws.call("iam", "PutRolePermissionsBoundary", parameters)
            else:
                aws.call("iam", "DeleteRolePermissionsBoundary", {"RoleName": ident})

    def delete(self, aws: Aws, ident: str, props: Properties) -> None:
        if props.get("forceDetachPolicies"):
            attached = aws.call("iam", "ListAttachedRolePolicies", {"RoleName": ident})
            for item in attached["AttachedPolicies"]:
                parameters = {"RoleName": ident, "PolicyArn": item["PolicyArn"]}
                aws.call("iam", "DetachRolePolicy", parameters)
            for name in aws.call("iam", "ListRolePolicies", {"RoleName": ident})["PolicyNames"]:
                aws.call("iam", "DeleteRolePolicy", {"RoleName": ident, "PolicyName": name})
        super().delete(aws, ident, props)


class Policy(ResourceType):
    """A managed policy."""

    pulumi_type = "aws:iam/policy:Policy"
    service, is_global = "iam", True
    inputs = "name policy description path"
    settings = "delayAfterPolicyCreationInMs"
    names: ClassVar = {"name": "PolicyName", "policy": "PolicyDocument"}
    autoname = "name"
    identity = ("name", "path")
    in_place = "policy"
    creation = op("CreatePolicy")
    id = "Policy.Arn"
    reading = op("GetPolicy", "Policy", PolicyArn="{id}")
    tagging = Tagging(
        tag=op("TagPolicy", PolicyArn="{id}"),
        untag=op("UntagPolicy", PolicyArn="{id}"),
        list=op("ListPolicyTags", PolicyArn="{id}"),
    )
    outputs: ClassVar = {"arn": "Arn", "policyId": "PolicyId"}

    def look_up(self, aws: Aws, inputs: Properties) -> str | None:
        props = plain_without_nulls(inputs)
        arn = f"arn:aws:iam::{aws.account_id}:policy{props.get('path') or '/'}{props['name']}"
        return arn if self.describe(aws, arn, props) else None

    def drift(self, aws: Aws, raw: Properties, key: str, written: Any) -> Any:
        if key != "policy":
            return super().drift(aws, raw, key, written)
        parameters = {"PolicyArn": raw["Arn"], "VersionId": raw["DefaultVersionId"]}
        version = aws.call("iam", "GetPolicyVersion", parameters)["PolicyVersion"]
        from lab.provider import models

        shape = shapes.follow(
            models.output_shape("iam", "GetPolicyVersion"), "PolicyVersion.Document"
        )
        return shapes.from_aws(version.get("Document"), shape, {}, key, written)

    def _versions(self, aws: Aws, ident: str) -> list[Properties]:
        """Versions that aren't the default, oldest first."""
        found = aws.call("iam", "ListPolicyVersions", {"PolicyArn": ident})["Versions"]
        spare = [item for item in found if not item["IsDefaultVersion"]]
        return sorted(spare, key=lambda item: int(item["VersionId"][1:]))

    def _drop(self, aws: Aws, ident: str, versions: list[Properties]) -> None:
        for item in versions:
            parameters = {"PolicyArn": ident, "VersionId": item["VersionId"]}
            aws.call("iam", "DeletePolicyVersion", parameters)

    def update(
        self, aws: Aws, ident: str, before: Any, after: Properties, changed: Any, state: Any
    ) -> None:
        if "policy" in changed:
            spare = self._versions(aws, ident)
            self._drop(aws, ident, spare[: max(0, len(spare) + 2 - VERSIONS_KEPT)])
            aws.call(
                "iam",
                "CreatePolicyVersion",
                {"PolicyArn": ident, "PolicyDocument": after["policy"], "SetAsDefault": True},
            )

    def delete(self, aws: Aws, ident: str, props: Properties) -> None:
        self._drop(aws, ident, self._versions(aws, ident))
        aws.call("iam", "DeletePolicy", {"PolicyArn": ident})


class RolePolicyAttachment(ResourceType):
    """A managed policy on a role."""

    pulumi_type = "aws:iam/rolePolicyAttachment:RolePolicyAttachment"
    service, is_global = "iam", True
    inputs = "role policyArn"
    names: ClassVar = {"role": "RoleName"}
    identity = ("role", "policyArn")
    creation = op("AttachRolePolicy")
    id = "{role}/{policyArn}"
    deletion = op("DetachRolePolicy", RoleName="{role}", PolicyArn="{policyArn}")

    def describe(self, aws: Aws, ident: str, props: Any) -> Properties | None:
        role, _, arn = ident.partition("/")
        found = self.ask(aws, op("ListAttachedRolePolicies", RoleName=role), ident, props)
        for item in (found or {}).get("AttachedPolicies") or []:
            if item["PolicyArn"] == arn:
                return item
        return None

    def values(self, aws: Aws, ident: str | None, props: Any) -> Properties:
        made = super().values(aws, ident, props)
        if ident:
            made["role"], _, made["policyArn"] = ident.partition("/")
        return made

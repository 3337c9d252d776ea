"""Systems Manager: parameters."""

from __future__ import annotations

from typing import Any, ClassVar

from lab.provider.aws import Aws
from lab.provider.declaration import Properties, Tagging, op
from lab.provider.resource import ResourceType


class Parameter(ResourceType):
    """A parameter."""

    pulumi_type = "aws:ssm/parameter:Parameter"
    service = "ssm"
    inputs = "name type value description keyId tier allowedPattern dataType insecureValue"
    names: ClassVar = {"insecureValue": "Value"}
    autoname = "name"
    identity = ("name",)
    replace = "name dataType"
    creation = op("PutParameter")
    updates = (op("PutParameter", without="dataType", put=True, Overwrite=True),)
    id = "{name}"
    reading = op("GetParameter", "Parameter", names={"insecureValue": "Value"},
              Name="{id}", WithDecryption=True)  # fmt: skip
    deletion = op("DeleteParameter", Name="{id}")
    tagging = Tagging(
        tag=op("AddTagsToResource", ResourceType="Parameter", ResourceId="{id}"),
        untag=op("RemoveTagsFromResource", ResourceType="Parameter", ResourceId="{id}"),
        list=op("ListTagsForResource", ResourceType="Parameter", ResourceId="{id}"),
    )
    volatile = frozenset({"version"})
    outputs: ClassVar = {
        "arn": "arn:aws:ssm:{region}:{account}:parameter{path}",
        "version": "Version",
    }

    def values(self, aws: Aws, ident: str | None, props: Any) -> Properties:
        made = super().values(aws, ident, props)
        if ident:
            made["path"] = ident if ident.startswith("/") else f"/{ident}"
        return made

    def create(self, aws: Aws, props: Properties) -> str:
        call = op("PutParameter")
        parameters = self.parameters(aws, call, None, props)
        parameters |= self.tags_of(call, props)
        aws.call("ssm", call.name, parameters)
        return props["name"]

    def finish(self, aws: Aws, ident: str, props: Properties) -> None:
        """Does nothing: one call makes it whole."""

    def update(
        self,
        aws: Aws,
        ident: str,
        before: Any,
        after: Properties,
        changed: list[str],
        state: Any,
    ) -> None:
        if set(changed) - {"tags", "tagsAll"}:
            self.call(aws, self.updates[0], ident, after)

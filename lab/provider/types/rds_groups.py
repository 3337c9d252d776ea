"""RDS: parameter groups and subnet groups."""

from __future__ import annotations

from typing import Any, ClassVar

from lab.provider import shapes
from lab.provider.aws import Aws
from lab.provider.declaration import Properties, Tagging, op
from lab.provider.types.rds import RdsType

MANAGED = "Managed by Pulumi"
PARAMETERS_A_CALL = 20
"""AWS takes at most 20 parameters in one ModifyDBParameterGroup."""


def listed_tagging(arn: str) -> Tagging:
    """Returns RDS's tagging of what its description answers no tags of."""
    return Tagging(
        tag=op("AddTagsToResource", ResourceName=arn),
        untag=op("RemoveTagsFromResource", ResourceName=arn),
        list=op("ListTagsForResource", ResourceName=arn),
    )


class _Parameters(RdsType):
    """A parameter group; ``kind`` is the middle of its operations' names."""

    kind: ClassVar[str]
    listing: ClassVar[str]
    inputs = "name family description parameters"
    in_place = "parameters"
    autoname = "name"
    identity = ("name",)
    id = "{name}"
    names: ClassVar = {
        "family": "DBParameterGroupFamily",
        "parameters.name": "ParameterName",
        "parameters.value": "ParameterValue",
    }

    def create(self, aws: Aws, props: Properties) -> str:
        return super().create(aws, {"description": MANAGED, **props})

    def finish(self, aws: Aws, ident: str, props: Properties) -> None:
        self._modify(aws, ident, props.get("parameters") or [])

    def _modify(self, aws: Aws, ident: str, parameters: list[Any]) -> None:
        self._send(aws, f"Modify{self.kind}", ident, parameters)

    def _send(self, aws: Aws, operation: str, ident: str, parameters: list[Any]) -> None:
        for start in range(0, len(parameters), PARAMETERS_A_CALL):
            made = [
                {
                    "ParameterName": item["name"],
                    "ParameterValue": str(item["value"]),
                    "ApplyMethod": item.get("applyMethod", "immediate"),
                }
                for item in parameters[start : start + PARAMETERS_A_CALL]
            ]
            aws.call("rds", operation, {f"{self.kind}Name": ident, "Parameters": made})

    def update(
        self,
        aws: Aws,
        ident: str,
        before: Properties,
        after: Properties,
        changed: list[str],
        state: Properties,
    ) -> None:
        if "parameters" not in changed:
            return
        wanted = after.get("parameters") or []
        names = {item["name"] for item in wanted}
        gone = [item for item in before.get("parameters") or [] if item["name"] not in names]
        if gone:
            self._send(aws, f"Reset{self.kind}", ident, gone)
        self._modify(aws, ident, wanted)

    def drift(self, aws: Aws, raw: Properties, key: str, written: Any) -> Any:
        if key != "parameters":
            return super().drift(aws, raw, key, written)
        answer = aws.call(
            "rds", self.listing, {f"{self.kind}Name": raw[f"{self.kind}Name"], "Source": "user"}
        )
        seen = {item["ParameterName"]: item for item in answer.get("Parameters") or []}
        made: list[Any] = []
        for item in written:
            found = seen.get(item["name"])
            if found and found.get("ParameterValue") is not None:
                value = found["ParameterValue"]
                made.append(item if shapes.same(value, item["value"]) else {**item, "value": value})
        return made


class ClusterParameterGroup(_Parameters):
    """Parameters of clusters."""

    pulumi_type = "aws:rds/clusterParameterGroup:ClusterParameterGroup"
    kind, listing = "DBClusterParameterGroup", "DescribeDBClusterParameters"
    names: ClassVar = {**_Parameters.names, "name": "DBClusterParameterGroupName"}
    creation = op("CreateDBClusterParameterGroup")
    reading = op(
        "DescribeDBClusterParameterGroups",
        "DBClusterParameterGroups[0]",
        DBClusterParameterGroupName="{id}",
    )
    deletion = op("DeleteDBClusterParameterGroup", DBClusterParameterGroupName="{id}")
    tagging = listed_tagging("arn:aws:rds:{region}:{account}:cluster-pg:{id}")
    outputs: ClassVar = {"arn": "arn:aws:rds:{region}:{account}:cluster-pg:{id}"}


class SubnetGroup(RdsType):
    """The subnets of a cluster."""

    pulumi_type = "aws:rds/subnetGroup:SubnetGroup"
    inputs = "name description subnetIds"
    names: ClassVar = {"name": "DBSubnetGroupName", "description": "DBSubnetGroupDescription"}
    autoname = "name"
    identity = ("name",)
    id = "{name}"
    creation = op("CreateDBSubnetGroup")
    updates = (op("ModifyDBSubnetGroup", only="description subnetIds", DBSubnetGroupName="{id}"),)
    resets: ClassVar = {"description": MANAGED}
    reading = op("DescribeDBSubnetGroups", "DBSubnetGroups[0]", DBSubnetGroupName="{id}")
    deletion = op("DeleteDBSubnetGroup", DBSubnetGroupName="{id}")
    tagging = listed_tagging("arn:aws:rds:{region}:{account}:subgrp:{id}")
    outputs: ClassVar = {
        "arn": "arn:aws:rds:{region}:{account}:subgrp:{id}",
        "vpcId": "VpcId",
        "description": "DBSubnetGroupDescription",
    }

    def create(self, aws: Aws, props: Properties) -> str:
        return super().create(aws, {"description": MANAGED, **props})

    def carried(self, call: Any, changed: list[str]) -> list[str]:
        return ["description", "subnetIds"]  # AWS wants the subnets in every call

    def drift(self, aws: Aws, raw: Properties, key: str, written: Any) -> Any:
        if key != "subnetIds":
            return super().drift(aws, raw, key, written)
        found = [item["SubnetIdentifier"] for item in raw.get("Subnets") or []]
        return written if not found or sorted(found) == sorted(written) else found

"""EC2: peering connections, both sides' and their options."""

from __future__ import annotations

from typing import Any, ClassVar

from lab.provider import shapes
from lab.provider.aws import Aws
from lab.provider.declaration import Failures, Properties, op
from lab.provider.types.ec2 import Ec2Type
from pulumi_protocol.values import plain_without_nulls


class VpcPeeringConnection(Ec2Type):
    """The requester's side of a peering."""

    pulumi_type = "aws:ec2/vpcPeeringConnection:VpcPeeringConnection"
    inputs = "vpcId peerVpcId peerRegion peerOwnerId"
    settings = "autoAccept"
    creation = op("CreateVpcPeeringConnection")
    tag_resource = "vpc-peering-connection"
    id = "VpcPeeringConnection.VpcPeeringConnectionId"
    reading = op(
        "DescribeVpcPeeringConnections",
        "VpcPeeringConnections[0]",
        names={
            "vpcId": "RequesterVpcInfo.VpcId",
            "peerVpcId": "AccepterVpcInfo.VpcId",
            "peerRegion": "AccepterVpcInfo.Region",
            "peerOwnerId": "AccepterVpcInfo.OwnerId",
        },
        VpcPeeringConnectionIds=["{id}"],
    )
    search = op("DescribeVpcPeeringConnections", "VpcPeeringConnections")
    found_id = "VpcPeeringConnectionId"
    find_keys: ClassVar = {"requester-vpc-info.vpc-id": "vpcId"}
    deletion = op("DeleteVpcPeeringConnection", VpcPeeringConnectionId="{id}")
    ready = (
        "Status.Code",
        frozenset({"pending-acceptance", "active"}),
        frozenset({"failed", "rejected", "expired"}),
    )
    gone_states = frozenset({"deleted", "failed", "rejected", "expired", "deleting"})
    waits_gone = True
    identity = ("vpcId", "peerVpcId")
    outputs: ClassVar = {"acceptStatus": "Status.Code", "peerOwnerId": "AccepterVpcInfo.OwnerId"}

    def validate(self, props: Properties, region: str) -> Failures:
        if props.get("autoAccept") and props.get("peerRegion"):
            return [("autoAccept", "AWS accepts no peering by itself across regions")]
        return []

    def finish(self, aws: Aws, ident: str, props: Properties) -> None:
        super().finish(aws, ident, props)
        if props.get("autoAccept"):
            aws.call("ec2", "AcceptVpcPeeringConnection", {"VpcPeeringConnectionId": ident})


class VpcPeeringConnectionAccepter(Ec2Type):
    """The accepter's side of a peering. Deleting it leaves the peering to the requester."""

    pulumi_type = "aws:ec2/vpcPeeringConnectionAccepter:VpcPeeringConnectionAccepter"
    settings = "autoAccept"
    inputs = "vpcPeeringConnectionId"
    creation = op("AcceptVpcPeeringConnection")
    id = "{vpcPeeringConnectionId}"
    identity = ("vpcPeeringConnectionId",)
    reading = op(
        "DescribeVpcPeeringConnections",
        "VpcPeeringConnections[0]",
        VpcPeeringConnectionIds=["{id}"],
    )
    gone_states = VpcPeeringConnection.gone_states
    ready = ("Status.Code", frozenset({"active", "pending-acceptance"}), frozenset({"failed"}))
    outputs: ClassVar = {
        "acceptStatus": "Status.Code",
        "vpcId": "AccepterVpcInfo.VpcId",
        "peerVpcId": "RequesterVpcInfo.VpcId",
        "peerRegion": "RequesterVpcInfo.Region",
        "peerOwnerId": "RequesterVpcInfo.OwnerId",
    }

    def create(self, aws: Aws, props: Properties) -> str:
        ident = props["vpcPeeringConnectionId"]
        # The request may reach the accepter's region a moment later.
        aws.until(f"peering {ident} arriving", 60, lambda: self.describe(aws, ident, props))
        return ident

    def finish(self, aws: Aws, ident: str, props: Properties) -> None:
        raw = self.require(aws, ident, props)
        if props.get("autoAccept") and shapes.get(raw, "Status.Code") == "pending-acceptance":
            aws.call("ec2", "AcceptVpcPeeringConnection", {"VpcPeeringConnectionId": ident})
            aws.until(
                f"peering {ident} becoming active",
                60,
                lambda: (
                    True
                    if shapes.get(self.describe(aws, ident, props) or {}, "Status.Code") == "active"
                    else None
                ),
            )
        self.retag(aws, ident, {}, props, {})

    def look_up(self, aws: Aws, inputs: Properties) -> str | None:
        ident = plain_without_nulls(inputs).get("vpcPeeringConnectionId")
        raw = self.describe(aws, ident, {}) if ident else None
        # Only an accepted peering shows that this resource was made.
        return ident if raw and shapes.get(raw, "Status.Code") == "active" else None

    def update(
        self, aws: Aws, ident: str, before: Any, after: Properties, changed: Any, state: Any
    ) -> None:
        if "autoAccept" in changed:
            self.finish(aws, ident, after)

    def delete(self, aws: Aws, ident: str, props: Properties) -> None:
        """Does nothing: AWS knows no un-accepting; the requester deletes the peering."""


class PeeringConnectionOptions(Ec2Type):
    """DNS resolution over a peering, one side's."""

    pulumi_type = "aws:ec2/peeringConnectionOptions:PeeringConnectionOptions"
    tagging = None
    inputs = "vpcPeeringConnectionId accepter requester"
    in_place = "accepter requester"
    names: ClassVar = {
        "accepter": "AccepterPeeringConnectionOptions",
        "requester": "RequesterPeeringConnectionOptions",
        "accepter.allowRemoteVpcDnsResolution": "AllowDnsResolutionFromRemoteVpc",
        "requester.allowRemoteVpcDnsResolution": "AllowDnsResolutionFromRemoteVpc",
    }
    creation = op(
        "ModifyVpcPeeringConnectionOptions", VpcPeeringConnectionId="{vpcPeeringConnectionId}"
    )
    updates = (
        op(
            "ModifyVpcPeeringConnectionOptions",
            only="accepter requester",
            VpcPeeringConnectionId="{id}",
        ),
    )
    id = "{vpcPeeringConnectionId}"
    identity = ("vpcPeeringConnectionId",)
    reading = op(
        "DescribeVpcPeeringConnections",
        "VpcPeeringConnections[0]",
        names={
            "accepter": "AccepterVpcInfo.PeeringOptions",
            "requester": "RequesterVpcInfo.PeeringOptions",
        },
        VpcPeeringConnectionIds=["{id}"],
    )
    gone_states = VpcPeeringConnection.gone_states
    ready = ("Status.Code", frozenset({"active"}), frozenset({"failed"}))
    resets: ClassVar = {
        "accepter": {"allowRemoteVpcDnsResolution": False},
        "requester": {"allowRemoteVpcDnsResolution": False},
    }

"""Route 53: zones and health checks."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any, ClassVar

from lab.provider import shapes, tags
from lab.provider.aws import Aws
from lab.provider.declaration import Op, Properties, Tagging, op
from lab.provider.identity import Candidate, find_created
from lab.provider.resource import ResourceType
from pulumi_protocol.values import plain_without_nulls


def route53_tagging(kind: str) -> Tagging:
    """Returns Route 53's tagging: one call adds and removes."""
    change = op("ChangeTagsForResource", ResourceType=kind, ResourceId="{id}")
    listing = op("ListTagsForResource", "ResourceTagSet.Tags", ResourceType=kind, ResourceId="{id}")
    return Tagging(tag=change, untag=change, list=listing)


class Route53Type(ResourceType):
    """What Route 53's tagged resources share."""

    service, is_global = "route53", True
    tag_kind: ClassVar[str]

    def _change_tags(
        self, aws: Aws, ident: str, added: Mapping[str, str], removed: list[str]
    ) -> None:
        parameters: Properties = {"ResourceType": self.tag_kind, "ResourceId": ident}
        if added:
            parameters["AddTags"] = [{"Key": k, "Value": str(added[k])} for k in sorted(added)]
        if removed:
            parameters["RemoveTagKeys"] = removed
        if added or removed:
            aws.call("route53", "ChangeTagsForResource", parameters)

    def finish(self, aws: Aws, ident: str, props: Properties) -> None:
        self._change_tags(aws, ident, props.get("tagsAll") or {}, [])

    def retag(
        self, aws: Aws, ident: str, before: Properties, after: Properties, state: Properties
    ) -> None:
        added, removed = tags.changes(before, after)
        self._change_tags(aws, ident, added, removed)

    def tags_of(self, call: Op, props: Mapping[str, Any]) -> Properties:
        """Returns nothing: Route 53 tags only what exists."""
        return {}


class Zone(Route53Type):
    """A public hosted zone."""

    pulumi_type = "aws:route53/zone:Zone"
    inputs = "name comment delegationSetId"
    settings = "forceDestroy enableAcceleratedRecovery"
    names: ClassVar = {"comment": "HostedZoneConfig.Comment"}
    tag_kind = "hostedzone"
    tagging = route53_tagging("hostedzone")
    creation = op("CreateHostedZone")
    updates = (
        op("UpdateHostedZoneComment", only="comment", names={"comment": "Comment"}, Id="{id}"),
    )
    reading = op("GetHostedZone", names={"comment": "HostedZone.Config.Comment",
                                      "name": "HostedZone.Name"}, Id="{id}")  # fmt: skip
    deletion = op("DeleteHostedZone", Id="{id}")
    outputs: ClassVar = {
        "arn": "arn:aws:route53:::hostedzone/{id}",
        "zoneId": "{id}",
        "nameServers": lambda raw: sorted(shapes.get(raw, "DelegationSet.NameServers") or []),
        "primaryNameServer": "DelegationSet.NameServers[0]",
    }
    default_comment = "Managed by Pulumi"

    def create(self, aws: Aws, props: Properties) -> str:
        call = op("CreateHostedZone")
        parameters = self.parameters(aws, call, None, {"comment": self.default_comment, **props})
        parameters["CallerReference"] = uuid.uuid4().hex
        answer = aws.call("route53", "CreateHostedZone", parameters)
        return answer["HostedZone"]["Id"].rpartition("/")[2]

    def finish(self, aws: Aws, ident: str, props: Properties) -> None:
        super().finish(aws, ident, props)
        self._accelerate(aws, ident, bool(props.get("enableAcceleratedRecovery")), only_on=True)

    def _accelerate(self, aws: Aws, ident: str, enabled: bool, *, only_on: bool = False) -> None:
        if enabled or not only_on:
            aws.call(
                "route53",
                "UpdateHostedZoneFeatures",
                {"HostedZoneId": ident, "EnableAcceleratedRecovery": enabled},
            )

    def update(
        self, aws: Aws, ident: str, before: Any, after: Properties, changed: Any, state: Any
    ) -> None:
        if "comment" in changed:
            after = {"comment": self.default_comment, **after}
        super().update(aws, ident, before, after, changed, state)
        if "enableAcceleratedRecovery" in changed:
            self._accelerate(aws, ident, bool(after.get("enableAcceleratedRecovery")))

    def look_up(self, aws: Aws, inputs: Properties) -> str | None:
        name = plain_without_nulls(inputs)["name"].rstrip(".") + "."
        listed = aws.call("route53", "ListHostedZonesByName", {"DNSName": name})
        # A domain may have several zones.
        idents = [
            item["Id"].rpartition("/")[2] for item in listed["HostedZones"] if item["Name"] == name
        ]
        candidates = (
            Candidate(ident, self.require(aws, ident, {}), self.current_tags(aws, ident, {}, {}))
            for ident in idents
        )
        return find_created(self, aws, inputs, candidates, tagged_later=True)

    def drift(self, aws: Aws, raw: Properties, key: str, written: Any) -> Any:
        seen = super().drift(aws, raw, key, written)
        if key == "name":
            return written if str(seen).rstrip(".") == str(written).rstrip(".") else seen
        return seen

    def delete(self, aws: Aws, ident: str, props: Properties) -> None:
        if props.get("forceDestroy"):
            self._clear(aws, ident)
        super().delete(aws, ident, props)

    def _clear(self, aws: Aws, ident: str) -> None:
        raw = self.describe(aws, ident, {})
        if raw is None:
            return
        apex = raw["HostedZone"]["Name"]
        pages = aws.client("route53").get_paginator("list_resource_record_sets")
        changes = [
            {"Action": "DELETE", "ResourceRecordSet": record}
            for page in pages.paginate(HostedZoneId=ident)
            for record in page["ResourceRecordSets"]
            if not (record["Name"] == apex and record["Type"] in ("NS", "SOA"))
        ]
        if changes:
            aws.call(
                "route53",
                "ChangeResourceRecordSets",
                {"HostedZoneId": ident, "ChangeBatch": {"Changes": changes}},
            )


class HealthCheck(Route53Type):
    """A health check."""

    pulumi_type = "aws:route53/healthCheck:HealthCheck"
    inputs = (
        "type fqdn ipAddress port resourcePath searchString requestInterval failureThreshold "
        "measureLatency invertHealthcheck disabled enableSni regions childHealthThreshold "
        "childHealthchecks cloudwatchAlarmName cloudwatchAlarmRegion insufficientDataHealthStatus "
        "routingControlArn"
    )
    settings = "referenceName triggers"
    tag_kind = "healthcheck"
    tagging = route53_tagging("healthcheck")
    members: ClassVar = {
        "type": "Type",
        "fqdn": "FullyQualifiedDomainName",
        "ipAddress": "IPAddress",
        "port": "Port",
        "resourcePath": "ResourcePath",
        "searchString": "SearchString",
        "requestInterval": "RequestInterval",
        "failureThreshold": "FailureThreshold",
        "measureLatency": "MeasureLatency",
        "invertHealthcheck": "Inverted",
        "disabled": "Disabled",
        "enableSni": "EnableSNI",
        "regions": "Regions",
        "childHealthThreshold": "HealthThreshold",
        "childHealthchecks": "ChildHealthChecks",
        "cloudwatchAlarmName": "AlarmIdentifier.Name",
        "cloudwatchAlarmRegion": "AlarmIdentifier.Region",
        "insufficientDataHealthStatus": "InsufficientDataHealthStatus",
        "routingControlArn": "RoutingControlArn",
    }
    names: ClassVar = {key: f"HealthCheckConfig.{value}" for key, value in members.items()}
    creation = op("CreateHealthCheck")
    updates = (
        op(
            "UpdateHealthCheck",
            without="type requestInterval measureLatency routingControlArn",
            names=members,
            HealthCheckId="{id}",
        ),
    )
    replace = "type requestInterval measureLatency routingControlArn referenceName"
    resettable: ClassVar = {
        "fqdn": "FullyQualifiedDomainName",
        "regions": "Regions",
        "resourcePath": "ResourcePath",
        "childHealthchecks": "ChildHealthChecks",
    }
    """Inputs that AWS unsets by ResetElements."""
    resets: ClassVar = {
        "invertHealthcheck": False,
        "disabled": False,
        "failureThreshold": 3,
        "childHealthThreshold": 0,
    }
    reading = op("GetHealthCheck", "HealthCheck", HealthCheckId="{id}")
    deletion = op("DeleteHealthCheck", HealthCheckId="{id}")
    outputs: ClassVar = {"arn": "arn:aws:route53:::healthcheck/{id}"}

    def create(self, aws: Aws, props: Properties) -> str:
        parameters = self.parameters(aws, op("CreateHealthCheck"), None, props)
        prefix = props.get("referenceName", "lab")[:27]
        parameters["CallerReference"] = f"{prefix}-{uuid.uuid4().hex}"
        answer = aws.call("route53", "CreateHealthCheck", parameters)
        return answer["HealthCheck"]["Id"]

    def update(
        self,
        aws: Aws,
        ident: str,
        before: Any,
        after: Properties,
        changed: list[str],
        state: Any,
    ) -> None:
        gone = [key for key in self.resettable if key in changed and key not in after]
        if gone:
            elements = [self.resettable[key] for key in gone]
            parameters = {"HealthCheckId": ident, "ResetElements": elements}
            aws.call("route53", "UpdateHealthCheck", parameters)
        kept = [key for key in changed if key not in gone]
        super().update(aws, ident, before, after, kept, state)

    def look_up(self, aws: Aws, inputs: Properties) -> str | None:
        pages = aws.client("route53").get_paginator("list_health_checks").paginate()
        candidates = (
            Candidate(item["Id"], item, self.current_tags(aws, item["Id"], {}, {}))
            for page in pages
            for item in page["HealthChecks"]
        )
        return find_created(self, aws, inputs, candidates, tagged_later=True)

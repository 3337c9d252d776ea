"""Route 53: zones, health checks, records."""

from __future__ import annotations

import re
import uuid
from collections.abc import Mapping
from typing import Any, ClassVar

from lab.provider import shapes, wire
from lab.provider.aws import Aws, error_code, is_not_found
from lab.provider.resource import Properties, ResourceType, Tagging, op


def route53_tagging(kind: str) -> Tagging:
    """Route 53's tags: one call adds and removes."""
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
        had, wanted = before.get("tagsAll") or {}, after.get("tagsAll") or {}
        added = {key: value for key, value in wanted.items() if had.get(key) != value}
        self._change_tags(aws, ident, added, sorted(had.keys() - wanted.keys()))

    def add_tags(self, aws: Aws, call: Any, parameters: Properties, tags: Any) -> None:
        """Nothing: Route 53 tags only what exists."""


class Zone(Route53Type):
    """A public hosted zone."""

    pulumi_type = "aws:route53/zone:Zone"
    inputs = "name comment delegationSetId"
    settings = "forceDestroy enableAcceleratedRecovery"
    names: ClassVar = {"comment": "HostedZoneConfig.Comment"}
    tag_kind = "hostedzone"
    tagging = route53_tagging("hostedzone")
    create = op("CreateHostedZone")
    updates = (
        op("UpdateHostedZoneComment", only="comment", names={"comment": "Comment"}, Id="{id}"),
    )
    read = op("GetHostedZone", names={"comment": "HostedZone.Config.Comment",
                                      "name": "HostedZone.Name"}, Id="{id}")  # fmt: skip
    remove = op("DeleteHostedZone", Id="{id}")
    outputs: ClassVar = {
        "arn": "arn:aws:route53:::hostedzone/{id}",
        "zoneId": "{id}",
        "nameServers": lambda raw: sorted(shapes.get(raw, "DelegationSet.NameServers") or []),
        "primaryNameServer": "DelegationSet.NameServers[0]",
    }
    default_comment = "Managed by Pulumi"

    def do_create(self, aws: Aws, props: Properties) -> str:
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

    def do_update(
        self, aws: Aws, ident: str, before: Any, after: Properties, changed: Any, state: Any
    ) -> None:
        if "comment" in changed:
            after = {"comment": self.default_comment, **after}
        super().do_update(aws, ident, before, after, changed, state)
        if "enableAcceleratedRecovery" in changed:
            self._accelerate(aws, ident, bool(after.get("enableAcceleratedRecovery")))

    def look_up(self, aws: Aws, inputs: Properties) -> str | None:
        props = wire.plain(inputs)
        wanted = props.get("tagsAll") or {}
        name = props["name"].rstrip(".") + "."
        found = aws.call("route53", "ListHostedZonesByName", {"DNSName": name})
        for item in found["HostedZones"]:
            if item["Name"] != name:
                continue
            ident = item["Id"].rpartition("/")[2]
            # A domain may have several zones; ours says whose it is, or nothing yet at all.
            tags = self.current_tags(aws, ident, {}, {})
            if not tags or tags.get("EnvironmentSuffix") == wanted.get("EnvironmentSuffix"):
                return ident
        return None

    def drift(self, aws: Aws, raw: Properties, key: str, written: Any) -> Any:
        seen = super().drift(aws, raw, key, written)
        if key == "name":
            return written if str(seen).rstrip(".") == str(written).rstrip(".") else seen
        return seen

    def do_delete(self, aws: Aws, ident: str, props: Properties) -> None:
        if props.get("forceDestroy"):
            self._clear(aws, ident)
        super().do_delete(aws, ident, props)

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
    create = op("CreateHealthCheck")
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
    read = op("GetHealthCheck", "HealthCheck", HealthCheckId="{id}")
    remove = op("DeleteHealthCheck", HealthCheckId="{id}")
    outputs: ClassVar = {"arn": "arn:aws:route53:::healthcheck/{id}"}

    def do_create(self, aws: Aws, props: Properties) -> str:
        parameters = self.parameters(aws, op("CreateHealthCheck"), None, props)
        prefix = props.get("referenceName", "lab")[:27]
        parameters["CallerReference"] = f"{prefix}-{uuid.uuid4().hex}"
        answer = aws.call("route53", "CreateHealthCheck", parameters)
        return answer["HealthCheck"]["Id"]

    def do_update(
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
        super().do_update(aws, ident, before, after, kept, state)

    def look_up(self, aws: Aws, inputs: Properties) -> str | None:
        props = wire.plain(inputs)
        wanted = props.get("tagsAll") or {}
        untagged: list[str] = []
        pages = aws.client("route53").get_paginator("list_health_checks").paginate()
        for item in [item for page in pages for item in page["HealthChecks"]]:
            tags = self.current_tags(aws, item["Id"], {}, {})
            keys = ("Name", "EnvironmentSuffix")
            if tags and all(tags.get(key) == wanted.get(key) for key in keys):
                return item["Id"]
            config = item["HealthCheckConfig"]
            if not tags and all(
                shapes.same(shapes.get(config, self.members[key]), props[key])
                for key in props
                if key in self.members and not isinstance(props[key], list)
            ):
                untagged.append(item["Id"])
        return untagged[0] if len(untagged) == 1 else None


POLICIES = {
    "failoverRoutingPolicies": {"type": "Failover"},
    "weightedRoutingPolicies": {"weight": "Weight"},
    "latencyRoutingPolicies": {"region": "Region"},
    "geolocationRoutingPolicies": {
        "continent": "GeoLocation.ContinentCode",
        "country": "GeoLocation.CountryCode",
        "subdivision": "GeoLocation.SubdivisionCode",
    },
}
ALIAS = {
    "name": "DNSName",
    "zoneId": "HostedZoneId",
    "evaluateTargetHealth": "EvaluateTargetHealth",
}


RECORD_ID = re.compile(
    r"(?P<zoneId>[^_]+)_(?P<name>.*?)_(?P<type>[A-Z]+)(?:_(?P<setIdentifier>.+))?"
)


class Record(ResourceType):
    """A record set, written by change batches."""

    pulumi_type = "aws:route53/record:Record"
    service, is_global = "route53", True
    inputs = (
        "zoneId name type ttl records setIdentifier healthCheckId aliases "
        "failoverRoutingPolicies weightedRoutingPolicies "
        "latencyRoutingPolicies geolocationRoutingPolicies"
    )
    settings = "allowOverwrite"
    replace = "zoneId name type setIdentifier"
    identity = ("zoneId", "name", "type", "setIdentifier")
    create_retry = ("PriorRequestNotComplete", "Throttling")
    outputs: ClassVar = {"fqdn": "fqdn"}

    def replaces(self, aws: Aws, prop: str) -> bool:
        return prop in self.replace.split()

    def validate(self, aws: Aws, props: Properties) -> list[tuple[str, str]]:
        found = []
        nested = {**POLICIES, "aliases": ALIAS}
        for key, members in nested.items():
            for item in _items(props.get(key)):
                found += [
                    (f"{key}.{inner}", f"{key}.{inner} of {self.pulumi_type} is not supported")
                    for inner in item
                    if inner not in members
                ]
        if props.get("aliases") and (props.get("records") or props.get("ttl") is not None):
            found.append(("aliases", "an alias record takes neither records nor ttl"))
        return found

    def _zone_name(self, aws: Aws, zone: str) -> str:
        return aws.call("route53", "GetHostedZone", {"Id": zone})["HostedZone"]["Name"].rstrip(".")

    @staticmethod
    def _expanded(name: str, zone: str) -> str:
        """pulumi-aws takes names with and without the zone's."""
        name = name.rstrip(".").lower()
        if not name:
            return zone
        return name if name == zone or name.endswith(f".{zone}") else f"{name}.{zone}"

    def record_set(self, aws: Aws, props: Properties) -> Properties:
        """The record set of Route 53 that the inputs mean."""
        name = self._expanded(props["name"], self._zone_name(aws, props["zoneId"]))
        made: Properties = {"Name": name, "Type": props["type"]}
        for key, member in (("ttl", "TTL"), ("setIdentifier", "SetIdentifier"),
                            ("healthCheckId", "HealthCheckId")):  # fmt: skip
            if props.get(key) not in (None, ""):
                made[member] = int(props[key]) if key == "ttl" else props[key]
        if props.get("records"):
            made["ResourceRecords"] = [
                {"Value": _quoted(value, props["type"])} for value in props["records"]
            ]
        for alias in _items(props.get("aliases")):
            made["AliasTarget"] = {ALIAS[key]: value for key, value in alias.items()}
        for key, members in POLICIES.items():
            for policy in _items(props.get(key)):
                for inner, value in policy.items():
                    shapes.put(made, members[inner], value)
        return made

    def _change(self, aws: Aws, action: str, zone: str, record: Properties) -> None:
        batch = {"Changes": [{"Action": action, "ResourceRecordSet": record}]}
        aws.call(
            "route53", "ChangeResourceRecordSets", {"HostedZoneId": zone, "ChangeBatch": batch}
        )

    def do_create(self, aws: Aws, props: Properties) -> str:
        record = self.record_set(aws, props)
        action = "UPSERT" if props.get("allowOverwrite") else "CREATE"
        self._change(aws, action, props["zoneId"], record)
        return self._ident(props)

    @staticmethod
    def _ident(props: Properties) -> str:
        parts = [props["zoneId"], props["name"], props["type"]]
        if props.get("setIdentifier"):
            parts.append(props["setIdentifier"])
        return "_".join(parts)

    def finish(self, aws: Aws, ident: str, props: Properties) -> None:
        """Nothing: one change makes it whole."""

    def do_update(
        self, aws: Aws, ident: str, before: Any, after: Properties, changed: Any, state: Any
    ) -> None:
        self._change(aws, "UPSERT", after["zoneId"], self.record_set(aws, after))

    def describe(self, aws: Aws, ident: str, props: Any) -> Properties | None:
        if not props.get("zoneId"):
            parts = RECORD_ID.fullmatch(ident)
            if parts is None:
                return None
            props = parts.groupdict()
        try:
            name = self._expanded(props["name"], self._zone_name(aws, props["zoneId"]))
            pages = aws.client("route53").get_paginator("list_resource_record_sets")
            found = [
                record
                for page in pages.paginate(HostedZoneId=props["zoneId"])
                for record in page["ResourceRecordSets"]
            ]
        except Exception as error:
            if is_not_found(error):
                return None
            raise
        for record in found:
            if (
                record["Name"].rstrip(".").replace("\\052", "*") == name
                and record["Type"] == props["type"]
                and record.get("SetIdentifier") == (props.get("setIdentifier") or None)
            ):
                return {**record, "fqdn": name}
        return None

    def look_up(self, aws: Aws, inputs: Properties) -> str | None:
        props = wire.plain(inputs)
        return self._ident(props) if self.describe(aws, "", props) else None

    def imported(self, aws: Aws, ident: str, raw: Properties) -> Properties:
        made: Properties = {
            "zoneId": ident.partition("_")[0],
            "name": raw["fqdn"],
            "type": raw["Type"],
        }
        if "SetIdentifier" in raw:
            made["setIdentifier"] = raw["SetIdentifier"]
        if "TTL" in raw:
            made["ttl"] = raw["TTL"]
        if raw.get("ResourceRecords"):
            made["records"] = [item["Value"] for item in raw["ResourceRecords"]]
        return made

    def drift(self, aws: Aws, raw: Properties, key: str, written: Any) -> Any:
        if key == "ttl":
            return raw.get("TTL", written)
        if key == "healthCheckId":
            return raw.get("HealthCheckId", written)
        if key == "records":
            seen = [item["Value"] for item in raw.get("ResourceRecords") or []]
            wanted = [_quoted(value, raw["Type"]) for value in written]
            return written if sorted(seen) == sorted(wanted) else seen
        members = POLICIES.get(key) or (ALIAS if key == "aliases" else None)
        if members is None:
            return written
        source = raw.get("AliasTarget") or {} if key == "aliases" else raw
        fresh = []
        for item in _items(written):
            made = {}
            for inner, value in item.items():
                seen = shapes.get(source, members[inner])
                is_dns = inner == "name" and _dns(seen) == _dns(value)
                made[inner] = value if seen is None or is_dns else seen
            fresh.append(made)
        return fresh if isinstance(written, list) else fresh[0]

    def do_delete(self, aws: Aws, ident: str, props: Properties) -> None:
        raw = self.describe(aws, ident, props)
        if raw is None:
            return
        raw.pop("fqdn")
        try:
            self._change(aws, "DELETE", props["zoneId"], raw)
        except Exception as error:
            if error_code(error) != "InvalidChangeBatch" or "not found" not in str(error):
                raise


def _items(value: Any) -> list[Mapping[str, Any]]:
    items = value if isinstance(value, list) else [value]
    return [item for item in items if isinstance(item, Mapping)]


def _dns(name: Any) -> str:
    """A DNS name as Route 53 compares it: AWS prefixes load balancers' names by itself."""
    return str(name).rstrip(".").lower().removeprefix("dualstack.")


def _quoted(value: str, kind: str) -> str:
    if kind in ("TXT", "SPF") and not value.startswith('"'):
        return f'"{value}"'
    return value

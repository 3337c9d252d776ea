"""Route 53: records."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, ClassVar

from lab.provider import shapes
from lab.provider.aws import Aws, error_code, is_not_found
from lab.provider.declaration import Failures, Properties
from lab.provider.resource import ResourceType
from pulumi_protocol.values import plain_without_nulls

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

    def replaces(self, prop: str) -> bool:
        return prop in self.replace.split()

    def validate(self, props: Properties, region: str) -> Failures:
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
        """Returns the record set of Route 53 that the inputs mean."""
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

    def create(self, aws: Aws, props: Properties) -> str:
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
        """Does nothing: one change makes it whole."""

    def update(
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
        props = plain_without_nulls(inputs)
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

    def delete(self, aws: Aws, ident: str, props: Properties) -> None:
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
    """Returns a DNS name as Route 53 compares it: AWS prefixes load balancers' names by itself."""
    return str(name).rstrip(".").lower().removeprefix("dualstack.")


def _quoted(value: str, kind: str) -> str:
    if kind in ("TXT", "SPF") and not value.startswith('"'):
        return f'"{value}"'
    return value

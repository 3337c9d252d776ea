"""Elastic Load Balancing: load balancers, target groups and their targets."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from lab.provider import shapes
from lab.provider.aws import Aws
from lab.provider.declaration import Failures, Properties, Tagging, op
from lab.provider.resource import ResourceType
from pulumi_protocol.values import UNKNOWN

TAGGING = Tagging(
    tag=op("AddTags", ResourceArns=["{id}"]),
    untag=op("RemoveTags", ResourceArns=["{id}"]),
    list=op("DescribeTags", "TagDescriptions[0].Tags", ResourceArns=["{id}"]),
)


class WithAttributes(ResourceType):
    """What has attributes: a list of keys and values beside its description."""

    service = "elbv2"
    tagging = TAGGING
    attributes: ClassVar[Mapping[str, str]] = {}
    """Input (``accessLogs.bucket`` for nested ones) → attribute's key."""
    set_attributes: ClassVar[str]
    get_attributes: ClassVar[str]
    arn_parameter: ClassVar[str]
    defaults: ClassVar[Mapping[str, str]] = {}
    """What an attribute is when the program sets nothing."""

    @property
    def known(self) -> frozenset[str]:
        return super().known | {key.partition(".")[0] for key in self.attributes}

    def replaces(self, prop: str) -> bool:
        if prop in {key.partition(".")[0] for key in self.attributes}:
            return False
        return super().replaces(prop)

    def validate(self, props: Properties, region: str) -> Failures:
        found = []
        nested = {key.partition(".")[0] for key in self.attributes if "." in key}
        for key in nested & props.keys():
            if isinstance(props[key], Mapping):
                found += [
                    (f"{key}.{inner}", f"{key}.{inner} of {self.pulumi_type} is not supported")
                    for inner in props[key]
                    if f"{key}.{inner}" not in self.attributes
                ]
        return found

    def _attributes(self, props: Properties) -> dict[str, str]:
        made = {}
        for key, name in self.attributes.items():
            value = shapes.get(props, key)
            if value is not None and value != "":
                made[name] = str(value).lower() if isinstance(value, bool) else str(value)
        return made

    def _send_attributes(self, aws: Aws, ident: str, wanted: Mapping[str, str]) -> None:
        if wanted:
            pairs = [{"Key": key, "Value": wanted[key]} for key in sorted(wanted)]
            aws.call(
                self.service, self.set_attributes, {self.arn_parameter: ident, "Attributes": pairs}
            )

    def finish(self, aws: Aws, ident: str, props: Properties) -> None:
        super().finish(aws, ident, props)
        self._send_attributes(aws, ident, self._attributes(props))

    def update(
        self, aws: Aws, ident: str, before: Any, after: Properties, changed: Any, state: Any
    ) -> None:
        super().update(aws, ident, before, after, changed, state)
        had, wanted = self._attributes(before), self._attributes(after)
        new = {key: value for key, value in wanted.items() if had.get(key) != value}
        for key in had.keys() - wanted.keys():
            if key in self.defaults:
                new[key] = self.defaults[key]
        self._send_attributes(aws, ident, new)

    def describe(self, aws: Aws, ident: str, props: Any) -> Properties | None:
        raw = super().describe(aws, ident, props)
        if raw is not None:
            answer = aws.call(self.service, self.get_attributes, {self.arn_parameter: ident})
            raw["attributes"] = {
                item["Key"]: item.get("Value") for item in answer.get("Attributes") or []
            }
        return raw

    def drift(self, aws: Aws, raw: Properties, key: str, written: Any) -> Any:
        seen = raw.get("attributes") or {}
        if key in self.attributes:
            return self._typed(seen.get(self.attributes[key]), written)
        if isinstance(written, Mapping) and any(
            name.startswith(f"{key}.") for name in self.attributes
        ):
            return {
                inner: self._typed(seen.get(self.attributes.get(f"{key}.{inner}", "")), value)
                for inner, value in written.items()
            }
        return super().drift(aws, raw, key, written)

    @staticmethod
    def _typed(seen: str | None, written: Any) -> Any:
        if seen is None or shapes.same(seen, written):
            return written
        if isinstance(written, bool):
            return seen == "true"
        return int(seen) if isinstance(written, int) and seen.isdigit() else seen


class LoadBalancer(WithAttributes):
    """A load balancer."""

    pulumi_type = "aws:lb/loadBalancer:LoadBalancer"
    inputs = (
        "name loadBalancerType internal securityGroups subnets subnetMappings ipAddressType "
        "customerOwnedIpv4Pool ipamPools"
    )
    names: ClassVar = {"loadBalancerType": "Type", "internal": ""}
    autoname = "name"
    identity = ("name",)
    creation = op("CreateLoadBalancer")
    updates = (
        op("SetSecurityGroups", only="securityGroups", LoadBalancerArn="{id}"),
        op("SetSubnets", only="subnets subnetMappings", LoadBalancerArn="{id}"),
        op("SetIpAddressType", only="ipAddressType", LoadBalancerArn="{id}"),
        op("ModifyIpPools", only="ipamPools", LoadBalancerArn="{id}"),
    )
    replace = "internal"
    id = "LoadBalancers[0].LoadBalancerArn"
    reading = op(
        "DescribeLoadBalancers",
        "LoadBalancers[0]",
        names={"name": "LoadBalancerName"},
        LoadBalancerArns=["{id}"],
    )
    search = op("DescribeLoadBalancers", "LoadBalancers[0]", Names=["{name}"])
    found_id = "LoadBalancerArn"
    deletion = op("DeleteLoadBalancer", LoadBalancerArn="{id}")
    ready = ("State.Code", frozenset({"active", "active_impaired"}), frozenset({"failed"}))
    waits_gone = True
    set_attributes = "ModifyLoadBalancerAttributes"
    get_attributes = "DescribeLoadBalancerAttributes"
    arn_parameter = "LoadBalancerArn"
    attributes: ClassVar = {
        "accessLogs.enabled": "access_logs.s3.enabled",
        "accessLogs.bucket": "access_logs.s3.bucket",
        "accessLogs.prefix": "access_logs.s3.prefix",
        "connectionLogs.enabled": "connection_logs.s3.enabled",
        "connectionLogs.bucket": "connection_logs.s3.bucket",
        "connectionLogs.prefix": "connection_logs.s3.prefix",
        "clientKeepAlive": "client_keep_alive.seconds",
        "idleTimeout": "idle_timeout.timeout_seconds",
        "enableDeletionProtection": "deletion_protection.enabled",
        "dropInvalidHeaderFields": "routing.http.drop_invalid_header_fields.enabled",
        "enableHttp2": "routing.http2.enabled",
        "desyncMitigationMode": "routing.http.desync_mitigation_mode",
        "preserveHostHeader": "routing.http.preserve_host_header.enabled",
        "xffHeaderProcessingMode": "routing.http.xff_header_processing.mode",
        "enableXffClientPort": "routing.http.xff_client_port.enabled",
        "enableTlsVersionAndCipherSuiteHeaders": (
            "routing.http.x_amzn_tls_version_and_cipher_suite.enabled"
        ),
        "enableWafFailOpen": "waf.fail_open.enabled",
        "enableCrossZoneLoadBalancing": "load_balancing.cross_zone.enabled",
        "enableZonalShift": "zonal_shift.config.enabled",
    }
    defaults: ClassVar = {
        "access_logs.s3.enabled": "false",
        "connection_logs.s3.enabled": "false",
        "client_keep_alive.seconds": "3600",
        "idle_timeout.timeout_seconds": "60",
        "deletion_protection.enabled": "false",
        "routing.http.drop_invalid_header_fields.enabled": "false",
        "routing.http2.enabled": "true",
        "routing.http.desync_mitigation_mode": "defensive",
        "routing.http.preserve_host_header.enabled": "false",
        "routing.http.xff_header_processing.mode": "append",
        "routing.http.xff_client_port.enabled": "false",
        "waf.fail_open.enabled": "false",
    }
    outputs: ClassVar = {
        "arn": "LoadBalancerArn",
        "arnSuffix": lambda raw: (
            raw.get("LoadBalancerArn", "").partition(":loadbalancer/")[2] or None
        ),
        "dnsName": "DNSName",
        "zoneId": "CanonicalHostedZoneId",
        "vpcId": "VpcId",
    }

    def validate(self, props: Properties, region: str) -> Failures:
        return [*super().validate(props, region), *name_limits(props)]

    def create(self, aws: Aws, props: Properties) -> str:
        call = op("CreateLoadBalancer")
        parameters = self.parameters(aws, call, None, props)
        parameters["Scheme"] = "internal" if props.get("internal") else "internet-facing"
        parameters |= self.tags_of(call, props)
        return self.ident_of(aws, aws.call(self.service, call.name, parameters), props)

    def drift(self, aws: Aws, raw: Properties, key: str, written: Any) -> Any:
        if key == "internal":
            return raw.get("Scheme") == "internal"
        if key == "subnets":
            found = [item["SubnetId"] for item in raw.get("AvailabilityZones") or []]
            return written if not found or sorted(found) == sorted(written) else found
        return super().drift(aws, raw, key, written)


def name_limits(props: Properties) -> Failures:
    """Returns what breaks AWS's limits of load balancers' and target groups' names."""
    name = props.get("name")
    if not isinstance(name, str) or name == UNKNOWN:
        return []
    if len(name) > 32:
        return [("name", f"'{name}' cannot be longer than '32' characters")]
    if not all(char.isalnum() or char == "-" for char in name) or name.strip("-") != name:
        return [("name", f"'{name}': only letters, digits and inner hyphens are allowed")]
    return []


HEALTH_CHECK = {
    "enabled": "HealthCheckEnabled",
    "healthyThreshold": "HealthyThresholdCount",
    "unhealthyThreshold": "UnhealthyThresholdCount",
    "interval": "HealthCheckIntervalSeconds",
    "timeout": "HealthCheckTimeoutSeconds",
    "path": "HealthCheckPath",
    "port": "HealthCheckPort",
    "protocol": "HealthCheckProtocol",
    "matcher": "Matcher.HttpCode",
}


class TargetGroup(WithAttributes):
    """A target group."""

    pulumi_type = "aws:lb/targetGroup:TargetGroup"
    inputs = "name targetType protocol port vpcId protocolVersion ipAddressType healthCheck"
    in_place = "healthCheck"
    names: ClassVar = {"healthCheck": ""}
    autoname = "name"
    identity = ("name",)
    creation = op("CreateTargetGroup")
    id = "TargetGroups[0].TargetGroupArn"
    reading = op(
        "DescribeTargetGroups",
        "TargetGroups[0]",
        names={"name": "TargetGroupName"},
        TargetGroupArns=["{id}"],
    )
    search = op("DescribeTargetGroups", "TargetGroups[0]", Names=["{name}"])
    found_id = "TargetGroupArn"
    deletion = op("DeleteTargetGroup", TargetGroupArn="{id}")
    set_attributes = "ModifyTargetGroupAttributes"
    get_attributes = "DescribeTargetGroupAttributes"
    arn_parameter = "TargetGroupArn"
    attributes: ClassVar = {
        "deregistrationDelay": "deregistration_delay.timeout_seconds",
        "lambdaMultiValueHeadersEnabled": "lambda.multi_value_headers.enabled",
        "slowStart": "slow_start.duration_seconds",
        "loadBalancingAlgorithmType": "load_balancing.algorithm.type",
        "loadBalancingCrossZoneEnabled": "load_balancing.cross_zone.enabled",
        "proxyProtocolV2": "proxy_protocol_v2.enabled",
        "connectionTermination": "deregistration_delay.connection_termination.enabled",
        "preserveClientIp": "preserve_client_ip.enabled",
        "stickiness.enabled": "stickiness.enabled",
        "stickiness.type": "stickiness.type",
        "stickiness.cookieDuration": "stickiness.lb_cookie.duration_seconds",
        "stickiness.cookieName": "stickiness.app_cookie.cookie_name",
    }
    defaults: ClassVar = {
        "lambda.multi_value_headers.enabled": "false",
        "deregistration_delay.timeout_seconds": "300",
        "stickiness.enabled": "false",
    }
    outputs: ClassVar = {
        "arn": "TargetGroupArn",
        "arnSuffix": lambda raw: raw.get("TargetGroupArn", "").rpartition(":")[2] or None,
        "loadBalancerArns": "LoadBalancerArns",
    }

    def validate(self, props: Properties, region: str) -> Failures:
        found = [*super().validate(props, region), *name_limits(props)]
        check = props.get("healthCheck")
        if isinstance(check, Mapping):
            found += [
                (f"healthCheck.{key}", f"healthCheck.{key} of {self.pulumi_type} is not supported")
                for key in check
                if key not in HEALTH_CHECK
            ]
            if props.get("targetType") == "lambda" and check.get("protocol"):
                found.append(
                    ("healthCheck.protocol", "a target group of type lambda takes no protocol")
                )
            interval, timeout = check.get("interval", 30), check.get("timeout", 5)
            if (
                isinstance(interval, int)
                and isinstance(timeout, int)
                and "interval" in check
                and interval <= timeout
            ):
                found.append(
                    ("healthCheck.timeout", "Health check timeout must be smaller than interval")
                )
        return found

    def _health(self, props: Properties) -> Properties:
        made: Properties = {}
        for key, value in (props.get("healthCheck") or {}).items():
            name = HEALTH_CHECK[key]
            kind = bool if key == "enabled" else str
            numbers = ("healthyThreshold", "unhealthyThreshold", "interval", "timeout")
            shapes.put(made, name, int(value) if key in numbers else kind(value))
        return made

    def create(self, aws: Aws, props: Properties) -> str:
        call = op("CreateTargetGroup")
        parameters = self.parameters(aws, call, None, props) | self._health(props)
        parameters |= self.tags_of(call, props)
        return self.ident_of(aws, aws.call(self.service, call.name, parameters), props)

    def update(
        self, aws: Aws, ident: str, before: Any, after: Properties, changed: Any, state: Any
    ) -> None:
        super().update(aws, ident, before, after, changed, state)
        if "healthCheck" in changed:
            parameters = {"TargetGroupArn": ident, **self._health(after)}
            aws.call(self.service, "ModifyTargetGroup", parameters)

    def drift(self, aws: Aws, raw: Properties, key: str, written: Any) -> Any:
        if key == "healthCheck" and isinstance(written, Mapping):
            return {
                inner: self._typed(_text(shapes.get(raw, HEALTH_CHECK[inner])), value)
                for inner, value in written.items()
            }
        return super().drift(aws, raw, key, written)


def _text(value: Any) -> str | None:
    if value is None:
        return None
    return str(value).lower() if isinstance(value, bool) else str(value)


class TargetGroupAttachment(ResourceType):
    """A target of a group."""

    pulumi_type = "aws:lb/targetGroupAttachment:TargetGroupAttachment"
    service = "elbv2"
    inputs = "targetGroupArn targetId"
    names: ClassVar = {"targetId": ""}
    identity = ("targetGroupArn", "targetId")
    id = "{targetGroupArn}|{targetId}"
    create_retry = ("InvalidTarget",)

    @staticmethod
    def _targets(props: Mapping[str, Any]) -> Properties:
        return {
            "TargetGroupArn": props["targetGroupArn"],
            "Targets": [{"Id": props["targetId"]}],
        }

    def create(self, aws: Aws, props: Properties) -> str:
        aws.call(self.service, "RegisterTargets", self._targets(props))
        return self.ident_of(aws, {}, props)

    def describe(self, aws: Aws, ident: str, props: Any) -> Properties | None:
        group, _, target = ident.partition("|")
        read = op("DescribeTargetHealth", TargetGroupArn=group)
        found = self.ask(aws, read, ident, {})
        for item in (found or {}).get("TargetHealthDescriptions") or []:
            if item["Target"]["Id"] == target:
                state = shapes.get(item, "TargetHealth.State")
                return None if state == "draining" else item
        return None

    def delete(self, aws: Aws, ident: str, props: Properties) -> None:
        aws.call(self.service, "DeregisterTargets", self._targets(props))

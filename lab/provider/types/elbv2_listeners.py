"""Elastic Load Balancing: listeners and their rules."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from lab.provider import shapes
from lab.provider.aws import Aws
from lab.provider.declaration import Failures, Properties, op
from lab.provider.resource import ResourceType
from lab.provider.types.elbv2 import TAGGING
from pulumi_protocol.values import plain_without_nulls

ACTION_NAMES = {
    "forward": "ForwardConfig",
    "redirect": "RedirectConfig",
    "fixedResponse": "FixedResponseConfig",
    "authenticateCognito": "AuthenticateCognitoConfig",
    "authenticateOidc": "AuthenticateOidcConfig",
    "jwtValidation": "JwtValidationConfig",
    "forward.targetGroups.arn": "TargetGroupArn",
    "forward.stickiness": "TargetGroupStickinessConfig",
    "forward.stickiness.duration": "DurationSeconds",
}


class Listener(ResourceType):
    """A port of a load balancer."""

    pulumi_type = "aws:lb/listener:Listener"
    service = "elbv2"
    tagging = TAGGING
    inputs = "loadBalancerArn port protocol sslPolicy certificateArn alpnPolicy defaultActions"
    names: ClassVar = {
        "certificateArn": "Certificates",
        "certificateArn.certificateArn": "CertificateArn",
        **{f"defaultActions.{key}": value for key, value in ACTION_NAMES.items()},
    }
    creation = op("CreateListener")
    updates = (op("ModifyListener", without="loadBalancerArn", ListenerArn="{id}"),)
    id = "Listeners[0].ListenerArn"
    identity = ("loadBalancerArn", "port")
    reading = op("DescribeListeners", "Listeners[0]", ListenerArns=["{id}"])
    deletion = op("DeleteListener", ListenerArn="{id}")
    outputs: ClassVar = {"arn": "ListenerArn"}

    def parameters(
        self, aws: Aws, call: Any, ident: Any, props: Any, only: Any = None, state: Any = None
    ) -> Properties:
        if "certificateArn" in props:
            arn = props["certificateArn"]
            props = {**props, "certificateArn": [{"certificateArn": arn}] if arn else []}
        return super().parameters(aws, call, ident, props, only, state)

    def look_up(self, aws: Aws, inputs: Properties) -> str | None:
        props = plain_without_nulls(inputs)
        read = op("DescribeListeners", LoadBalancerArn="{loadBalancerArn}")
        found = self.ask(aws, read, None, props)
        for item in (found or {}).get("Listeners") or []:
            if item.get("Port") == props.get("port"):
                return item["ListenerArn"]
        return None

    def drift(self, aws: Aws, raw: Properties, key: str, written: Any) -> Any:
        if key == "certificateArn":
            return shapes.get(raw, "Certificates[0].CertificateArn") or written
        return super().drift(aws, raw, key, written)


CONDITIONS = {
    "hostHeader": ("host-header", "HostHeaderConfig"),
    "httpHeader": ("http-header", "HttpHeaderConfig"),
    "httpRequestMethod": ("http-request-method", "HttpRequestMethodConfig"),
    "pathPattern": ("path-pattern", "PathPatternConfig"),
    "sourceIp": ("source-ip", "SourceIpConfig"),
}


class ListenerRule(ResourceType):
    """A rule of a listener."""

    pulumi_type = "aws:lb/listenerRule:ListenerRule"
    service = "elbv2"
    tagging = TAGGING
    inputs = "listenerArn priority conditions actions"
    names: ClassVar = {
        "conditions": "",
        **{f"actions.{key}": value for key, value in ACTION_NAMES.items()},
    }
    creation = op("CreateRule")
    updates = (op("ModifyRule", only="actions", RuleArn="{id}"),)
    in_place = "priority conditions"
    id = "Rules[0].RuleArn"
    identity = ("listenerArn", "priority")
    reading = op("DescribeRules", "Rules[0]", names={"listenerArn": ""}, RuleArns=["{id}"])
    deletion = op("DeleteRule", RuleArn="{id}")
    outputs: ClassVar = {"arn": "RuleArn"}

    def validate(self, props: Properties, region: str) -> Failures:
        return [
            (f"conditions.{key}", f"conditions.{key} of {self.pulumi_type} is not supported")
            for item in props.get("conditions") or []
            if isinstance(item, Mapping)
            for key in item
            if key not in CONDITIONS
        ]

    @staticmethod
    def _conditions(props: Properties) -> list[Properties]:
        made = []
        for item in props.get("conditions") or []:
            for key, value in item.items():
                name, config = CONDITIONS[key]
                body = {f"{k[:1].upper()}{k[1:]}": v for k, v in value.items()}
                made.append({"Field": name, config: body})
        return made

    def create(self, aws: Aws, props: Properties) -> str:
        call = op("CreateRule")
        if "priority" not in props:
            rules = aws.call(self.service, "DescribeRules", {"ListenerArn": props["listenerArn"]})
            taken = [int(r["Priority"]) for r in rules["Rules"] if r["Priority"].isdigit()]
            props = {**props, "priority": max(taken, default=0) + 1}
        parameters = self.parameters(aws, call, None, props)
        parameters["Conditions"] = self._conditions(props)
        parameters |= self.tags_of(call, props)
        return self.ident_of(aws, aws.call(self.service, call.name, parameters), props)

    def look_up(self, aws: Aws, inputs: Properties) -> str | None:
        props = plain_without_nulls(inputs)
        read = op("DescribeRules", ListenerArn="{listenerArn}")
        found = self.ask(aws, read, None, props)
        for item in (found or {}).get("Rules") or []:
            if item.get("Priority") == str(props.get("priority")):
                return item["RuleArn"]
        return None

    def update(
        self, aws: Aws, ident: str, before: Any, after: Properties, changed: Any, state: Any
    ) -> None:
        super().update(aws, ident, before, after, changed, state)
        if "conditions" in changed:
            parameters = {"RuleArn": ident, "Conditions": self._conditions(after)}
            aws.call(self.service, "ModifyRule", parameters)
        if "priority" in changed and "priority" in after:
            pairs = [{"RuleArn": ident, "Priority": int(after["priority"])}]
            aws.call(self.service, "SetRulePriorities", {"RulePriorities": pairs})

    def drift(self, aws: Aws, raw: Properties, key: str, written: Any) -> Any:
        if key == "priority":
            seen = str(raw.get("Priority", written))
            return written if seen == str(written) else int(seen) if seen.isdigit() else seen
        return super().drift(aws, raw, key, written)

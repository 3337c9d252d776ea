"""Elastic Load Balancing: rules and actions as declared, addresses of the right region, and the
refusals the deployed system must meet."""

from __future__ import annotations

import copy
from typing import Any

from lab.api import ApiRefusal, ApiRequest, ApiResponse, CallNext
from lab.emulator.lambda_targets import deployed_function, may_invoke
from lab.emulator.mending import Mending

CANONICAL_ZONES = {"us-east-1": "Z35SXDOTRQ7X7K", "us-west-2": "Z1H1FL5HABSF5"}
"""Elastic Load Balancing endpoints (AWS General Reference): hosted zone ids of ALBs."""
LONGEST_NAME = 32


def install(mending: Mending) -> None:
    """Mends elbv2."""
    mends = Elbv2(mending)
    mend = mending.mend
    mend("elbv2", "CreateListener ModifyListener DescribeListeners", mends.listeners)
    mend("elbv2", "CreateRule ModifyRule DescribeRules SetRulePriorities", mends.rules)
    mend("elbv2", "CreateLoadBalancer DescribeLoadBalancers", mends.load_balancers)
    mend("elbv2", "DeleteLoadBalancer", mends.delete_load_balancer)
    mend("elbv2", "CreateTargetGroup ModifyTargetGroup DescribeTargetGroups", mends.target_groups)
    mend("elbv2", "DeleteTargetGroup", mends.delete_target_group)
    mend("elbv2", "RegisterTargets", mends.register)
    mend("elbv2", "DescribeTargetHealth", mends.health)


class Elbv2:
    """The hooks."""

    def __init__(self, mending: Mending) -> None:
        self.target_state = mending.target_state
        self.memory = mending.store("elbv2")

    async def listeners(self, request: ApiRequest, call_next: CallNext) -> ApiResponse:
        """Actions whole; certificates, SSL policy and ALPN kept; one listener a port."""
        from ministack.services import alb

        given = request.parameters
        if request.operation == "CreateListener":
            for listener in alb._listeners._data.values():
                if (listener["LoadBalancerArn"], listener["Port"]) == (
                    given.get("LoadBalancerArn"),
                    given.get("Port"),
                ):
                    raise ApiRefusal(
                        "DuplicateListener",
                        "A listener already exists on this port for this "
                        f"load balancer '{listener['LoadBalancerArn']}'",
                    )
            self._check_groups(given.get("DefaultActions", []), request.region)
        _check_certificates(request)
        response = await call_next(request)
        if not response.ok:
            return response
        for listener in response.result["Listeners"]:
            arn = listener["ListenerArn"]
            kept = self.memory.setdefault(arn, {})
            if request.operation != "DescribeListeners":
                for name in ("SslPolicy", "Certificates", "AlpnPolicy", "MutualAuthentication"):
                    if name in given:
                        kept[name] = given[name]
                if "DefaultActions" in given:
                    actions = _whole_actions(given["DefaultActions"])
                    alb._listeners._data[_key(alb._listeners, arn)]["DefaultActions"] = actions
                    for rule in alb._rules._data.values():
                        if rule["ListenerArn"] == arn and rule.get("IsDefault"):
                            rule["Actions"] = actions
                    _link(alb, listener["LoadBalancerArn"])
            record = alb._listeners._data[_key(alb._listeners, arn)]
            listener["DefaultActions"] = copy.deepcopy(record["DefaultActions"])
            listener.update(copy.deepcopy(kept))
            if listener["Protocol"] == "HTTPS":
                listener.setdefault("SslPolicy", "ELBSecurityPolicy-2016-08")
        return response

    async def rules(self, request: ApiRequest, call_next: CallNext) -> ApiResponse:
        """Conditions and actions whole; one rule a priority."""
        from ministack.services import alb

        given = request.parameters
        if request.operation == "CreateRule":
            taken = {
                rule["Priority"]
                for rule in alb._rules._data.values()
                if rule["ListenerArn"] == given.get("ListenerArn")
            }
            if str(given.get("Priority")) in taken:
                raise ApiRefusal("PriorityInUse", f"Priority '{given['Priority']}' is in use")
            self._check_groups(given.get("Actions", []), request.region)
        response = await call_next(request)
        if not response.ok:
            return response
        for rule in response.result["Rules"]:
            record = alb._rules._data[_key(alb._rules, rule["RuleArn"])]
            if request.operation in ("CreateRule", "ModifyRule"):
                if "Conditions" in given:
                    record["Conditions"] = [_whole_condition(c) for c in given["Conditions"]]
                if "Actions" in given:
                    record["Actions"] = _whole_actions(given["Actions"])
                    listener = alb._listeners._data[_key(alb._listeners, record["ListenerArn"])]
                    _link(alb, listener["LoadBalancerArn"])
            rule["Conditions"] = copy.deepcopy(record["Conditions"])
            rule["Actions"] = copy.deepcopy(record["Actions"])
        # In order of priority, the default last.
        response.result["Rules"].sort(
            key=lambda rule: (rule["IsDefault"], rule["Priority"].zfill(9))
        )
        return response

    async def load_balancers(self, request: ApiRequest, call_next: CallNext) -> ApiResponse:
        """The region's own zone id, the subnets' zones, and AWS's limits of names."""
        from ministack.services import alb, ec2

        given = request.parameters
        if request.operation == "CreateLoadBalancer":
            _check_name("Load balancer", str(given.get("Name", "")))
            groups = given.get("SecurityGroups", [])
            known = {key[-1] for key in ec2._security_groups._data if key[1] == request.region}
            for group in groups:
                if group not in known:
                    raise ApiRefusal(
                        "InvalidSecurityGroup", f"One or more security groups are invalid: {group}"
                    )
        response = await call_next(request)
        if not response.ok:
            return response
        for balancer in response.result["LoadBalancers"]:
            record = alb._lbs._data[_key(alb._lbs, balancer["LoadBalancerArn"])]
            subnets = {key[-1]: subnet for key, subnet in ec2._subnets._data.items()}
            placed = [subnets[name] for name in record["Subnets"] if name in subnets]
            if placed:
                record["VpcId"] = balancer["VpcId"] = placed[0]["VpcId"]
            balancer["CanonicalHostedZoneId"] = CANONICAL_ZONES.get(request.region, "")
            balancer["AvailabilityZones"] = [
                {
                    "ZoneName": subnets.get(name, {}).get("AvailabilityZone", ""),
                    "SubnetId": name,
                    "LoadBalancerAddresses": [],
                }
                for name in record["Subnets"]
            ]
        return response

    async def delete_load_balancer(self, request: ApiRequest, call_next: CallNext) -> ApiResponse:
        """Deletion protection holds; listeners and rules go with their load balancer."""
        from ministack.services import alb

        arn = request.parameters["LoadBalancerArn"]
        account = arn.split(":")[4]
        attributes = {
            item["Key"]: item["Value"] for item in alb._lb_attrs._data.get((account, arn), [])
        }
        if attributes.get("deletion_protection.enabled") == "true":
            raise ApiRefusal(
                "OperationNotPermitted",
                f"Load balancer '{arn}' cannot be deleted because deletion protection is enabled",
            )
        response = await call_next(request)
        if response.ok:
            for key, listener in list(alb._listeners._data.items()):
                if listener["LoadBalancerArn"] == arn:
                    del alb._listeners._data[key]
                    for rule_key, rule in list(alb._rules._data.items()):
                        if rule["ListenerArn"] == listener["ListenerArn"]:
                            del alb._rules._data[rule_key]
            _link(alb, arn)
        return response

    async def target_groups(self, request: ApiRequest, call_next: CallNext) -> ApiResponse:
        """Names' limits; Lambda groups carry no protocol, port or VPC, and health checks off
        by default."""
        from ministack.services import alb

        given = request.parameters
        if request.operation == "CreateTargetGroup":
            _check_name("Target group", str(given.get("Name", "")))
        response = await call_next(request)
        if not response.ok:
            return response
        for group in response.result["TargetGroups"]:
            record = alb._tgs._data[_key(alb._tgs, group["TargetGroupArn"])]
            if group.get("TargetType") != "lambda":
                continue
            if request.operation == "CreateTargetGroup":
                record["HealthCheckEnabled"] = bool(given.get("HealthCheckEnabled", False))
                defaults = {"HealthCheckIntervalSeconds": 35, "HealthCheckTimeoutSeconds": 30}
                for name, value in defaults.items():
                    record[name] = given.get(name, value)
            for name in ("Protocol", "Port", "VpcId", "HealthCheckProtocol", "HealthCheckPort"):
                group.pop(name, None)
            for name in (
                "HealthCheckEnabled",
                "HealthCheckIntervalSeconds",
                "HealthCheckTimeoutSeconds",
            ):
                group[name] = record[name]
        return response

    async def delete_target_group(self, request: ApiRequest, call_next: CallNext) -> ApiResponse:
        """A group that a listener or rule uses stays."""
        from ministack.services import alb

        arn = request.parameters["TargetGroupArn"]
        if any(
            arn in _groups_of(actions)
            for record in (*alb._listeners._data.values(), *alb._rules._data.values())
            for actions in (record.get("DefaultActions") or record.get("Actions") or [],)
        ):
            raise ApiRefusal(
                "ResourceInUse", f"Target group '{arn}' is currently in use by a listener or a rule"
            )
        return await call_next(request)

    async def register(self, request: ApiRequest, call_next: CallNext) -> ApiResponse:
        """A function that doesn't let load balancers call it can't be registered."""
        from ministack.services import alb

        group = request.parameters["TargetGroupArn"]
        record = next((g for k, g in alb._tgs._data.items() if k[-1] == group), None)
        if record and record["TargetType"] == "lambda":
            for target in request.parameters.get("Targets", []):
                function = deployed_function(target["Id"])
                if function is None:
                    raise ApiRefusal(
                        "InvalidTarget", f"The specified target does not exist: {target['Id']}"
                    )
                if not may_invoke(function, group):
                    raise ApiRefusal(
                        "AccessDenied",
                        "elasticloadbalancing principal does not have permission to invoke "
                        f"{target['Id']} from target group {group}",
                        403,
                    )
        return await call_next(request)

    async def health(self, request: ApiRequest, call_next: CallNext) -> ApiResponse:
        """Targets' health as it was found."""
        response = await call_next(request)
        if not response.ok:
            return response
        group = request.parameters["TargetGroupArn"]
        for description in response.result.get("TargetHealthDescriptions", []):
            target = description["Target"]["Id"]
            description["TargetHealth"] = dict(self.target_state(group, target))
            if target.startswith("arn:"):
                description["Target"].pop("Port", None)
        return response

    @staticmethod
    def _check_groups(actions: list[dict[str, Any]], region: str) -> None:
        from ministack.services import alb

        known = {key[-1] for key in alb._tgs._data if key[1] == region}
        for arn in _groups_of(actions):
            if arn not in known:
                raise ApiRefusal("TargetGroupNotFound", f"Target groups '{arn}' not found")


def _check_certificates(request: ApiRequest) -> None:
    """A new HTTPS listener needs a certificate, and each one is of the listener's own region."""
    from ministack.services import acm

    given = request.parameters
    certificates = given.get("Certificates", [])
    is_new = request.operation == "CreateListener"
    if is_new and given.get("Protocol") == "HTTPS" and not certificates:
        raise ApiRefusal("ValidationError", "A certificate must be specified for HTTPS listeners")
    known = {key[-1] for key in acm._certificates._data if key[1] == request.region}
    for certificate in certificates:
        arn = certificate["CertificateArn"]
        if arn not in known:
            raise ApiRefusal("CertificateNotFound", f"Certificate '{arn}' not found")


def _check_name(what: str, name: str) -> None:
    if len(name) > LONGEST_NAME:
        raise ApiRefusal(
            "ValidationError",
            f"{what} name '{name}' cannot be longer than '{LONGEST_NAME}' characters",
        )
    if not name.replace("-", "").isalnum() or name.startswith("-") or name.endswith("-"):
        raise ApiRefusal(
            "ValidationError",
            f"{what} name '{name}' can only contain characters that are "
            "alphanumeric characters and hyphens(-)",
        )


def _key(store: Any, arn: str) -> Any:
    return next(key for key in store._data if key[-1] == arn)


def _whole_actions(actions: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Actions as AWS reads them back: order always, and both forms of forwarding."""
    whole = copy.deepcopy(actions)
    for order, action in enumerate(whole, 1):
        action.setdefault("Order", order)
        if action["Type"] != "forward":
            continue
        groups = action.get("ForwardConfig", {}).get("TargetGroups") or []
        if not groups and "TargetGroupArn" in action:
            groups = [{"TargetGroupArn": action["TargetGroupArn"]}]
        config = action.setdefault("ForwardConfig", {})
        config["TargetGroups"] = [{"Weight": 1} | group for group in groups]
        config.setdefault("TargetGroupStickinessConfig", {"Enabled": False})
        if len(groups) == 1:
            action["TargetGroupArn"] = groups[0]["TargetGroupArn"]
            config["TargetGroups"] = [{**groups[0], "Weight": groups[0].get("Weight", 1)}]
    return whole


def _whole_condition(condition: dict[str, Any]) -> dict[str, Any]:
    """A condition with both of its forms, as AWS reads it back."""
    whole = copy.deepcopy(condition)
    name = {"path-pattern": "PathPatternConfig", "host-header": "HostHeaderConfig"}.get(
        whole["Field"]
    )
    if name:
        values = whole.get(name, {}).get("Values") or whole.get("Values", [])
        whole[name] = {"Values": list(values)}
        whole["Values"] = list(values)
    return whole


def _groups_of(actions: list[dict[str, Any]]) -> set[str]:
    found = set()
    for action in actions:
        if "TargetGroupArn" in action:
            found.add(action["TargetGroupArn"])
        for group in action.get("ForwardConfig", {}).get("TargetGroups") or []:
            found.add(group["TargetGroupArn"])
    return found


def _link(alb: Any, balancer: str) -> None:
    """Which target groups a load balancer uses, after a change."""
    listeners = {
        record["ListenerArn"]: record
        for record in alb._listeners._data.values()
        if record["LoadBalancerArn"] == balancer
    }
    used: set[str] = set()
    for record in listeners.values():
        used |= _groups_of(record["DefaultActions"])
    for rule in alb._rules._data.values():
        if rule["ListenerArn"] in listeners:
            used |= _groups_of(rule["Actions"])
    for group in alb._tgs._data.values():
        others = [arn for arn in group["LoadBalancerArns"] if arn != balancer]
        group["LoadBalancerArns"] = (
            [*others, balancer] if group["TargetGroupArn"] in used else others
        )

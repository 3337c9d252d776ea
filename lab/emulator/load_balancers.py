"""Application Load Balancers' data plane: requests by host name to listeners, rules and targets.

Serves the load balancers of both regions, with AWS's event and answer shapes for Lambda targets
(Elastic Load Balancing user guide, "Lambda functions as targets").
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from weakref import WeakKeyDictionary

from lab.call import Answer, Call
from lab.context import LabContext
from lab.emulator import listener_rules
from lab.emulator.exchange import Exchange, Proceed
from lab.emulator.functions import Functions
from lab.emulator.lambda_targets import LARGEST, answer_of, deployed_function, may_invoke
from lab.emulator.load_balancer_requests import (
    LOAD_BALANCER_HEADER,
    PORT_HEADERS,
    BalancedRequest,
)
from lab.facts import LoadBalancerRequest
from lab.outage import OutageKind


@dataclass(frozen=True)
class LoadBalancer:
    """A deployed load balancer as the emulator holds it."""

    record: Mapping[str, Any]
    region: str
    account: str

    @property
    def arn(self) -> str:
        """arn:aws:elasticloadbalancing:…:loadbalancer/app/NAME/ID"""
        return str(self.record["LoadBalancerArn"])


class LoadBalancers:
    """Finds and serves load balancers."""

    def __init__(self, lab: LabContext, functions: Functions) -> None:
        self.lab, self.functions = lab, functions
        self._connected: WeakKeyDictionary[asyncio.StreamWriter, float] = WeakKeyDictionary()

    def find(self, call: Call) -> LoadBalancer | None:
        """The load balancer a request is for, by header or host name; None for an AWS API."""
        name = call.headers.get(LOAD_BALANCER_HEADER) or call.headers.get("host", "")
        name = name.partition(":")[0].lower().rstrip(".")
        if not name.endswith(".elb.amazonaws.com"):
            return None
        from ministack.services import alb

        for (account, region, _), record in alb._lbs._data.items():
            if record["DNSName"].lower() == name:
                return LoadBalancer(record, region, account)
        return None

    async def answer(self, exchange: Exchange, proceed: Proceed) -> Answer | None:
        """Answers a request for a load balancer; passes on what is for an AWS API."""
        if balancer := self.find(exchange.call):
            return await self.serve(balancer, exchange.call)
        return await proceed(exchange)

    async def serve(self, balancer: LoadBalancer, call: Call) -> Answer | None:
        """Answers a request as the load balancer; None drops the connection."""
        if self.lab.outages.has_lost(balancer.region, OutageKind.COMPUTE):
            return await self._lost(balancer, call)
        listener = self._listener(balancer, call)
        if listener is None:
            return None
        began = time.monotonic()
        request = BalancedRequest(call, listener["Port"], listener["Protocol"])
        action = self._action(listener, request)
        target_group, from_target = "", False
        if action["Type"] == "fixed-response":
            answer = listener_rules.fixed_response(action["FixedResponseConfig"])
        elif action["Type"] == "redirect":
            answer = listener_rules.redirect(action["RedirectConfig"], request)
        else:
            target_group = listener_rules.target_group(action)
            answer, from_target = await self._forward(target_group, request)
        # During the request its region may have died: then nothing comes back either.
        if self.lab.outages.has_lost(balancer.region, OutageKind.COMPUTE):
            return await self._lost(balancer, call)
        self.lab.emit(
            LoadBalancerRequest(
                region=balancer.region,
                load_balancer=balancer.arn.partition("loadbalancer/")[2],
                target_group=target_group.rpartition(":")[2],
                status=answer.status,
                from_target=from_target,
                seconds=time.monotonic() - began,
            )
        )
        self._keep_alive(balancer, call, answer)
        return answer

    async def _lost(self, balancer: LoadBalancer, call: Call) -> None:
        """No answer: at once when its region is down, never as long as it hangs."""
        await self.lab.hold(balancer.region, OutageKind.COMPUTE, call.writer)

    def _listener(self, balancer: LoadBalancer, call: Call) -> Mapping[str, Any] | None:
        from ministack.services import alb

        listeners = [
            listener
            for listener in alb._listeners._data.values()
            if listener["LoadBalancerArn"] == balancer.arn
        ]
        asked = next((call.headers[name] for name in PORT_HEADERS if name in call.headers), "")
        if not asked:
            host_port = call.headers.get("host", "").partition(":")[2]
            asked = host_port if host_port != str(self.lab.port) else ""
        port = int(asked) if asked.isdigit() else 80
        return next((listener for listener in listeners if listener["Port"] == port), None)

    def _action(self, listener: Mapping[str, Any], request: BalancedRequest) -> Mapping[str, Any]:
        from ministack.services import alb

        rules = [
            rule
            for rule in alb._rules._data.values()
            if rule["ListenerArn"] == listener["ListenerArn"] and not rule.get("IsDefault")
        ]
        for rule in sorted(rules, key=lambda rule: int(rule["Priority"])):
            if all(listener_rules.matches(condition, request) for condition in rule["Conditions"]):
                return listener_rules.last(rule["Actions"])
        return listener_rules.last(listener["DefaultActions"])

    async def _forward(self, target_group: str, request: BalancedRequest) -> tuple[Answer, bool]:
        """(answer, whether it is the target's)"""
        from ministack.services import alb

        group = next((g for (_, _, arn), g in alb._tgs._data.items() if arn == target_group), None)
        account = target_group.split(":")[4] if target_group else ""
        targets = alb._targets._data.get((account, target_group), [])
        if group is None or not targets:
            return listener_rules.error(503), False
        if group["TargetType"] != "lambda":
            return listener_rules.error(502), False
        if len(request.body) > LARGEST:
            return listener_rules.error(413), False
        attributes = {
            item["Key"]: item["Value"]
            for item in alb._tg_attrs._data.get((account, target_group), [])
        }
        multi = attributes.get("lambda.multi_value_headers.enabled") == "true"
        answer = await self.invoke_target(
            target_group, targets[0]["Id"], request.event(target_group, multi)
        )
        if answer is None:
            return listener_rules.error(502), False
        return answer, True

    async def invoke_target(
        self, target_group: str, target: str, event: dict[str, Any]
    ) -> Answer | None:
        """Calls a Lambda target; None when it gives no valid answer (the client sees 502)."""
        function = deployed_function(target)
        if function is None or not may_invoke(function, target_group):
            return None
        outcome = await self.functions.invoke(function, event)
        return None if outcome.error else answer_of(outcome.result)

    def _keep_alive(self, balancer: LoadBalancer, call: Call, answer: Answer) -> None:
        """A client's connection lives as long as the load balancer's attribute says."""
        from ministack.services import alb

        if call.writer is None:
            return
        attributes = {
            item["Key"]: item["Value"]
            for item in alb._lb_attrs._data.get((balancer.account, balancer.arn), [])
        }
        allowed = float(attributes.get("client_keep_alive.seconds", "3600"))
        first = self._connected.setdefault(call.writer, self.lab.clock.now())
        if self.lab.clock.now() - first >= allowed:
            answer.headers.append(("connection", "close"))

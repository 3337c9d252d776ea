"""One region's failover test (R10): on demand, and on a schedule where one is configured."""

from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from controller_permissions import own_metrics
from recovery_function import RecoveryFunction, RecoveryFunctionArgs, Surroundings
from tapstack.contracts import RegionalApp
from tapstack.naming import parameter_path
from tapstack.pair import Pair
from tapstack.policies import allow, parameter_arn
from tapstack.well_known import FAILOVER_TEST, SWITCH_RELEASED

HANDLER = "recovery.failover_test.handler"
TIMEOUT_SECONDS = 60
WHILE_OFF_DAYS = 7
"""A rule needs an expression, disabled or not."""


@dataclass(frozen=True)
class FailoverTestArgs:
    """The own region's application first; ``days`` 0: no schedule."""

    within: Surroundings
    app: Pair[RegionalApp]
    server_name: str
    name_servers: pulumi.Input[str]
    witnesses: Pair[str]
    days: int


class FailoverTest(pulumi.ComponentResource):
    """Has a switch of its own: nobody's traffic follows it."""

    def __init__(
        self, name: str, args: FailoverTestArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("warmstandby:global:FailoverTest", name, None, opts)
        here = pulumi.ResourceOptions(parent=self)
        region = args.within.region
        switch = parameter_path(region.name, region.suffix, "local", "failover-test-switch")
        parameter = aws.ssm.Parameter(
            f"parameter-{FAILOVER_TEST}-{region.name}",
            name=switch,
            type="String",
            value=SWITCH_RELEASED,
            # The test moves it, and a deploy in its middle leaves it alone.
            opts=pulumi.ResourceOptions(parent=self, ignore_changes=["value"]),
        )
        own, peer = args.app
        days = args.days or WHILE_OFF_DAYS
        RecoveryFunction(
            name,
            RecoveryFunctionArgs(
                within=args.within,
                purpose=FAILOVER_TEST,
                description="Tries a failover's parts and moves nobody's traffic",
                handler=HANDLER,
                timeout_seconds=TIMEOUT_SECONDS,
                environment={
                    "ENVIRONMENT_SUFFIX": region.suffix,
                    "LOAD_BALANCER": own.load_balancer_dns_name,
                    "PEER_LOAD_BALANCER": peer.load_balancer_dns_name,
                    "SERVER_NAME": args.server_name,
                    "PROBE_FUNCTION": own.called_probe,
                    "NAME_SERVERS": args.name_servers,
                    "WITNESS": args.witnesses.primary,
                    "OWN_WITNESS": args.witnesses.secondary,
                    "TEST_SWITCH_PARAMETER": parameter.name,
                },
                statements=[
                    allow("Probe", ["lambda:InvokeFunction"], [own.probe_function_arn]),
                    allow(
                        "OwnSwitch",
                        ["ssm:GetParameter", "ssm:PutParameter"],
                        [parameter_arn(region.name, args.within.account_id, switch)],
                    ),
                    own_metrics(),
                ],
                schedule=f"rate({days} day{'s' if days > 1 else ''})",
                enabled=args.days > 0,
            ),
            here,
        )
        self.register_outputs({})

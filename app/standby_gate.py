"""The gate between the regions: the primary's functions change once the standby serves the same.

A bad bundle would else take both regions at the same moment (trap 65). The gate is a resource of
the program, so that every way to deploy it is held back alike.
"""

from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

import function_environment
import policy_statements as statements
from function_role import FunctionRole, FunctionRoleArgs
from node_function import FunctionNames, NodeFunction, NodeFunctionArgs
from regional_service import RegionalService
from tapstack.app_settings import AppSettings
from tapstack.regions import Region
from tapstack.releases import passed_parameter
from tapstack.well_known import GATE_FUNCTION, LIVE

TIMEOUT_SECONDS = 100
"""It gives up after a minute, and then waits for two answers of at most 12 s each."""


@dataclass(frozen=True)
class StandbyGateArgs:
    """Whose service is asked, and the code that asks."""

    region: Region
    """The standby."""
    settings: AppSettings
    account_id: pulumi.Input[str]
    key_arn: pulumi.Input[str]
    service: RegionalService
    code: pulumi.Input[pulumi.Archive]
    server_name: str
    """The clients' name, which the load balancer's certificate bears; empty without one."""


class StandbyGate(pulumi.ComponentResource):
    """``passed`` is what the primary's functions depend on.

    A function outside the VPC asks the standby's load balancer as a client does, until its new
    version has served, reads included; then the controller's probe is called once. Both calls are
    made anew when a version changes, and fail the deployment where they fail.
    """

    def __init__(
        self, name: str, args: StandbyGateArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("warmstandby:app:StandbyGate", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)
        names = FunctionNames.of(args.region, GATE_FUNCTION, args.account_id)
        role = FunctionRole(
            f"role-{name}",
            FunctionRoleArgs(
                region=args.region,
                purpose=GATE_FUNCTION,
                statements=statements.of_each_function(names.log_group_arn, args.key_arn),
            ),
            child,
        )
        asks = NodeFunction(
            f"function-{name}",
            NodeFunctionArgs(
                region=args.region,
                purpose=GATE_FUNCTION,
                description="Asks the standby's load balancer whether it serves a new version",
                handler="index.gate",
                timeout_seconds=TIMEOUT_SECONDS,
                settings=args.settings,
                network=None,
                key_arn=args.key_arn,
                role=role,
                code=args.code,
                environment=function_environment.gate(
                    args.service.outputs.load_balancer_dns_name, args.server_name
                ),
            ),
            child,
        )
        # Everything of the region stands: listeners, target, permission, alias.
        served = pulumi.ResourceOptions(parent=self, depends_on=[args.service, asks])
        self.passed = [
            aws.lambda_.Invocation(
                f"serves-{name}",
                function_name=asks.function.name,
                input=pulumi.Output.json_dumps(
                    {"version": args.service.api.alias.function_version}
                ),
                opts=served,
            ),
            aws.lambda_.Invocation(
                f"probes-{name}",
                function_name=args.service.probe.function.name,
                qualifier=LIVE,
                input="{}",
                triggers={"version": args.service.probe.alias.function_version},
                opts=served,
            ),
        ]
        # What the gate stopped is never in its history, so no rollback goes back to it. A version,
        # not a release: after a rollback the gate asks for the version that serves in its place.
        aws.ssm.Parameter(
            f"passed-{name}",
            name=passed_parameter(args.region.name, args.region.suffix),
            type="String",
            value=args.service.api.alias.function_version,
            opts=pulumi.ResourceOptions(parent=self, depends_on=self.passed),
        )
        self.register_outputs({})

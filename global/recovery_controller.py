"""One region's recovery controller: started every minute, and by RDS's events about failovers."""

from collections.abc import Mapping
from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from recovery_function import RecoveryFunction, RecoveryFunctionArgs, Surroundings
from tapstack.policies import Statement
from tapstack.well_known import RECOVERY

HANDLER = "recovery.controller.handler"
TIMEOUT_SECONDS = 50
"""Ends before the next run: the lease of a run is as long (lambda_src/recovery)."""
RDS_EVENTS = ("0238", "0239", "0240", "0241", "0390", "0391", "0397")
"""Failover and resynchronisation of a global database begun, ended, fenced or not (Aurora user
guide, "Amazon RDS event categories and event messages for Aurora")."""


@dataclass(frozen=True)
class RecoveryControllerArgs:
    """Where it runs, what it knows, what it may do."""

    within: Surroundings
    environment: Mapping[str, pulumi.Input[str]]
    statements: list[Statement]


class RecoveryController(pulumi.ComponentResource):
    """``role`` is what the validator asks IAM about."""

    def __init__(
        self, name: str, args: RecoveryControllerArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("warmstandby:global:RecoveryController", name, None, opts)
        here = pulumi.ResourceOptions(parent=self)
        region = args.within.region
        function = RecoveryFunction(
            name,
            RecoveryFunctionArgs(
                within=args.within,
                purpose=RECOVERY,
                description="Decides every minute whether the other region's database is lost",
                handler=HANDLER,
                timeout_seconds=TIMEOUT_SECONDS,
                environment=args.environment,
                statements=args.statements,
                schedule="rate(1 minute)",
            ),
            here,
        )
        self.role = function.role
        function.started_by(
            f"rds-events-{region.name}",
            aws.cloudwatch.EventRule(
                f"rds-events-{region.name}",
                name=region.physical_name("rule", "rds-events"),
                description="What RDS says of failovers, for the recovery controller",
                event_pattern=pulumi.Output.json_dumps(rds_events()),
                opts=here,
            ),
        )
        self.register_outputs({})


def rds_events() -> dict[str, object]:
    """The pattern of events about a global database's failovers."""
    return {
        "source": ["aws.rds"],
        "detail": {"EventID": [f"RDS-EVENT-{number}" for number in RDS_EVENTS]},
    }

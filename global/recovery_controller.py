"""One region's recovery controller: its function, what starts it, and as whom it acts."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pulumi
import pulumi_aws as aws

from tapstack.naming import log_group_of
from tapstack.policies import Statement, document, trust
from tapstack.regions import Region
from tapstack.well_known import RECOVERY

RUNTIME = "python3.13"
HANDLER = "recovery.controller.handler"
TIMEOUT_SECONDS = 50
"""Ends before the next run: the lease of a run is as long (lambda_src/recovery)."""
MEMORY_MB = 512
LOST_AFTER_SECONDS = 60
"""A run that comes later is another minute's: it isn't retried, and the next one takes over."""
RDS_EVENTS = ("0238", "0239", "0240", "0241", "0390", "0391", "0397")
"""Failover and resynchronisation of a global database begun, ended, fenced or not (Aurora user
guide, "Amazon RDS event categories and event messages for Aurora")."""


def recovery_code(sources: Path) -> pulumi.AssetArchive:
    """The package's modules and nothing else: no caches, so that equal sources are equal code."""
    return pulumi.AssetArchive(
        {
            f"{sources.name}/{file.name}": pulumi.FileAsset(str(file))
            for file in sorted(sources.glob("*.py"))
        }
    )


@dataclass(frozen=True)
class RecoveryControllerArgs:
    """Where it runs, what it knows, what it may do."""

    region: Region
    key_arn: pulumi.Input[str]
    code: pulumi.Input[pulumi.Archive]
    architecture: str
    log_retention_days: int
    environment: Mapping[str, pulumi.Input[str]]
    statements: list[Statement]


class RecoveryController(pulumi.ComponentResource):
    """Started every minute by a rule of the default bus, whose event carries the scheduled time,
    and by RDS's events about failovers.

    Outside the VPC: it must reach what the VPC can't when a network is cut, and asks the database
    through the probe.
    """

    def __init__(
        self, name: str, args: RecoveryControllerArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("warmstandby:global:RecoveryController", name, None, opts)
        self._here = pulumi.ResourceOptions(parent=self)
        region, here = args.region, self._here
        function_name = region.physical_name("function", RECOVERY)
        logs = aws.cloudwatch.LogGroup(
            name,
            name=log_group_of(function_name),
            retention_in_days=args.log_retention_days,
            kms_key_id=args.key_arn,
            opts=here,
        )
        role = aws.iam.Role(
            name,
            name=region.physical_name("role", RECOVERY),
            description=f"What recovery may do from {region.name}",
            assume_role_policy=trust("lambda.amazonaws.com"),
            opts=here,
        )
        policy = aws.iam.Policy(
            name,
            name=region.physical_name("policy", RECOVERY),
            policy=document(*args.statements),
            opts=here,
        )
        attachment = aws.iam.RolePolicyAttachment(
            name, role=role.name, policy_arn=policy.arn, opts=here
        )
        self.function = aws.lambda_.Function(
            name,
            name=function_name,
            description="Decides every minute whether the other region's database is lost",
            runtime=RUNTIME,
            handler=HANDLER,
            architectures=[args.architecture],
            memory_size=MEMORY_MB,
            timeout=TIMEOUT_SECONDS,
            role=role.arn,
            code=args.code,
            kms_key_arn=args.key_arn,
            environment=aws.lambda_.FunctionEnvironmentArgs(variables=args.environment),
            opts=pulumi.ResourceOptions(parent=self, depends_on=[logs, attachment]),
        )
        aws.lambda_.FunctionEventInvokeConfig(
            name,
            function_name=self.function.name,
            maximum_event_age_in_seconds=LOST_AFTER_SECONDS,
            maximum_retry_attempts=0,
            opts=here,
        )
        self._started_by(
            f"every-minute-{region.name}",
            aws.cloudwatch.EventRule(
                f"every-minute-{region.name}",
                name=region.physical_name("rule", RECOVERY),
                description="Starts the recovery controller",
                schedule_expression="rate(1 minute)",
                opts=here,
            ),
        )
        self._started_by(
            f"rds-events-{region.name}",
            aws.cloudwatch.EventRule(
                f"rds-events-{region.name}",
                name=region.physical_name("rule", "rds-events"),
                description="What RDS says of failovers, for the recovery controller",
                event_pattern=pulumi.Output.json_dumps(rds_events()),
                opts=here,
            ),
        )
        self.register_outputs({"function_arn": self.function.arn})

    def _started_by(self, name: str, rule: aws.cloudwatch.EventRule) -> None:
        """Calls the function for each of a rule's events, at most once and soon or never."""
        permission = aws.lambda_.Permission(
            name,
            action="lambda:InvokeFunction",
            function=self.function.name,
            principal="events.amazonaws.com",
            source_arn=rule.arn,
            opts=self._here,
        )
        aws.cloudwatch.EventTarget(
            name,
            rule=rule.name,
            target_id="controller",
            arn=self.function.arn,
            retry_policy=aws.cloudwatch.EventTargetRetryPolicyArgs(
                maximum_event_age_in_seconds=LOST_AFTER_SECONDS, maximum_retry_attempts=0
            ),
            opts=pulumi.ResourceOptions(parent=self, depends_on=[permission]),
        )


def rds_events() -> dict[str, object]:
    """The pattern of events about a global database's failovers."""
    return {
        "source": ["aws.rds"],
        "detail": {"EventID": [f"RDS-EVENT-{number}" for number in RDS_EVENTS]},
    }

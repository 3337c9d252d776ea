"""One of recovery's functions in one region: its log, as whom it acts, and what starts it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pulumi
import pulumi_aws as aws

from tapstack.naming import log_group_of
from tapstack.policies import Statement, Text, allow, document, trust
from tapstack.regions import Region

RUNTIME = "python3.13"
MEMORY_MB = 512
LOST_AFTER_SECONDS = 60
"""A run that comes later is another one's: it isn't retried, and the next one takes over."""


def recovery_code(sources: Path) -> pulumi.AssetArchive:
    """The package's modules and nothing else: no caches, so that equal sources are equal code."""
    return pulumi.AssetArchive(
        {
            f"{sources.name}/{file.name}": pulumi.FileAsset(str(file))
            for file in sorted(sources.glob("*.py"))
        }
    )


@dataclass(frozen=True)
class Surroundings:
    """What all functions of one region share; ``code`` is one archive for all of them."""

    region: Region
    account_id: Text
    key_arn: Text
    code: pulumi.Input[pulumi.Archive]
    architecture: str
    log_retention_days: int


@dataclass(frozen=True)
class RecoveryFunctionArgs:
    """What it is for, what it knows and may do, and when it runs."""

    within: Surroundings
    purpose: str
    description: str
    handler: str
    timeout_seconds: int
    environment: Mapping[str, pulumi.Input[str]]
    statements: Sequence[Statement]
    schedule: str
    """Expression of a rule on the default bus, whose event carries the scheduled time."""
    enabled: bool = True
    """Whether the schedule runs; a disabled one is started by hand."""


class RecoveryFunction(pulumi.ComponentResource):
    """Outside the VPC: it must reach what the VPC can't when a network is cut, and asks the
    database through the probe. ``function`` and ``role`` are what others name."""

    def __init__(
        self, name: str, args: RecoveryFunctionArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("warmstandby:global:RecoveryFunction", name, None, opts)
        self._here = pulumi.ResourceOptions(parent=self)
        here, within = self._here, args.within
        region = within.region
        function_name = region.physical_name("function", args.purpose)
        logs = aws.cloudwatch.LogGroup(
            name,
            name=log_group_of(function_name),
            retention_in_days=within.log_retention_days,
            kms_key_id=within.key_arn,
            opts=here,
        )
        self.role = aws.iam.Role(
            name,
            name=region.physical_name("role", args.purpose),
            permissions_boundary=region.permissions_boundary,
            description=f"What {args.purpose} may do from {region.name}",
            assume_role_policy=trust("lambda.amazonaws.com"),
            opts=here,
        )
        streams = pulumi.Output.concat(
            f"arn:aws:logs:{region.name}:",
            within.account_id,
            f":log-group:{log_group_of(function_name)}:*",
        )
        writes_logs = allow("Logs", ["logs:CreateLogStream", "logs:PutLogEvents"], [streams])
        policy = aws.iam.Policy(
            name,
            name=region.physical_name("policy", args.purpose),
            policy=document(*args.statements, writes_logs),
            opts=here,
        )
        attachment = aws.iam.RolePolicyAttachment(
            name, role=self.role.name, policy_arn=policy.arn, opts=here
        )
        self.function = aws.lambda_.Function(
            name,
            name=function_name,
            handler=args.handler,
            runtime=RUNTIME,
            description=args.description,
            architectures=[within.architecture],
            memory_size=MEMORY_MB,
            timeout=args.timeout_seconds,
            role=self.role.arn,
            code=within.code,
            kms_key_arn=within.key_arn,
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
        scheduled = f"{args.purpose}-schedule-{region.name}"
        self.started_by(
            scheduled,
            aws.cloudwatch.EventRule(
                scheduled,
                name=region.physical_name("rule", args.purpose),
                description=f"Starts {args.purpose}",
                schedule_expression=args.schedule,
                state="ENABLED" if args.enabled else "DISABLED",
                opts=here,
            ),
        )
        self.register_outputs({"function_arn": self.function.arn})

    def started_by(self, name: str, rule: aws.cloudwatch.EventRule) -> None:
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
            target_id="function",
            arn=self.function.arn,
            retry_policy=aws.cloudwatch.EventTargetRetryPolicyArgs(
                maximum_event_age_in_seconds=LOST_AFTER_SECONDS, maximum_retry_attempts=0
            ),
            opts=pulumi.ResourceOptions(parent=self._here.parent, depends_on=[permission]),
        )

"""One verdict in us-west-2 on the primary region, from signals that us-west-2 sees itself."""

from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from tapstack.regions import Region

PRIMARY_IMPAIRED = "primary-impaired"
"""Purpose of the alarm."""


@dataclass(frozen=True)
class PrimaryImpairedArgs:
    """The standby's own alarms, which need nothing of the primary."""

    region: Region
    heartbeat: aws.cloudwatch.MetricAlarm
    """Has no state until the first beat was heard."""
    database_lag: aws.cloudwatch.MetricAlarm
    topic: aws.sns.Topic


class PrimaryImpaired(pulumi.ComponentResource):
    """A composite alarm that needs nothing of us-east-1 (trap 11): no sign of life, or a database
    that follows nobody, unless the environment is so young that nothing was ever heard."""

    def __init__(
        self, name: str, args: PrimaryImpairedArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("warmstandby:global:PrimaryImpaired", name, None, opts)
        rule = pulumi.Output.format(
            'ALARM("{0}") OR (ALARM("{1}") AND NOT INSUFFICIENT_DATA("{0}"))',
            args.heartbeat.name,
            args.database_lag.name,
        )
        actions = [args.topic.arn]
        self.alarm = aws.cloudwatch.CompositeAlarm(
            f"primary-impaired-{args.region.name}",
            alarm_name=args.region.physical_name("alarm", PRIMARY_IMPAIRED),
            alarm_description=(
                "us-west-2 hears nothing of us-east-1, or its database follows nobody; see "
                "./inv status, then docs/runbook.md"
            ),
            alarm_rule=rule,
            alarm_actions=actions,
            ok_actions=actions,
            insufficient_data_actions=actions,
            opts=pulumi.ResourceOptions(
                parent=self, depends_on=[args.heartbeat, args.database_lag]
            ),
        )
        self.register_outputs({})

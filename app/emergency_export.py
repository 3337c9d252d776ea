"""The nightly emergency export: patients' records as pages, in the region's own bucket."""

from collections.abc import Sequence
from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

import function_environment
import policy_statements as statements
from function_environment import Database
from function_role import FunctionRole, FunctionRoleArgs
from function_schedule import FunctionSchedule, FunctionScheduleArgs
from node_function import FunctionNames, NodeFunction, NodeFunctionArgs
from tapstack.app_settings import AppSettings
from tapstack.contracts import RegionalData, RegionalNetwork
from tapstack.policies import allow
from tapstack.regions import Region
from tapstack.well_known import EMERGENCY_FUNCTION, emergency_prefix

NIGHTLY = "cron(0 8 * * ? *)"
"""UTC: midnight or later wherever the regions' users are, and outside both backup windows."""
TIMEOUT_SECONDS = 900
"""As long as a function may run: it reads each record of its patients once."""
OLDEST_CALL_SECONDS = 6 * 3600


@dataclass(frozen=True)
class EmergencyExportArgs:
    """Where it runs; the same bundle as the service's."""

    region: Region
    database: Database
    data: RegionalData
    network: RegionalNetwork
    code: pulumi.Input[pulumi.Archive]
    settings: AppSettings
    account_id: pulumi.Input[str]
    after: Sequence[pulumi.Resource]
    """The migration, which makes what it reads; in the primary region the gate."""


class EmergencyExport(pulumi.ComponentResource):
    """A function, called each night, that reads the region's own reader and puts pages under a
    dated key of the region's own bucket. Nothing of the other region is needed.

    Of AWS it may read the application's database user, and write below its own prefix: it can read
    nothing that lies there. Lifecycle ends the exports (data/replicated_bucket.py).
    """

    def __init__(
        self, name: str, args: EmergencyExportArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("warmstandby:app:EmergencyExport", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)
        region, data = args.region, args.data
        exports = pulumi.Output.concat(data.bucket_arn, f"/{emergency_prefix(region.name)}*")
        names = FunctionNames.of(region, EMERGENCY_FUNCTION, args.account_id)
        role = FunctionRole(
            f"role-{name}",
            FunctionRoleArgs(
                region=region,
                purpose=EMERGENCY_FUNCTION,
                statements=[
                    *statements.network_interfaces(names.function_arn),
                    *statements.of_each_function(names.log_group_arn, data.key_arn),
                    statements.read_secret("ApplicationSecret", data.application_secret_arn),
                    allow("Exports", ["s3:PutObject"], [exports]),
                ],
            ),
            child,
        )
        export = NodeFunction(
            f"function-{name}",
            NodeFunctionArgs(
                region=region,
                purpose=EMERGENCY_FUNCTION,
                description="Writes the nightly emergency export of treated patients' records",
                handler="index.emergency",
                timeout_seconds=TIMEOUT_SECONDS,
                settings=args.settings,
                network=args.network,
                key_arn=data.key_arn,
                role=role,
                code=args.code,
                environment=function_environment.emergency(
                    region, args.database, data, args.settings.emergency_days
                ),
                after=args.after,
            ),
            child,
        )
        FunctionSchedule(
            f"schedule-{name}",
            FunctionScheduleArgs(
                region=region,
                account_id=args.account_id,
                purpose=EMERGENCY_FUNCTION,
                description="Makes the emergency export each night",
                expression=NIGHTLY,
                function_arn=export.function.arn,
                payload="{}",
                retry=aws.scheduler.ScheduleTargetRetryPolicyArgs(
                    maximum_event_age_in_seconds=OLDEST_CALL_SECONDS, maximum_retry_attempts=5
                ),
            ),
            child,
        )
        self.register_outputs({"function_arn": export.function.arn})

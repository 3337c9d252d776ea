"""The probe: what the recovery controller, which is outside the VPC, learns of the database."""

from collections.abc import Sequence
from dataclasses import dataclass

import pulumi

import function_environment
import policy_statements as statements
from function_environment import Database
from function_role import FunctionRole, FunctionRoleArgs
from node_function import FunctionNames, NodeFunction, NodeFunctionArgs
from release import Release
from tapstack.app_settings import AppSettings
from tapstack.contracts import RegionalData, RegionalNetwork
from tapstack.regions import Region
from tapstack.well_known import PROBE_FUNCTION

TIMEOUT_SECONDS = 15
"""It answers within 12 s: two tries of 5 s, side by side for all servers."""


@dataclass(frozen=True)
class ProbeArgs:
    """Where it runs; the same bundle as the service's."""

    region: Region
    peer: Region
    data: RegionalData
    database: Database
    network: RegionalNetwork
    account_id: pulumi.Input[str]
    settings: AppSettings
    code: pulumi.Input[pulumi.Archive]
    release: Release
    after: Sequence[pulumi.Resource]
    """The migration, which makes what it asks for; in the primary region the gate."""


class Probe(pulumi.ComponentResource):
    """``function``, called by its ``alias``: commits on the writer, reads on the own reader, asks
    both clusters.

    It has the application's database user, and of AWS nothing but that user's secret.
    """

    def __init__(
        self, name: str, args: ProbeArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("warmstandby:app:Probe", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)
        names = FunctionNames.of(args.region, PROBE_FUNCTION, args.account_id)
        role = FunctionRole(
            f"role-{name}",
            FunctionRoleArgs(
                region=args.region,
                purpose=PROBE_FUNCTION,
                statements=[
                    *statements.network_interfaces(names.function_arn),
                    *statements.of_each_function(names.log_group_arn, args.data.key_arn),
                    statements.read_secret("ApplicationSecret", args.data.application_secret_arn),
                ],
            ),
            child,
        )
        probe = NodeFunction(
            f"function-{name}",
            NodeFunctionArgs(
                region=args.region,
                purpose=PROBE_FUNCTION,
                description="Asks the database for the recovery controller",
                handler="index.probe",
                timeout_seconds=TIMEOUT_SECONDS,
                environment=function_environment.probe(
                    args.region, args.database, args.data, args.peer
                ),
                code=args.code,
                after=args.after,
                release=args.release,
                settings=args.settings,
                network=args.network,
                key_arn=args.data.key_arn,
                role=role,
            ),
            child,
        )
        self.function, self.alias = probe.function, probe.alias
        self.register_outputs({"function_arn": self.function.arn})

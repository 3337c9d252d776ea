"""The migration: the database's user and schema, made when code, secret or database change."""

import json
from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

import function_environment
import policy_statements as statements
from function_environment import Database
from function_role import FunctionRole, FunctionRoleArgs
from node_function import FunctionNames, NodeFunction, NodeFunctionArgs
from tapstack.app_settings import AppSettings
from tapstack.contracts import RegionalData, RegionalNetwork
from tapstack.regions import Region
from tapstack.well_known import MIGRATE_FUNCTION

TIMEOUT_SECONDS = 300
"""Longer than the service's: it waits for the advisory lock of a migration that's running."""


@dataclass(frozen=True)
class MigrationArgs:
    """Where it runs, and the only secret that nothing else may read."""

    region: Region
    settings: AppSettings
    account_id: pulumi.Input[str]
    network: RegionalNetwork
    data: RegionalData
    database: Database
    peer: Region
    """The other one: the epoch that it knows counts as well (H26)."""
    master_secret_arn: pulumi.Input[str]
    secret_version: pulumi.Input[str]
    """The application's secret's current version."""
    code: pulumi.Input[pulumi.Archive]
    code_hash: str


class Migration(pulumi.ComponentResource):
    """A function of the same bundle, called by the deployment whenever the bundle, the secret, its
    current version or the database is another one. A rotation calls it as well
    (``./inv secrets.rotate``).

    Its role is the only one that may read the master's secret. ``done`` is what the services
    depend on: the schema comes before the code that needs it.
    """

    def __init__(
        self, name: str, args: MigrationArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("warmstandby:app:Migration", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)
        names = FunctionNames.of(args.region, MIGRATE_FUNCTION, args.account_id)
        role = FunctionRole(
            f"role-{name}",
            FunctionRoleArgs(
                region=args.region,
                purpose=MIGRATE_FUNCTION,
                statements=[
                    *statements.network_interfaces(names.function_arn),
                    *statements.of_each_function(names.log_group_arn, args.data.key_arn),
                    statements.read_secret("MasterSecret", args.master_secret_arn),
                    statements.read_secret("ApplicationSecret", args.data.application_secret_arn),
                    statements.read_epochs((args.region, args.peer), args.account_id),
                ],
            ),
            child,
        )
        migrate = NodeFunction(
            f"function-{name}",
            NodeFunctionArgs(
                region=args.region,
                purpose=MIGRATE_FUNCTION,
                description="Makes the application's database user and schema, idempotently",
                handler="index.migrate",
                timeout_seconds=TIMEOUT_SECONDS,
                settings=args.settings,
                network=args.network,
                key_arn=args.data.key_arn,
                role=role,
                code=args.code,
                environment=function_environment.migration(
                    args.region, args.peer, args.database, args.data, args.master_secret_arn
                ),
            ),
            child,
        )
        self.done = aws.lambda_.Invocation(
            f"run-{name}",
            function_name=migrate.function.name,
            input=json.dumps({}),
            # A new secret, or a new version of it, has another password; a new database no schema.
            triggers={
                "bundle": args.code_hash,
                "secret": args.data.application_secret_arn,
                "version": args.secret_version,
                "database": args.database.writer_endpoint,
            },
            opts=pulumi.ResourceOptions(parent=self, depends_on=[migrate]),
        )
        self.register_outputs({"function_arn": migrate.function.arn})

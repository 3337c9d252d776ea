"""A Node.js function with its log group, in the VPC's private subnets or outside of any."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from function_role import FunctionRole
from release import Release
from tapstack.app_settings import AppSettings
from tapstack.contracts import RegionalNetwork
from tapstack.naming import log_group_of
from tapstack.regions import Region
from tapstack.renaming import formerly
from tapstack.well_known import LIVE

RUNTIME = "nodejs24.x"


@dataclass(frozen=True)
class FunctionNames:
    """A function's name and ARNs, known before it exists, so that its role can be scoped to it."""

    function_name: str
    function_arn: pulumi.Output[str]
    log_group_arn: pulumi.Output[str]

    @classmethod
    def of(cls, region: Region, purpose: str, account_id: pulumi.Input[str]) -> "FunctionNames":
        """The names of the function ``purpose``."""
        name = region.physical_name("function", purpose)
        return cls(
            name,
            pulumi.Output.concat(
                "arn:aws:lambda:", region.name, ":", account_id, ":function:", name
            ),
            pulumi.Output.concat(
                "arn:aws:logs:", region.name, ":", account_id, ":log-group:", log_group_of(name)
            ),
        )


@dataclass(frozen=True)
class NodeFunctionArgs:
    """What runs, where, and as whom."""

    region: Region
    purpose: str
    description: str
    handler: str
    timeout_seconds: int
    settings: AppSettings
    network: RegionalNetwork | None
    """None: outside a VPC."""
    key_arn: pulumi.Input[str]
    """Encrypts the environment and the log group."""
    role: FunctionRole
    code: pulumi.Input[pulumi.Archive]
    environment: Mapping[str, pulumi.Input[str]]
    release: Release | None = None
    """Given where the function is called by an alias; None: each deployment's code runs at once."""
    after: Sequence[pulumi.Resource] = ()
    """What must be done before this code runs."""


class NodeFunction(pulumi.ComponentResource):
    """One function: traced, without reserved concurrency (R2.4), its logs kept and encrypted.

    The role lets it write to this log group only, and the group is made first: Lambda would make
    one without retention and key. The function depends on its role's attachment (trap 19).

    Of a release each deployment publishes a version, and ``alias`` leads to it (trap 65).
    """

    alias: aws.lambda_.Alias
    """Of a function with a release."""

    def __init__(
        self, name: str, args: NodeFunctionArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        # Stacks that stand know it by the name that it had when every function was in the VPC.
        opts = formerly("warmstandby:app:VpcFunction", opts)
        super().__init__("warmstandby:app:NodeFunction", name, None, opts)
        here = pulumi.ResourceOptions(parent=self)
        function_name = args.region.physical_name("function", args.purpose)
        release, network = args.release, args.network
        self.log_group = aws.cloudwatch.LogGroup(
            name,
            name=log_group_of(function_name),
            retention_in_days=args.settings.log_retention_days,
            kms_key_id=args.key_arn,
            opts=here,
        )
        self.function = aws.lambda_.Function(
            name,
            name=function_name,
            description=release.description(args.description) if release else args.description,
            runtime=RUNTIME,
            handler=args.handler,
            architectures=[args.settings.architecture],
            memory_size=args.settings.memory_mb,
            timeout=args.timeout_seconds,
            role=args.role.arn,
            code=args.code,
            publish=release is not None,
            kms_key_arn=args.key_arn,
            environment=aws.lambda_.FunctionEnvironmentArgs(variables=args.environment),
            vpc_config=aws.lambda_.FunctionVpcConfigArgs(
                subnet_ids=network.private_subnet_ids,
                security_group_ids=[network.function_security_group_id],
            )
            if network
            else None,
            tracing_config=aws.lambda_.FunctionTracingConfigArgs(mode="Active"),
            opts=pulumi.ResourceOptions(
                parent=self, depends_on=[self.log_group, args.role.attachment, *args.after]
            ),
        )
        if release:
            self.alias = release.live(
                f"{LIVE}-{args.purpose}-{args.region.name}",
                args.region,
                args.purpose,
                self.function,
                here,
            )
        self.register_outputs({"function_arn": self.function.arn})

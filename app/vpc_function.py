"""A Node.js function in the VPC's private subnets, with its log group."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from function_role import FunctionRole
from tapstack.app_settings import AppSettings
from tapstack.contracts import RegionalNetwork
from tapstack.naming import log_group_of
from tapstack.regions import Region

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
class VpcFunctionArgs:
    """What runs, where, and as whom."""

    region: Region
    purpose: str
    description: str
    handler: str
    timeout_seconds: int
    settings: AppSettings
    network: RegionalNetwork
    key_arn: pulumi.Input[str]
    """Encrypts the environment and the log group."""
    role: FunctionRole
    code: pulumi.Input[pulumi.Archive]
    environment: Mapping[str, pulumi.Input[str]]
    after: Sequence[pulumi.Resource] = ()
    """What must be done before this code runs."""


class VpcFunction(pulumi.ComponentResource):
    """One function: traced, without reserved concurrency (R2.4), its logs kept and encrypted.

    The role lets it write to this log group only, and the group is made first: Lambda would make
    one without retention and key. The function depends on its role's attachment (trap 19).
    """

    def __init__(
        self, name: str, args: VpcFunctionArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("warmstandby:app:VpcFunction", name, None, opts)
        function_name = args.region.physical_name("function", args.purpose)
        self.log_group = aws.cloudwatch.LogGroup(
            name,
            name=log_group_of(function_name),
            retention_in_days=args.settings.log_retention_days,
            kms_key_id=args.key_arn,
            opts=pulumi.ResourceOptions(parent=self),
        )
        self.function = aws.lambda_.Function(
            name,
            name=function_name,
            description=args.description,
            runtime=RUNTIME,
            handler=args.handler,
            architectures=[args.settings.architecture],
            memory_size=args.settings.memory_mb,
            timeout=args.timeout_seconds,
            role=args.role.arn,
            code=args.code,
            kms_key_arn=args.key_arn,
            environment=aws.lambda_.FunctionEnvironmentArgs(variables=args.environment),
            vpc_config=aws.lambda_.FunctionVpcConfigArgs(
                subnet_ids=args.network.private_subnet_ids,
                security_group_ids=[args.network.function_security_group_id],
            ),
            tracing_config=aws.lambda_.FunctionTracingConfigArgs(mode="Active"),
            opts=pulumi.ResourceOptions(
                parent=self, depends_on=[self.log_group, args.role.attachment, *args.after]
            ),
        )
        self.register_outputs({"function_arn": self.function.arn})

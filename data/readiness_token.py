"""The token that opens ``/ready`` (trap 64): known to the application and to those who ask it."""

from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from replicated_secret import ReplicatedSecretArgs, replicated_secret
from tapstack.pair import Pair
from tapstack.regions import Region
from tapstack.well_known import READINESS_TOKEN


@dataclass(frozen=True)
class ReadinessTokenArgs:
    """The regions and their keys; the secret lives in the primary and has a replica."""

    regions: Pair[Region]
    keys: Pair[aws.kms.Key]
    recovery_days: int


class ReadinessToken(pulumi.ComponentResource):
    """One token for both regions, each of which reads its own copy: the standby's controller asks
    the primary's ``/ready`` with nothing that only the primary has."""

    secret: aws.secretsmanager.Secret

    def __init__(
        self, name: str, args: ReadinessTokenArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("warmstandby:data:ReadinessToken", name, None, opts)
        self.secret, _ = replicated_secret(
            self,
            ReplicatedSecretArgs(
                regions=args.regions,
                keys=args.keys,
                recovery_days=args.recovery_days,
                purpose=READINESS_TOKEN,
                description="Opens /ready of both regions",
                value_of=lambda password: password,
            ),
        )
        self.register_outputs({"arn": self.secret.arn})

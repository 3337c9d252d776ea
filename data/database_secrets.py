"""The database's two users as secrets: the master, and the application's own."""

import json
from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from tapstack.pair import Pair
from tapstack.regions import Region

MASTER_USERNAME = "postgres_admin"
APPLICATION_USERNAME = "application"
PASSWORD_LENGTH = 40


@dataclass(frozen=True)
class DatabaseSecretsArgs:
    """The regions and their keys; the secrets live in the primary and have a replica each."""

    regions: Pair[Region]
    keys: Pair[aws.kms.Key]
    recovery_days: int
    """0 deletes at once; anything else blocks re-creation under the same name for that long."""


class DatabaseSecrets(pulumi.ComponentResource):
    """Written once: later runs get new random passwords from AWS and ignore them.

    Whoever needs a password reads it back from the secret, so a deployment that was interrupted
    between the two can't leave secret and database with different passwords.
    """

    master: aws.secretsmanager.Secret
    master_username: pulumi.Output[str]
    master_password: pulumi.Output[str]
    """As it stands in the secret; marked secret wherever Pulumi keeps it."""
    application: aws.secretsmanager.Secret

    def __init__(
        self, name: str, args: DatabaseSecretsArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("warmstandby:data:DatabaseSecrets", name, None, opts)
        self.master, version = self._written_once(args, "master", MASTER_USERNAME)
        self.application, _ = self._written_once(args, "application", APPLICATION_USERNAME)
        text = version.secret_string.apply(lambda text: text or "{}")
        user = pulumi.Output.secret(text).apply(json.loads)
        self.master_username = pulumi.Output.from_input(MASTER_USERNAME)
        self.master_password = user.apply(lambda entry: entry["password"])
        self.register_outputs({"master_secret_arn": self.master.arn})

    def _written_once(
        self, args: DatabaseSecretsArgs, purpose: str, username: str
    ) -> tuple[aws.secretsmanager.Secret, aws.secretsmanager.SecretVersion]:
        """One secret ``{"username": …, "password": …}`` with its replica."""
        region = args.regions.primary
        secret = aws.secretsmanager.Secret(
            f"secret-{purpose}",
            name=region.physical_name("secret", purpose),
            description=f"Database user {username} of both regions",
            kms_key_id=args.keys.primary.arn,
            recovery_window_in_days=args.recovery_days,
            replicas=[
                {
                    "region": args.regions.secondary.name,
                    "kms_key_id": args.keys.secondary.arn,
                }
            ],
            # A replica that an interrupted destroy left behind is taken over, not a failure.
            force_overwrite_replica_secret=True,
            opts=pulumi.ResourceOptions(parent=self),
        )
        password = aws.secretsmanager.get_random_password_output(
            password_length=PASSWORD_LENGTH,
            # Aurora refuses / " @ and spaces, connection strings more.
            exclude_punctuation=True,
            opts=pulumi.InvokeOutputOptions(provider=region.provider),
        ).random_password
        version = aws.secretsmanager.SecretVersion(
            f"secret-version-{purpose}",
            secret_id=secret.id,
            secret_string=pulumi.Output.secret(
                pulumi.Output.json_dumps({"username": username, "password": password})
            ),
            # Another password in every run; the first one stays (pulumi-aws reads it back).
            opts=pulumi.ResourceOptions(
                parent=self,
                ignore_changes=["secret_string"],
                additional_secret_outputs=["secret_string"],
            ),
        )
        return secret, version


def replica_arn(arn: pulumi.Output[str], region: str) -> pulumi.Output[str]:
    """The ARN that a secret has in a region where it's replicated (or is): only the region differs.

    Source: Secrets Manager user guide, "Replicate AWS Secrets Manager secrets across Regions".
    """

    def moved(text: str) -> str:
        parts = text.split(":")
        return ":".join([*parts[:3], region, *parts[4:]])

    return arn.apply(moved)

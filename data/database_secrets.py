"""The database's two users as secrets: the master, and the application's own."""

import json
from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from replicated_secret import ReplicatedSecretArgs, replicated_secret
from tapstack.pair import Pair
from tapstack.regions import Region

MASTER_USERNAME = "postgres_admin"
APPLICATION_USERNAME = "application"


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
        return replicated_secret(
            self,
            ReplicatedSecretArgs(
                regions=args.regions,
                keys=args.keys,
                recovery_days=args.recovery_days,
                purpose=purpose,
                description=f"Database user {username} of both regions",
                value_of=lambda password: pulumi.Output.json_dumps(
                    {"username": username, "password": password}
                ),
            ),
        )

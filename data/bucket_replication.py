"""Replication of one bucket to the other region, and the buckets' policies that allow it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pulumi
import pulumi_aws as aws

from bucket_basics import deny_insecure_transport
from journal_bucket import JournalBucket
from replicated_bucket import ReplicatedBucket
from tapstack.policies import document, trust
from tapstack.regions import Region
from tapstack.renaming import formerly
from tapstack.well_known import CONTENT_BUCKET, replication_rule_id

REPLICATION_MINUTES = 15
"""Replication Time Control knows no other value; it's the whole RPO, so alarms watch it."""

LOCKED_ACTIONS = ("s3:GetObjectRetention", "s3:GetObjectLegalHold")
"""What S3 reads of a locked object beside it (S3 user guide, "Using Object Lock with S3
Replication")."""

REPLICATION_ACTIONS = [
    "s3:ReplicateObject",
    "s3:ReplicateDelete",
    "s3:ReplicateTags",
    "s3:GetObjectVersionForReplication",
]
"""What the client's destination policy grants, no more and no less (R4.2)."""


@dataclass(frozen=True)
class BucketSide:
    """A bucket with its region and key."""

    region: Region
    bucket: ReplicatedBucket | JournalBucket
    key: aws.kms.Key
    purpose: str = CONTENT_BUCKET

    @property
    def locked(self) -> bool:
        """Whether its versions are retained, which S3 copies with them."""
        return isinstance(self.bucket, JournalBucket)

    @property
    def replication(self) -> str:
        """The purpose of what its replication needs, as names have it."""
        return "replication" if self.purpose == CONTENT_BUCKET else f"{self.purpose}-replication"


@dataclass(frozen=True)
class ReplicationRoleArgs:
    """Whose objects the role reads, and where it writes them."""

    source: BucketSide
    destination: BucketSide


class ReplicationRole(pulumi.ComponentResource):
    """The role that S3 uses to copy objects from one bucket to the other: just that."""

    role: aws.iam.Role
    attachment: aws.iam.RolePolicyAttachment

    def __init__(
        self, name: str, args: ReplicationRoleArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        region = args.source.region
        super().__init__("warmstandby:data:ReplicationRole", name, None, opts)
        here = pulumi.ResourceOptions(parent=self)
        source, destination = args.source.bucket.bucket, args.destination.bucket.bucket
        purpose = args.source.replication
        self.role = aws.iam.Role(
            f"role-{purpose}-{region.name}",
            name=region.physical_name("role", purpose),
            permissions_boundary=region.permissions_boundary,
            assume_role_policy=trust("s3.amazonaws.com"),
            opts=here,
        )
        policy = aws.iam.Policy(
            f"policy-{purpose}-{region.name}",
            name=region.physical_name("policy", purpose),
            policy=document(
                _allow(
                    ["s3:GetReplicationConfiguration", "s3:ListBucket"],
                    source.arn,
                ),
                _allow(
                    [
                        "s3:GetObjectVersionForReplication",
                        "s3:GetObjectVersionAcl",
                        "s3:GetObjectVersionTagging",
                        *(LOCKED_ACTIONS if args.source.locked else ()),
                    ],
                    pulumi.Output.format("{0}/*", source.arn),
                ),
                _allow(
                    ["s3:ReplicateObject", "s3:ReplicateDelete", "s3:ReplicateTags"],
                    pulumi.Output.format("{0}/*", destination.arn),
                ),
                {
                    **_allow(["kms:Decrypt"], args.source.key.arn),
                    **_through_s3(args.source),
                },
                {
                    **_allow(["kms:Encrypt", "kms:GenerateDataKey"], args.destination.key.arn),
                    **_through_s3(args.destination),
                },
            ),
            opts=here,
        )
        self.attachment = aws.iam.RolePolicyAttachment(
            f"attachment-{purpose}-{region.name}",
            role=self.role.name,
            policy_arn=policy.arn,
            opts=here,
        )
        self.register_outputs({"arn": self.role.arn})


@dataclass(frozen=True)
class ReplicatedBucketPolicyArgs:
    """The bucket, and the role that may replicate into it (None: nothing does)."""

    side: BucketSide
    writer: ReplicationRole | None


class ReplicatedBucketPolicy(pulumi.ComponentResource):
    """A content bucket's or a journal bucket's: it has one, so all of its statements are here."""

    policy: aws.s3.BucketPolicy

    def __init__(
        self,
        name: str,
        args: ReplicatedBucketPolicyArgs,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        region, bucket = args.side.region, args.side.bucket.bucket
        # Stacks that stand know it by the name that it had before the journal had buckets.
        opts = formerly("warmstandby:data:ContentBucketPolicy", opts)
        super().__init__("warmstandby:data:ReplicatedBucketPolicy", name, None, opts)
        statements: list[dict[str, Any]] = [deny_insecure_transport(bucket.arn)]
        if args.writer:
            statements.insert(
                0,
                {
                    "Sid": "Replication",
                    "Effect": "Allow",
                    "Principal": {"AWS": args.writer.role.arn},
                    "Action": REPLICATION_ACTIONS,
                    "Resource": pulumi.Output.format("{0}/*", bucket.arn),
                },
            )
        self.policy = aws.s3.BucketPolicy(
            f"bucket-policy-{args.side.purpose}-{region.name}",
            bucket=bucket.id,
            policy=document(*statements),
            opts=pulumi.ResourceOptions(
                parent=self, depends_on=[args.side.bucket.public_access_block]
            ),
        )
        self.register_outputs({})


@dataclass(frozen=True)
class BucketReplicationArgs:
    """One direction of replication."""

    source: BucketSide
    destination: BucketSide
    role: ReplicationRole
    wait_for: Sequence[pulumi.Resource]
    """The destination's policy."""


class BucketReplication(pulumi.ComponentResource):
    """All objects, delete markers and replica changes, within 15 minutes, encrypted on both sides.

    S3 asks for versions on both buckets first, and can't suspend them while this exists.
    """

    def __init__(
        self, name: str, args: BucketReplicationArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        region = args.source.region
        super().__init__("warmstandby:data:BucketReplication", name, None, opts)
        destination: aws.s3.BucketReplicationConfigRuleDestinationArgsDict = {
            "bucket": args.destination.bucket.bucket.arn,
            "storage_class": "STANDARD",
            "encryption_configuration": {"replica_kms_key_id": args.destination.key.arn},
        }
        # Replication Time Control; the journal's copy in the other region needs none.
        if not args.source.locked:
            destination["replication_time"] = {
                "status": "Enabled",
                "time": {"minutes": REPLICATION_MINUTES},
            }
            destination["metrics"] = {
                "status": "Enabled",
                "event_threshold": {"minutes": REPLICATION_MINUTES},
            }
        aws.s3.BucketReplicationConfig(
            f"replication-{args.source.purpose}-{region.name}",
            bucket=args.source.bucket.bucket.id,
            role=args.role.role.arn,
            rules=[
                {
                    "id": replication_rule_id(args.destination.region.name),
                    "status": "Enabled",
                    "priority": 1,
                    # A filter, even an empty one, makes it the V2 form, which delete markers need.
                    "filter": {"prefix": ""},
                    # What hides an entry of the journal in one region doesn't in the other.
                    "delete_marker_replication": {
                        "status": "Disabled" if args.source.locked else "Enabled"
                    },
                    "source_selection_criteria": {
                        "sse_kms_encrypted_objects": {"status": "Enabled"},
                        # Changes of a replica's metadata go back, or the two sides drift apart.
                        "replica_modifications": {"status": "Enabled"},
                    },
                    "destination": destination,
                }
            ],
            opts=pulumi.ResourceOptions(
                parent=self,
                depends_on=[
                    args.source.bucket.versioning,
                    args.destination.bucket.versioning,
                    args.role.attachment,
                    *args.wait_for,
                    *_locks(args.source, args.destination),
                ],
            ),
        )
        self.register_outputs({})


def _locks(*sides: BucketSide) -> list[pulumi.Resource]:
    """S3 replicates locked versions into buckets that lock alone."""
    return [side.bucket.lock for side in sides if isinstance(side.bucket, JournalBucket)]


def _allow(actions: list[str], resource: pulumi.Input[str]) -> dict[str, Any]:
    return {"Effect": "Allow", "Action": actions, "Resource": resource}


def _through_s3(side: BucketSide) -> dict[str, Any]:
    """The key is used for S3 only, and for this bucket only.

    S3's encryption context is the bucket with a bucket key, the object without (S3 user guide,
    "Replicating encrypted objects").
    """
    bucket = side.bucket.bucket.arn
    return {
        "Condition": {
            "StringEquals": {"kms:ViaService": f"s3.{side.region.name}.amazonaws.com"},
            "StringLike": {
                "kms:EncryptionContext:aws:s3:arn": [
                    bucket,
                    pulumi.Output.format("{0}/*", bucket),
                ]
            },
        }
    }

"""The regional key's policy against everything that the four programs encrypt with it."""

import json
from fnmatch import fnmatchcase

from harness import Registered, program

# Type → the service that asks KMS for it (KMS developer guide, "kms:ViaService").
SERVICES = {
    "aws:backup/vault:Vault": "backup",
    "aws:dynamodb/table:Table": "dynamodb",
    "aws:lambda/function:Function": "lambda",
    "aws:rds/cluster:Cluster": "rds",
    "aws:rds/clusterInstance:ClusterInstance": "rds",
    "aws:s3/bucketReplicationConfig:BucketReplicationConfig": "s3",
    "aws:s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration": "s3",
    "aws:secretsmanager/secret:Secret": "secretsmanager",
    "aws:sns/topic:Topic": "sns",
    "aws:sqs/queue:Queue": "sqs",
}
KEY = "aws:kms/key:Key"
LOG_GROUP = "aws:cloudwatch/logGroup:LogGroup"
TOPIC = "aws:sns/topic:Topic"
QUEUE = "aws:sqs/queue:Queue"
POLICIES = ("aws:iam/", "aws:kms/", "aws:s3/bucketPolicy:")


def users() -> list[Registered]:
    """Every resource that names a key of the data layer, but for keys and policies themselves."""
    return [
        resource
        for layer in ("data", "app", "global")
        for resource in program(layer).created()
        if "arn:aws:kms:" in json.dumps(resource.inputs) and not resource.type.startswith(POLICIES)
    ]


def conditions(operator: str, key: str) -> list[str]:
    """What the keys' policies of both regions ask for, of one operator and condition key."""
    found: list[str] = []
    for policy in (entry.inputs["policy"] for entry in program("data").created(KEY)):
        for statement in json.loads(policy)["Statement"]:
            wanted = statement.get("Condition", {}).get(operator, {}).get(key, [])
            found += [wanted] if isinstance(wanted, str) else wanted
    return found


def test_the_key_names_every_service_that_uses_it_and_no_other() -> None:
    """R9.3: a service that isn't named can't use the key; one that's named without need may."""
    named = {via.partition(".")[0] for via in conditions("StringEquals", "kms:ViaService")}
    using = {SERVICES[user.type] for user in users() if user.type != LOG_GROUP}
    assert named == using


def test_every_encrypted_log_group_topic_and_queue_is_within_a_pattern() -> None:
    """R9.3, trap 29: CloudWatch Logs and EventBridge use the key for names that the policy lists:
    one outside of them is refused, or loses what it should have received."""
    patterns = {
        LOG_GROUP: conditions("ArnLike", "kms:EncryptionContext:aws:logs:arn"),
        TOPIC: conditions("ArnLike", "kms:EncryptionContext:aws:sns:topicArn"),
        QUEUE: conditions("ArnLike", "kms:EncryptionContext:aws:sqs:arn"),
    }
    for type_, listed in patterns.items():
        names = {user.inputs["name"] for user in users() if user.type == type_}
        assert names
        ends = [pattern.rpartition(":")[2] for pattern in listed]
        assert [name for name in names if not any(fnmatchcase(name, end) for end in ends)] == []

"""What each of the validator's checks looks at, broken in a deployed lab by AWS's own APIs or by a
fault of the lab, and mended again.

Everything is broken for us-west-2, the standby, whose validator is asked.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from application_client import post_record, until
from application_database import application_user, master
from deployed_lab import Lab
from recovery_state import Controller
from region_outage import EAST, WEST

from lab import client
from lab.clock import NAME as CLOCK_FILE
from ops.cloud.clients import Clients
from ops.recovery import orders
from ops.recovery.items import Items
from recovery.observation import Validation
from recovery.ports import ConflictError
from recovery.recorded_events import Validations
from recovery.stored import StateTable

FAST = 100.0
"""The clock while lab minutes pass: one takes 0.6 s, and a machine that is two seconds late lets no
more than three go by. Markers of runs that are 11 minutes apart are no row any more."""
GUARD_CLOCK = 20.0
"""The clock while a run of the controller is waited for: its minute is three seconds."""
SETTLED_SECONDS = 90.0
RED_SECONDS = 180.0
"""For an object's twenty minutes, on a busy machine."""
HOUR = 3600.0
TRIES, TIMED_OUT = 5, "Task timed out"
"""A run that a busy machine doesn't let end says nothing of what it validates: again."""

Break = Callable[[Lab], AbstractContextManager[None]]


@dataclass(frozen=True)
class Broken:
    """How a check is turned red. ``minutes`` pass in the lab before each look: what crosses counts
    as late after a while, in a row of runs less than 11 minutes apart."""

    by: Break
    minutes: int = 0


def now(lab: Lab) -> float:
    """Lab time."""
    return datetime.fromisoformat(client.status(lab.state_dir).now).timestamp()


def pass_minutes(lab: Lab, minutes: float, clock: float = 1.0) -> None:
    """Lets lab minutes pass quickly, then time continue at ``clock``."""
    end = now(lab) + 60 * minutes
    client.set_clock(lab.state_dir, FAST)
    try:
        while (left := end - now(lab)) > 0:
            time.sleep(left / FAST)
    finally:
        client.set_clock(lab.state_dir, clock)


def newest(lab: Lab) -> Validation | None:
    """The last validation of us-west-2."""
    table = Controller(lab, WEST).table
    return Validations(lab.client("dynamodb", WEST), table).newest()


def validated(lab: Lab) -> Validation:
    """A validation now, by the schedule's own event."""
    moment = datetime.fromtimestamp(now(lab), UTC)
    event = {"source": "aws.events", "time": f"{moment:%Y-%m-%dT%H:%M:%SZ}"}
    said = TIMED_OUT
    for _ in range(TRIES):
        answer = lab.client("lambda", WEST).invoke(
            FunctionName=f"function-validate-{WEST}-lab", Payload=json.dumps(event).encode()
        )
        said = answer["Payload"].read().decode() if "FunctionError" in answer else ""
        if TIMED_OUT not in said:
            break
    assert said == ""
    found = newest(lab)
    assert found is not None
    assert found.began == int(moment.timestamp()) // 60, "another run came in between"
    return found


def failed(found: Validation) -> list[str]:
    """The checks that lowered the score."""
    return [reason.partition(":")[0] for reason in found.reasons]


@contextmanager
def unready_standby(lab: Lab) -> Iterator[None]:
    """The standby's load balancer answers ``/ready`` itself."""
    elb = lab.client("elbv2", WEST)
    made = []
    for balancer in elb.describe_load_balancers()["LoadBalancers"]:
        arn = balancer["LoadBalancerArn"]
        for listener in elb.describe_listeners(LoadBalancerArn=arn)["Listeners"]:
            answer = {"StatusCode": "503", "ContentType": "text/plain", "MessageBody": "no"}
            rule = elb.create_rule(
                ListenerArn=listener["ListenerArn"],
                Priority=900,
                Conditions=[{"Field": "path-pattern", "Values": ["/ready"]}],
                Actions=[{"Type": "fixed-response", "FixedResponseConfig": answer}],
            )
            made.append(rule["Rules"][0]["RuleArn"])
    try:
        yield
    finally:
        for rule in made:
            elb.delete_rule(RuleArn=rule)


@contextmanager
def another_secret(lab: Lab) -> Iterator[None]:
    """The standby's copy of a secret was released and written by itself."""
    there, here = lab.client("secretsmanager", WEST), lab.client("secretsmanager", EAST)
    own = lab.outputs["data.secondary.application_secret_arn"]
    primary = lab.outputs["data.primary.application_secret_arn"]
    text = json.loads(there.get_secret_value(SecretId=own)["SecretString"])
    there.stop_replication_to_replica(SecretId=own)
    try:
        # What the application reads of it is as before.
        there.put_secret_value(SecretId=own, SecretString=json.dumps({**text, "note": "here"}))
        yield
    finally:
        here.replicate_secret_to_regions(
            SecretId=primary, AddReplicaRegions=[{"Region": WEST}], ForceOverwriteReplicaSecret=True
        )


@contextmanager
def disabled(lab: Lab, region: str, *rules: str, bus: str = "default") -> Iterator[None]:
    """EventBridge rules that are off."""
    events = lab.client("events", region)
    names = [f"rule-{rule}-{region}-lab" for rule in rules]
    for name in names:
        events.disable_rule(Name=name, EventBusName=bus)
    try:
        yield
    finally:
        for name in names:
            events.enable_rule(Name=name, EventBusName=bus)


@contextmanager
def another_parameter(lab: Lab) -> Iterator[None]:
    """A shared parameter of one region alone, and nobody synchronises."""
    ssm = lab.client("ssm", WEST)
    name = f"/warm-standby/{WEST}/lab/shared/left-behind"
    with ExitStack() as off:
        for region in (EAST, WEST):
            off.enter_context(disabled(lab, region, "parameters", "parameter-changes"))
        ssm.put_parameter(Name=name, Value="x", Type="String")
        try:
            yield
        finally:
            ssm.delete_parameter(Name=name)


HEARTBEAT = "warm-standby-heartbeat"


@contextmanager
def old_rows(lab: Lab) -> Iterator[None]:
    """The database's heartbeat is ten minutes old; the newest record isn't, so that the standby is
    ready all the same."""
    assert post_record(lab, "primary").status == 201
    with master(lab, "postgres") as cron:
        job = cron.execute(
            "SELECT jobname, schedule, command, database FROM cron.job WHERE jobname = %s",
            [HEARTBEAT],
        ).fetchone()
        assert job is not None
        cron.execute("SELECT cron.unschedule(%s)", [HEARTBEAT])
        try:
            with application_user(lab) as writer:
                writer.execute(
                    "UPDATE heartbeats SET beat_at = clock_timestamp() - interval '10 minutes' "
                    "WHERE source = 'database'"
                )
                yield
                writer.execute(
                    "UPDATE heartbeats SET beat_at = clock_timestamp() WHERE source = 'database'"
                )
        finally:
            cron.execute("SELECT cron.schedule_in_database(%s, %s, %s, %s)", job)


@contextmanager
def no_replication(lab: Lab) -> Iterator[None]:
    """The bucket in us-east-1 replicates nothing."""
    s3, bucket = lab.client("s3", EAST), lab.outputs["data.primary.bucket_name"]
    before = s3.get_bucket_replication(Bucket=bucket)["ReplicationConfiguration"]
    off = {**before, "Rules": [{**rule, "Status": "Disabled"} for rule in before["Rules"]]}
    s3.put_bucket_replication(Bucket=bucket, ReplicationConfiguration=off)
    try:
        yield
    finally:
        s3.put_bucket_replication(Bucket=bucket, ReplicationConfiguration=before)


def no_forwarding(lab: Lab) -> AbstractContextManager[None]:
    """The bus in us-east-1 forwards nothing."""
    return disabled(lab, EAST, "forward", bus=lab.outputs["global.primary.bus_name"])


@contextmanager
def another_version(lab: Lab) -> Iterator[None]:
    """The standby was upgraded alone. There is no way back: the writer follows."""
    cluster = {"ApplyImmediately": True, "EngineVersion": "16.9"}
    lab.client("rds", WEST).modify_db_cluster(
        DBClusterIdentifier=lab.outputs["data.secondary.cluster_identifier"], **cluster
    )
    try:
        yield
    finally:
        lab.client("rds", EAST).modify_db_cluster(
            DBClusterIdentifier=lab.outputs["data.primary.cluster_identifier"], **cluster
        )


def standby_instances(lab: Lab) -> list[dict[str, Any]]:
    """The instances of us-west-2's cluster, as RDS describes them."""
    cluster = lab.outputs["data.secondary.cluster_identifier"]
    return lab.client("rds", WEST).describe_db_instances(
        Filters=[{"Name": "db-cluster-id", "Values": [cluster]}]
    )["DBInstances"]


@contextmanager
def another_class(lab: Lab) -> Iterator[None]:
    """One of the standby's instances is larger than the writer's."""
    instance = standby_instances(lab)[0]
    name, before = instance["DBInstanceIdentifier"], instance["DBInstanceClass"]
    rds = lab.client("rds", WEST)

    def resize(to: str) -> None:
        rds.modify_db_instance(DBInstanceIdentifier=name, DBInstanceClass=to, ApplyImmediately=True)

    resize("db.r6g.4xlarge")
    try:
        yield
    finally:
        resize(before)


@contextmanager
def low_quota(lab: Lab) -> Iterator[None]:
    """The account may run ten functions at once in us-west-2."""
    client.fault(lab.state_dir, "low-concurrency", WEST)
    try:
        yield
    finally:
        client.fault(lab.state_dir, "low-concurrency", "off")


@contextmanager
def rebooting(lab: Lab) -> Iterator[None]:
    """Both of the standby's instances reboot, for half a lab minute."""
    for instance in standby_instances(lab):
        lab.client("rds", WEST).reboot_db_instance(
            DBInstanceIdentifier=instance["DBInstanceIdentifier"]
        )
    try:
        yield
    finally:
        pass_minutes(lab, 1)


@contextmanager
def without_permissions(lab: Lab) -> Iterator[None]:
    """A controller's role without its policy."""
    iam = lab.client("iam", WEST)
    role = f"role-recovery-{WEST}-lab"
    (policy,) = iam.list_attached_role_policies(RoleName=role)["AttachedPolicies"]
    iam.detach_role_policy(RoleName=role, PolicyArn=policy["PolicyArn"])
    try:
        yield
    finally:
        iam.attach_role_policy(RoleName=role, PolicyArn=policy["PolicyArn"])


@contextmanager
def without_alarms(lab: Lab) -> Iterator[None]:
    """An alarm that notifies nobody."""
    names = [f"alarm-heartbeat-{WEST}-lab"]
    cloudwatch = lab.client("cloudwatch", WEST)
    cloudwatch.disable_alarm_actions(AlarmNames=names)
    try:
        yield
    finally:
        cloudwatch.enable_alarm_actions(AlarmNames=names)


@contextmanager
def no_witness(lab: Lab) -> Iterator[None]:
    """The witness's records are gone from the zone."""
    route53, zone = lab.client("route53"), lab.outputs["global.zone_id"]
    found = route53.list_resource_record_sets(HostedZoneId=zone)["ResourceRecordSets"]
    records = [one for one in found if one["Name"].startswith("witness.")]
    assert len(records) == 2

    def change(action: str) -> None:
        changes = [{"Action": action, "ResourceRecordSet": record} for record in records]
        route53.change_resource_record_sets(HostedZoneId=zone, ChangeBatch={"Changes": changes})

    change("DELETE")
    try:
        yield
    finally:
        change("CREATE")


@contextmanager
def without_listeners(lab: Lab) -> Iterator[None]:
    """A topic that nobody hears."""
    sns, topic = lab.client("sns", WEST), lab.outputs["global.secondary.topic_arn"]
    (heard,) = sns.list_subscriptions_by_topic(TopicArn=topic)["Subscriptions"]
    sns.unsubscribe(SubscriptionArn=heard["SubscriptionArn"])
    try:
        yield
    finally:
        sns.subscribe(TopicArn=topic, Protocol="email", Endpoint=heard["Endpoint"])


@contextmanager
def a_day_without_a_night(lab: Lab) -> Iterator[None]:
    """The lab was away for 31 hours, so no plan ran and the environment has grown old; then a
    backup is made by hand and copied."""
    end = now(lab) + 31 * HOUR
    lab.stop()
    (lab.state_dir / CLOCK_FILE).write_text(json.dumps({"reached": end}))
    client.start(lab.state_dir, lab.port, clock=GUARD_CLOCK)
    west = Controller(lab, WEST)
    west.wait("counting", lambda state: state.last_minute >= end // 60, SETTLED_SECONDS)
    client.set_clock(lab.state_dir, 1)
    yield
    backup, copies = lab.client("backup", EAST), lab.client("backup", WEST)
    account = lab.client("sts").get_caller_identity()["Account"]
    vaults = {region: f"backup-vault-{region}-lab" for region in (EAST, WEST)}
    cluster = lab.outputs["data.primary.cluster_identifier"]
    role = lab.client("iam").get_role(RoleName=f"role-backup-{EAST}-lab")["Role"]["Arn"]
    backup.start_backup_job(
        BackupVaultName=vaults[EAST], IamRoleArn=role,
        ResourceArn=f"arn:aws:rds:{EAST}:{account}:cluster:{cluster}",
    )  # fmt: skip
    pass_minutes(lab, 6)
    point = until(lambda: points(backup, vaults[EAST]))[0]
    backup.start_copy_job(
        SourceBackupVaultName=vaults[EAST], RecoveryPointArn=point["RecoveryPointArn"],
        DestinationBackupVaultArn=copies.describe_backup_vault(BackupVaultName=vaults[WEST])[
            "BackupVaultArn"
        ],
        IamRoleArn=role,
    )  # fmt: skip
    pass_minutes(lab, 6)
    assert until(lambda: points(copies, vaults[WEST]))


def points(backup: Any, vault: str) -> list[dict[str, Any]]:
    """A vault's recovery points."""
    return backup.list_recovery_points_by_backup_vault(BackupVaultName=vault)["RecoveryPoints"]


@contextmanager
def unarmed(lab: Lab) -> Iterator[None]:
    """The standby's controller doesn't run, and its item says that it doesn't guard."""
    west = Controller(lab, WEST)
    with disabled(lab, WEST, "recovery"):
        table = StateTable(lab.client("dynamodb", WEST), west.table)

        def disarmed() -> bool:
            state = table.load()
            try:
                table.save(replace(state, version=state.version + 1, armed=False))
            except ConflictError:  # a run under way has stored in between
                return False
            return state.lease is None

        assert until(disarmed, SETTLED_SECONDS)
        yield
    client.set_clock(lab.state_dir, GUARD_CLOCK)
    west.wait("armed", lambda state: state.armed, SETTLED_SECONDS)
    client.set_clock(lab.state_dir, 1)


@contextmanager
def frozen(lab: Lab) -> Iterator[None]:
    """Recovery under break-glass."""
    items = Items.of(Clients(lab.stack_file, lab.endpoint), lab.stack_file)
    orders.freeze(items, "a test", as_json=False)
    try:
        yield
    finally:
        orders.thaw(items, as_json=False)


BROKEN: dict[str, Broken] = {
    "standby": Broken(unready_standby),
    "secrets": Broken(another_secret),
    "parameters": Broken(another_parameter, minutes=16),
    "rows": Broken(old_rows),
    "objects": Broken(no_replication, minutes=5),
    "events": Broken(no_forwarding, minutes=5),
    "versions": Broken(another_version),
    "capacity": Broken(another_class),
    "quotas": Broken(low_quota),
    "instance": Broken(rebooting),
    "permissions": Broken(without_permissions),
    "alarms": Broken(without_alarms),
    "witness": Broken(no_witness),
    "subscription": Broken(without_listeners),
    "guard": Broken(unarmed),
    "freeze": Broken(frozen),
    # Last: a day has passed after it.
    "backup": Broken(a_day_without_a_night),
}
"""Check → what breaks it."""

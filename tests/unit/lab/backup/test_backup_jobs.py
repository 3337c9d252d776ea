"""AWS Backup in the lab: plans that are due, jobs that proceed, copies, points that end."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from lab.api import ApiRefusal, ApiRequest, ApiResponse
from lab.backup import kept as keeping
from lab.backup import part as parts
from lab.backup.jobs import WORK_SECONDS
from lab.backup.kept import Kept
from lab.backup.part import BackupPart
from lab.facts import BackupState, BackupTurn
from lab.metrics.sources import data_of
from lab.outage import OutageKind

EAST, WEST, ACCOUNT = "us-east-1", "us-west-2", "000000000000"
MIDNIGHT = datetime(2026, 1, 1, tzinfo=UTC).timestamp()
HOUR = 3600.0
CLUSTER = f"arn:aws:rds:{EAST}:{ACCOUNT}:cluster:aurora"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/backup"
THERE = f"arn:aws:backup:{WEST}:{ACCOUNT}:backup-vault:west"
RULE = {
    "RuleName": "daily",
    "TargetBackupVaultName": "east",
    "ScheduleExpression": "cron(0 5 * * ? *)",
    "StartWindowMinutes": 60,
    "Lifecycle": {"DeleteAfterDays": 35},
    "CopyActions": [{"DestinationBackupVaultArn": THERE, "Lifecycle": {"DeleteAfterDays": 7}}],
}


class World:
    """A lab with a daily plan in us-east-1 over one cluster; its clock stands at ``now``."""

    def __init__(self, directory: Path) -> None:
        self.now = MIDNIGHT
        self.lost: dict[str, set[OutageKind]] = {}
        self.turns: list[BackupTurn] = []
        self.settings: dict[str, Any] = {}
        self.hooks: list[Any] = []
        self.lab = SimpleNamespace(
            state_dir=directory,
            clock=SimpleNamespace(now=lambda: self.now),
            outages=SimpleNamespace(
                lost=lambda region: frozenset(self.lost.get(region, ())),
                has_lost=lambda region, kind: kind in self.lost.get(region, ()),
            ),
            aws=SimpleNamespace(call=self._settings),
            emit=self.turns.append,
            on_api=lambda _service, _operations, hook: self.hooks.append(hook),
            remove_hook=lambda hook: self.hooks.remove(hook) if hook in self.hooks else None,
        )
        self.part = BackupPart(self.lab)  # type: ignore[arg-type]

    async def _settings(self, *_: str) -> dict[str, Any]:
        return self.settings

    def at(self, seconds: float) -> None:
        """A look so long after midnight."""
        self.now = MIDNIGHT + seconds
        asyncio.run(self.part.turn())

    def ask(self, operation: str, region: str = EAST, **parameters: Any) -> dict[str, Any]:
        """One call, as the part's hook answers it."""

        async def call() -> ApiResponse:
            await self.part.start()
            try:
                (hook,) = self.hooks
                return await hook(ApiRequest("backup", operation, region, parameters), _emulator)
            finally:
                await self.part.stop()

        return asyncio.run(call()).result

    def points(self, region: str, vault: str) -> list[dict[str, Any]]:
        """What a vault holds, over the API."""
        return self.ask("ListRecoveryPointsByBackupVault", region, BackupVaultName=vault)[
            "RecoveryPoints"
        ]

    def states(self) -> list[tuple[str, BackupState]]:
        """What the metrics part has heard."""
        return [(turn.kind, turn.state) for turn in self.turns]


async def _emulator(request: ApiRequest) -> ApiResponse:
    """What is below the hook: two vaults that count nothing."""
    if request.operation == "ListBackupVaults":
        return ApiResponse({"BackupVaultList": [{"BackupVaultName": "east"}]})
    name = request.parameters["BackupVaultName"]
    if name == "gone":
        return ApiResponse(error_code="ResourceNotFoundException")
    return ApiResponse({} if request.operation.startswith("Delete") else {"BackupVaultName": name})


@pytest.fixture
def stores(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """The emulator's plans, selections, vaults and clusters, and whether the role is trusted."""
    from ministack.services import backup, rds

    made: dict[str, Any] = {
        "_plans": {(ACCOUNT, EAST, "plan"): {"BackupPlan": {"Rules": [RULE]}}},
        "_selections": {(ACCOUNT, EAST, "1"): {
            "BackupPlanId": "plan", "IamRoleArn": ROLE, "Resources": [CLUSTER],
        }},
        "_vaults": {(ACCOUNT, EAST, "east"): {}, (ACCOUNT, WEST, "west"): {}},
        "_clusters": {(ACCOUNT, EAST, "aurora"): {"DBClusterArn": CLUSTER}},
        "trusted": True,
    }  # fmt: skip
    for name in ("_plans", "_selections", "_vaults"):
        monkeypatch.setattr(backup, name, SimpleNamespace(_data=made[name]))
    monkeypatch.setattr(rds, "_clusters", SimpleNamespace(_data=made["_clusters"]))
    monkeypatch.setattr(parts, "trusts", lambda *_: made["trusted"])
    monkeypatch.setattr(parts, "LOOK_SECONDS", 60.0)
    return made


@pytest.fixture
def world(tmp_path: Path, stores: dict[str, Any]) -> Iterator[World]:
    """After the first look, at midnight."""
    made = World(tmp_path)
    made.at(0)
    yield made


def nightly(world: World) -> None:
    """The backup of 05:00 and its copy, both done."""
    for seconds in (0, 1, 1 + WORK_SECONDS, 2 + WORK_SECONDS, 2 + 2 * WORK_SECONDS):
        world.at(5 * HOUR + seconds)


def test_a_plan_makes_its_backup_and_the_copy_at_its_time(world: World) -> None:
    """Issue 16.5, R4: nothing before 05:00; then a recovery point here and one in the other region,
    each with its retention, and the metrics that the alarms read."""
    world.at(5 * HOUR - 1)
    assert world.states() == []
    nightly(world)
    assert world.states() == [
        (kind, state)
        for kind in ("backup", "copy")
        for state in (BackupState.CREATED, BackupState.RUNNING, BackupState.COMPLETED)
    ]
    (here,), (there,) = world.points(EAST, "east"), world.points(WEST, "west")
    assert here["CreationDate"] == datetime.fromtimestamp(MIDNIGHT + 5 * HOUR, UTC)
    assert here["Lifecycle"] == {"DeleteAfterDays": 35}
    assert there["Lifecycle"] == {"DeleteAfterDays": 7}
    assert there["SourceBackupVaultArn"] == f"arn:aws:backup:{EAST}:{ACCOUNT}:backup-vault:east"
    assert here["RecoveryPointArn"].startswith(
        f"arn:aws:rds:{EAST}:{ACCOUNT}:cluster-snapshot:awsbackup:job-"
    )
    assert there["RecoveryPointArn"].startswith(
        f"arn:aws:rds:{WEST}:{ACCOUNT}:cluster-snapshot:awsbackup:copyjob-"
    )
    names = [data_of(turn)[0][2] for turn in world.turns]
    assert names[2] == "NumberOfBackupJobsCompleted"
    assert names[-1] == "NumberOfCopyJobsCompleted"
    assert data_of(world.turns[-1])[0][3] == {"BackupVaultName": "east"}
    world.at(28 * HOUR)
    assert len(world.turns) == 6, "once a day"


def test_recovery_points_end_with_their_retention(world: World) -> None:
    """AWS Backup's lifecycle: the copy after 7 days, the original after 35."""
    nightly(world)
    del world.part.plans._last[(ACCOUNT, EAST, "plan", "daily")]
    world.at(5 * HOUR + 8 * 24 * HOUR)
    assert len(world.points(EAST, "east")) == 1
    assert world.points(WEST, "west") == []
    world.at(5 * HOUR + 35 * 24 * HOUR)
    assert world.points(EAST, "east") == []


def test_a_region_that_is_lost_at_the_time_makes_no_job(world: World) -> None:
    """Nothing runs there, and nothing is made up for: the alarm on missing backups is for that."""
    world.lost = {EAST: {OutageKind.API}}
    world.at(5 * HOUR)
    world.lost = {}
    world.at(6 * HOUR)
    assert world.turns == []


def test_a_backup_that_cannot_begin_in_its_window_expires(world: World) -> None:
    """AWS Backup: EXPIRED after the start window, counted for its alarm."""
    world.lost = {EAST: {OutageKind.DATABASE}}
    world.at(5 * HOUR)
    world.at(5 * HOUR + 3599)
    assert world.states() == [("backup", BackupState.CREATED)]
    world.at(6 * HOUR)
    assert world.states()[-1] == ("backup", BackupState.EXPIRED)
    assert data_of(world.turns[-1])[0][2] == "NumberOfBackupJobsExpired"
    (job,) = world.ask("ListBackupJobs")["BackupJobs"]
    assert (job["State"], "expired" in job["StatusMessage"]) == ("EXPIRED", True)


def test_a_job_under_way_waits_for_its_region(world: World) -> None:
    """A copy needs both regions' APIs, and no database."""
    for seconds in (0, 1, 1 + WORK_SECONDS):
        world.at(5 * HOUR + seconds)
    world.lost = {WEST: {OutageKind.API}}
    world.at(7 * HOUR)
    world.at(8 * HOUR)
    assert world.states()[-1] == ("copy", BackupState.CREATED)
    world.lost = {WEST: {OutageKind.DATABASE}}
    world.at(9 * HOUR)
    world.at(10 * HOUR)
    assert world.states()[-1] == ("copy", BackupState.COMPLETED)


@pytest.mark.parametrize("broken", ["vault", "role", "cluster", "copy's vault", "point"])
def test_a_job_fails_by_what_is_gone(world: World, stores: dict[str, Any], broken: str) -> None:
    """Issue 17.3: FAILED with its reason, and the metric of its alarm."""
    for seconds in (0, 1):
        world.at(5 * HOUR + seconds)
    kind = "backup"
    if broken in ("copy's vault", "point"):
        world.at(5 * HOUR + 1 + WORK_SECONDS)
        kind = "copy"
    if broken == "vault":
        del stores["_vaults"][(ACCOUNT, EAST, "east")]
    elif broken == "copy's vault":
        del stores["_vaults"][(ACCOUNT, WEST, "west")]
    elif broken == "role":
        stores["trusted"] = False
    elif broken == "cluster":
        stores["_clusters"].clear()
    else:
        (point,) = world.points(EAST, "east")
        world.ask(
            "DeleteRecoveryPoint", BackupVaultName="east",
            RecoveryPointArn=point["RecoveryPointArn"],
        )  # fmt: skip
    world.at(6 * HOUR)
    assert world.states()[-1] == (kind, BackupState.FAILED)
    assert data_of(world.turns[-1])[0][2].endswith("JobsFailed")
    listed = {"backup": ("ListBackupJobs", "BackupJobs"), "copy": ("ListCopyJobs", "CopyJobs")}
    operation, key = listed[kind]
    (job,) = world.ask(operation, ByState="FAILED")[key]
    assert job["StatusMessage"].endswith(".")


@pytest.mark.parametrize(
    "change",
    [
        {"Resources": []},
        {"Resources": [f"{CLUSTER}-other"]},
        {"NotResources": ["arn:aws:rds:*:cluster:*"]},
        {"BackupPlanId": "another"},
        {"opted in": False},
    ],
)
def test_what_a_plan_does_not_select_is_not_backed_up(
    world: World, stores: dict[str, Any], change: dict[str, Any]
) -> None:
    """An account that opted out of Aurora backs up nothing, whatever the selection names."""
    world.settings = {"ResourceTypeOptInPreference": {"Aurora": change.pop("opted in", True)}}
    stores["_selections"][(ACCOUNT, EAST, "1")] |= change
    nightly(world)
    assert world.turns == []


def test_a_plan_that_was_changed_counts_from_then(world: World, stores: dict[str, Any]) -> None:
    """As a schedule does; one that is gone is forgotten, and a rule may keep for ever."""
    rule = {"RuleName": "daily", "TargetBackupVaultName": "east",
            "ScheduleExpression": "cron(0 6 * * ? *)"}  # fmt: skip
    stores["_plans"][(ACCOUNT, EAST, "plan")] = {"BackupPlan": {"Rules": [rule]}}
    world.at(5 * HOUR)
    world.at(6 * HOUR)
    world.at(6 * HOUR + 1)
    world.at(7 * HOUR)
    (point,) = world.points(EAST, "east")
    assert "Lifecycle" not in point
    assert [kind for kind, _ in world.states()] == ["backup"] * 3, "without a copy action"
    stores["_plans"].clear()
    world.at(30 * HOUR)
    assert world.part.plans._last == {}


def test_backups_and_copies_on_demand(world: World) -> None:
    """StartBackupJob and StartCopyJob, as a person does it after a failed night."""
    started = world.ask(
        "StartBackupJob", BackupVaultName="east", ResourceArn=CLUSTER, IamRoleArn=ROLE,
        Lifecycle={"DeleteAfterDays": 3},
    )  # fmt: skip
    job = world.ask("DescribeBackupJob", BackupJobId=started["BackupJobId"])
    assert (job["State"], job["PercentDone"]) == ("CREATED", "0.0")
    world.at(1)
    world.at(1 + WORK_SECONDS)
    job = world.ask("DescribeBackupJob", BackupJobId=started["BackupJobId"])
    assert (job["State"], job["PercentDone"]) == ("COMPLETED", "100.0")
    copied = world.ask(
        "StartCopyJob", SourceBackupVaultName="east", RecoveryPointArn=job["RecoveryPointArn"],
        DestinationBackupVaultArn=THERE, IamRoleArn=ROLE,
    )  # fmt: skip
    world.at(2 + WORK_SECONDS)
    world.at(3 + 2 * WORK_SECONDS)
    copy = world.ask("DescribeCopyJob", CopyJobId=copied["CopyJobId"])["CopyJob"]
    assert copy["State"] == "COMPLETED"
    (there,) = world.points(WEST, "west")
    assert there["RecoveryPointArn"] == copy["DestinationRecoveryPointArn"]
    assert world.ask("DescribeRecoveryPoint", WEST, BackupVaultName="west",
                     RecoveryPointArn=there["RecoveryPointArn"]) == there  # fmt: skip
    assert len(world.ask("ListCopyJobs", ByDestinationVaultArn=THERE)["CopyJobs"]) == 1
    assert world.ask("ListCopyJobs", ByDestinationVaultArn="another")["CopyJobs"] == []
    found = world.ask("ListRecoveryPointsByResource", ResourceArn=CLUSTER)["RecoveryPoints"]
    assert [one["BackupVaultName"] for one in found] == ["east"]


def test_a_job_can_be_stopped_once(world: World) -> None:
    """StopBackupJob: ABORTED; an ended job refuses."""
    started = world.ask(
        "StartBackupJob", BackupVaultName="east", ResourceArn=CLUSTER, IamRoleArn=ROLE,
    )  # fmt: skip
    world.ask("StopBackupJob", BackupJobId=started["BackupJobId"])
    assert world.states()[-1] == ("backup", BackupState.ABORTED)
    with pytest.raises(ApiRefusal, match="already in the state ABORTED"):
        world.ask("StopBackupJob", BackupJobId=started["BackupJobId"])
    world.at(HOUR)
    assert world.points(EAST, "east") == []


@pytest.mark.parametrize(
    ("operation", "given"),
    [
        ("StartBackupJob", {"BackupVaultName": "other", "ResourceArn": CLUSTER, "IamRoleArn": ""}),
        ("StartBackupJob", {"BackupVaultName": "east", "ResourceArn": "arn", "IamRoleArn": ""}),
        ("DescribeBackupJob", {"BackupJobId": "1"}),
        ("DescribeCopyJob", {"CopyJobId": "1"}),
        ("ListRecoveryPointsByBackupVault", {"BackupVaultName": "other"}),
        ("DescribeRecoveryPoint", {"BackupVaultName": "east", "RecoveryPointArn": "arn"}),
    ],
)  # fmt: skip
def test_what_is_not_there_is_refused(world: World, operation: str, given: dict[str, Any]) -> None:
    """One line that names it."""
    with pytest.raises(ApiRefusal, match=r"Cannot find|does not exist"):
        world.ask(operation, **given)


def test_a_vault_counts_its_points_and_stays_while_it_has_any(world: World) -> None:
    """Trap 31: a vault with recovery points can't be deleted."""
    nightly(world)
    assert world.ask("DescribeBackupVault", BackupVaultName="east")["NumberOfRecoveryPoints"] == 1
    assert world.ask("ListBackupVaults")["BackupVaultList"][0]["NumberOfRecoveryPoints"] == 1
    with pytest.raises(ApiRefusal, match="contains recovery points"):
        world.ask("DeleteBackupVault", BackupVaultName="east")
    (point,) = world.points(EAST, "east")
    world.ask("DeleteRecoveryPoint", BackupVaultName="east",
              RecoveryPointArn=point["RecoveryPointArn"])  # fmt: skip
    assert world.ask("DeleteBackupVault", BackupVaultName="east") == {}
    assert world.ask("DescribeBackupVault", BackupVaultName="gone") == {}


def test_lists_come_in_pages(world: World) -> None:
    """MaxResults and NextToken, the newest first."""
    for _ in range(3):
        world.ask("StartBackupJob", BackupVaultName="east", ResourceArn=CLUSTER, IamRoleArn=ROLE)
    first = world.ask("ListBackupJobs", MaxResults=2)
    rest = world.ask("ListBackupJobs", MaxResults=2, NextToken=first["NextToken"])
    assert (len(first["BackupJobs"]), len(rest["BackupJobs"])) == (2, 1)
    assert "NextToken" not in rest


def test_jobs_go_on_after_a_restart(world: World, tmp_path: Path) -> None:
    """What was under way ends, and its file has no more ended jobs than AWS lists."""
    for seconds in (0, 1):
        world.at(5 * HOUR + seconds)
    again = World(tmp_path)
    again.part.kept = Kept.load(world.part.kept.path)
    again.at(6 * HOUR)
    assert again.states()[0] == ("backup", BackupState.COMPLETED)
    assert oct((tmp_path / "backup.json").stat().st_mode & 0o777) == "0o600"


def test_only_the_newest_ended_jobs_are_kept(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """The file doesn't grow."""
    monkeypatch.setattr(keeping, "MOST_ENDED", 1)
    for day in range(3):
        world.at(5 * HOUR + day * 24 * HOUR)
        world.at(5 * HOUR + day * 24 * HOUR + 1)
        world.at(5 * HOUR + day * 24 * HOUR + 1 + WORK_SECONDS)
    ended = [job for job in world.part.kept.jobs.values() if not job.at_work]
    assert len(ended) == 1


def test_the_part_says_how_it_is(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """``lab.status``: what is at work, or that it watches no more; a look that fails is logged, and
    the next one comes."""
    monkeypatch.setattr(parts, "LOOK_SECONDS", 0.001)

    failed: list[object] = []

    def full(*given: object) -> None:
        failed.append(given)
        raise OSError("no space")

    async def until(seen: list[Any], count: int) -> None:
        async with asyncio.timeout(30):
            while len(seen) < count:
                await asyncio.sleep(0.001)

    async def live() -> list[tuple[bool, str]]:
        part = world.part
        seen = [await part.health()]
        await part.start()
        seen.append(await part.health())
        await asyncio.sleep(0)
        world.now = MIDNIGHT + 5 * HOUR
        await until(world.turns, 2)
        monkeypatch.setattr(part.kept, "change", full)
        world.now += WORK_SECONDS
        await until(failed, 2)
        seen.append(await part.health())
        await part.stop()
        await part.stop()
        return [(one.healthy, one.detail) for one in seen]

    assert asyncio.run(live()) == [
        (False, "it watches no more"), (True, "nothing at work"), (True, "1 jobs at work"),
    ]  # fmt: skip

"""A killed deployment on Pulumi's CLI resumes by the same command (trap 44)."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError
from test_pulumi_cli_adapter import DEV, FakeCli, engine
from watched_driver import stack_file

from ops.cloud.clients import Clients
from ops.engines.pulumi_cli import kept, locks, pending
from ops.engines.pulumi_cli.pending import PendingCreate
from ops.workspace import Workspace
from pulumi_protocol.events import EngineError

URN = "urn:pulumi:dev::data::warmstandby:data:X$aws:s3/bucket:Bucket::bucket-content-us-east-1"
OTHER = "urn:pulumi:dev::data::aws:iam/role:Role::role"
PROVIDER = "urn:pulumi:dev::data::pulumi:providers:aws::provider-us-east-1::id"
SECRET = {"4dabf18193072939515e22adb298388d": "1b47061264138c4ac30d75fd1eb44270"}
LOCKED = (
    "error: the stack is currently locked by 1 lock(s). Either wait for the other process(es) to "
    "end or delete the lock file with `pulumi cancel`.\n  file:///x/a.json: created by "
    "operator@{host} (pid {pid}) at 2026-01-01T00:00:00Z"
)


def begun(urn: str = URN, type_: str = "aws:s3/bucket:Bucket", **inputs: Any) -> dict[str, Any]:
    """A creation under way, as the CLI keeps it."""
    resource = {
        "urn": urn, "type": type_, "custom": True, "inputs": inputs, "provider": PROVIDER,
    }  # fmt: skip
    return {"type": "creating", "resource": resource}


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    """A repository with a dev stack and one project."""
    (tmp_path / "Pulumi.dev.yaml").write_text(DEV)
    (tmp_path / "data").mkdir()
    return Workspace(tmp_path, tmp_path / "ws")


@pytest.fixture
def cli() -> FakeCli:
    """A CLI with one stack."""
    made = FakeCli()
    made.stacks["data"] = []
    return made


def test_what_was_made_is_taken_over_and_what_was_not_is_dropped(
    workspace: Workspace, cli: FakeCli
) -> None:
    """Trap 44: what is there becomes a resource of the state, after all that it may use, with what
    it was made with, and is read alone; what isn't there is begun anew."""
    used = {"urn": OTHER + "-used", "type": "x", "id": "u"}
    cli.stacks["data"] = [used]
    cli.pending["data"] = [begun(bucket="b", hidden=SECRET), begun(OTHER, name="r")]
    asked: list[PendingCreate] = []

    def find(one: PendingCreate) -> str | None:
        asked.append(one)
        return "b" if one.urn == URN else None

    engine(workspace, cli, find=find).up("data", lambda _event: None)
    assert [one.inputs for one in asked] == [{"bucket": "b"}, {"name": "r"}]
    verbs = [" ".join(call[:2]) if call[0] == "stack" else call[0] for call in cli.calls]
    assert verbs == ["stack export", "stack import", "refresh", "up"]
    inputs = {"bucket": "b", "hidden": SECRET}
    resource = begun(**inputs)["resource"]
    assert cli.stacks["data"] == [used, {**resource, "id": "b", "outputs": {**inputs, "id": "b"}}]
    assert cli.pending["data"] == []
    assert cli.calls[2][4:] == ["dev", f"--target={URN}"]


def test_where_nothing_was_made_nothing_is_imported(workspace: Workspace, cli: FakeCli) -> None:
    """Trap 44: creations that AWS never heard of are dropped from the state and begun anew."""
    cli.pending["data"] = [begun(bucket="b")]
    engine(workspace, cli, find=lambda _: None).up("data", lambda _event: None)
    assert [call[0] for call in cli.calls] == ["stack", "stack", "up"]
    assert cli.pending["data"] == []


def test_components_and_providers_are_looked_for_nowhere(
    workspace: Workspace, cli: FakeCli
) -> None:
    """Trap 44: what only the state has is dropped from it and begun anew."""
    component, provider = begun(type_="warmstandby:data:X"), begun(OTHER, "pulumi:providers:aws")
    component["resource"]["custom"] = False
    cli.pending["data"] = [component, provider]
    engine(workspace, cli, find=lambda one: pytest.fail(one.urn)).up("data", lambda _event: None)
    assert [call[0] for call in cli.calls] == ["stack", "stack", "up"]
    assert (cli.stacks["data"], cli.pending["data"]) == ([], [])


@pytest.mark.parametrize("verb", ["refresh", "destroy"])
def test_a_destroy_and_a_refresh_take_it_over_as_well(
    workspace: Workspace, cli: FakeCli, verb: str
) -> None:
    """Trap 44: what a destroy doesn't know of would stay for ever."""
    cli.pending["data"] = [begun(bucket="b")]
    getattr(engine(workspace, cli, find=lambda _: "b"), verb)("data", lambda _event: None)
    assert [call[0] for call in cli.calls][:4] == ["stack", "stack", "refresh", verb]


def test_a_preview_and_an_unbroken_state_ask_nothing(workspace: Workspace, cli: FakeCli) -> None:
    """Trap 44: nothing is looked for unless something was begun."""
    never = pytest.fail
    made = engine(workspace, cli, find=lambda one: never(one.urn))
    made.up("data", lambda _event: None)
    assert [call[0] for call in cli.calls] == ["stack", "up"]
    cli.pending["data"] = [begun()]
    made.preview("data", lambda _event: None, frozenset())
    del cli.stacks["data"]
    made.refresh("data", lambda _event: None)


def test_what_the_state_has_already_is_something_else() -> None:
    """Trap 44: the old one of a replacement isn't what was being made."""
    document = {
        "deployment": {"resources": [{"type": "aws:s3/bucket:Bucket", "id": "b", "urn": OTHER}]}
    }
    one = pending.creates({"deployment": {"pending_operations": [begun()]}})
    assert pending.ids(one, document, lambda _: "b") == {}
    assert pending.ids(one, document, lambda _: "c") == {URN: "c"}


# Found in the account


class Account(Clients):
    """Clients whose S3 answers what it is given."""

    def __init__(self, answer: Any) -> None:
        super().__init__(stack_file())
        self.answer, self.asked = answer, []

    def get(self, service: str, region: str) -> Any:
        """The S3 of a region."""
        self.asked.append((service, region))
        return self

    def head_bucket(self, **_: Any) -> dict[str, Any]:
        """As given."""
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer

    def get_bucket_location(self, **_: Any) -> dict[str, Any]:
        """us-east-1."""
        return {"LocationConstraint": None}


def error(code: str) -> ClientError:
    """AWS's error."""
    return ClientError({"Error": {"Code": code, "Message": "m"}}, "HeadBucket")


def wanted(type_: str = "aws:s3/bucket:Bucket", provider: str = PROVIDER) -> PendingCreate:
    """What is looked for."""
    return PendingCreate(URN, type_, {"bucket": "b"}, provider)


def test_a_resource_is_found_by_what_it_was_made_with() -> None:
    """Trap 44: by the declarations of ``lab/provider``, in the region of its provider."""
    account = Account({})
    assert pending.finder(lambda: account)(wanted()) == "b"
    assert set(account.asked) == {("s3", "us-east-1")}
    assert pending.finder(lambda: Account(error("404")))(wanted()) is None


@pytest.mark.parametrize(
    ("one", "answer", "says"),
    [
        (wanted("aws:new/thing:Thing"), {}, "can't be looked for: see whether it is there"),
        (wanted(provider="urn::elsewhere"), {}, "refresh --clear-pending-creates"),
        (wanted(), error("AccessDenied"), r"can't be looked for \(HeadBucket: AccessDenied"),
    ],
)
def test_what_can_t_be_looked_for_stops_before_anything_is_made(
    one: PendingCreate, answer: Any, says: str
) -> None:
    """Trap 44: making it a second time is worse than stopping with the command to run."""
    with pytest.raises(EngineError, match=says):
        pending.finder(lambda: Account(answer))(one)


def test_a_wait_is_as_long_as_the_provider_s(monkeypatch: pytest.MonkeyPatch) -> None:
    """Traps 44 and 48: a cluster that was being made when the deployment was killed takes as long
    as one that is made."""
    seen: list[float] = []

    def until(_self: Any, _what: str, seconds: float, _probe: Any) -> bool:
        seen.append(seconds)
        return True

    monkeypatch.setattr(pending.Aws, "until", until)
    account = pending._Account(region="us-east-1", clients=None)
    account.until("cluster", 60, lambda: True)
    assert seen == [120 * 60]


# Locks


@pytest.mark.parametrize(
    ("said", "alive", "expected"),
    [
        (LOCKED.format(host="here", pid=7), False, True),
        (LOCKED.format(host="here", pid=7), True, False),
        (LOCKED.format(host="there", pid=7), False, False),
        ("error: conflict: another update is in progress", False, False),
    ],
)
def test_a_lock_is_abandoned_where_its_process_is_no_more(
    said: str, alive: bool, expected: bool
) -> None:
    """Trap 44: a lock of another machine, or of Pulumi Cloud, is respected."""
    assert locks.abandoned(said, "here", lambda _: alive) is expected


def test_processes_are_known() -> None:
    """Trap 44: this one runs, so does another user's; one that ended doesn't."""
    assert locks.is_alive(os.getpid())
    with subprocess.Popen(["true"]) as child:
        child.wait()
    assert not locks.is_alive(child.pid)


def test_another_user_s_process_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Trap 44: what may not be signalled is there."""

    def refuse(_pid: int, _signal: int) -> None:
        raise PermissionError

    monkeypatch.setattr(os, "kill", refuse)
    assert locks.is_alive(1)


@pytest.mark.parametrize("abandoned", [True, False])
def test_an_abandoned_lock_is_released_and_the_command_goes_on(
    workspace: Workspace, cli: FakeCli, monkeypatch: pytest.MonkeyPatch, abandoned: bool
) -> None:
    """Trap 44: the same command, without ``pulumi cancel`` by hand; a lock that is held is not
    touched."""
    monkeypatch.setattr(kept.locks, "abandoned", lambda *_: abandoned)
    cli.fails["up"] = LOCKED.format(host="here", pid=7)

    def released(args: list[str]) -> None:
        if args[0] == "cancel":
            cli.fails.pop("up")

    cli.during = released
    made = engine(workspace, cli)
    if abandoned:
        made.up("data", lambda _event: None)
        assert [call[0] for call in cli.calls] == ["up", "cancel", "up"]
        return
    with pytest.raises(EngineError, match="another operation holds stack dev"):
        made.up("data", lambda _event: None)
    assert [call[0] for call in cli.calls] == ["up"]

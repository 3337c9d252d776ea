"""Emergency exports: made now, found whole, fetched for one person alone."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

import pytest
from fake_clients import FakeClients, refusal
from invoke.context import Context
from invoke.exceptions import Exit
from recovery_tables import lost
from watched_driver import stack_file

from ops import session
from ops.cloud import emergency
from ops.cloud.clients import Clients
from ops.errors import OperatorError
from ops.front import upkeep
from ops.workspace import Workspace

EAST, WEST = "us-east-1", "us-west-2"
NEW, OLD = "2026-11-28T08-00-00Z", "2026-11-27T08-00-00Z"
MADE = {"bucket": "b", "folder": "f/", "asOf": "2026-11-28T07:59:00Z", "records": 7, "patients": 2}


def keys(region: str, time: str, *names: str) -> list[str]:
    return [f"emergency/{region}/{time}/{name}" for name in names]


def bucket(*held: str, fault: Exception | None = None) -> dict[str, Any]:
    """S3's answers for a bucket that holds these keys."""
    page = {"Contents": [{"Key": key} for key in held]} if held else {}
    asked: list[str] = []

    def get(**given: Any) -> dict[str, Any]:
        asked.append(given["Key"])
        return {"Body": io.BytesIO(f"page {given['Key']}".encode())}

    return {"list_objects_v2": fault or page, "get_object": get, "asked": lambda: asked}


def buckets(east: dict[str, Any], west: dict[str, Any]) -> Clients:
    return cast(Clients, FakeClients({("s3", EAST): east, ("s3", WEST): west}))


def opened(tmp_path: Path, clients: Clients, region: str = "", to: str = "", hour: int = 9) -> None:
    emergency.open_newest(
        Workspace(tmp_path, tmp_path), stack_file("dev"), clients, region, to,
        as_json=True, now=lambda: datetime(2026, 11, 28, hour, 5, tzinfo=UTC),
    )  # fmt: skip


def test_only_what_has_its_index_is_whole() -> None:
    """An export under way, or one that failed, isn't opened; nor is anything else that is there."""
    held = [
        *keys(EAST, NEW, "page-0001.html", "page-0002.html"),
        *keys(WEST, OLD, "index.html", "page-0002.html", "page-0001.html"),
        *keys(EAST, OLD, "index.html"),
        "emergency/us-east-1/index.html", f"emergency/{EAST}/{OLD}/../../secret",
    ]  # fmt: skip
    one, other = emergency.whole(WEST, held)
    assert (one.region, one.files) == (EAST, ("index.html",))
    assert (other.region, other.bucket_region) == (WEST, WEST)
    assert other.files == ("page-0001.html", "page-0002.html", "index.html")
    assert other.folder == f"emergency/{WEST}/{OLD}/"
    assert other.at == datetime(2026, 11, 27, 8, tzinfo=UTC)


def test_the_newest_of_both_buckets_is_fetched_for_its_owner_alone(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """HIPAA §164.308(a)(7)(ii)(C): 0600 in a folder of 0700, the index last; its age is said."""
    west = bucket(*keys(EAST, NEW, "page-0001.html", "index.html"))
    opened(tmp_path, buckets(bucket(*keys(EAST, OLD, "index.html")), west))
    said = json.loads(capsys.readouterr().out)
    folder = tmp_path / "emergency-exports" / f"{EAST}-{NEW}"
    assert (said["index"], said["age_seconds"]) == (str(folder / "index.html"), 3900)
    assert said["bucket_region"] == WEST
    assert {path.name: oct(path.stat().st_mode)[-3:] for path in folder.iterdir()} == {
        "index.html": "600", "page-0001.html": "600",
    }  # fmt: skip
    assert oct(folder.stat().st_mode)[-3:] == "700"
    assert (folder / "index.html").read_text() == f"page emergency/{EAST}/{NEW}/index.html"
    assert [key.rpartition("/")[2] for key in west["asked"]()] == ["page-0001.html", "index.html"]


def test_a_lost_region_is_said_and_the_other_one_s_bucket_is_enough(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Emergency mode needs one bucket that answers."""
    clients = buckets(bucket(fault=lost()), bucket(*keys(WEST, NEW, "index.html")))
    opened(tmp_path, clients, to=str(tmp_path / "here"))
    assert (tmp_path / "here" / "index.html").is_file()
    assert "bucket-content-us-east-1" in capsys.readouterr().err


@pytest.mark.parametrize("region", ["", WEST])
def test_without_a_whole_export_each_bucket_says_why(tmp_path: Path, region: str) -> None:
    """One line with what to run."""
    clients = buckets(bucket(fault=refusal("AccessDenied")), bucket())
    with pytest.raises(OperatorError, match=r"emergency\.export --stack dev") as caught:
        opened(tmp_path, clients, region)
    assert ("AccessDenied" in str(caught.value)) is (region == "")
    assert "us-west-2-" in str(caught.value)
    assert "holds no whole export" in str(caught.value)


def test_an_old_one_is_opened_and_is_exit_code_5(tmp_path: Path) -> None:
    """Beyond 30 h a night is missing: it's said, and yet better than nothing."""
    clients = buckets(bucket(*keys(EAST, OLD, "index.html")), bucket())
    opened(tmp_path, clients)
    late = buckets(bucket(*keys(EAST, OLD, "index.html")), bucket())
    with pytest.raises(Exit) as caught:
        opened(tmp_path, late, hour=15)
    assert caught.value.code == 5


def test_a_file_that_isn_t_given_or_can_t_be_written_is_one_line(tmp_path: Path) -> None:
    """STYLE: what failed, why, what to run next."""
    refusing = {**bucket(*keys(EAST, NEW, "index.html")), "get_object": refusal("AccessDenied")}
    with pytest.raises(OperatorError, match=r"AccessDenied; run \./inv emergency\.open") as caught:
        opened(tmp_path, buckets(refusing, bucket()))
    assert caught.value.code == 1
    (tmp_path / "file").write_text("")
    clients = buckets(bucket(*keys(EAST, NEW, "index.html")), bucket())
    with pytest.raises(OperatorError, match="--to names another") as caught:
        opened(tmp_path, clients, to=str(tmp_path / "file" / "in"))
    assert caught.value.code == 2


def functions(east: Any, west: Any) -> Clients:
    """What the two functions answer: bytes, or an exception."""

    def answer(given: Any) -> Any:
        if isinstance(given, Exception):
            return given
        fault = {"FunctionError": "Unhandled"} if b"folder" not in given else {}
        return {"Payload": io.BytesIO(given), **fault}

    return cast(
        Clients,
        FakeClients(
            {("lambda", EAST): {"invoke": answer(east)}, ("lambda", WEST): {"invoke": answer(west)}}
        ),
    )


def test_both_regions_make_one(capsys: pytest.CaptureFixture[str]) -> None:
    """Counts are printed, no patient's data."""
    made = json.dumps(MADE).encode()
    emergency.export(stack_file("dev"), functions(made, made), "", as_json=True)
    assert json.loads(capsys.readouterr().out) == [
        {"region": EAST, **MADE}, {"region": WEST, **MADE},
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (b'{"errorMessage": "connect\\nrefused"}', r"failed: connect refused; its log is /aws/la"),
        (b"nonsense", "failed: nonsense"),
        (b"[]", r"failed: \[\]"),
        (refusal("TooManyRequestsException"), "TooManyRequestsException; run"),
        (lost(), "us-east-1: function-emergency-us-east-1"),
    ],
)
def test_one_region_s_fault_stops_not_the_other_s(
    capsys: pytest.CaptureFixture[str], answer: Any, why: str
) -> None:
    """The line names the command for that region; the other region's export is made."""
    clients = functions(answer, json.dumps(MADE).encode())
    with pytest.raises(OperatorError, match=why) as caught:
        emergency.export(stack_file("dev"), clients, "", as_json=False)
    assert "emergency.export --region us-east-1 --stack dev again" in str(caught.value)
    out = capsys.readouterr().out
    assert WEST in out
    assert EAST not in out


def test_a_region_that_isn_t_ours_is_bad_input() -> None:
    """R9: nothing was touched."""
    with pytest.raises(OperatorError, match="eu-west-1 is neither us-east-1 nor us-west-2") as bad:
        emergency.export(stack_file("dev"), functions(b"", b""), "eu-west-1", as_json=True)
    assert bad.value.code == 2


def test_the_tasks(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """NAMES: emergency.export waits as long as the function runs; emergency.open says the age."""
    seconds: list[int] = []

    def waiting(given: Clients) -> Callable[..., Any]:
        return lambda stack, long: (seconds.append(long), (stack_file(stack), given))[1]

    made = functions(json.dumps(MADE).encode(), lost())
    monkeypatch.setattr(session, "waiting_on", waiting(made))
    upkeep.emergency_export(Context(), stack="dev", region=EAST)
    assert seconds == [910]
    assert "as of" in capsys.readouterr().out
    held = buckets(bucket(*keys(EAST, "2999-01-01T00-00-00Z", "index.html")), bucket())
    space = Workspace(tmp_path, tmp_path)
    monkeypatch.setattr(session, "looking_at", lambda stack: (space, stack_file(stack), held))
    upkeep.emergency_open(Context(), stack="dev")
    out = capsys.readouterr().out
    assert "made by us-east-1, 0 h 0 min ago (2999-01-01T00-00-00Z)" in out
    assert "delete the folder" in out

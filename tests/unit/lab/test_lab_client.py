"""Commanding the lab's process: found, not found, damaged, deaf."""

from __future__ import annotations

import json
import os
import subprocess
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import psutil
import pytest

from lab import client
from lab.errors import LabError, LabInputError

STATUS = {
    "endpoint": "", "pid": 0, "state_dir": "", "regions": {}, "parts": {}, "dns": "",
    "front_door": "", "clock": 1.0, "outages": {}, "ready": True,
}  # fmt: skip


class RecordedLab:
    """A process that ``lab.json`` names, and an endpoint that answers as ``answers`` says."""

    def __init__(self, state_dir: Path, script: str = "echo up; exec sleep 60") -> None:
        self.state_dir = state_dir
        self.process = subprocess.Popen(["sh", "-c", script], stdout=subprocess.PIPE)
        assert self.process.stdout
        self.process.stdout.readline()
        self.asked: list[tuple[str, dict[str, Any]]] = []
        self.answers: dict[str, tuple[int, bytes]] = {}
        lab = self

        class Handler(BaseHTTPRequestHandler):
            def answer(self) -> None:
                command = self.path.removeprefix("/_lab/")
                body = self.rfile.read(int(self.headers.get("content-length", 0)))
                lab.asked.append((command, json.loads(body or b"{}")))
                status = {**STATUS, "pid": lab.process.pid}
                code, text = lab.answers.get(command, (200, json.dumps(status).encode()))
                self.send_response(code)
                self.send_header("content-length", str(len(text)))
                self.end_headers()
                self.wfile.write(text)

            do_GET = do_POST = answer  # noqa: N815 - http.server's names

            def log_message(self, format: str, *args: Any) -> None:
                """Nothing to say."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True).start()
        self.record(started=psutil.Process(self.process.pid).create_time())

    def record(self, started: float) -> None:
        port = self.server.server_port
        fields = {"pid": self.process.pid, "started": started, "port": port, "token": "t"}
        text = json.dumps({**fields, "endpoint": f"http://127.0.0.1:{port}"})
        (self.state_dir / "lab.json").write_text(text)

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()
        self.process.kill()
        self.process.wait()
        assert self.process.stdout
        self.process.stdout.close()


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[RecordedLab]:
    made = RecordedLab(tmp_path)
    yield made
    made.close()


@pytest.fixture
def executable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A script that is started in place of Python; nothing it starts stays behind."""
    path = tmp_path / "python"
    monkeypatch.setattr("sys.executable", str(path))
    monkeypatch.setattr(client, "_spawned", [])
    yield path
    for process in client._spawned:
        process.kill()
        process.wait()


def script(path: Path, text: str) -> None:
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o700)


def test_a_start_that_finds_the_lab_sets_its_clock(lab: RecordedLab) -> None:
    """``lab.up --clock`` holds for a lab that runs already; without it the clock stays."""
    assert client.start(lab.state_dir).pid == lab.process.pid
    assert [command for command, _ in lab.asked] == ["status", "status"]
    client.start(lab.state_dir, clock=20.0)
    assert ("clock", {"factor": 20.0}) in lab.asked


def test_code_that_changed_under_a_running_lab_is_named(
    lab: RecordedLab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A pulled change is not in the lab's process yet: which file it is, and nothing where the lab
    is younger, or stopped."""
    code = tmp_path / "code" / "lab"
    (code / "dns").mkdir(parents=True)
    (code / "dns" / "answers.py").write_text("")
    began = psutil.Process(lab.process.pid).create_time()
    os.utime(code / "dns" / "answers.py", (began - 9, began - 9))
    monkeypatch.setattr(client, "__file__", str(code / "client.py"))
    assert client.changed_since(lab.state_dir) == ""
    os.utime(code / "dns" / "answers.py", (began + 9, began + 9))
    assert client.changed_since(lab.state_dir) == "lab/dns/answers.py"
    lab.record(started=0.0)
    assert client.changed_since(lab.state_dir) == ""


def test_the_lab_is_commanded(lab: RecordedLab) -> None:
    """Issue 16: faults, the round trip and mails, as the control API takes them."""
    lab.answers["mails"] = (200, b'{"mails": [{"to": "a"}]}')
    client.fault(lab.state_dir, "fence-timeout", "off")
    client.set_round_trip(lab.state_dir, 65)
    assert client.mails(lab.state_dir, confirm=True) == [{"to": "a"}]
    client.outage(lab.state_dir, "us-east-1", "api", "hang")
    assert lab.asked == [
        ("fault", {"name": "fence-timeout", "value": "off"}),
        ("rtt", {"milliseconds": 65}),
        ("mails", {"confirm": True}),
        ("outage", {"region": "us-east-1", "part": "api", "mode": "hang"}),
    ]


def test_requests_are_read_where_a_lab_runs(lab: RecordedLab, tmp_path: Path) -> None:
    """Issue 21: what load balancers answered by second; nothing where no lab runs."""
    lab.answers["requests"] = (200, b'{"now": 1, "regions": {}}')
    assert client.requests(lab.state_dir) == {"now": 1, "regions": {}}
    lab.record(started=0.0)
    assert client.requests(lab.state_dir) == {}


def test_a_lab_that_does_not_answer_is_killed_before_a_new_one_starts(
    lab: RecordedLab, executable: Path
) -> None:
    """A process that hangs would hold the state; the new one's last line says why it ended."""
    lab.answers["status"] = (500, b"no JSON")
    script(executable, "echo first; echo 'no room left'; exit 1")
    with pytest.raises(LabError, match=r"^the lab did not start: no room left$"):
        client.start(lab.state_dir, 0)
    assert lab.process.wait(5) == -9
    assert not (lab.state_dir / "lab.json").exists()


def test_a_lab_that_ends_without_a_word_names_its_log(executable: Path, tmp_path: Path) -> None:
    """There is nothing to quote, so the error says where to look."""
    script(executable, "exit 1")
    with pytest.raises(LabError, match=r"did not start: see .*lab\.log$"):
        client.start(tmp_path / "new", 0)


def test_a_lab_that_is_never_ready_is_given_up(
    executable: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A start ends in one line that names the log, not in a wait without end."""
    monkeypatch.setattr(client, "START_SECONDS", 0.1)
    script(executable, "exec sleep 60")
    with pytest.raises(LabError, match=r"not become ready in 0\.1 s: see .*lab\.log$"):
        client.start(tmp_path, 0)


def test_stopping_what_is_gone_and_what_does_not_listen(
    lab: RecordedLab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A record of a process that ended is cleared away; one that ignores SIGTERM is killed."""
    monkeypatch.setattr(client, "STOP_SECONDS", 0.1)
    lab.process.kill()
    lab.process.wait()
    assert client.stop(lab.state_dir) is False
    assert not (lab.state_dir / "lab.json").exists()
    assert client.stop(lab.state_dir) is False, "no record at all"
    folder = tmp_path / "deaf"
    folder.mkdir()
    deaf = RecordedLab(folder, "trap '' TERM; echo up; exec sleep 60")
    try:
        assert client.stop(folder) is True
        assert deaf.process.wait(5) == -9
        assert not (folder / "lab.json").exists()
    finally:
        deaf.close()


def test_a_process_that_was_waited_for_has_ended() -> None:
    """A process is over when it is a zombie, and when its id is gone."""
    child = subprocess.Popen(["sleep", "60"])
    process = psutil.Process(child.pid)
    assert not client._ended(process, 0.03)
    child.kill()
    assert client._ended(process, 5)
    child.wait()
    assert client._ended(process, 5)


@pytest.mark.parametrize("record", ["{", '{"pid": 1, "started": 0}'])
def test_a_record_that_names_no_lab_is_no_lab(tmp_path: Path, record: str) -> None:
    """A damaged record, and one whose process id belongs to another process by now: not running,
    and a command says what to run."""
    (tmp_path / "lab.json").write_text(record)
    assert not client.status(tmp_path).running
    with pytest.raises(LabError, match=r"isn't running: run `\./inv lab\.up`"):
        client.restore(tmp_path, "us-east-1")


@pytest.mark.parametrize(
    ("answer", "kind", "message"),
    [
        ((400, b'{"error": "unknown region"}'), LabInputError, "unknown region"),
        ((409, b'{"error": "not now"}'), LabError, "not now"),
        ((502, b"<html>"), LabError, "the lab refused outage: HTTP 502"),
        ((503, b"{}"), LabError, "the lab refused outage: HTTP 503"),
        ((200, b"<html>"), LabError, r"doesn't answer .*: run `\./inv lab\.up`"),
    ],
    ids=["input", "refusal", "no JSON", "no error", "no answer"],
)
def test_a_refusal_is_one_line(
    lab: RecordedLab, answer: tuple[int, bytes], kind: type[LabError], message: str
) -> None:
    """Senseless input is distinguished from a lab that can't, and says what it refused."""
    lab.answers["outage"] = answer
    with pytest.raises(LabError, match=message) as raised:
        client.outage(lab.state_dir, "us-east-1", "api")
    assert type(raised.value) is kind
    assert lab.asked == [("outage", {"region": "us-east-1", "part": "api", "mode": None})]


def test_the_lab_is_found_by_pid_and_time_of_start(lab: RecordedLab) -> None:
    """A process that got a dead lab's id is not taken for it, nor killed."""
    assert client.status(lab.state_dir).pid == lab.process.pid
    lab.record(started=1.0)
    assert not client.status(lab.state_dir).running
    assert client.stop(lab.state_dir) is False
    os.kill(lab.process.pid, 0)
    assert lab.process.poll() is None

"""The Python runtime's own file, run in this process as the lab runs it in a function's."""

from __future__ import annotations

import io
import json
import logging
import os
import runpy
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from lab.emulator import worker

BOOTSTRAP = Path(worker.__file__).with_name("bootstrap.py")
MARK = "\x01mark "
CONTEXT = {
    "functionName": "one",
    "functionVersion": "3",
    "invokedFunctionArn": "arn:one",
    "memoryLimitInMB": "128",
    "awsRequestId": "request-1",
    "logGroupName": "/aws/lambda/one",
    "logStreamName": "stream",
}
Run = Callable[..., tuple[list[dict[str, Any]], list[str]]]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Run]:
    """Runs a handler's source over events: the marked outcomes, and the other lines."""
    root, path = logging.getLogger(), list(sys.path)
    handlers, level = list(root.handlers), root.level
    names: list[str] = []

    def go(source: str, *events: Any, logs: str = "Text") -> tuple[list[Any], list[str]]:
        name = f"handler_{tmp_path.name.replace('-', '_')}_{len(names)}"
        names.append(name)
        (tmp_path / f"{name}.py").write_text(source)
        for key, value in (
            ("_LAB_MARK", MARK),
            ("_LAB_LOG_FORMAT", logs),
            ("_HANDLER", f"{name}.handle"),
            ("LAMBDA_TASK_ROOT", str(tmp_path)),
        ):
            monkeypatch.setenv(key, value)
        deadline = (time.time() + 10) * 1000
        lines = [
            json.dumps({"event": event, "context": CONTEXT, "deadline": deadline})
            for event in events
        ]
        stream = io.StringIO()
        with monkeypatch.context() as streams:
            streams.setattr(sys, "stdin", io.StringIO("\n".join(lines)))
            streams.setattr(sys, "stdout", stream)
            streams.setattr(sys, "stderr", stream)
            root.handlers[:] = []
            runpy.run_path(str(BOOTSTRAP), run_name="__main__")
        output = stream.getvalue().splitlines()
        outcomes = [json.loads(line.removeprefix(MARK)) for line in output if line.startswith(MARK)]
        assert "_LAB_MARK" not in os.environ, "the function could forge an outcome"
        return outcomes, [line for line in output if not line.startswith(MARK)]

    yield go
    root.handlers[:] = handlers
    root.setLevel(level)
    sys.path[:] = path
    for name in names:
        sys.modules.pop(name, None)


def test_events_are_answered_one_by_one_with_lambda_s_context(run: Run) -> None:
    """R2.4: loaded once, then each event's outcome, with the context that Lambda gives."""
    outcomes, _ = run(
        "def handle(event, context):\n"
        "    left = context.get_remaining_time_in_millis()\n"
        "    return [event, context.function_name, context.aws_request_id, 0 < left <= 10000]\n",
        {"n": 1},
        {"n": 2},
    )
    assert outcomes == [
        {"status": "ready"},
        {"status": "ok", "result": [{"n": 1}, "one", "request-1", True]},
        {"status": "ok", "result": [{"n": 2}, "one", "request-1", True]},
    ]


def test_an_exception_is_lambda_s_error_and_the_next_event_is_served(run: Run) -> None:
    """R2.4: type, message and trace; an answer that isn't JSON is an error, too."""
    outcomes, log = run(
        "def handle(event, context):\n"
        "    if event == 1:\n"
        "        raise KeyError('gone')\n"
        "    return {1} if event == 2 else 'fine'\n",
        1,
        2,
        3,
    )
    raised, unserialisable, fine = outcomes[1:]
    assert (raised["status"], raised["errorType"]) == ("error", "KeyError")
    assert raised["errorMessage"] == "'gone'"
    assert any("in handle" in line for line in raised["trace"])
    assert unserialisable["errorType"] == "TypeError"
    assert fine == {"status": "ok", "result": "fine"}
    assert any("KeyError: 'gone'" in line for line in log)


def test_a_handler_that_can_t_be_loaded_ends_the_runtime(run: Run) -> None:
    """R2.4: Lambda's init error; no event is taken."""
    outcomes, _ = run("import no_such_module_at_all\n", 1)
    assert [(o["status"], o["errorType"]) for o in outcomes] == [("error", "ModuleNotFoundError")]
    assert outcomes[0]["fatal"]


@pytest.mark.parametrize("logs", ["Text", "JSON"])
def test_log_lines_have_lambda_s_two_forms(run: Run, logs: str) -> None:
    """R2.4: level, time and request id, as text or as JSON, with the exception in the same
    record."""
    source = (
        "import logging\n"
        "logging.getLogger().setLevel('INFO')\n"
        "def handle(event, context):\n"
        "    logging.getLogger('own').info('all %s', 'well')\n"
        "    try:\n"
        "        1 / 0\n"
        "    except ZeroDivisionError:\n"
        "        logging.exception('failed')\n"
    )
    outcomes, log = run(source, 1, logs=logs)
    assert outcomes[1]["status"] == "ok"
    if logs == "JSON":
        first, second = (json.loads(line) for line in log)
        assert (first["level"], first["message"], first["logger"]) == ("INFO", "all well", "own")
        assert first["requestId"] == "request-1"
        assert first["timestamp"].endswith("Z")
        assert "ZeroDivisionError" in second["message"]
    else:
        assert log[0].startswith("[INFO]\t")
        assert log[0].endswith("\trequest-1\tall well")
        assert any("ZeroDivisionError" in line for line in log[1:])

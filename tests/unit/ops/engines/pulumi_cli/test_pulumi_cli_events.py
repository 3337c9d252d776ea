"""The CLI's events as the operators' tools want them: what ``pulumi up --event-log`` was seen to
send, reported and counted as the embedded engine does."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from fake_cli import URN, metadata
from pulumi.automation import EngineEvent

from ops.engines.pulumi_cli.events import Translator, cleaned, one_line
from pulumi_protocol.events import Event, LogEvent, Operation, PropertyDiff, ResourceEvent, Summary

SECRET = {
    "4dabf18193072939515e22adb298388d": "1b47061264138c4ac30d75fd1eb44270",
    "ciphertext": "[secret]",
}


class Heard:
    """A translator and what it reported."""

    def __init__(self, *, planned: bool = False) -> None:
        self.events: list[Event] = []
        self.translator = Translator(self.events.append, "network", planned=planned)

    def take(self, **event: Any) -> None:
        """One event as the CLI sends it."""
        self.translator.take(EngineEvent.from_json({"sequence": 1, "timestamp": 1, **event}))

    def step(self, kind: str, op: str, urn: str = URN, **more: Any) -> None:
        """One event of a step."""
        self.take(**{kind: {"metadata": metadata(op, urn, **more)}})

    def whole(self, op: str, urn: str = URN, **more: Any) -> None:
        """A step from its beginning to its end."""
        self.step("resourcePreEvent", op, urn, **more)
        self.step("resOutputsEvent", op, urn, **more)

    @property
    def reported(self) -> list[tuple[Operation, str]]:
        """(operation, phase) of the resource events."""
        return [(e.operation, e.phase) for e in self.events if isinstance(e, ResourceEvent)]

    @property
    def counts(self) -> tuple[int, int, int, int, int]:
        """Created, updated, replaced, deleted, same"""
        return counts(self.translator.summary())


def counts(found: Summary) -> tuple[int, int, int, int, int]:
    return (found.created, found.updated, found.replaced, found.deleted, found.same)


def test_a_deployment_reports_each_step_s_beginning_and_end() -> None:
    """Events rendered like the embedded engine's; what is unchanged has an end alone."""
    heard = Heard()
    for op in ("create", "update", "delete", "same"):
        heard.whole(op, f"{URN}-{op}")
    assert heard.reported == [
        (Operation.CREATE, "started"),
        (Operation.CREATE, "done"),
        (Operation.UPDATE, "started"),
        (Operation.UPDATE, "done"),
        (Operation.DELETE, "started"),
        (Operation.DELETE, "done"),
        (Operation.SAME, "done"),
    ]
    assert heard.counts == (1, 1, 0, 1, 1)


def test_a_preview_reports_plans_alone() -> None:
    """The CLI sends outputs in a preview as well, and the stack's twice."""
    heard = Heard(planned=True)
    heard.whole("create")
    heard.whole("same", f"{URN}-2")
    assert heard.reported == [(Operation.CREATE, "planned"), (Operation.SAME, "planned")]
    assert heard.counts == (1, 0, 0, 0, 1)


def test_the_three_steps_of_a_replacement_are_one() -> None:
    """Counted once, and reported when the new resource is made; the forcing property says so."""
    heard = Heard()
    more: dict[str, Any] = {
        "old": {"cidr": "a"}, "new": {"cidr": "b"}, "keys": ["cidr"],
        "detailedDiff": {"cidr": {"diffKind": "update-replace", "inputDiff": True}},
    }  # fmt: skip
    heard.whole("delete-replaced", **more)
    heard.whole("replace", **more)
    heard.whole("create-replacement", **more)
    assert heard.reported == [(Operation.REPLACE, "started"), (Operation.REPLACE, "done")]
    (event, _) = heard.events
    assert isinstance(event, ResourceEvent)
    assert event.diff == (PropertyDiff("cidr", "a", "b", replaces=True),)
    assert event.name == "vpc"
    assert heard.counts == (0, 0, 1, 0, 0)


@pytest.mark.parametrize(
    ("urn", "custom"),
    [
        ("urn:pulumi:dev::network::pulumi:providers:aws::aws-us-east-1", True),
        ("urn:pulumi:dev::network::pulumi:pulumi:Stack::network-dev", False),
        ("urn:pulumi:dev::network::warmstandby:network:RegionalVpc::vpc-us-east-1", False),
    ],
)
def test_only_what_a_plugin_makes_is_reported_and_counted(urn: str, custom: bool) -> None:
    """As in the embedded engine's summary: no components, no providers, no stack."""
    heard = Heard()
    heard.whole("create", urn, custom=custom)
    assert heard.reported == []
    assert heard.counts == (0, 0, 0, 0, 0)


def test_a_stack_reference_is_read_and_not_counted() -> None:
    """Reported once, in a preview and in a deployment."""
    urn = "urn:pulumi:dev::data::pulumi:pulumi:StackReference::organization/network/dev"
    for planned, phase in ((True, "planned"), (False, "done")):
        heard = Heard(planned=planned)
        heard.whole("read", urn)
        assert heard.reported == [(Operation.READ, phase)]
        assert heard.counts == (0, 0, 0, 0, 0)


def test_a_diff_shows_neither_secrets_nor_made_up_values() -> None:
    """Secrets and unknowns are words; a secret that changed is named though both look alike; what
    only the provider has noticed comes from its outputs."""
    heard = Heard(planned=True)
    step = metadata(
        "update",
        old={"tags": {"A": "1", "S": SECRET}, "list": [1]},
        new={
            "tags": {"A": "2", "S": SECRET, "T": SECRET},
            "list": [1],
            "vpcId": "04da6b54-80e4-46f7-96ec-b56ff0331ba9",
        },
        detailedDiff={
            "tags.A": {"diffKind": "update", "inputDiff": True},
            "tags.S": {"diffKind": "update", "inputDiff": True},
            "tags.S.inner": {"diffKind": "update", "inputDiff": True},
            "state": {"diffKind": "update", "inputDiff": False},
            "list[4].x": {"diffKind": "delete", "inputDiff": True},
        },
    )
    step["old"]["outputs"] = {"state": "stopped"}
    heard.take(resourcePreEvent={"metadata": step})
    (event,) = heard.events
    assert isinstance(event, ResourceEvent)
    assert set(event.diff) == {
        PropertyDiff("tags.A", "1", "2"),
        PropertyDiff("tags.T", None, "[secret]"),
        PropertyDiff("vpcId", None, "[unknown]"),
        PropertyDiff("tags.S", "[secret]", "[secret]"),
        PropertyDiff("tags.S.inner", "[secret]", "[secret]"),
        PropertyDiff("state", "stopped", None),
        PropertyDiff("list[4].x", None, None),
    }


def test_a_refresh_reports_drift_and_what_is_gone() -> None:
    """The CLI says how a refresh ended with the operation of the step's outputs; what AWS alone
    decides (outputs) is no drift."""
    heard = Heard()
    for urn, op, more in (
        (f"{URN}-1", "same", {"old": {"a": 1}, "new": {"a": 2}}),
        (f"{URN}-2", "update", {"old": {"a": 1}, "new": {"a": 2}}),
        (f"{URN}-3", "refresh", {"old": {"a": 1}, "new": {"a": 1}}),
        (f"{URN}-4", "delete", {"old": {}}),
        ("urn:pulumi:dev::network::pulumi:providers:aws::p", "same", {}),
        (f"{URN}-5", "refresh", {"old": {}}),
    ):
        heard.step("resourcePreEvent", "refresh", urn, **more)
        heard.step("resOutputsEvent", op, urn, **more)
    assert heard.reported == [
        (Operation.REFRESH, "done"),
        (Operation.REFRESH, "done"),
        (Operation.REFRESH, "done"),
        (Operation.DELETE, "done"),
        (Operation.REFRESH, "done"),
    ]
    diffs = [event.diff for event in heard.events if isinstance(event, ResourceEvent)]
    assert diffs == [(), (PropertyDiff("a", 1, 2),), (), (), ()]
    assert counts(heard.translator.summary(refresh=True)) == (0, 1, 0, 1, 3)
    assert heard.counts == (0, 0, 0, 0, 0)


def test_a_failed_step_says_why() -> None:
    """The diagnostic comes first, then the failure: both carry the provider's words, cleaned."""
    heard = Heard()
    heard.step("resourcePreEvent", "create")
    heard.take(
        diagnosticEvent={
            "urn": URN,
            "severity": "error",
            "message": "<{%fg 1%}>error:<{%reset%}> creating EC2 VPC:\n  * limit\n",
        }
    )
    heard.take(resOpFailedEvent={"metadata": metadata("create"), "status": 1, "steps": 1})
    failed = heard.events[-1]
    assert isinstance(failed, ResourceEvent)
    assert (failed.phase, failed.message) == ("failed", "creating EC2 VPC: * limit")
    assert [fault.line for fault in heard.translator.faults] == ["vpc: creating EC2 VPC: * limit"]
    assert heard.counts == (0, 0, 0, 0, 0)
    heard.step("resourcePreEvent", "refresh")
    heard.take(resOpFailedEvent={"metadata": metadata("refresh"), "status": 1, "steps": 1})
    assert heard.reported[-1] == (Operation.REFRESH, "failed")


def test_messages_are_reported_by_their_weight() -> None:
    """No debug noise, no fleeting status; the CLI's own closing words are no fault of their own."""
    heard = Heard()
    stack = "urn:pulumi:dev::network::pulumi:pulumi:Stack::network-dev"
    for severity, message, more in (
        ("info", "printed\n", {"urn": stack}),
        ("info#err", "on stderr", {}),
        ("warning", "\x1b[33mmind\x1b[0m", {}),
        ("debug", "registering", {}),
        ("info", "fleeting", {"ephemeral": True}),
        ("info", " ", {}),
        ("error", "update failed", {"urn": stack}),
        ("error", "broken", {"urn": stack}),
    ):
        heard.take(diagnosticEvent={"severity": severity, "message": message, **more})
    heard.take(stdoutEvent={"message": "from the CLI", "color": "never"})
    assert [(e.severity, e.message) for e in heard.events if isinstance(e, LogEvent)] == [
        ("info", "printed"),
        ("info", "on stderr"),
        ("warning", "mind"),
        ("error", "update failed"),
        ("error", "broken"),
        ("info", "from the CLI"),
    ]
    assert [fault.line for fault in heard.translator.faults] == ["broken"]


def test_a_broken_policy_is_a_fault_when_it_is_mandatory() -> None:
    """Policy packs run with the CLI: advice is a warning, a mandatory rule stops."""
    heard = Heard()
    for level in ("advisory", "mandatory"):
        heard.take(
            policyEvent={
                "message": "no encryption\n", "policyName": "rds", "policyPackName": "hipaa",
                "enforcementLevel": level, "resourceUrn": URN,
            }
        )  # fmt: skip
    assert [e.severity for e in heard.events if isinstance(e, LogEvent)] == ["warning", "error"]
    assert [f.line for f in heard.translator.faults] == ["vpc: hipaa: rds: no encryption"]


def test_the_last_event_is_known() -> None:
    """Whoever waits for the events' end must see it; others mean nothing here."""
    heard = Heard()
    heard.take(preludeEvent={"config": {}})
    assert not heard.translator.ended.is_set()
    heard.take(cancelEvent={})
    assert heard.translator.ended.is_set()
    assert heard.events == []


def test_a_traceback_becomes_one_line_with_the_place_in_the_project() -> None:
    """House rule: no traceback to users."""
    text = (
        "Program failed with an unhandled exception:\nTraceback (most recent call last):\n"
        '  File "/opt/pulumi-language-python-exec", line 191, in <module>\n    loop.run()\n'
        '  File "/home/x/network/vpc.py", line 12, in make\n    raise SettingsError("no")\n'
        '  File "/home/x/.venv/lib/site-packages/network/x.py", line 3, in y\n    z()\n'
        "tapstack.errors.SettingsError: network:natGateways is 7\n"
    )
    assert one_line(text, "network") == "SettingsError: network:natGateways is 7 (vpc.py:12)"
    assert one_line(text, "data") == "SettingsError: network:natGateways is 7"
    assert one_line("error: a\n  b", "data") == "a b"
    assert cleaned("<{%reset%}>a <{%fg 2%}>b\n") == "a b"


def saying(translator: Translator) -> Callable[[str, str], None]:
    """What has the CLI say something."""

    def say(severity: str, message: str) -> None:
        diagnostic = {"severity": severity, "message": message, "prefix": "", "color": "never"}
        translator.take(
            EngineEvent.from_json({"sequence": 1, "timestamp": 1, "diagnosticEvent": diagnostic})
        )

    return say


def said(reported: list[Event]) -> list[str]:
    """The messages among what was reported."""
    return [event.message for event in reported if isinstance(event, LogEvent)]


def test_what_an_interrupted_program_prints_is_not_reported() -> None:
    """N7: after Ctrl-C the CLI ends the program by a signal; its traceback is nobody's fault, while
    errors and warnings are still reported."""
    pressed: list[bool] = []
    reported: list[Event] = []
    say = saying(
        Translator(reported.append, "network", planned=False, interrupted=lambda: bool(pressed))
    )
    say("info", "before")
    pressed.append(True)
    say("info", "Traceback (most recent call last):\n  …\nKeyboardInterrupt")
    say("warning", "a pending operation")
    say("error", "vpc: refused")
    assert said(reported) == ["before", "a pending operation", "vpc: refused"]


def test_what_a_program_prints_after_a_resource_failed_is_not_reported() -> None:
    """N7: the CLI interrupts the program when a resource fails, and prints its traceback line by
    line; what failed is what is reported. A program's own traceback comes first and is shown."""
    reported: list[Event] = []
    translator = Translator(reported.append, "app", planned=False)
    say = saying(translator)
    say("info#err", "ModuleNotFoundError: No module named 'x'")
    say("error", "creating gate: refused")
    say("error", "update failed")
    for line in ("Traceback (most recent call last):", "KeyboardInterrupt"):
        say("info#err", line)
    say("warning", "a pending operation")
    assert said(reported) == [
        "ModuleNotFoundError: No module named 'x'", "creating gate: refused", "update failed",
        "a pending operation",
    ]  # fmt: skip
    assert [fault.message for fault in translator.faults] == ["creating gate: refused"]

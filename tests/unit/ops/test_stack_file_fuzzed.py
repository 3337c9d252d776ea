"""Stack files, fuzzed: settings or one line, never a traceback, nothing touched."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ops import stack_file
from ops.errors import ExitCode, OperatorError
from ops.workspace import Workspace

GOOD = {
    "TapStack:environmentSuffix": "x1",
    "TapStack:environment": "dev",
    "aws:region": "us-east-1",
}
KEYS = [
    *GOOD, "TapStack:accountId", "TapStack:primaryZones", "TapStack:endpoint",
    "network:natGateways",
    "network:vpcEndpoints", "data:instanceClass", "data:minCapacity", "data:engineVersion",
    "app:memoryMb", "app:timeout", "global:domain", "global:alarmEmail", "nothing:x", "x", "aws:",
]  # fmt: skip
SCALARS = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=12), st.dates(),
    st.datetimes(), st.binary(max_size=4),
    st.sampled_from(["us-east-1", "lab", "prod", "db.serverless", "1e3", "-1", "true", "0x10"]),
)  # fmt: skip
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(SCALARS, inner, max_size=3)
    ),
    max_leaves=5,
)
FUZZ = settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@pytest.fixture
def space(tmp_path: Path) -> Workspace:
    """A workspace for one stack file."""
    return Workspace(tmp_path, tmp_path)


def held(space: Workspace, content: bytes) -> None:
    """The file is taken, or refused by one line with exit code 2 that begins with its name."""
    file = space.stack_file("dev")
    file.write_bytes(content)
    try:
        stack_file.load(space, "dev")
    except OperatorError as error:
        assert error.code is ExitCode.BAD_INPUT
        assert str(error).startswith("Pulumi.dev.yaml: ")
        assert len(str(error).splitlines()) == 1
    assert file.read_bytes() == content
    assert list(space.repository.iterdir()) == [file]


@FUZZ
@given(st.binary(max_size=60))
def test_any_bytes_are_settings_or_one_line(space: Workspace, content: bytes) -> None:
    """Neither half a file nor another kind of file ends in a traceback."""
    held(space, content)


@FUZZ
@given(st.text(max_size=60))
def test_any_text_after_the_config_is_settings_or_one_line(space: Workspace, text: str) -> None:
    """YAML that breaks off, tags, anchors, directives."""
    held(space, b"config:\n  " + text.encode("utf-8", "surrogatepass"))


@FUZZ
@given(
    st.dictionaries(st.one_of(st.sampled_from(KEYS), SCALARS), VALUES, max_size=4),
    st.one_of(st.none(), VALUES),
)
def test_any_values_are_settings_or_one_line(
    space: Workspace, changed: dict[object, object], beside: object
) -> None:
    """Every kind of value that YAML knows, under every key; keys that aren't text."""
    document = {"config": {**GOOD, **changed}, "secretsprovider": beside}
    held(space, yaml.safe_dump(document, allow_unicode=True).encode("utf-8", "surrogatepass"))


@pytest.mark.parametrize(
    ("value", "line"),
    [
        ("2026-06-01", "is 2026-06-01 without quotes"),
        ("2026-99-99", "is 2026-99-99 without quotes"),
        ("&a [*a]", "takes no anchors and aliases"),
        ("!!binary aGk=", "takes no tags such as"),
        ("[" * 5000, "is nested more than 20 levels deep"),
    ],
)
def test_a_value_that_no_program_could_be_given_is_one_line(
    space: Workspace, value: str, line: str
) -> None:
    """A date, bytes, a list in itself, and a file that would exhaust the reader."""
    held(space, f"config:\n  TapStack:environmentSuffix: {value}\n".encode())
    with pytest.raises(OperatorError) as caught:
        stack_file.load(space, "dev")
    assert line in str(caught.value)

# ruff: noqa: E501 - tables read best with a row a line
"""``./inv init``: a stack file that every program accepts, or one line and no file."""

from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from ops import init, stack_file
from ops.errors import OperatorError
from ops.workspace import Workspace
from pulumi_protocol import yaml_files
from pulumi_protocol.yaml_files import YamlFileError
from tapstack.errors import SettingsError

ROOT = Path(__file__).parents[3]
VALUES = {"TapStack:environmentSuffix": "pr7", "TapStack:environment": "dev", "aws:region": "us-east-1", "global:domain": ""}  # fmt: skip


@pytest.fixture(autouse=True)
def space(tmp_path, monkeypatch) -> Workspace:
    """An empty working copy."""
    made = Workspace(tmp_path, tmp_path)
    monkeypatch.setattr(init.workspace, "find", lambda: made)
    return made


def test_the_file_holds_what_was_given_and_is_accepted(space):
    """R9.4: one file an environment; keys without a value stay away."""
    file = init.write("pr-7", VALUES)
    assert file == space.stack_file("pr-7")
    assert "global:domain" not in yaml.safe_load(file.read_text())["config"]
    assert stack_file.load(space, "pr-7").settings.suffix == "pr7"


@pytest.mark.parametrize("suffix", ["1e3", "0755", "yes", "1-2", "2026-1-2", "null", "0x1f", "y"])
def test_every_value_is_quoted(space, suffix):
    """``--suffix 1e3`` deployed ``vpc-…-1000`` with Pulumi's CLI: a text stays the text it is."""
    account = "012345678901"
    file = init.write(
        "pr-7", {**VALUES, "TapStack:environmentSuffix": suffix, "TapStack:accountId": account}
    )
    assert f'  TapStack:environmentSuffix: "{suffix}"\n' in file.read_text()
    settings = stack_file.load(space, "pr-7").settings
    assert settings.suffix == suffix
    assert settings.stack.account_id == account


@pytest.mark.parametrize("text", ["\x85", "a\u2028b", "\u2029", "\x7f", "\ufeff", "\U000e0001"])
def test_what_yaml_takes_for_a_line_break_is_escaped_and_refused(text):
    """R9.4: a next-line character in a value was written as it is and read as a space."""
    written = init.document({"a:b": text})
    assert yaml.safe_load(written) == {"config": {"a:b": text}}
    with pytest.raises(YamlFileError, match="holds a line break or control character"):
        yaml_files.read(written)


@given(st.dictionaries(st.sampled_from(["a:b", "c:d", "e:f"]), st.text(min_size=1), min_size=1))
def test_what_is_written_is_read_as_the_same(values):
    """Any text that a file can hold comes back as it was given; any other is refused."""
    try:
        found = yaml_files.read(init.document(values))
    except YamlFileError as error:
        assert not all(value.isprintable() for value in values.values()), error
        return
    assert found == {"config": values}


def test_an_existing_file_is_never_overwritten(space):
    """House rule: nothing is lost."""
    init.write("pr-7", VALUES)
    before = space.stack_file("pr-7").read_text()
    with pytest.raises(OperatorError, match="exists"):
        init.write("pr-7", {**VALUES, "TapStack:environmentSuffix": "other"})
    assert space.stack_file("pr-7").read_text() == before


@pytest.mark.parametrize(
    ("name", "change", "words"),
    [
        ("PR 7", {}, "can't name a stack"),
        ("pr-7", {"TapStack:environmentSuffix": ""}, "environmentSuffix is missing"),
        ("pr-7", {"TapStack:environmentSuffix": "fifteen-letters"}, "longest suffix that fits has 14"),
        ("pr-7", {"TapStack:environment": "prod"}, "environment prod needs"),
        ("pr-7", {"global:domain": "clinic.example.com"}, "reserved"),
    ],
)  # fmt: skip
def test_bad_input_writes_nothing(space, name, change, words):
    """R9.1, R9.4, trap 16: one line, and no file."""
    with pytest.raises((OperatorError, SettingsError), match=words):
        init.write(name, {**VALUES, **change})
    assert list(space.repository.glob("Pulumi.*.yaml")) == []


def test_the_shipped_production_file_is_refused_until_it_is_filled_in(space):
    """R9.3: it says which two keys; with either it's accepted, and holds nothing that blocks a
    destroy."""
    text = (ROOT / "Pulumi.prod.yaml").read_text()
    with pytest.raises(SettingsError, match=r"certificateArns .* or app:allowPlainHttp true"):
        stack_file.parse("prod", text)
    settings = stack_file.parse(
        "prod", text.replace("# app:allowPlainHttp", "app:allowPlainHttp")
    ).settings
    assert settings.environment == "prod"
    assert not settings.data.deletion_protection
    assert not settings.app.deletion_protection
    assert settings.data.secret_recovery_days == 0

"""Stack files, read and checked before anything is touched."""

from __future__ import annotations

from pathlib import Path

import pytest

from ops import stack_file
from ops.errors import ExitCode, OperatorError
from ops.workspace import Workspace

GOOD = """
config:
  TapStack:environmentSuffix: lab
  TapStack:environment: lab
  TapStack:endpoint: http://127.0.0.1:45660
  aws:region: us-east-1
"""


@pytest.fixture
def space(tmp_path: Path) -> Workspace:
    """A workspace with one good stack file."""
    (tmp_path / "Pulumi.lab.yaml").write_text(GOOD)
    return Workspace(tmp_path, tmp_path)


def refused(space: Workspace, text: str, stack: str = "lab") -> str:
    """The one line that refuses a stack file, which is always bad input."""
    space.stack_file(stack).write_text(text)
    with pytest.raises(OperatorError) as caught:
        stack_file.load(space, stack)
    assert caught.value.code is ExitCode.BAD_INPUT
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_a_stack_file_becomes_settings(space: Workspace) -> None:
    """R9.4: values reach the settings as Pulumi hands them to programs: booleans and lists as
    JSON texts."""
    text = GOOD + "  network:natGateways: 3\n  app:certificateArns: {}\n"
    space.stack_file("lab").write_text(text + "  data:bidirectionalReplication: false\n")
    loaded = stack_file.load(space, "lab")
    assert loaded.settings.network.nat_gateways == 3
    assert loaded.settings.data.bidirectional_replication is False
    assert loaded.config["data:bidirectionalReplication"] == "false"
    assert loaded.config["app:certificateArns"] == "{}"


def test_shipped_stack_files_are_accepted_or_say_what_to_fill_in() -> None:
    """R9.4: dev is exactly the client's; prod asks for certificates or the word that none are
    wanted."""
    here = Path(stack_file.__file__).resolve().parent.parent
    space = Workspace(here, here)
    assert stack_file.load(space, "dev").settings.suffix == "synthj5p6r0e5"
    assert stack_file.load(space, "lab").settings.is_lab
    if "prod" in stack_file.names(space):
        with pytest.raises(OperatorError, match="certificateArns"):
            stack_file.load(space, "prod")


def test_an_unknown_stack_names_those_there_are(space: Workspace) -> None:
    """First light: bad input is one line with what would work."""
    with pytest.raises(OperatorError, match=r"no Pulumi\.labb\.yaml; there are: lab") as caught:
        stack_file.load(space, "labb")
    assert caught.value.code is ExitCode.BAD_INPUT


@pytest.mark.parametrize("stack", ["../lab", "", "a b"])
def test_a_stack_name_is_no_path(space: Workspace, stack: str) -> None:
    """First light: a stack's name can't reach files elsewhere."""
    with pytest.raises(OperatorError, match="is no stack name"):
        stack_file.load(space, stack)


@pytest.mark.parametrize(
    ("old", "new", "line"),
    [
        ("TapStack:environmentSuffix: lab", "network:natGateways: 1", "Suffix is missing"),
        ("Suffix: lab", "Suffix: fifteen-letters", "longest suffix that fits has 14"),
        ("aws:region: us-east-1", "aws:region: eu-west-1", "must be us-east-1.*got eu-west-1"),
        ("aws:region", "network:natGateway: 1\n  aws:region", "network:natGateway is not a set"),
        ("aws:region", "netwrok:natGateways: 1\n  aws:region", "netwrok.* no namespace"),
        ("aws:region", "natGateways: 1\n  aws:region", "natGateways is in no namespace"),
        ("aws:region", "app:x: {secure: abc}\n  aws:region", "app:x is a secure: value"),
    ],
)
def test_a_wrong_value_is_one_line_before_anything_is_touched(
    space: Workspace, old: str, new: str, line: str
) -> None:
    """First light's list of bad input; an overlong suffix is refused here and not in the third
    layer, where the first name would be too long (trap 17); secure values can't be shared
    (trap 39)."""
    import re

    assert re.search(line, refused(space, GOOD.replace(old, new)))


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("data:engineVersion: 16.10", 'quote it: "16.10"'),
        ("TapStack:accountId: 012345678901", 'quote it: "012345678901"'),
        ("global:domain: yes", 'quote it: "yes"'),
        ("global:domain: 2026-01-02", 'quote it: "2026-01-02"'),
        ("network:natGateways: 1e0", 'quote it: "1e0"'),
        ("aws:region: us-west-2", "aws:region is there twice, in lines 6 and 7"),
        ("network:natGateways:", "network:natGateways has no value"),
    ],
)
def test_a_value_that_readers_resolve_differently_is_refused(
    space: Workspace, line: str, words: str
) -> None:
    """Trap 73: the CLI would deploy 16.1 for 16.10 and write it into the shared file; a key twice
    is refused by the CLI and taken by a lenient parser."""
    assert words in refused(space, f"{GOOD}  {line}\n")


def test_quoted_values_are_taken_as_they_are(space: Workspace) -> None:
    """The advice helps: quoted, the same values are the texts that were written."""
    text = f'{GOOD}  data:engineVersion: "16.10"\n  TapStack:accountId: "012345678901"\n'
    space.stack_file("lab").write_text(text)
    settings = stack_file.load(space, "lab").settings
    assert settings.data.engine_version == "16.10"
    assert settings.stack.account_id == "012345678901"


@pytest.mark.parametrize("text", ["", "config:\n", "- a\n", "config: [\n"])
def test_a_file_that_is_no_configuration_is_one_line(space: Workspace, text: str) -> None:
    """First light: neither an empty file nor broken YAML gives a traceback."""
    assert refused(space, text).startswith("Pulumi.lab.yaml: ")


def test_only_lab_stacks_have_a_lab(space: Workspace) -> None:
    """lab.up of a stack on AWS would start something nobody uses."""
    space.stack_file("dev").write_text(
        "config: {TapStack:environmentSuffix: dev, aws:region: us-east-1}"
    )
    assert stack_file.load_lab(space, "lab").stack == "lab"
    with pytest.raises(OperatorError, match="the lab is for stacks of environment lab only"):
        stack_file.load_lab(space, "dev")

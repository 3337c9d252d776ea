"""Project files and a stack's configuration."""

from __future__ import annotations

from pathlib import Path

import pytest
from stage import write_project

from lab.engine import project
from pulumi_protocol.events import EngineError


def test_configuration_is_read_as_the_cli_reads_it(tmp_path: Path) -> None:
    """Own keys get the project's namespace, their defaults and types; other namespaces ``value``;
    the stack's file, found in stackConfigDir, wins; all arrive as texts, lists as JSON."""
    layer = write_project(
        tmp_path,
        "{size: {type: integer, default: 3}, "
        "list: {type: array, items: {type: integer}, default: [1]}, "
        "'aws:region': {value: us-east-1}, flag: {type: boolean, default: true}, old: plain}",
        "{'shop:size': 5, 'other:x': {a: [1]}}",
    )
    loaded = project.load(layer, "lab")
    assert dict(loaded.config) == {
        "shop:size": "5",
        "other:x": '{"a": [1]}',
        "shop:list": "[1]",
        "aws:region": "us-east-1",
        "shop:flag": "true",
        "shop:old": "plain",
    }
    assert loaded.stack_urn == "urn:pulumi:lab::shop::pulumi:pulumi:Stack::shop-lab"


@pytest.mark.parametrize(
    ("config", "stack", "message"),
    [
        ("{size: {type: integer}}", "{}", "missing the configuration value shop:size"),
        ("{size: {type: integer}}", "{'shop:size': big}", "'shop:size' must be of type 'integer'"),
        ("{flag: {type: boolean}}", "{'shop:flag': 3}", "'shop:flag' must be of type 'boolean'"),
        ("{n: {type: integer}}", "{'shop:n': true}", "'shop:n' must be of type 'integer'"),
        ("{n: {type: array, default: []}}", "{}", "shop:n is an array without `items`"),
        ("{n: {type: wheel}}", "{'shop:n': 1}", "the unknown type 'wheel'"),
        ("{}", "{'shop:key': {secure: v1abc}}", "shop:key is a `secure` value"),
        ("{}", "[]", {}),
        ("{}", "[1]", "`config` is no mapping"),
        ("{}", None, "Pulumi.lab.yaml is missing"),
        ("{}", "{a: [}", "is no valid YAML"),
        ("[]", "{'shop:size': 5}", {"shop:size": "5"}),
        ("[size]", "{}", "shop: `config` in Pulumi.yaml is no mapping"),
        ("{size: {default: null}, word: {type: string}}", "{word: 5}", {"shop:word": "5"}),
    ],
)
def test_bad_configuration_is_one_line(
    tmp_path: Path, config: str, stack: str | None, message: str | dict[str, str]
) -> None:
    """Trap 37 and 39: types are enforced, secure values refused, a missing file named; what the
    CLI takes is taken: nothing declared, a default of null, a number where a text is wanted."""
    layer = write_project(tmp_path, config, stack)
    if isinstance(message, dict):
        assert project.load(layer, "lab").config == message
        return
    with pytest.raises(EngineError) as raised:
        project.load(layer, "lab")
    assert message in str(raised.value)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (None, r"Pulumi\.yaml can't be read: No such file or directory"),
        ("[name]", r"Pulumi\.yaml is no mapping of settings"),
        ("runtime: python", r"Pulumi\.yaml has no `name`"),
    ],
    ids=["missing", "a list", "no name"],
)
def test_a_bad_project_file_is_one_line(tmp_path: Path, text: str | None, message: str) -> None:
    """The file is named, and what is wrong with it."""
    if text is not None:
        (tmp_path / "Pulumi.yaml").write_text(text)
    with pytest.raises(EngineError, match=message):
        project.load(tmp_path, "lab")

"""Stack and project files: read alike by Pulumi's CLI and by Python, or refused."""

import json
from typing import Any

import pytest
import yaml
from hypothesis import example, given
from hypothesis import strategies as st

from pulumi_protocol.yaml_files import YamlFileError, as_text, read

GO_AND_PYTHON_DIFFER = [
    # unquoted, go-yaml v3, PyYAML; the first column of each was tried with v3.0.1
    ("1e3", 1000, "1e3"),
    ("16.10", 16.1, 16.1),  # the same number, but not the text that was written
    ("8.0", 8, 8.0),
    ("yes", "yes", True),
    ("off", "off", False),
    ("012345678901", 12345678901.0, "012345678901"),
    ("0755", 493, 493),
    ("0o17", 15, "0o17"),
    ("0o-7", -7, "0o-7"),
    ("0x1F", 31, 31),
    ("0b101", 5, 5),
    ("1_000", 1000, 1000),
    ("190:20:30", "190:20:30", 685230),
    ("+5", 5, 5),
    ("-0", 0, 0),
    (".5", 0.5, 0.5),
    ("1.", 1, 1.0),
    ("1e-05", 1e-05, "1e-05"),
    ("1234567.5", 1234567.5, 1234567.5),  # go writes 1.2345675e+06
    ("9999999999999999", 9999999999999999, 9999999999999999),
    (".inf", float("inf"), float("inf")),
    ("2026-01-02", "a time", "a date"),
    ("2026-1-2 3:04:05", "a time", "a time"),
    ("2026-1-2", "a time", "2026-1-2"),
    ("1_0e3", 10000, "1_0e3"),
    ("=", "=", "an error"),
    ("<<", "a merge", "a merge"),
]


@pytest.mark.parametrize("text", [row[0] for row in GO_AND_PYTHON_DIFFER])
def test_what_readers_resolve_differently_must_be_quoted(text: str) -> None:
    """Pulumi's CLI reads such a value as another one and writes it back into the shared file."""
    with pytest.raises(YamlFileError, match="quote it") as caught:
        read(f"config:\n  TapStack:environmentSuffix: {text}\n")
    assert str(caught.value).startswith("line 2: TapStack:environmentSuffix is ")
    assert f'"{text}"' in str(caught.value)
    assert read(f'config:\n  key: "{text}"\n') == {"config": {"key": text}}
    assert read(f"- '{text}'") == [text]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("true", True),
        ("False", False),
        ("0", 0),
        ("-12", -12),
        ("123456789012", 123456789012),
        ("0.5", 0.5),
        ("-16.8", -16.8),
        ("db.r6g.large", "db.r6g.large"),
        ("10.0.0.0/16", "10.0.0.0/16"),
        ("03:00-04:00", "03:00-04:00"),
        ("http://127.0.0.1:45660", "http://127.0.0.1:45660"),
        ("us-east-1a", "us-east-1a"),
        ("y", "y"),
        ('"a\\\\/b"', "a\\/b"),
        ("'a\\/b'", "a\\/b"),
        ("null", None),
        ("", None),
        ("[a, 1]", ["a", 1]),
        ("{us-east-1: x}", {"us-east-1": "x"}),
    ],
)
def test_what_readers_agree_on_needs_no_quotes(text: str, value: Any) -> None:
    """Plain values stay as people write them; Python's own parser gives the same."""
    found = read(f"key: {text}\n")
    assert found == {"key": value}
    assert type(found["key"]) is type(value)
    assert yaml.safe_load(f"key: {text}\n") == found


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a: 1\nb: 2\na: 3\n", r"a is there twice, in lines 1 and 3; keep one"),
        ("config:\n  x:y: {z: 1, z: 2}\n", r"z is there twice, in lines 2 and 2"),
        ("a: &one 1\nb: *one\n", r"line 1: takes no anchors and aliases"),
        ("a: *one\n", r"line 1: takes no anchors and aliases"),
        ("a: !!str 5\n", r"line 1: takes no tags such as tag:yaml\.org,2002:str"),
        ("a: !own [1]\n", r"takes no tags such as !own"),
        ("1: a\n", r"line 1: a key must be a text; quote it"),
        ("[a]: b\n", r"line 1: a key must be a text; quote it"),
        ("~: b\n", r"line 1: a key must be a text; quote it"),
        ("no: b\n", r'a key is no without quotes.*quote it: "no"'),
        ('a: "b\\nc"\n', r"line 1: a holds a line break or control character"),
        ("a: |\n  b\n", r"line 1: a holds a line break or control character"),
        ('a: "b\\/c"\n', r"line 1: a escapes a slash; write it as it is"),
        ("a: [b:]\n", r"line 1: b has no value; give it one, or quote it"),
        ("config: [\n", r"is no valid YAML: while parsing"),
        ("a: b\n---\na: c\n", r"is no valid YAML: expected a single document"),
        ("[" * 5000, r"line 1: is nested more than 20 levels deep"),
        ("a: \x07\n", r"is no valid YAML: unacceptable character"),
        ("0755", r"line 1: the document is 0755 without quotes"),
        ("a: [1, 0755]\n", r"line 1: a\[1\] is 0755 without quotes"),
    ],
)
def test_what_else_is_refused_is_one_line(text: str, words: str) -> None:
    """Trap 73: a key twice is refused as the CLI does; nothing is a traceback."""
    with pytest.raises(YamlFileError, match=words) as caught:
        read(text)
    assert "\n" not in str(caught.value)


def test_an_empty_document_is_nothing() -> None:
    """Neither an empty file nor one of comments has a value."""
    assert read("") is None
    assert read("# only this\n") is None


def test_twenty_levels_are_enough_and_allowed() -> None:
    """The limit itself is still read."""
    assert read("[" * 20 + "]" * 20) == json.loads("[" * 20 + "]" * 20)


@given(st.text())
@example("a: 1\n")
@example("﻿a: b")
def test_any_text_is_read_as_python_reads_it_or_refused(text: str) -> None:
    """Whatever a file holds: the value that PyYAML gives, or one line."""
    try:
        value = read(text)
    except YamlFileError as error:
        assert "\n" not in str(error)
        return
    assert value == yaml.safe_load(text)


plain = st.text(
    st.characters(categories=(), include_characters="0123456789abefoxyn_.+-:T~="), max_size=12
)


@given(plain)
def test_an_unquoted_value_keeps_its_text(text: str) -> None:
    """What is accepted reaches a program as it was written: no digit, sign or zero is lost."""
    try:
        value = read(f"key: {text}\n")
    except YamlFileError:
        return
    if isinstance(value, dict) and isinstance(value["key"], str | int | float):
        assert as_text(value["key"]) == text.strip() or isinstance(value["key"], bool)


@pytest.mark.no_cover
@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text(), st.lists))
def test_values_reach_a_program_as_texts(value: Any) -> None:
    """A text as it is; everything else as JSON, as Pulumi hands it over."""
    text = as_text(value)
    assert text == value if isinstance(value, str) else json.loads(text) == value

"""Stack and project files, read so that every reader of them sees the same.

Three programs read ``Pulumi.<stack>.yaml``: Pulumi's CLI (go-yaml v3, and it writes the file anew),
the embedded engine and ``ops`` (PyYAML, YAML 1.1). They resolve unquoted values by different rules:
``1e3`` is 1000 to one and a text to the other, ``yes`` the reverse, ``16.10`` becomes 16.1 and
``0755`` 493. What isn't the same to all of them is refused here, with the advice to quote it.
"""

from __future__ import annotations

import json
import re
from typing import Any

import yaml

DEEPEST = 20
"""Levels of nesting: a stack file has three."""

_WHOLE = re.compile(r"0|-?[1-9][0-9]{0,14}")
_FRACTION = re.compile(r"-?(0|[1-9][0-9]{0,5})\.[0-9]{0,7}[1-9]")
_BOOLEAN = re.compile(r"true|True|TRUE|false|False|FALSE")
_ONLY_GO = re.compile(
    r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?"
    r"|[-+]?0[xXoObB][-+]?[0-9a-fA-F]+"
    r"|[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}.*",
    re.DOTALL,
)
"""Numbers and times of go-yaml v3 (its ``resolve.go``), without regard to underscores."""


_SLASH = re.compile(r'"(\\.|[^\\])*?\\/', re.DOTALL)
"""``\\/`` in double quotes: good to JSON and PyYAML, an error to go-yaml v3."""


class YamlFileError(ValueError):
    """A file that not every reader understands alike; the message is one line."""


def read(text: str) -> Any:
    """A document's value: mappings with text keys, lists, texts, booleans, numbers, None.

    Raises :class:`YamlFileError` for broken YAML, a key that is there twice, an anchor, a tag, a
    line break in a text, and for what must be quoted.
    """
    try:
        _check_form(text)
        root = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.YAMLError as error:
        raise YamlFileError(f"is no valid YAML: {' '.join(str(error).split())}") from None
    return None if root is None else _value(root, "the document")


def as_text(value: Any) -> str:
    """A value as Pulumi hands it to a program: a text as it is, everything else as JSON."""
    return value if isinstance(value, str) else json.dumps(value)


def _check_form(text: str) -> None:
    depth = 0
    for event in yaml.parse(text, Loader=yaml.SafeLoader):
        line = event.start_mark.line + 1
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
            raise YamlFileError(f"line {line}: takes no anchors and aliases; write the value again")
        if getattr(event, "tag", None) is not None:
            raise YamlFileError(f"line {line}: takes no tags such as {event.tag}; quote the value")
        depth += isinstance(event, yaml.CollectionStartEvent)
        depth -= isinstance(event, yaml.CollectionEndEvent)
        if depth > DEEPEST:
            raise YamlFileError(f"line {line}: is nested more than {DEEPEST} levels deep")


def _value(node: yaml.Node, name: str) -> Any:
    if isinstance(node, yaml.MappingNode):
        return _mapping(node)
    if isinstance(node, yaml.SequenceNode):
        return [_value(item, f"{name}[{index}]") for index, item in enumerate(node.value)]
    return _scalar(node, name)


def _mapping(node: yaml.MappingNode) -> dict[str, Any]:
    found: dict[str, Any] = {}
    lines: dict[str, int] = {}
    for key_node, value_node in node.value:
        line = _line(key_node)
        key = _scalar(key_node, "a key") if isinstance(key_node, yaml.ScalarNode) else None
        if not isinstance(key, str):
            raise YamlFileError(f"line {line}: a key must be a text; quote it")
        if key in found:
            raise YamlFileError(f"{key} is there twice, in lines {lines[key]} and {line}; keep one")
        if node.flow_style and value_node.value == "" and value_node.style is None:
            # ``[a:]`` is a text to go-yaml v3, and a mapping to PyYAML.
            raise YamlFileError(f"line {line}: {key} has no value; give it one, or quote it")
        lines[key] = line
        found[key] = _value(value_node, key)
    return found


def _scalar(node: Any, name: str) -> bool | int | float | str | None:
    text: str = node.value
    if not text.isprintable():
        # go-yaml v3 loses a line break that a text begins with when it writes the file anew.
        raise YamlFileError(f"line {_line(node)}: {name} holds a line break or control character")
    if node.style is not None:
        if _SLASH.match(node.start_mark.buffer[node.start_mark.index : node.end_mark.index]):
            raise YamlFileError(f"line {_line(node)}: {name} escapes a slash; write it as it is")
        return text
    if _BOOLEAN.fullmatch(text):
        return text.lower() == "true"
    if _WHOLE.fullmatch(text):
        return int(text)
    if _FRACTION.fullmatch(text) and repr(float(text)) == text:
        return float(text)
    if node.tag == "tag:yaml.org,2002:null":
        return None
    if node.tag != "tag:yaml.org,2002:str" or _ONLY_GO.fullmatch(text.replace("_", "")):
        raise YamlFileError(
            f"line {_line(node)}: {name} is {text} without quotes, which Pulumi's CLI and Python "
            f'read differently; quote it: "{text}"'
        )
    return text


def _line(node: yaml.Node) -> int:
    return node.start_mark.line + 1

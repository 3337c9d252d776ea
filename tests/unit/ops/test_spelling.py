"""Bare words of the command line that stand for flags."""

from __future__ import annotations

import shlex

import pytest

from ops.spelling import spelled_out


@pytest.mark.parametrize(
    ("line", "spelled"),
    [
        ("lab.fault", ["lab.fault"]),
        ("lab.fault replication-lag 20", ["lab.fault", "--fault=replication-lag", "--value=20"]),
        ("lab.fault --fault x", ["lab.fault", "--fault", "x"]),
        ("lab.fault a b lab.status", ["lab.fault", "--fault=a", "--value=b", "lab.status"]),
        ("lab.fault replication-lag -1", ["lab.fault", "--fault=replication-lag", "--value=-1"]),
        ("status --json", ["status", "--json"]),
        ("lab.aws", ["lab.aws"]),
        ("lab.aws s3 ls --human 'a b'", ["lab.aws", "--arguments=s3 ls --human 'a b'"]),
        ("up lab.aws --help", ["up", "lab.aws", "--arguments=--help"]),
    ],
)
def test_bare_words_get_their_flags(line: str, spelled: list[str]) -> None:
    """names.md: ``lab.fault [NAME [VALUE|off]]`` and ``lab.aws ARGS``, as people type them."""
    assert spelled_out(shlex.split(line)) == spelled

"""Every ``./inv`` command that a page shows can be typed as it stands."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from inv_commands import fault, in_markdown, in_shell, parse
from workflow_files import REPOSITORY

import tasks

PAGES = [
    REPOSITORY / "README.md",
    REPOSITORY / "CONTRIBUTING.md",
    *sorted((REPOSITORY / "docs").rglob("*.md")),
    *sorted(REPOSITORY.glob("*/README.md")),
]
TASKS = {name for one, others in tasks.namespace.task_names.items() for name in (one, *others)}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(REPOSITORY)))
def test_every_command_on_a_page_exists(page: Path) -> None:
    """A task or flag that was renamed, or never came, is found here and not by a reader."""
    shown = in_markdown(page.read_text())
    # A task's name alone may be a mention, without the arguments that it needs.
    commands = [words for words in shown if len(words) > 1 or words[0] not in TASKS]
    assert [found for words in commands if (found := fault(words))] == []


@pytest.mark.parametrize("name", ["README.md", "docs/operating.md"])
def test_no_command_is_overlooked(name: str) -> None:
    """Every task after ``./inv`` anywhere on the page is among what the test above checks."""
    text = (REPOSITORY / name).read_text()
    words = re.findall(r"\./inv\s+([a-z][a-z.-]*[a-z])", text)
    assert [word for word in words if word in TASKS] == words
    assert sorted(words) == sorted(found[0] for found in in_markdown(text) if found[0] in TASKS)
    assert len(words) >= 15


@pytest.mark.parametrize(
    ("code", "commands"),
    [
        ("`./inv up --layer data`", [["up", "--layer", "data"]]),
        ("`./inv up\n--layer data`", [["up", "--layer", "data"]]),
        ("`./inv inventory [--json]`", [["inventory", "--json"]]),
        ("- one\n\n   ```\n   ./inv setup\n   ```\n\n- `./inv lint`", [["setup"], ["lint"]]),
        ("run ./inv in prose, and `./inv`", []),
        ("```\n./inv setup   # once; don't\n```", [["setup"]]),
        ("```\nA=1 ./inv drift --json > a 2> b\n```", [["drift", "--json"]]),
    ],
)
def test_commands_are_found_in_pages(code: str, commands: list[list[str]]) -> None:
    """Spans over two lines, blocks with comments, brackets; and nothing in prose."""
    assert in_markdown(code) == commands


@pytest.mark.parametrize(
    ("script", "commands"),
    [
        ('./inv up --layer "$LAYER" \\\n  --to x', [["up", "--layer", "$LAYER", "--to", "x"]]),
        (
            'left="$(./inv inventory --stack "$S" --json)"',
            [["inventory", "--stack", "$S", "--json"]],
        ),
        ("./inv status --json | python3 x.py && exit 0", [["status", "--json"]]),
        ("./inv drift 2> b; ./inv lint", [["drift"], ["lint"]]),
        ("# ./inv lint", []),
    ],
)
def test_commands_are_found_in_scripts(script: str, commands: list[list[str]]) -> None:
    """Continuations, substitutions, pipes and redirections."""
    assert in_shell(script) == commands


@pytest.mark.parametrize(
    "words",
    [
        ["fail-back"],
        ["up", "--layers", "data"],
        ["deploy-all", "--stack"],
        ["deploy-all", "--parallel", "many"],
        ["init"],
        ["lint", "--json"],
    ],
)
def test_what_inv_refuses_is_found(words: list[str]) -> None:
    """Unknown tasks and flags, missing values and arguments: judged by invoke's own parser."""
    assert fault(words)


def test_defaults_are_the_tasks_own() -> None:
    """A command without ``--stack`` means the stack that the task says."""
    found = parse(["status"])
    assert found is not None
    assert found.arguments["stack"] == "lab"
    assert parse(["--list"]) is None


def test_every_page_that_is_named_exists() -> None:
    """A page that a reader, an operator or an alarm is sent to is there: links and mentions."""
    missing = []
    for file in [
        *PAGES,
        *sorted(REPOSITORY.glob("*/*.py")),
        *sorted(REPOSITORY.glob("ops/**/*.py")),
    ]:
        text = file.read_text()
        linked = re.findall(r"\]\((?!http|#)([^)#]+)(?:#[^)]*)?\)", text) * (file.suffix == ".md")
        named = re.findall(r"\bdocs/[a-z_]+\.md\b", text)
        missing += [
            f"{file.relative_to(REPOSITORY)}: {name}"
            for name, start in [(n, file.parent) for n in linked] + [(n, REPOSITORY) for n in named]
            if not (start / name).exists()
        ]
    assert missing == []


@pytest.mark.parametrize("name", ["docs/threats.md", "docs/traps.md"])
def test_every_file_that_holds_something_exists(name: str) -> None:
    """What a page cites as a hold or as its proof is in the repository: a file that was
    renamed would leave a promise without one."""
    text = (REPOSITORY / name).read_text()
    cited = set(re.findall(r"`([\w.-]+(?:/[\w.-]+)+\.(?:py|mjs|yml|json|md))`", text))
    assert sorted(path for path in cited if not (REPOSITORY / path).is_file()) == []
    assert len(cited) > 5

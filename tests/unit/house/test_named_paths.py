"""A page that names a file or a folder, and code that names a page, names one that exists."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

import pytest
from house_graph import ROOT, repository_files

PAGES = [
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    *sorted((ROOT / "docs").rglob("*.md")),
    *sorted(ROOT.glob("*/README.md")),
]
SUFFIXES = r"\.(?:py|mjs|cjs|md|toml|txt|json|ya?ml|sh|sql)"
PATH = re.compile(rf"(?:\.\.?/)?[\w.-]+(?:/[\w.-]+)*(?:{SUFFIXES}|/)")
PAGE = r"(?<![\w./-])[a-zA-Z][\w./-]*\.md\b"

ELSEWHERE: dict[str, str] = {
    "attachments/": "a prefix of the buckets",
    "cfn-outputs/flat-outputs.json": "written by each deployment",
    "emergency/": "a prefix of the buckets",
    "s3/content/": "a prefix of the buckets of access logs",
    "evidence/drills/ID.json": "one drill's document",
    "evidence/restore.json": "what a drill has still to give back",
    "lab/provider/types/ecr.py": "what docs/extending.md adds",
    "tests/unit/lab/provider/provider_cases/ecr.py": "its test",
    "lab.json": "the state of a layer, and the lab's own record",
    "new.json": "what the reader of the runbook saves",
    "Pulumi.ENV.yaml": "stands for each environment's file",
}
"""Names of no file of this repository, and what they are."""

MADE = ".lab/"
"""What the lab and the benchmarks make."""


def tracked() -> set[str]:
    """Files and folders of the repository, a folder with its slash."""
    files = [str(path) for path in repository_files()]
    folders = {f"{parent}/" for name in files for parent in PurePosixPath(name).parents}
    return {*files, *folders} - {"./"}


def named(text: str) -> Iterator[str]:
    """Paths in code spans, and in blocks those that begin with a folder of the repository."""
    for block in re.findall(r"^ *```.*?^ *```", text, re.DOTALL | re.MULTILINE):
        for word in block.split():
            if PATH.fullmatch(word) and (ROOT / word.partition("/")[0]).is_dir():
                yield word
    prose = re.sub(r"^ *```.*?^ *```", "", text, flags=re.DOTALL | re.MULTILINE)
    for span in re.findall(r"`([^`]+)`", prose):
        yield from (word for word in span.split() if PATH.fullmatch(word))


def exists(name: str, page: Path, files: set[str]) -> bool:
    """From the root, from the page, or as the end of one path: ``answers.py`` in ``lab/dns``."""
    return (
        (page.parent / name).exists()
        or name in files
        or any(file.endswith(f"/{name}") for file in files)
    )


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_path_on_a_page_exists(page: Path) -> None:
    """A file that was renamed, moved or never came is found here and not by a reader."""
    files = tracked()
    found = [
        name
        for name in named(page.read_text())
        if name not in ELSEWHERE and not name.startswith(MADE)
    ]
    assert [name for name in found if not exists(name, page, files)] == []


def test_every_page_that_code_names_exists() -> None:
    """Issue 22: a docstring that cites a page cites one that its reader has."""
    files = tracked()
    code = [file for file in repository_files() if file.suffix in (".py", ".mjs")]
    found = [
        f"{file}: {name}"
        for file in code
        for name in re.findall(PAGE, (ROOT / file).read_text())
        if file.name != Path(__file__).name and not exists(name, ROOT / file, files)
    ]
    assert len(code) > 800
    assert found == []


@pytest.mark.parametrize("name", ELSEWHERE)
def test_what_is_elsewhere_is_still_named(name: str) -> None:
    """The list of exceptions shrinks with the pages."""
    assert any(name in named(page.read_text()) for page in PAGES)


@pytest.mark.parametrize(
    ("text", "paths"),
    [
        ("`lab/dns/` and `answers.py`, not lab/dns/x.py", ["lab/dns/", "answers.py"]),
        ("`pytest tests/unit/a.py -k b`", ["tests/unit/a.py"]),
        ("```\n→ ops/gone.py   x\nelsewhere/gone.py\n```", ["ops/gone.py"]),
        ("`a.b` `GET /records` `us-east-1/x` `{a}/b.py`", []),
    ],
)
def test_paths_are_found_in_pages(text: str, paths: list[str]) -> None:
    """Spans and blocks are read; prose, routes and patterns are no paths."""
    assert list(named(text)) == paths


def test_a_path_that_is_gone_is_found() -> None:
    """The measure fails for a file that isn't there, however its folder is written."""
    files = {"lab/", "lab/dns/", "lab/dns/answers.py"}
    page = ROOT / "docs/lab.md"
    for name in ("lab/dns/answers.py", "dns/answers.py", "answers.py", "dns/", "../docs/"):
        assert exists(name, page, files)
    for name in ("lab/answers.py", "nswers.py", "lab/gone.py", "gone/"):
        assert not exists(name, page, files)

"""The words of pages and code: those of the field, read by people who don't know the house."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from house_graph import ROOT, repository_files

READ = (".py", ".mjs", ".js", ".cjs", ".md", ".toml", ".yml", ".yaml", ".html", ".css", ".sql")
"""Suffixes of the files that people read: pages, code, configuration."""

HERE = Path(__file__).relative_to(ROOT)

INSTEAD = {
    r"tells?|told|telling": "notifies, reports, says, distinguishes",
    r"goes on listing": "still lists",
    r"(?:faster than|at|times) life'?s?": "faster than real time, in real time",
    r"hinders?": "prevents, delays",
    r"(?:is|are|isn't|aren't) (?:well|ill)(?![- ][a-z]+ed\b)": "is healthy, is unhealthy",
}
"""What nothing says → what is said instead."""

TRACES = re.compile(r"tell|told|goes on listing|life|hinder|well|\bill\b", re.IGNORECASE)
"""What a text without any of them needn't be read for: most files, in a tenth of the time."""

ROLE_OR_CODE = r"(?:(?<=:)`[^`]+`|``[^`]+``)"


def words_of(text: str) -> str:
    """A file's text with the words of its names apart; a method called ``tell`` is a stream's."""
    apart = re.sub(r"\.tell\(", "(", text).replace("_", " ")
    return re.sub(r"(?<=[a-z])(?=[A-Z])", " ", apart)


def unwanted(text: str) -> list[str]:
    """The words that are to be replaced, with their replacements."""
    if not TRACES.search(text):
        return []
    return [
        f"{found[0]!r}: {instead}"
        for words, instead in INSTEAD.items()
        for found in re.finditer(rf"\b(?:{words})\b", words_of(text), re.IGNORECASE)
    ]


def docstrings(source: str) -> Iterator[tuple[int, str]]:
    """Line and text of each string that stands by itself: of modules, classes, functions, names."""
    for node in ast.walk(ast.parse(source)):
        body = getattr(node, "body", None)
        for statement in body if isinstance(body, list) else []:
            match statement:
                case ast.Expr(ast.Constant(str() as text)):
                    yield statement.lineno, text


def single_quoted(source: str) -> list[str]:
    """Code in docstrings that stands between single backticks, with its line."""
    if not re.search(r"(?<!`)`(?!`)", source):
        return []
    return [
        f"line {line}: {found}"
        for line, text in docstrings(source)
        for found in re.findall(r"`[^`]+`", re.sub(ROLE_OR_CODE, "", text))
    ]


def test_pages_and_code_speak_the_words_of_the_field() -> None:
    """Issue 22: one voice in docstrings, comments, messages, names, pages and configuration."""
    files = [file for file in repository_files() if file.suffix in READ and file != HERE]
    assert len(files) > 900
    found = {str(file): unwanted((ROOT / file).read_text()) for file in files}
    assert {file: words for file, words in found.items() if words} == {}


def test_docstrings_quote_code_in_one_way() -> None:
    """Issue 22: double backticks, or a role such as ``:func:``."""
    files = [file for file in repository_files() if file.suffix == ".py"]
    found = {str(file): single_quoted((ROOT / file).read_text()) for file in files}
    assert {file: quotes for file, quotes in found.items() if quotes} == {}


def test_section_comments_look_alike() -> None:
    """Issue 22: one kind of section comment, ``# -- name ---``."""
    rules = [
        f"{file}: {line.strip()}"
        for file in repository_files()
        if file.suffix == ".py"
        for line in (ROOT / file).read_text().splitlines()
        if re.match(r"\s*#.*[-=*#]{4}$", line) and not re.fullmatch(r" *# -- \S.* -{3,}", line)
    ]
    assert rules == []


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("It tells you. Nothing HINDERS it; the region is well.", 3),
        ("def test_a_fault_is_told(): ...", 1),
        ("const toldOf = 1;", 1),
        ("twenty times life's, at life's speed", 2),
        ("A wishing well, a hotel, untold; stream.tell() is well-formed, isWellFormed", 0),
    ],
)
def test_unwanted_words_are_found(text: str, count: int) -> None:
    """The measure fails for each of them, in prose and in names, and for no other word."""
    assert len(unwanted(text)) == count


def test_single_backticks_are_found() -> None:
    """In docstrings of a module, a class, a method and a name; roles and double ones pass."""
    source = """
'''One `a`, ``b``, :func:`c`.'''
class A:
    '''`d`'''
    name = 1
    '''Not e, but `f`.'''
    def method(self):
        '''``g`` and `h`'''
        return "`not a docstring`"
"""
    assert single_quoted(source) == [
        "line 2: `a`", "line 4: `d`", "line 6: `f`", "line 8: `h`",
    ]  # fmt: skip

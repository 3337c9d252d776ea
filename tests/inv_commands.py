"""The ``./inv`` commands in shell scripts and in documentation, held against the real tasks."""

from __future__ import annotations

import re
import shlex
from copy import deepcopy
from dataclasses import dataclass
from functools import cache
from typing import Any

from invoke.exceptions import ParseError
from invoke.parser import Parser
from invoke.parser.context import ParserContext
from invoke.program import Program

import tasks
from ops.spelling import spelled_out

PLACEHOLDER = re.compile(r"\$.*|[A-Z][A-Z_]*")
"""A variable of the shell, or a word like STACK for a reader to replace."""


@dataclass(frozen=True)
class Parsed:
    """A command as invoke understands it."""

    task: str
    arguments: dict[str, Any]
    """parameter → value, defaults included"""


def parse(tokens: list[str]) -> Parsed | None:
    """What follows ``./inv``, by invoke's own parser over the real tasks; None when no task is
    named (``--list``). Raises :class:`ParseError` or ValueError for what ``./inv`` would refuse."""
    # A number stands for every placeholder, so that flags of every kind take it.
    words = ["1" if PLACEHOLDER.fullmatch(token) else token for token in tokens]
    core = Program(namespace=tasks.namespace).initial_context
    found = Parser(initial=core, contexts=_contexts()).parse_argv(spelled_out(words))
    for context in found[1:]:
        assert context.name
        values = {name: argument.value for name, argument in context.args.items()}
        return Parsed(context.name, values)
    return None


@cache
def _contexts() -> list[ParserContext]:
    """What invoke's parser knows of the real tasks; it takes their help apart, so of a copy."""
    return deepcopy(tasks.namespace).to_contexts()


def fault(tokens: list[str]) -> str | None:
    """Why ``./inv`` would refuse these words; None: it wouldn't."""
    try:
        parse(tokens)
    except (ParseError, ValueError) as error:
        return f"./inv {' '.join(tokens)}: {error}"
    return None


def in_shell(script: str) -> list[list[str]]:
    """Every ``./inv`` of a shell script: the words after it, up to the command's end."""
    lines = script.replace("\\\n", " ").splitlines()
    return [
        _words(rest)
        for line in lines
        if not line.lstrip().startswith("#")
        for rest in re.split(r"\./inv(?=\s|$)", line)[1:]
    ]


def in_markdown(text: str) -> list[list[str]]:
    """Every ``./inv`` command in the code of a page; what a page writes in prose is none."""
    fences = re.findall(r"^ *```[^\n]*\n(.*?)^ *```", text, re.MULTILINE | re.DOTALL)
    prose = re.sub(r"^ *```.*?^ *```", "", text, flags=re.MULTILINE | re.DOTALL)
    spans = [" ".join(span.split()) for span in re.findall(r"`([^`]+)`", prose)]
    # [--flag] and (…) are how pages write what may be left out.
    found = [
        command
        for code in (*fences, *spans)
        for command in in_shell(re.sub(r"[\[\]()…]", " ", code))
    ]
    return [command for command in found if command]


def _words(text: str) -> list[str]:
    """The words of one command: ends at an operator of the shell, a comment or the line's end."""
    lexer = shlex.shlex(text, posix=True, punctuation_chars="();<>|&")
    lexer.whitespace_split = True
    words: list[str] = []
    while True:
        try:
            token = lexer.get_token()
        except ValueError:  # the closing quote of the "$(…)" around it
            return words
        if token is None or token == "":
            return words
        if token[0] in "();<>|&":
            # 2> is a redirection, not an argument.
            return words[:-1] if token[0] == ">" and words and words[-1] in ("1", "2") else words
        words.append(token)

"""Runs of equal lines in two files: the same piece of code, written twice."""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

from house_graph import ROOT, source_of

_THIN = re.compile(r"^(?:[\W_]*|import .*|export .* from .*|\"\"\".*)$")


@dataclass(frozen=True)
class Twins:
    """Two places that share a run of lines; line numbers are those of its first line."""

    first: Path
    first_line: int
    second: Path
    second_line: int
    text: str

    def __str__(self) -> str:
        return f"{self.first}:{self.first_line} ~ {self.second}:{self.second_line}\n{self.text}"


def twins(files: list[Path], length: int) -> list[Twins]:
    """One entry for each pair of files that shares ``length`` lines that say something.

    Blank lines, comments, imports, signatures (an override has its base's) and lone punctuation are
    passed over; white space is folded.
    """
    places: dict[tuple[str, ...], list[tuple[Path, int]]] = defaultdict(list)
    for file in files:
        lines = list(_significant(file))
        for start in range(len(lines) - length + 1):
            run = lines[start : start + length]
            places[tuple(text for _, text in run)].append((file, run[0][0]))
    found: dict[tuple[Path, Path], Twins] = {}
    for run, where in places.items():
        for (first, line), (second, other) in (
            (one, two) for at, one in enumerate(where) for two in where[at + 1 :]
        ):
            if first != second:
                found.setdefault((first, second), Twins(first, line, second, other, "\n".join(run)))
    return sorted(found.values(), key=str)


def _significant(file: Path) -> list[tuple[int, str]]:
    """Line number and folded text of each line that is code of some substance."""
    source = (ROOT / file).read_text()
    passed = source_of(file).declared if file.suffix == ".py" else set()
    kept = []
    for number, line in enumerate(source.splitlines(), 1):
        text = " ".join(line.split())
        if number in passed or text.startswith(("#", "//", "*", "/*")) or _THIN.match(text):
            continue
        kept.append((number, text))
    return kept

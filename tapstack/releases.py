"""Releases of the application: which one a function's version is of, and which one was rolled back.

A release is the code with the settings that it runs with; each version of a function says in its
description of which release it is. ``./inv app.rollback`` leads the alias back and writes down what
it put back; the ``app`` program reads that, so that no deployment of the same release undoes it.
"""

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Self

from tapstack.app_settings import AppSettings
from tapstack.naming import parameter_path

NOTHING = "none"
"""What the parameter holds while no release is held back."""

MOST_WITHDRAWN = 50
"""So many fit into a parameter's 4 KB several times."""

_MARK = re.compile(r" \(release ([0-9a-f]{12})\)$")


def release_of(code_hash: str, settings: AppSettings) -> str:
    """The release's name: twelve hexadecimal digits."""
    parts = (code_hash, settings.architecture, settings.memory_mb, settings.timeout_seconds)
    return hashlib.sha256(repr(parts).encode()).hexdigest()[:12]


def described(description: str, release: str) -> str:
    """A function's description, with its release at the end."""
    return f"{description} (release {release})"


def release_in(description: str) -> str:
    """The release that a description names; empty where it names none."""
    found = _MARK.search(description)
    return found[1] if found else ""


def held_path(region: str, suffix: str) -> str:
    """The path above the parameter that says which release is held back; no slash at its end."""
    return parameter_path(region, suffix, "local", "release")


def held_parameter(region: str, suffix: str) -> str:
    """Path of that parameter, which ``app`` makes in each region and no deployment changes."""
    return f"{held_path(region, suffix)}/held"


def passed_parameter(region: str, suffix: str) -> str:
    """Path of the parameter in the standby whose history has every version of its function that
    passed the gate; ``app`` writes it behind the gate."""
    return parameter_path(region, suffix, "local", "passed-version")


@dataclass(frozen=True)
class Held:
    """A release that was put back, and the versions that serve in its place."""

    release: str = ""
    """Empty: nothing is held back."""
    versions: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """Region → purpose of a function → its version."""
    withdrawn: tuple[str, ...] = ()
    """The releases that were put back so far, the last one at the end: none of them is gone back
    to."""

    @classmethod
    def parse(cls, text: str) -> Self:
        """What the parameter's value says; nothing is held where it says nothing of that form."""
        try:
            found = json.loads(text)
            versions = {
                str(region): {str(purpose): str(version) for purpose, version in each.items()}
                for region, each in found["versions"].items()
            }
            withdrawn = tuple(str(release) for release in found["withdrawn"])
            return cls(str(found["release"]), versions, withdrawn)
        except (ValueError, TypeError, KeyError, AttributeError):
            return cls()

    def text(self) -> str:
        """The parameter's value."""
        if not self.release and not self.withdrawn:
            return NOTHING
        return json.dumps(
            {
                "release": self.release,
                "versions": self.versions,
                "withdrawn": self.withdrawn[-MOST_WITHDRAWN:],
            }
        )

    def version(self, release: str, region: str, purpose: str) -> str:
        """The version that serves in place of ``release``'s; empty where it is not held back."""
        if not self.release or release != self.release:
            return ""
        return self.versions.get(region, {}).get(purpose, "")


def held_in(values: Sequence[str]) -> Held:
    """What is held back, of the values below :func:`held_path`: none yet before the first
    deployment."""
    return Held.parse(values[0]) if values else Held()

"""What people may see: values and messages without secrets."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any

from pulumi_protocol.values import SIGNATURE, UNKNOWN, is_secret

MASK = "[secret]"
UNKNOWN_TEXT = "[unknown]"

# Shorter texts are no secrets worth the name, and masking them would blacken half of every message.
_SHORTEST_MASKED = 6


def masked(value: Any) -> Any:
    """The value as people may see it: secrets and unknowns replaced by words."""
    if value == UNKNOWN:
        return UNKNOWN_TEXT
    if is_secret(value):
        return MASK
    if isinstance(value, dict):
        return {key: masked(item) for key, item in value.items()}
    if isinstance(value, list):
        return [masked(item) for item in value]
    return value


def secret_texts(value: Any, inside: bool = False) -> Iterator[str]:
    """Every text inside the value's secrets, as it might turn up in a message."""
    if isinstance(value, dict):
        hidden = inside or is_secret(value)
        for key, item in value.items():
            if key != SIGNATURE:
                yield from secret_texts(item, hidden)
    elif isinstance(value, list):
        for item in value:
            yield from secret_texts(item, inside)
    elif inside and value is not None and not isinstance(value, bool):
        yield from _forms(str(value))


def _forms(text: str) -> Iterator[str]:
    yield text
    yield json.dumps(text)[1:-1]
    if "\n" in text:
        yield from text.splitlines()
    if text.startswith(("{", "[")):
        try:
            document = json.loads(text)
        except ValueError:
            return
        yield from _credentials(document)


def _credentials(document: Any, named: bool = False) -> Iterator[str]:
    """Leaves of a secret document whose key says that they are secret (a user name is none)."""
    if isinstance(document, dict):
        for key, item in document.items():
            words = ("pass", "secret", "token", "private", "credential")
            yield from _credentials(item, any(word in key.lower() for word in words))
    elif isinstance(document, list):
        for item in document:
            yield from _credentials(item, named)
    elif named and isinstance(document, str):
        yield from (document, json.dumps(document)[1:-1])


class Masker:
    """Knows every secret text seen in an operation and blots it out of messages."""

    def __init__(self) -> None:
        self._texts: set[str] = set()
        self._ordered: tuple[str, ...] = ()

    def learn(self, *values: Any) -> None:
        """Remembers the secrets in these values."""
        self.learn_texts(text for value in values for text in secret_texts(value))

    def learn_texts(self, texts: Iterable[str]) -> None:
        """Remembers these texts themselves."""
        new = {text for text in texts if len(text) >= _SHORTEST_MASKED} - self._texts
        new.discard(UNKNOWN)
        if new:
            self._texts |= new
            # The longest first, so that no half of a longer secret stays readable.
            self._ordered = tuple(sorted(self._texts, key=len, reverse=True))

    def text(self, message: str) -> str:
        """The message without any known secret."""
        for known in self._ordered:
            if known in message:
                message = message.replace(known, MASK)
        return message

    def value(self, value: Any) -> Any:
        """The value as people may see it; texts that contain a known secret are blotted too."""
        shown = masked(value)
        return self._texts_in(shown) if self._ordered else shown

    def _texts_in(self, value: Any) -> Any:
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, dict):
            return {key: self._texts_in(item) for key, item in value.items()}
        if isinstance(value, list):
            return [self._texts_in(item) for item in value]
        return value

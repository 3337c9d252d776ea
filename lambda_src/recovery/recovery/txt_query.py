"""Asks a name server for a TXT record over UDP (RFC 1035): what Python's library can't.

``question`` and ``texts`` are pure; ``ask`` sends one datagram and waits for its answer, bounded.
Whatever isn't a clean answer to our question is ``TxtError``: for a witness that is *unknown*.
"""

from __future__ import annotations

import socket
import struct
from collections.abc import Iterator

TXT, INTERNET = 16, 1
_HEADER = struct.Struct("!6H")
_QUESTION_TAIL = struct.Struct("!2H")
_RECORD = struct.Struct("!2HIH")
_ANSWERS, _TRUNCATED, _CODE = 0x8000, 0x0200, 0x000F
_POINTER = 0xC0


class TxtError(Exception):
    """No usable answer, and why."""


def question(name: str, number: int) -> bytes:
    """Returns the datagram that asks for a name's TXT record; ``number`` has 16 bits."""
    labels = [label.encode("ascii") for label in name.rstrip(".").split(".")]
    if not all(1 <= len(label) <= 63 for label in labels):
        raise TxtError(f"{name} is no domain name: each part has 1 to 63 characters")
    encoded = b"".join(bytes([len(label)]) + label for label in labels) + b"\0"
    return _HEADER.pack(number, 0, 1, 0, 0, 0) + encoded + _QUESTION_TAIL.pack(TXT, INTERNET)


def texts(answer: bytes, asked: bytes) -> tuple[str, ...]:
    """Returns the TXT records of an answer, each as one text; raises ``TxtError``.

    The answer must carry the question's number and the question itself, so that a stray or forged
    datagram isn't taken for one.
    """
    try:
        return tuple(_texts(answer, asked))
    except (struct.error, IndexError, UnicodeDecodeError) as fault:
        raise TxtError(f"the answer is malformed: {fault}") from None


def ask(server: str, name: str, number: int, seconds: float, port: int = 53) -> tuple[str, ...]:
    """Returns the TXT records of a name as one server knows them; raises ``TxtError``."""
    asked = question(name, number)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as channel:
        channel.settimeout(seconds)
        try:
            channel.connect((server, port))
            channel.send(asked)
            return texts(channel.recv(4096), asked)
        except OSError as fault:
            raise TxtError(f"{server} doesn't answer: {fault}") from None


def _texts(answer: bytes, asked: bytes) -> Iterator[str]:
    number, flags, questions, records, _, _ = _HEADER.unpack_from(answer)
    if number != _HEADER.unpack_from(asked)[0] or not flags & _ANSWERS:
        raise TxtError("the answer isn't one to this question")
    if flags & _CODE or flags & _TRUNCATED:
        raise TxtError(f"the server answers with code {flags & _CODE}, flags {flags:#06x}")
    body = asked[_HEADER.size :]
    echoed = answer[_HEADER.size : _HEADER.size + len(body)]
    if questions != 1 or echoed.lower() != body.lower():
        raise TxtError("the answer isn't one to this question")
    at = _HEADER.size + len(body)
    for _ in range(records):
        at = _after_name(answer, at)
        kind, net, _, length = _RECORD.unpack_from(answer, at)
        at += _RECORD.size
        if at + length > len(answer):
            raise TxtError("the answer is cut off")
        if (kind, net) == (TXT, INTERNET):
            yield _joined(answer[at : at + length])
        at += length


def _after_name(data: bytes, at: int) -> int:
    while data[at]:
        if data[at] & _POINTER == _POINTER:
            return at + 2
        at += data[at] + 1
    return at + 1


def _joined(data: bytes) -> str:
    """A TXT record is a sequence of strings of up to 255 bytes; together they are its text."""
    parts: list[bytes] = []
    at = 0
    while at < len(data):
        length = data[at]
        if at + 1 + length > len(data):
            raise TxtError("the answer is cut off")
        parts.append(data[at + 1 : at + 1 + length])
        at += 1 + length
    return b"".join(parts).decode("ascii")

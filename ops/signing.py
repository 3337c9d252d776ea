"""Signatures of evidence: Ed25519 over the digests of its files.

A drill's ``ID.sig`` is JSON: ``algorithm``, ``public_key`` (PEM), ``files`` (name → SHA-256,
hexadecimal) and ``signature`` (base64, over ``files`` as canonical JSON). Whoever holds the public
key as trusted can judge the files on any machine. The private key is outside the repository, 0600.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import platformdirs
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)

from ops.errors import ExitCode, OperatorError, bad_input
from pulumi_protocol.files import private_directory, write_atomically

KEY_VARIABLE = "WARM_STANDBY_SIGNING_KEY"
"""Where the private key is, instead of the user's configuration folder."""
ALGORITHM = "Ed25519"


class SignatureError(ValueError):
    """A signature's file isn't one, or doesn't fit: why, in one line."""


@dataclass(frozen=True)
class Signature:
    """Who signed which files."""

    public_key: str
    """PEM."""
    files: Mapping[str, str]
    """Name → SHA-256."""
    signature: str
    """Base64."""

    @property
    def fingerprint(self) -> str:
        """The key's, by which people know it."""
        return fingerprint(self.public_key)

    def as_json(self) -> str:
        """The file's text."""
        return json.dumps({"algorithm": ALGORITHM, **vars(self)}, indent=2) + "\n"


def key_path() -> Path:
    """Where the private key is."""
    given = os.environ.get(KEY_VARIABLE)
    folder = platformdirs.user_config_path("warm-standby", appauthor=False)
    return Path(given) if given else folder / "signing.key"


def own_key() -> Ed25519PrivateKey:
    """The private key, made when there is none. Raises ``OperatorError`` where others can read it,
    or it is none."""
    path = key_path()
    if not path.exists():
        private_directory(path.parent)
        key = Ed25519PrivateKey.generate()
        pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        write_atomically(path, pem)
        return key
    if path.stat().st_mode & 0o077:
        raise OperatorError(
            f"the signing key {path} can be read by others: chmod 600 it, or make a new one by "
            "moving it away",
            ExitCode.ENVIRONMENT,
        )
    try:
        key = load_pem_private_key(path.read_bytes(), None)
    except (ValueError, TypeError):
        key = None
    if not isinstance(key, Ed25519PrivateKey):
        raise OperatorError(
            f"{path} is no Ed25519 key: move it away, then run this again", ExitCode.ENVIRONMENT
        )
    return key


def public_pem(key: Ed25519PrivateKey) -> str:
    """The public half as PEM."""
    spki = PublicFormat.SubjectPublicKeyInfo
    return key.public_key().public_bytes(Encoding.PEM, spki).decode()


def fingerprint(public: str) -> str:
    """The first 16 bytes of the SHA-256 of a public key's PEM, in groups of four."""
    digest = hashlib.sha256(public.strip().encode()).hexdigest()[:32]
    return " ".join(digest[i : i + 4] for i in range(0, 32, 4))


def sign(key: Ed25519PrivateKey, files: Mapping[str, bytes]) -> Signature:
    """Signs files by their contents."""
    digests = {name: hashlib.sha256(content).hexdigest() for name, content in files.items()}
    raw = key.sign(_canonical(digests))
    return Signature(public_pem(key), digests, base64.b64encode(raw).decode())


def read(path: Path) -> Signature:
    """The signature in a file. Raises ``SignatureError``."""
    try:
        given = json.loads(path.read_text("utf-8"))
        files = {str(name): str(digest) for name, digest in given["files"].items()}
        found = Signature(str(given["public_key"]), files, str(given["signature"]))
    except (ValueError, KeyError, TypeError, AttributeError, OSError) as error:
        raise SignatureError(f"{path.name} holds no signature: {error}") from None
    _check(found, path.name)
    return found


def trusted(path: Path) -> str:
    """A trusted public key's PEM from a file. Raises ``OperatorError``."""
    try:
        key = load_pem_public_key(path.read_bytes())
    except (OSError, ValueError) as error:
        raise bad_input(f"{path} holds no public key (PEM): {error}") from None
    return key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


def _check(signature: Signature, name: str) -> None:
    try:
        key = load_pem_public_key(signature.public_key.encode())
        assert isinstance(key, Ed25519PublicKey)  # noqa: S101 - another kind fits no signature
        key.verify(
            base64.b64decode(signature.signature, validate=True), _canonical(signature.files)
        )
    except (InvalidSignature, ValueError, AssertionError):
        raise SignatureError(f"{name}: the signature doesn't fit what it names") from None


def _canonical(files: Mapping[str, str]) -> bytes:
    return json.dumps(dict(files), sort_keys=True, separators=(",", ":")).encode()

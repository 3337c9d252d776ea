"""Signatures of evidence: over the digests of its files, by Ed25519 or ECDSA.

A drill's ``ID.sig`` is JSON: ``algorithm``, ``public_key`` (PEM), ``files`` (name → SHA-256,
hexadecimal) and ``signature`` (base64, over ``files`` as canonical JSON). Whoever holds the public
key as trusted can judge the files on any machine. The private key is outside the repository, 0600,
or never leaves KMS (:mod:`ops.cloud.kms_signing`).
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeGuard

import platformdirs
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, SECP256R1, EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.hashes import SHA256
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
ED25519, ECDSA_P256 = "Ed25519", "ECDSA-P256-SHA256"
"""Algorithms of a signature; KMS has keys for both."""


class SignatureError(ValueError):
    """A signature's file isn't one, or doesn't fit: why, in one line."""


@dataclass(frozen=True)
class Signer:
    """Who signs: the public key (PEM), the algorithm, and bytes → their raw signature."""

    public_key: str
    algorithm: str
    sign: Callable[[bytes], bytes]


@dataclass(frozen=True)
class Signature:
    """Who signed which files."""

    algorithm: str
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
        return json.dumps(vars(self), indent=2) + "\n"


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


def own_signer() -> Signer:
    """The private key of this user as a signer. Raises as :func:`own_key`."""
    key = own_key()
    return Signer(public_pem(key), ED25519, key.sign)


def public_pem(key: Ed25519PrivateKey) -> str:
    """The public half as PEM."""
    spki = PublicFormat.SubjectPublicKeyInfo
    return key.public_key().public_bytes(Encoding.PEM, spki).decode()


def fingerprint(public: str) -> str:
    """The first 16 bytes of the SHA-256 of a public key's PEM, in groups of four."""
    digest = hashlib.sha256(public.strip().encode()).hexdigest()[:32]
    return " ".join(digest[i : i + 4] for i in range(0, 32, 4))


def sign(signer: Signer, files: Mapping[str, bytes]) -> Signature:
    """Signs files by their contents."""
    digests = {name: hashlib.sha256(content).hexdigest() for name, content in files.items()}
    raw = base64.b64encode(signer.sign(_canonical(digests))).decode()
    return Signature(signer.algorithm, signer.public_key, digests, raw)


def read(path: Path) -> Signature:
    """The signature in a file. Raises ``SignatureError``."""
    try:
        given = json.loads(path.read_text("utf-8"))
        files = {str(name): str(digest) for name, digest in given["files"].items()}
        texts = (str(given[key]) for key in ("algorithm", "public_key", "signature"))
        algorithm, public, raw = texts
        found = Signature(algorithm, public, files, raw)
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
    content = _canonical(signature.files)
    try:
        raw = base64.b64decode(signature.signature, validate=True)
        key = load_pem_public_key(signature.public_key.encode())
        if signature.algorithm == ED25519 and isinstance(key, Ed25519PublicKey):
            key.verify(raw, content)
        elif signature.algorithm == ECDSA_P256 and _is_p256(key):
            key.verify(raw, content, ECDSA(SHA256()))
        else:
            raise ValueError(signature.algorithm)
    except (InvalidSignature, ValueError):
        raise SignatureError(f"{name}: the signature doesn't fit what it names") from None


def _is_p256(key: object) -> TypeGuard[EllipticCurvePublicKey]:
    return isinstance(key, EllipticCurvePublicKey) and isinstance(key.curve, SECP256R1)


def _canonical(files: Mapping[str, str]) -> bytes:
    return json.dumps(dict(files), sort_keys=True, separators=(",", ":")).encode()

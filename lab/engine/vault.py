"""State files of the embedded engine: their secrets are encrypted with a key file beside them."""

from __future__ import annotations

import base64
import json
import os
from pathlib import Path
from typing import Any

from pulumi_protocol.checkpoint import Checkpoint, parse
from pulumi_protocol.events import EngineError
from pulumi_protocol.files import private_directory, write_private
from pulumi_protocol.values import SIGNATURE, is_secret, transform


class Vault:
    """Encrypts secrets with the state directory's own key file (AES-256-GCM), made when needed."""

    _PREFIX = "embedded:v1:"

    def __init__(self, state_dir: Path) -> None:
        self._path = state_dir / "secrets.key"
        self._cipher: Any = None

    def seal(self, value: Any) -> Any:
        """The value with the content of every secret encrypted."""
        return transform(value, self._seal_one)

    def open(self, value: Any) -> Any:
        """The value with every secret readable again; takes ``plaintext`` secrets too."""
        return transform(value, self._open_one)

    def _seal_one(self, fields: dict[str, Any]) -> dict[str, Any]:
        if not is_secret(fields) or "value" not in fields:
            return fields
        nonce = os.urandom(12)
        content = self._aead(create=True).encrypt(nonce, json.dumps(fields["value"]).encode(), b"")
        text = self._PREFIX + base64.b64encode(nonce + content).decode()
        return {SIGNATURE: fields[SIGNATURE], "ciphertext": text}

    def _open_one(self, fields: dict[str, Any]) -> dict[str, Any]:
        if not is_secret(fields) or "value" in fields:
            return fields
        if "plaintext" in fields:
            return {SIGNATURE: fields[SIGNATURE], "value": json.loads(fields["plaintext"])}
        text = str(fields.get("ciphertext", ""))
        if not text.startswith(self._PREFIX):
            raise EngineError(
                "the state holds secrets that another engine encrypted; export it with "
                "`pulumi stack export --show-secrets`"
            )
        sealed = base64.b64decode(text.removeprefix(self._PREFIX))
        content = self._aead(create=False).decrypt(sealed[:12], sealed[12:], b"")
        return {SIGNATURE: fields[SIGNATURE], "value": json.loads(content)}

    def _aead(self, *, create: bool) -> Any:
        if self._cipher is None:
            # Imported late: most operations see no secret, and the import takes a while.
            from cryptography.hazmat.primitives.ciphers.aead import AESGCM

            self._cipher = AESGCM(self._key(create=create))
        return self._cipher

    def _key(self, *, create: bool) -> bytes:
        if not self._path.exists():
            if not create:
                raise EngineError(
                    f"the state's secrets can't be read: their key {self._path} is missing"
                )
            private_directory(self._path.parent)
            # Written aside and linked, so that two layers that start at once share one key.
            draft = self._path.with_name(f".{self._path.name}.{os.getpid()}.{id(self)}")
            write_private(draft, os.urandom(32))
            try:
                os.link(draft, self._path)
            except FileExistsError:
                pass
            finally:
                draft.unlink()
        return self._path.read_bytes()


def read(path: Path, vault: Vault) -> Checkpoint | None:
    """The checkpoint in a file; None when there is none."""
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return None
    try:
        document = json.loads(text)
    except ValueError:
        raise EngineError(f"the state file {path} is damaged: it is no JSON") from None
    return parse(document, vault.open)

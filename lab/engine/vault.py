"""State files of the embedded engine: their secrets are encrypted with a key file beside them."""

from __future__ import annotations

import base64
import json
import os
from pathlib import Path
from typing import Any

from pulumi_protocol.checkpoint import Checkpoint, parse
from pulumi_protocol.events import EngineError
from pulumi_protocol.files import backup_of, private_directory, write_private
from pulumi_protocol.values import SIGNATURE, is_secret, transform

_KEY_BYTES = 32


class VaultError(EngineError):
    """The key file is missing, damaged or another one: the state itself may be whole."""


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
            return {SIGNATURE: fields[SIGNATURE], "value": _content(fields["plaintext"])}
        text = str(fields.get("ciphertext", ""))
        if not text.startswith(self._PREFIX):
            raise EngineError(
                "the state holds secrets that another engine encrypted; export it with "
                "`pulumi stack export --show-secrets`"
            )
        from cryptography.exceptions import InvalidTag

        cipher = self._aead(create=False)
        try:
            sealed = base64.b64decode(text.removeprefix(self._PREFIX), validate=True)
            content = cipher.decrypt(sealed[:12], sealed[12:], b"")
        except InvalidTag:
            raise VaultError(
                f"the state's secrets can't be read: {self._path} isn't the key that they were "
                "sealed with; put that key back"
            ) from None
        except ValueError:
            raise EngineError("one of its secrets is no ciphertext") from None
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
                raise VaultError(
                    f"the state's secrets can't be read: their key {self._path} is missing; put it "
                    "back"
                )
            private_directory(self._path.parent)
            # Written aside and linked, so that two layers that start at once share one key.
            draft = self._path.with_name(f".{self._path.name}.{os.getpid()}.{id(self)}")
            write_private(draft, os.urandom(_KEY_BYTES))
            try:
                os.link(draft, self._path)
            except FileExistsError:
                pass
            finally:
                draft.unlink()
        key = self._path.read_bytes()
        if len(key) != _KEY_BYTES:
            raise VaultError(
                f"the state's secrets can't be read: their key {self._path} has {len(key)} bytes "
                f"instead of {_KEY_BYTES}; put the whole one back"
            )
        return key


def _content(text: Any) -> Any:
    try:
        return json.loads(text)
    except (ValueError, TypeError):
        raise EngineError("one of its secrets is no JSON in plaintext") from None


def read(path: Path, vault: Vault) -> Checkpoint | None:
    """The checkpoint in a file; None when there is none.

    EngineError names the file, what is wrong with it, and the way back.
    """
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise EngineError(f"the state file {path} can't be read: {error.strerror}") from None
    try:
        return parse(json.loads(content.decode()), vault.open)
    except VaultError:
        raise
    except EngineError as error:
        damage = str(error)
    except UnicodeDecodeError:
        damage = "it is no text in UTF-8"
    except (ValueError, RecursionError):
        damage = "it is no JSON"
    backup = backup_of(path)
    way = (
        f"{backup} holds the state before the last operation: move it here, then run "
        "./inv refresh-all"
        if backup.exists()
        else "there is no backup of it: move it away, and ./inv inventory lists what is deployed"
    )
    raise EngineError(f"the state file {path} is damaged: {damage}; {way}")

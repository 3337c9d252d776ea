"""States that cross to and from Pulumi's CLI."""

from __future__ import annotations

import base64
import hashlib
import json
import os
from typing import Any

from lab.engine.vault import Vault
from pulumi_protocol.checkpoint import Checkpoint, manifest, parse
from pulumi_protocol.events import EngineError
from pulumi_protocol.urns import STACK_TYPE
from pulumi_protocol.values import SIGNATURE, is_secret, transform

_ITERATIONS = 1_000_000  # of PBKDF2, as the CLI's passphrase provider does


def exported(checkpoint: Checkpoint, salt: str = "") -> dict[str, Any]:
    """The document that ``pulumi stack import`` takes: ``{"version": 3, "deployment": {…}}``.

    Secrets are in it as readable plaintext, which the CLI encrypts on import: a file made of it
    needs mode 0600. The CLI also wants to know the secrets' provider as soon as there are secrets:
    the passphrase provider, with the stack's own ``encryptionsalt`` where its configuration has
    one, else with one made for the passphrase in PULUMI_CONFIG_PASSPHRASE (empty if unset), which
    must be the same when importing.
    """
    resources = [_plaintext(state.to_json()) for state in checkpoint.resources]
    deployment: dict[str, Any] = {
        "manifest": manifest(),
        "secrets_providers": {
            "type": "passphrase",
            "state": {"salt": salt or _salt(os.environ.get("PULUMI_CONFIG_PASSPHRASE", ""))},
        },
        "resources": resources,
        "metadata": {},
    }
    if checkpoint.pending:
        deployment["pending_operations"] = [
            {"resource": _plaintext(one.resource.to_json()), "type": one.type}
            for one in checkpoint.pending
        ]
    return {"version": 3, "deployment": deployment}


def imported(document: dict[str, Any], vault: Vault, stack_urn: str) -> Checkpoint:
    """The state in such a document, provided that it is one of this stack."""
    checkpoint = parse(document, vault.open)
    stacks = [state.urn for state in checkpoint.resources if state.type == STACK_TYPE]
    if any(urn != stack_urn for urn in stacks):
        raise EngineError(f"the state is that of {stacks[0]}, not of {stack_urn}")
    return checkpoint


def _plaintext(value: Any) -> Any:
    def change(fields: dict[str, Any]) -> dict[str, Any]:
        if not is_secret(fields):
            return fields
        return {SIGNATURE: fields[SIGNATURE], "plaintext": json.dumps(fields["value"])}

    return transform(value, change)


def _salt(passphrase: str) -> str:
    """An ``encryptionsalt`` as the CLI makes it: ``v1:salt:`` and a check value, AES-256-GCM."""
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    salt, nonce = os.urandom(8), os.urandom(12)
    key = hashlib.pbkdf2_hmac("sha256", passphrase.encode(), salt, _ITERATIONS, 32)
    check = AESGCM(key).encrypt(nonce, b"pulumi", b"")
    parts = (base64.b64encode(part).decode() for part in (salt, nonce, check))
    return "v1:{}:v1:{}:{}".format(*parts)

"""What a drill leaves behind: document, page, history and their signature, in one folder."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from ops import signing
from ops.drill import schema
from ops.errors import OperatorError
from pulumi_protocol.files import private_directory, write_atomically

Page = Callable[[Mapping[str, Any], str], str]
"""(document, the key's fingerprint) → HTML."""


def folder(directory: Path) -> Path:
    """Where a workspace keeps its drills."""
    return directory / "evidence" / "drills"


def write(document: Mapping[str, Any], history: Path, page: Page, signer: signing.Signer) -> Path:
    """Writes and signs everything beside the history; returns the page's path.

    The signature comes last: without it nothing counts. Raises ``OperatorError`` where the document
    isn't of the published form, or the disk is full; what was measured is still in the history.
    """
    text = json.dumps(document, indent=1) + "\n"
    if found := schema.fault(text):
        raise OperatorError(
            f"the drill's document {found}: nothing was signed; the history is {history}"
        )
    html = page(document, signing.fingerprint(signer.public_key))
    files = {
        f"{document['id']}.json": text.encode(),
        f"{document['id']}.html": html.encode(),
        history.name: history.read_bytes(),
    }
    target = history.with_name(f"{document['id']}.html")
    try:
        private_directory(history.parent)
        for name, content in files.items():
            if name != history.name:
                write_atomically(history.with_name(name), content)
        signature = signing.sign(signer, files)
        write_atomically(history.with_name(f"{document['id']}.sig"), signature.as_json())
    except OSError as error:
        raise OperatorError(
            f"the evidence can't be written ({error.strerror}): make room in {history.parent}; the "
            f"history is {history.name}, and the drill must be run again"
        ) from None
    return target

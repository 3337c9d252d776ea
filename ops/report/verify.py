"""``./inv drill.verify FILE``: whether evidence is what was signed, and by whom."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from ops import signing
from ops.errors import ExitCode, OperatorError, bad_input
from ops.printing import make_console, print_json
from ops.report.drills import SUFFIXES, DocumentError, Recorded, history_of, read


@dataclass(frozen=True)
class Verified:
    """``trusted`` says whether the key is one that is trusted here; faults are lines."""

    id: str
    fingerprint: str
    trusted: bool
    faults: tuple[str, ...]

    @property
    def line(self) -> str:
        """What it comes to."""
        if self.faults:
            return f"{self.id}: NOT what was signed: {'; '.join(self.faults)}"
        if not self.trusted:
            return (
                f"{self.id}: unchanged since it was signed by {self.fingerprint}, a key that "
                "nothing here vouches for: --key FILE names a public key that is trusted"
            )
        return f"{self.id}: unchanged since it was signed by {self.fingerprint}, which is trusted"


def verify(file: Path, trusted: str) -> Verified:
    """Judges all files beside ``file``; ``trusted`` is a public key's PEM. Raises
    ``OperatorError`` where there is nothing to judge."""
    if file.suffix not in SUFFIXES or not file.exists():
        raise bad_input(f"{file} isn't a file of a drill (ID{', ID'.join(SUFFIXES)})")
    path = file.with_suffix(".sig")
    try:
        signature = signing.read(path)
    except signing.SignatureError as error:
        return Verified(file.stem, "nobody", False, (str(error),))
    faults = [
        fault
        for name, digest in sorted(signature.files.items())
        if (fault := _changed(path.with_name(Path(name).name), digest))
    ]
    unsigned = {f"{file.stem}{end}" for end in (".json", ".jsonl", ".html")} - {*signature.files}
    faults += [f"{name} isn't signed" for name in sorted(unsigned)]
    faults += [] if faults else _unreadable(path.with_suffix(".json"))
    by_trusted = signing.fingerprint(trusted) == signature.fingerprint if trusted else False
    return Verified(file.stem, signature.fingerprint, by_trusted, tuple(faults))


def show(file: str, key: str, as_json: bool) -> ExitCode:
    """Prints the judgement; the code is DIFFERENCE unless the evidence is whole and trusted."""
    found = verify(Path(file), signing.trusted(Path(key)) if key else _own())
    if as_json:
        print_json({**vars(found), "faults": list(found.faults)})
    else:
        make_console().print(found.line)
    return ExitCode.DIFFERENCE if found.faults or not found.trusted else ExitCode.OK


def _own() -> str:
    """This user's own public key, where there is one."""
    if not signing.key_path().exists():
        return ""
    try:
        return signing.public_pem(signing.own_key())
    except OperatorError:
        return ""


def _changed(path: Path, digest: str) -> str:
    try:
        content = path.read_bytes()
    except OSError as error:
        return f"{path.name} can't be read ({error.strerror})"
    return "" if hashlib.sha256(content).hexdigest() == digest else f"{path.name} was changed"


def _unreadable(path: Path) -> list[str]:
    """Why the signed document can't be used: it may have been signed truncated."""
    try:
        history_of(Recorded(path, read(path)))
    except DocumentError as error:
        return [str(error)]
    return []

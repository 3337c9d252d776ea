"""SCRAM-SHA-256 verifiers, so that the lab keeps no password of a master user on disk."""

import base64
import hashlib
import hmac
import os

ITERATIONS = 4096


def verifier(password: str, salt: bytes | None = None) -> str:
    """What PostgreSQL stores for ``password`` (``pg_authid.rolpassword``, RFC 5802 and 7677) and
    accepts in place of it in ``ALTER ROLE … PASSWORD``.

    PostgreSQL normalises with SASLprep, which leaves printable ASCII, all that RDS accepts in a
    master password, as it is.
    """
    salt = salt or os.urandom(16)
    salted = hashlib.pbkdf2_hmac("sha256", password.encode(), salt, ITERATIONS)
    stored = hashlib.sha256(hmac.digest(salted, b"Client Key", "sha256")).digest()
    server = hmac.digest(salted, b"Server Key", "sha256")
    return f"SCRAM-SHA-256${ITERATIONS}:{_text(salt)}${_text(stored)}:{_text(server)}"


def _text(value: bytes) -> str:
    return base64.b64encode(value).decode()

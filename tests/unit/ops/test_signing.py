"""Signatures: what was signed is judged anywhere, and a key that others can read is refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, SECP256R1, SECP384R1
from cryptography.hazmat.primitives.asymmetric.ec import generate_private_key as an_ec_key
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from ops import signing
from ops.errors import OperatorError

FILES = {"a.json": b"{}", "a.html": b"<p>"}


@pytest.fixture
def key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the test's own key is."""
    path = tmp_path / "keys" / "signing.key"
    monkeypatch.setenv(signing.KEY_VARIABLE, str(path))
    return path


def test_a_key_is_made_once_and_is_its_owners_alone(key: Path) -> None:
    """0600, outside the repository; the second use finds it."""
    first = signing.public_pem(signing.own_key())
    assert key.stat().st_mode & 0o777 == 0o600
    assert signing.public_pem(signing.own_key()) == first
    assert len(signing.fingerprint(first).split()) == 8


def test_without_the_variable_it_is_in_the_users_configuration(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A user's own folder, by the platform's rules."""
    monkeypatch.delenv(signing.KEY_VARIABLE, raising=False)
    assert signing.key_path().parts[-2:] == ("warm-standby", "signing.key")


def test_what_was_signed_is_read_again(key: Path, tmp_path: Path) -> None:
    """The file alone says by whom, and which contents."""
    made = signing.sign(signing.own_signer(), FILES)
    path = tmp_path / "a.sig"
    path.write_text(made.as_json())
    found = signing.read(path)
    assert found == made
    assert found.fingerprint == signing.fingerprint(signing.public_pem(signing.own_key()))


@pytest.mark.parametrize("field", ["signature", "public_key", "files"])
def test_a_changed_signature_is_refused(key: Path, tmp_path: Path, field: str) -> None:
    """Another key, another content or another signature doesn't fit."""
    made = json.loads(signing.sign(signing.own_signer(), FILES).as_json())
    strange = signing.Ed25519PrivateKey.generate()
    signer = signing.Signer(signing.public_pem(strange), signing.ED25519, strange.sign)
    other = signing.sign(signer, {"a.json": b"changed"})
    made[field] = json.loads(other.as_json())[field]
    path = tmp_path / "a.sig"
    path.write_text(json.dumps(made))
    with pytest.raises(signing.SignatureError, match="doesn't fit"):
        signing.read(path)


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"files": 1}', '{"files": {}, "signature": ""}'])
def test_a_file_that_is_no_signature_is_one_line(tmp_path: Path, text: str) -> None:
    """Truncated, empty or something else."""
    path = tmp_path / "a.sig"
    path.write_text(text)
    with pytest.raises(signing.SignatureError, match="holds no signature"):
        signing.read(path)


def test_a_key_of_another_kind_signs_nothing(key: Path, tmp_path: Path) -> None:
    """A public key that isn't Ed25519's fits no signature."""
    rsa = generate_private_key(65537, 2048)
    made = json.loads(signing.sign(signing.own_signer(), FILES).as_json())
    made["public_key"] = rsa.public_key().public_bytes(
        Encoding.PEM, signing.PublicFormat.SubjectPublicKeyInfo
    ).decode()  # fmt: skip
    path = tmp_path / "a.sig"
    path.write_text(json.dumps(made))
    with pytest.raises(signing.SignatureError, match="doesn't fit"):
        signing.read(path)
    pem = rsa.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    key.write_bytes(pem)
    key.chmod(0o600)
    with pytest.raises(OperatorError, match="is no Ed25519 key"):
        signing.own_key()


def test_a_key_that_others_can_read_or_is_none_is_refused(key: Path) -> None:
    """One line with what to do."""
    signing.own_key()
    key.chmod(0o644)
    with pytest.raises(OperatorError, match="can be read by others"):
        signing.own_key()
    key.write_text("no key")
    key.chmod(0o600)
    with pytest.raises(OperatorError, match="is no Ed25519 key"):
        signing.own_key()


def test_a_trusted_key_is_a_public_one(key: Path, tmp_path: Path) -> None:
    """PEM; anything else is bad input."""
    pem = signing.public_pem(signing.own_key())
    path = tmp_path / "trusted.pem"
    path.write_text(pem)
    assert signing.trusted(path) == pem
    path.write_text("nonsense")
    with pytest.raises(OperatorError, match="holds no public key"):
        signing.trusted(path)


def test_a_signature_by_another_curve_is_judged_too(tmp_path: Path) -> None:
    """ECDSA over P-256, as KMS signs; what says another algorithm than its key's doesn't fit."""
    key = an_ec_key(SECP256R1())
    pem = key.public_key().public_bytes(Encoding.PEM, signing.PublicFormat.SubjectPublicKeyInfo)
    signer = signing.Signer(
        pem.decode(), signing.ECDSA_P256, lambda content: key.sign(content, ECDSA(SHA256()))
    )
    made = signing.sign(signer, FILES)
    path = tmp_path / "a.sig"
    path.write_text(made.as_json())
    assert signing.read(path) == made
    path.write_text(json.dumps({**json.loads(made.as_json()), "algorithm": signing.ED25519}))
    with pytest.raises(signing.SignatureError, match="doesn't fit"):
        signing.read(path)
    other = an_ec_key(SECP384R1())
    pem = other.public_key().public_bytes(Encoding.PEM, signing.PublicFormat.SubjectPublicKeyInfo)
    path.write_text(json.dumps({**json.loads(made.as_json()), "public_key": pem.decode()}))
    with pytest.raises(signing.SignatureError, match="doesn't fit"):
        signing.read(path)

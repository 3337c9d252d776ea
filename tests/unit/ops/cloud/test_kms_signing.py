"""A key of KMS that signs evidence: judged like any other, and refused before a drill begins."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, SECP256R1, generate_private_key
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from fake_clients import refusal

from ops import signing
from ops.cloud import kms_signing
from ops.errors import OperatorError

ARN = "arn:aws:kms:us-east-1:123456789012:key/1234"


class Kms:
    """boto3's client with one key: of Ed25519, or of P-256."""

    def __init__(self, algorithms: list[str], **faults: Exception) -> None:
        self.algorithms, self.faults = algorithms, faults
        self.calls: list[dict[str, Any]] = []
        self.key: Any = (
            Ed25519PrivateKey.generate()
            if "ED25519_SHA_512" in algorithms
            else generate_private_key(SECP256R1())
        )

    def get_public_key(self, **given: Any) -> dict[str, Any]:
        """The public half in DER."""
        self._called(given, "get_public_key")
        der = self.key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        return {"PublicKey": der, "SigningAlgorithms": self.algorithms}

    def sign(self, **given: Any) -> dict[str, Any]:
        """Signs raw bytes, as KMS does."""
        self._called(given, "sign")
        assert given["MessageType"] == "RAW"
        assert len(given["Message"]) <= 4096
        if given["SigningAlgorithm"] == "ED25519_SHA_512":
            return {"Signature": self.key.sign(given["Message"])}
        return {"Signature": self.key.sign(given["Message"], ECDSA(SHA256()))}

    def _called(self, given: dict[str, Any], name: str) -> None:
        self.calls.append(given)
        if name in self.faults:
            raise self.faults[name]


@pytest.mark.parametrize(
    ("offered", "algorithm"),
    [
        (["ED25519_PH_SHA_512", "ED25519_SHA_512"], signing.ED25519),
        (["ECDSA_SHA_256"], signing.ECDSA_P256),
    ],
)
def test_what_kms_signed_is_read_again(tmp_path: Path, offered: list[str], algorithm: str) -> None:
    """Both kinds of key; the public half stands in the file, and is trusted like any other."""
    kms = Kms(offered)
    made = kms_signing.signer(kms, ARN)
    assert made.algorithm == algorithm
    names = [f"20261128T004500Z-loss-during-switchover-999999.{end}" for end in ("json", "html")]
    path = tmp_path / "a.sig"
    path.write_text(signing.sign(made, dict.fromkeys(names, b"x")).as_json())
    assert signing.read(path).fingerprint == signing.fingerprint(made.public_key)
    trusted = tmp_path / "trusted.pem"
    trusted.write_text(made.public_key)
    assert signing.trusted(trusted) == made.public_key
    assert {call["KeyId"] for call in kms.calls} == {ARN}


@pytest.mark.parametrize(
    ("kms", "line"),
    [
        (Kms(["RSASSA_PSS_SHA_256"]), "signs by RSASSA_PSS_SHA_256: evidence needs a key of ECC_N"),
        (Kms([]), "signs by nothing"),
        (Kms([], get_public_key=refusal("NotFoundException")), "kms:GetPublicKey was refused"),
        (Kms(["ECDSA_SHA_256"], sign=refusal("AccessDeniedException")),
         r"kms:Sign was refused \(AccessDeniedException\); without --kms-key"),
    ],
)  # fmt: skip
def test_a_key_that_can_not_sign_is_known_before_the_drill(kms: Kms, line: str) -> None:
    """Bad input: it signs once when it is chosen."""
    with pytest.raises(OperatorError, match=line):
        kms_signing.signer(kms, ARN)


def test_a_key_is_looked_for_where_its_arn_says() -> None:
    """An alias or an id is looked for in the region that a loss leaves."""
    assert kms_signing.region_of(ARN, "us-west-2") == "us-east-1"
    assert kms_signing.region_of("alias/evidence", "us-west-2") == "us-west-2"
    assert kms_signing.region_of("arn:aws:kms", "us-west-2") == "us-west-2"

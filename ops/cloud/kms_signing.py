"""A key of KMS that signs evidence: the private half never leaves AWS."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_der_public_key,
)

from ops.cloud.answers import reason
from ops.errors import ExitCode, OperatorError, bad_input
from ops.signing import ECDSA_P256, ED25519, Signer

ALGORITHMS = {"ED25519_SHA_512": ED25519, "ECDSA_SHA_256": ECDSA_P256}
"""KMS's name of an algorithm → the signature's, the better one first."""
TRIAL = b"warm-standby: may this key sign?"


def region_of(key: str, otherwise: str) -> str:
    """The region of a key's ARN; ``otherwise`` for an alias or an id, which every region has."""
    parts = key.split(":")
    return parts[3] if len(parts) > 3 and parts[3] else otherwise


def chosen(key: str, offered: Sequence[str]) -> str:
    """KMS's name of the algorithm by which a key shall sign. Raises ``OperatorError`` for a key
    that offers none of ours."""
    for name in ALGORITHMS:
        if name in offered:
            return name
    raise bad_input(
        f"--kms-key {key} signs by {', '.join(offered) or 'nothing'}: evidence needs a key of "
        "ECC_NIST_EDWARDS25519 or ECC_NIST_P256 for SIGN_VERIFY"
    )


def signer(kms: Any, key: str) -> Signer:
    """A signer over boto3's client; it has signed once, so that a key that mayn't be used is known
    before a drill begins. Raises ``OperatorError``."""
    try:
        found = kms.get_public_key(KeyId=key)
    except (ClientError, BotoCoreError) as error:
        raise _refused(key, "kms:GetPublicKey", error) from None
    algorithm = chosen(key, found.get("SigningAlgorithms", []))
    public = load_der_public_key(found["PublicKey"])
    pem = public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()

    def sign(content: bytes) -> bytes:
        try:
            return kms.sign(
                KeyId=key, Message=content, MessageType="RAW", SigningAlgorithm=algorithm
            )["Signature"]
        except (ClientError, BotoCoreError) as error:
            raise _refused(key, "kms:Sign", error) from None

    sign(TRIAL)
    return Signer(pem, ALGORITHMS[algorithm], sign)


def _refused(key: str, call: str, error: Exception) -> OperatorError:
    return OperatorError(
        f"--kms-key {key}: {call} was refused ({reason(error)}); without --kms-key this user's own "
        "key signs",
        ExitCode.ENVIRONMENT,
    )

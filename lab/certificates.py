"""The lab's certificate authority, standing in for Amazon's: the one of RDS, which drivers trust,
and the one of ACM's certificates, which every client trusts."""

from __future__ import annotations

import ssl
import tempfile
from collections.abc import Collection
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from pulumi_protocol.files import write_private

FOLDER = "database"
"""Of the lab's state directory, where the authority's key and certificate are."""
CERTIFICATE = "certificate-authority.pem"
VALIDITY = timedelta(days=3650)
BACKDATED = timedelta(days=1)


class CertificateAuthority:
    """A key and a self-signed certificate in ``directory``, made once. The key file is 0600."""

    def __init__(self, directory: Path) -> None:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.certificate_path = directory / CERTIFICATE
        """What clients trust (``NODE_EXTRA_CA_CERTS``, ``sslrootcert``)."""
        key_path = directory / "certificate-authority.key"
        if not (self.certificate_path.exists() and key_path.exists()):
            key = ec.generate_private_key(ec.SECP256R1())
            write_private(key_path, _pem(key))
            certificate = _self_signed(key)
            self.certificate_path.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        loaded = serialization.load_pem_private_key(key_path.read_bytes(), None)
        if not isinstance(loaded, ec.EllipticCurvePrivateKey):
            raise TypeError(f"{key_path.name} holds no elliptic-curve key")
        self._key = loaded
        self._certificate = x509.load_pem_x509_certificate(self.certificate_path.read_bytes())

    def issue(self, host_names: Collection[str], now: datetime) -> tuple[bytes, bytes]:
        """A new server key and certificate (PEM) whose alternative names are ``host_names``,
        ``localhost`` and 127.0.0.1. Valid by the machine's time, which clients check it by, and
        for ten years from ``now``, the lab's, which may be ahead."""
        key = ec.generate_private_key(ec.SECP256R1())
        names: list[x509.GeneralName] = [
            x509.DNSName(name) for name in sorted({*host_names, "localhost"})
        ]
        names.append(x509.IPAddress(IPv4Address("127.0.0.1")))
        certificate = (
            x509.CertificateBuilder()
            .subject_name(_name("warm-standby lab"))
            .issuer_name(self._certificate.subject)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(min(now, datetime.now(UTC)) - BACKDATED)
            .not_valid_after(now + VALIDITY)
            .add_extension(x509.SubjectAlternativeName(names), critical=False)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key()),
                critical=False,
            )
            .sign(self._key, hashes.SHA256())
        )
        return _pem(key), certificate.public_bytes(serialization.Encoding.PEM)

    def load_into(
        self, context: ssl.SSLContext, host_names: Collection[str], now: datetime
    ) -> None:
        """Gives a server's TLS a new certificate for ``host_names``, for handshakes from now on."""
        key, certificate = self.issue(host_names, now)
        # ssl reads files only; these live as long as the reading.
        with tempfile.TemporaryDirectory(dir=self.certificate_path.parent) as folder:
            key_path, certificate_path = Path(folder, "key.pem"), Path(folder, "certificate.pem")
            write_private(key_path, key)
            certificate_path.write_bytes(certificate)
            context.load_cert_chain(certificate_path, key_path)


def server_context() -> ssl.SSLContext:
    """A server's TLS 1.2 and 1.3, without a certificate yet."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


def _self_signed(key: ec.EllipticCurvePrivateKey) -> x509.Certificate:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(_name("warm-standby lab root"))
        .issuer_name(_name("warm-standby lab root"))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - BACKDATED)
        .not_valid_after(now + VALIDITY)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(
            x509.KeyUsage(
                digital_signature=True,
                key_cert_sign=True,
                crl_sign=True,
                content_commitment=False,
                key_encipherment=False,
                data_encipherment=False,
                key_agreement=False,
                encipher_only=False,
                decipher_only=False,
            ),
            critical=True,
        )
        .sign(key, hashes.SHA256())
    )


def _name(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def _pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )

"""Who signs content credentials: a certificate of the operator's, or this installation's test one.

C2PA 2.x, 14.5 (X.509 certificates): the signing certificate is issued by another one, may sign
(digitalSignature), is no authority, and bears an extended key usage, here documentSigning
(RFC 9336).
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID, ObjectIdentifier

from avatar_service.config import CredentialsConfig
from avatar_service.errors import AvatarError, Reason
from avatar_service.provenance.private_files import write_private

TEST_NAME: Final = "Avatar Service TEST certificate, self-signed, not to be trusted"
_TEST_FILE: Final = "content_credentials_test.pem"
_DOCUMENT_SIGNING: Final = ObjectIdentifier("1.3.6.1.5.5.7.3.36")
_VALID_DAYS: Final = 3650
_RENEW_DAYS: Final = 30


@dataclass(frozen=True, slots=True)
class SigningPair:
    """A certificate chain with its key.

    Attributes:
        algorithm: of C2PA, as es256.
        certificates: PEM, the signing one first.
        private_key: PEM, PKCS 8.
        timestamp_url: of a time stamp authority; "" for none.
    """

    algorithm: str
    certificates: str
    private_key: str
    timestamp_url: str = ""


def signing_pair(config: CredentialsConfig, folder: Path) -> SigningPair:
    """Return the operator's certificate, or the test one of this installation.

    Args:
        config: where the operator's lies.
        folder: of the installation; the test certificate is made there where it is needed.

    Raises:
        AvatarError: INVALID_FIELD for a certificate or key that cannot be used.
    """
    if config.certificate is None or config.private_key is None:
        return _split(_test_chain(folder), "the test certificate")
    try:
        data = config.private_key.read_bytes() + b"\n" + config.certificate.read_bytes()
    except OSError as error:
        raise _invalid(f"cannot read {error.filename}: {error.strerror}") from error
    pair = _split(data, str(config.certificate))
    return SigningPair(pair.algorithm, pair.certificates, pair.private_key, config.timestamp_url)


def _split(data: bytes, name: str) -> SigningPair:
    try:
        key = serialization.load_pem_private_key(data, password=None)
        chain = x509.load_pem_x509_certificates(data)
    except (ValueError, TypeError) as error:
        raise _invalid(f"{name} and its key are no PEM files without password") from error
    if chain[0].public_key() != key.public_key():
        raise _invalid(f"{name} is not the key's certificate")
    if chain[0].not_valid_after_utc < datetime.now(UTC):
        raise _invalid(f"{name} has expired on {chain[0].not_valid_after_utc:%Y-%m-%d}")
    private = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    texts = [one.public_bytes(serialization.Encoding.PEM).decode() for one in chain]
    return SigningPair(_algorithm(key, name), "".join(texts), private.decode())


def _algorithm(key: object, name: str) -> str:
    if isinstance(key, ed25519.Ed25519PrivateKey):
        return "ed25519"
    if isinstance(key, rsa.RSAPrivateKey):
        return "ps256"
    if isinstance(key, ec.EllipticCurvePrivateKey) and key.curve.key_size in (256, 384, 521):
        return {256: "es256", 384: "es384", 521: "es512"}[key.curve.key_size]
    raise _invalid(f"{name}: its key must be EC P-256, P-384 or P-521, Ed25519 or RSA")


def _test_chain(folder: Path) -> bytes:
    """Return key and chain of the test certificate; made where there is none or it ends soon."""
    path = folder / _TEST_FILE
    soon = datetime.now(UTC) + timedelta(days=_RENEW_DAYS)
    try:
        with contextlib.suppress(FileNotFoundError, ValueError):
            data = path.read_bytes()
            if x509.load_pem_x509_certificates(data)[0].not_valid_after_utc > soon:
                return data
        data = _make_test_chain()
        write_private(path, data)
    except OSError as error:
        raise AvatarError(
            Reason.INVALID_FILE, f"the test certificate {path} cannot be kept: {error.strerror}"
        ) from error
    return data


def _make_test_chain() -> bytes:
    root_key, key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    root_name, name = (
        x509.Name(
            [
                x509.NameAttribute(NameOID.ORGANIZATION_NAME, TEST_NAME),
                x509.NameAttribute(NameOID.COMMON_NAME, common),
            ]
        )
        for common in ("Avatar Service TEST root", "Avatar Service TEST signer")
    )
    begin = datetime.now(UTC) - timedelta(days=1)

    def certificate(
        subject: x509.Name, public: ec.EllipticCurvePublicKey, *, is_root: bool
    ) -> x509.Certificate:
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(root_name)
            .public_key(public)
            .serial_number(x509.random_serial_number())
            .not_valid_before(begin)
            .not_valid_after(begin + timedelta(days=_VALID_DAYS))
            .add_extension(x509.BasicConstraints(ca=is_root, path_length=None), critical=True)
            .add_extension(_key_usage(is_root=is_root), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(root_key.public_key()),
                critical=False,
            )
        )
        if not is_root:
            usages = [_DOCUMENT_SIGNING, ExtendedKeyUsageOID.EMAIL_PROTECTION]
            builder = builder.add_extension(x509.ExtendedKeyUsage(usages), critical=False)
        return builder.sign(root_key, hashes.SHA256())

    chain = (
        certificate(name, key.public_key(), is_root=False),
        certificate(root_name, root_key.public_key(), is_root=True),
    )
    private = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    return private + b"".join(one.public_bytes(serialization.Encoding.PEM) for one in chain)


def _key_usage(*, is_root: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not is_root,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=is_root,
        crl_sign=is_root,
        encipher_only=False,
        decipher_only=False,
    )


def _invalid(problem: str) -> AvatarError:
    return AvatarError(
        Reason.INVALID_FIELD, f"credentials.certificate: {problem}", field="credentials.certificate"
    )

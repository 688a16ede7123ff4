"""Transport security whose certificate, key and client CA are read again when they change."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import grpc
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from avatar_service.config import TlsConfig
from avatar_service.errors import AvatarError, Reason
from avatar_service.server.reloading import ReloadedFiles, read_small, warn_if_readable_by_others

_SPKI: Final = (Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


@dataclass(frozen=True, slots=True)
class TlsMaterial:
    """Checked contents of the files, PEM."""

    certificate: bytes
    private_key: bytes = field(repr=False)
    client_ca: bytes | None


class TlsFiles:
    """The certificate that new connections are answered with; open ones go on with theirs.

    Raises:
        AvatarError: INVALID_FIELD naming the option whose file is unreadable, no PEM, expired, or
            does not fit the other.
    """

    def __init__(self, config: TlsConfig) -> None:
        certificate, key = config.certificate, config.private_key
        if certificate is None or key is None:
            raise AvatarError(Reason.BUG, "TLS is not configured")
        self._has_client_ca = config.client_ca is not None
        paths = [path for path in (certificate, key, config.client_ca) if path is not None]
        self._files = ReloadedFiles(
            paths, lambda: read_material(certificate, key, config.client_ca)
        )
        warn_if_readable_by_others(key, "tls.private_key")

    def poll(self) -> bool:
        """Read the files again where they changed. Blocking."""
        return self._files.poll()

    def credentials(self) -> grpc.ServerCredentials:
        """Return credentials for one listening port; they follow the files."""
        told = self._files.value

        def changed() -> grpc.ServerCertificateConfiguration | None:
            """Answer gRPC, which asks at every handshake, on threads of its own."""
            nonlocal told
            if self._files.value is told:
                return None
            told = self._files.value
            return _configuration(told)

        return grpc.dynamic_ssl_server_credentials(
            _configuration(told),
            changed,  # type: ignore[arg-type]  # the stubs forget None, "as before"
            require_client_authentication=self._has_client_ca,
        )


def read_material(certificate: Path, key: Path, client_ca: Path | None) -> TlsMaterial:
    """Read and check the files. INVALID_FIELD."""
    chain_pem = read_small(certificate, "tls.certificate")
    key_pem = read_small(key, "tls.private_key")
    leaf = _certificates(chain_pem, "tls.certificate", certificate)[0]
    if leaf.not_valid_after_utc <= datetime.now(UTC):
        raise _bad("tls.certificate", certificate, f"expired on {leaf.not_valid_after_utc:%F}")
    try:
        private = serialization.load_pem_private_key(key_pem, password=None)
    except TypeError:
        raise _bad("tls.private_key", key, "is locked by a password; give it without") from None
    except Exception:  # the library raises its own and ValueError, with the key's parts in them
        raise _bad("tls.private_key", key, "holds no private key as PEM") from None
    if private.public_key().public_bytes(*_SPKI) != leaf.public_key().public_bytes(*_SPKI):
        raise _bad("tls.private_key", key, f"does not belong to the certificate {certificate.name}")
    ca_pem = None
    if client_ca is not None:
        ca_pem = read_small(client_ca, "tls.client_ca")
        _certificates(ca_pem, "tls.client_ca", client_ca)
    return TlsMaterial(chain_pem, key_pem, ca_pem)


def _certificates(pem: bytes, field: str, path: Path) -> list[x509.Certificate]:
    try:
        return x509.load_pem_x509_certificates(pem)
    except ValueError:
        raise _bad(field, path, "holds no certificate as PEM") from None


def _configuration(material: TlsMaterial) -> grpc.ServerCertificateConfiguration:
    return grpc.ssl_server_certificate_configuration(
        [(material.private_key, material.certificate)], root_certificates=material.client_ca
    )


def _bad(field: str, path: Path, problem: str) -> AvatarError:
    return AvatarError(Reason.INVALID_FIELD, f"{field}: {path} {problem}", field=field)

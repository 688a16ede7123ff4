"""The installation's key: what signs consent, the ledger and, unless told otherwise, videos.

One Ed25519 key (RFC 8032) per installation, made at the first need, readable by this user only.
"""

from __future__ import annotations

import hashlib
import os
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from avatar_service.errors import AvatarError, Reason
from avatar_service.provenance.private_files import write_private

KEY_NAME: Final = "installation.pem"
NUMBER_BITS: Final = 24
"""What a watermark tells of an installation: two of a thousand share one with p = 0.03."""


@dataclass(frozen=True, slots=True)
class Identity:
    """The public half of an installation.

    Attributes:
        public_key: 32 bytes (RFC 8032).
    """

    public_key: bytes

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the public key, hexadecimal."""
        return hashlib.sha256(self.public_key).hexdigest()

    @property
    def number(self) -> int:
        """The first NUMBER_BITS of the fingerprint, as watermarks carry them."""
        return int(self.fingerprint, 16) >> (256 - NUMBER_BITS)

    def is_signed(self, message: bytes, signature: bytes) -> bool:
        """Whether this installation has signed the message."""
        try:
            Ed25519PublicKey.from_public_bytes(self.public_key).verify(signature, message)
        except (InvalidSignature, ValueError):
            return False
        return True


class Installation:
    """The key of an installation, made where there is none.

    Args:
        folder: where the key lies; made with mode 0700.

    Raises:
        AvatarError: INVALID_FILE for a key that is damaged, cannot be read or that others may
            read.
    """

    def __init__(self, folder: Path) -> None:
        path = folder / KEY_NAME
        try:
            if not path.exists():
                write_private(path, _new_key(), keeps_first=True)
            mode = stat.S_IMODE(path.stat().st_mode)
            if os.name == "posix" and mode & 0o077:
                raise AvatarError(
                    Reason.INVALID_FILE,
                    f"the installation's key {path} has mode {mode:04o}: others may read it; "
                    f"chmod 600 it, or delete it if they have",
                )
            key = serialization.load_pem_private_key(path.read_bytes(), password=None)
        except OSError as error:
            raise AvatarError(
                Reason.INVALID_FILE,
                f"the installation's key {path} cannot be used: {error.strerror}",
            ) from error
        except (ValueError, TypeError) as error:
            raise AvatarError(
                Reason.INVALID_FILE, f"the installation's key {path} is damaged"
            ) from error
        if not isinstance(key, Ed25519PrivateKey):
            raise AvatarError(Reason.INVALID_FILE, f"the key {path} is no Ed25519 key")
        self._key = key
        self.identity = Identity(key.public_key().public_bytes_raw())

    def sign(self, message: bytes) -> bytes:
        """Return the 64 bytes of the signature."""
        return self._key.sign(message)


def _new_key() -> bytes:
    return Ed25519PrivateKey.generate().private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )

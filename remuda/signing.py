"""Signatures of what builders state: ed25519, with keys in PEM files of a host.

A private key is read when something is to be signed, so that a key that was renewed is used at
once; what is in it is masked wherever it turns up, and never written. Who verifies needs the
public half only, in a file that may hold several: those of keys that have signed before.
"""

import hashlib
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)

from remuda.known_secrets import KNOWN

#: A key has some 120 bytes; so many renewed ones nobody has.
BYTES_MAX: Final = 64 * 1024
_PUBLIC: Final = re.compile(
    rb"-----BEGIN PUBLIC KEY-----[A-Za-z0-9+/=\s]{1,4000}-----END PUBLIC KEY-----", re.ASCII
)
_KEYS_MAX: Final = 100
#: What a person writes instead.
HOW_TO_SIGN: Final = "write the name of one that openssl genpkey -algorithm ed25519 -out FILE made"
HOW_TO_VERIFY: Final = "write the name of one that openssl pkey -in KEY -pubout -out FILE made"


class SigningKeyError(Exception):
    """A key cannot be used; the text says why, in words that follow the file's name."""


@dataclass(frozen=True, slots=True)
class VerifyingKey:
    """The public half of a key.

    Attributes:
        id: SHA-256 of its SubjectPublicKeyInfo, in hexadecimal.
    """

    id: str
    _key: Ed25519PublicKey = field(repr=False, compare=False)

    def verifies(self, signature: bytes, message: bytes) -> bool:
        """Whether *signature* is of this key, and of *message*."""
        try:
            self._key.verify(signature, message)
        except InvalidSignature:
            return False
        return True


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A private key; it does not print."""

    public: VerifyingKey
    _key: Ed25519PrivateKey = field(repr=False)

    def sign(self, message: bytes) -> bytes:
        """Return the signature of *message*, 64 bytes."""
        return self._key.sign(message)


def read_signing_key(path: str) -> SigningKey:
    """Read a private key.

    Raises:
        SigningKeyError: It cannot be read, has a passphrase, or is no ed25519 key in PEM form.
    """
    data = _read(path)
    KNOWN.hold(f"key file {path}", [data.decode(errors="replace")])
    try:
        key = load_pem_private_key(data, None)
    except TypeError:  # what cryptography raises when a passphrase is missing
        raise SigningKeyError("has a passphrase; no builder knows it") from None
    except (ValueError, UnsupportedAlgorithm):
        raise SigningKeyError("holds no private key in PEM form") from None
    if not isinstance(key, Ed25519PrivateKey):
        raise SigningKeyError("holds a private key that is not ed25519")
    return SigningKey(_public(key.public_key()), key)


def read_verifying_keys(path: str) -> tuple[VerifyingKey, ...]:
    """Read public keys, one at least.

    Raises:
        SigningKeyError: The file cannot be read, or something in it is no ed25519 public key.
    """
    data = _read(path)
    if b"PRIVATE KEY" in data:
        raise SigningKeyError("holds a private key, which does not belong there")
    blocks = _PUBLIC.findall(data)
    if not blocks or len(blocks) > _KEYS_MAX or data.count(b"-----BEGIN ") != len(blocks):
        raise SigningKeyError("holds no public keys in PEM form")
    return tuple(map(_parsed, blocks))


def _parsed(block: bytes) -> VerifyingKey:
    try:
        key = load_pem_public_key(block)
    except (ValueError, UnsupportedAlgorithm):
        raise SigningKeyError("holds a public key that is broken") from None
    if not isinstance(key, Ed25519PublicKey):
        raise SigningKeyError("holds a public key that is not ed25519")
    return _public(key)


def _public(key: Ed25519PublicKey) -> VerifyingKey:
    der = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return VerifyingKey(hashlib.sha256(der).hexdigest(), key)


def _read(path: str) -> bytes:
    try:
        with Path(path).open("rb") as file:
            data = file.read(BYTES_MAX + 1)
    except (OSError, ValueError) as exc:
        why = exc.strerror if isinstance(exc, OSError) else None
        raise SigningKeyError(f"cannot be read: {why or 'it is no file name'}") from None
    if len(data) > BYTES_MAX:
        raise SigningKeyError(f"is larger than the allowed {BYTES_MAX:,} bytes")
    return data

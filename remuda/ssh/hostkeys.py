"""Makes the host key of a node before the node exists, so that nobody can pose as it."""

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from remuda.known_secrets import KNOWN
from remuda.ssh.api import HostKey

__all__ = ["HostKey", "make_host_key"]


def make_host_key() -> HostKey:
    """Return a new key pair."""
    key = Ed25519PrivateKey.generate()
    public = key.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH)
    private = key.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption()).decode()
    KNOWN.note([private])  # a machine may print what it was given
    return HostKey(public=public.decode(), private=private)

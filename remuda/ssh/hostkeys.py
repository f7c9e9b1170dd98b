"""Makes the host key of a node before the node exists, so that nobody can pose as it."""

from dataclasses import dataclass, field

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from remuda.known_secrets import KNOWN


@dataclass(frozen=True, slots=True, kw_only=True)
class HostKey:
    """A fresh ed25519 host key.

    Attributes:
        public: ``ssh-ed25519 <base64>``: goes into records and known_hosts.
        private: OpenSSH private key text. It goes into the user data of one server and nowhere
            else: neither into ZooKeeper nor into a log; ``repr`` leaves it out.
    """

    public: str
    private: str = field(repr=False)


def make_host_key() -> HostKey:
    """Return a new key pair."""
    key = Ed25519PrivateKey.generate()
    public = key.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH)
    private = key.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption()).decode()
    KNOWN.note([private])  # a machine may print what it was given
    return HostKey(public=public.decode(), private=private)

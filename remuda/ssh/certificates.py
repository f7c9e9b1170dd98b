"""Short-lived OpenSSH certificates: a site's authority vouches for a key, for one held machine."""

import secrets
from pathlib import Path
from typing import Final

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    SSHCertificateBuilder,
    SSHCertificateType,
    load_pem_private_key,
    load_ssh_private_key,
    load_ssh_public_key,
)

from remuda.known_secrets import KNOWN
from remuda.model.ids import NodeId
from remuda.model.publickey import PublicKey
from remuda.ssh.errors import KeyFileError, KeySourceError
from remuda.ssh.keyfile import BYTES_MAX

#: A clock of a machine may be behind ours by so much.
EARLY_S: Final = 60.0
#: What a shell and a debugger want; no agent of a developer is led onto a machine of a job.
_EXTENSIONS: Final = (b"permit-port-forwarding", b"permit-pty")
_KINDS: Final = frozenset(
    {
        "ssh-ed25519",
        "ssh-rsa",
        "ecdsa-sha2-nistp256",
        "ecdsa-sha2-nistp384",
        "ecdsa-sha2-nistp521",
    }
)
_Authority = Ed25519PrivateKey | EllipticCurvePrivateKey | RSAPrivateKey


def principal_of(node: NodeId) -> str:
    """Return the one name that opens a held machine: no certificate is good for two."""
    return f"remuda-hold-{node}"


def trust_line(authority: str, node: NodeId) -> str:
    """Return the line of ``authorized_keys`` that trusts an authority for one machine's hold.

    Args:
        authority: Its public key, as ``<type> <base64>``.
        node: Whose machine.
    """
    return f'cert-authority,principals="{principal_of(node)}" {authority}'


def authority_line(path: str) -> str:
    """Return the public half of the authority in *path*, as ``<type> <base64>``.

    Raises:
        KeyFileError: It cannot be used.
    """
    public = _authority(path).public_key()
    return public.public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()


def sign(
    path: str, key: PublicKey, node: NodeId, *, key_id: str, from_s: float, until_s: float
) -> str:
    """Return a certificate for *key*: good for the hold of one machine, until its end.

    Args:
        path: The private key of the authority.
        key: For whom.
        node: Whose machine.
        key_id: What the machine's sshd logs of who comes.
        from_s: Now, seconds since the epoch.
        until_s: When it ends.

    Raises:
        KeyFileError: The authority cannot be used.
        KeySourceError: No certificate is made for keys of this type.
    """
    if key.kind.startswith("sk-"):
        raise KeySourceError(
            f"no certificate is made for a key on a token ({key.kind}): put the key itself there "
            "(remuda key add), or have remuda ssh make a key of its own"
        )
    if key.kind not in _KINDS:
        raise KeySourceError(f"no certificate can be made for a key of type {key.kind}")
    authority = _authority(path)
    try:
        public = load_ssh_public_key(key.line.encode())
        builder = (
            SSHCertificateBuilder()
            .public_key(public)  # type: ignore[arg-type]  # of the types above
            .serial(secrets.randbits(63))
            .type(SSHCertificateType.USER)
            .key_id(key_id.encode()[:200])
            .valid_principals([principal_of(node).encode()])
            .valid_after(int(from_s - EARLY_S))
            .valid_before(int(until_s))
        )
        for one in _EXTENSIONS:
            builder = builder.add_extension(one, b"")
        return builder.sign(authority).public_bytes().decode()
    except (ValueError, UnsupportedAlgorithm):
        raise KeySourceError("no certificate can be made for this key") from None


def _parsed(data: bytes) -> object:
    try:
        return load_ssh_private_key(data, None)
    except ValueError:
        return load_pem_private_key(data, None)


def _authority(path: str) -> _Authority:
    try:
        with Path(path).expanduser().open("rb") as file:
            data = file.read(BYTES_MAX)
        KNOWN.hold(f"authority {path}", [data.decode(errors="replace")])
        key = _parsed(data)
    except OSError as error:
        raise KeyFileError(f"ca-key-file {path}: {error.strerror or error}") from None
    except (TypeError, ValueError, UnsupportedAlgorithm):
        raise KeyFileError(f"ca-key-file {path}: not a private key without a passphrase") from None
    if not isinstance(key, _Authority):
        raise KeyFileError(f"ca-key-file {path}: not an ed25519, RSA or ECDSA private key")
    return key

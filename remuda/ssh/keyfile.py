"""Our own private key: read once, with a clear word when it is of no use."""

import io
import threading
from pathlib import Path
from typing import Any, Final

import paramiko
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
    load_ssh_private_key,
)
from paramiko.ssh_exception import SSHException

from remuda.known_secrets import KNOWN
from remuda.ssh.errors import KeyFileError

#: A key of RSA with 16384 bits is a fifth of it; what is longer is no key.
BYTES_MAX: Final = 64 * 1024
#: What the libraries raise for what is no key of ours (measured by fuzzing); NotImplementedError:
#: a point of a curve in a form that they do not read.
_NO_KEY: Final = (ValueError, NotImplementedError, SSHException, UnsupportedAlgorithm)


def load_key(path: str) -> paramiko.PKey:
    """Read an ed25519, RSA or ECDSA private key in OpenSSH or PEM form.

    Raises:
        KeyFileError: It is missing, unreadable, not a private key, or has a passphrase.
    """
    try:
        with Path(path).expanduser().open("rb") as file:
            data = file.read(BYTES_MAX)
        KNOWN.hold(f"key file {path}", [data.decode(errors="replace")])
        return _for_paramiko(_parse(data))
    except OSError as exc:
        raise KeyFileError(f"key file {path}: {exc.strerror or exc}") from exc
    except TypeError as exc:  # what cryptography raises when a passphrase is missing
        raise KeyFileError(f"key file {path}: it has a passphrase; use one without") from exc
    except _NO_KEY as exc:
        raise KeyFileError(f"key file {path}: not an ed25519, RSA or ECDSA private key") from exc


def _parse(data: bytes) -> object:
    try:
        return load_ssh_private_key(data, None)
    except ValueError:
        return load_pem_private_key(data, None)


def _for_paramiko(key: object) -> paramiko.PKey:
    """Hand a key over in the one form that paramiko reads without fail.

    Its own parser of OpenSSH files (measured with 5.1) trips over every second ECDSA key that was
    made with an empty comment: those whose length needs no padding.
    """
    kinds: tuple[tuple[type[Any], PrivateFormat, type[paramiko.PKey]], ...] = (
        (Ed25519PrivateKey, PrivateFormat.OpenSSH, paramiko.Ed25519Key),
        (RSAPrivateKey, PrivateFormat.TraditionalOpenSSL, paramiko.RSAKey),
        (EllipticCurvePrivateKey, PrivateFormat.TraditionalOpenSSL, paramiko.ECDSAKey),
    )
    for kind, form, native in kinds:
        if isinstance(key, kind):
            text = key.private_bytes(Encoding.PEM, form, NoEncryption()).decode()
            return native.from_private_key(io.StringIO(text))
    raise ValueError(type(key).__name__)


def line_of(key: paramiko.PKey) -> str:
    """Return the public half of *key*, as ``<type> <base64>``."""
    return f"{key.get_name()} {key.get_base64()}"


class KeyRing:
    """Keys by file name, read again when the file changes: parsing RSA keys takes milliseconds."""

    def __init__(self) -> None:
        """Start empty."""
        self._lock = threading.Lock()
        self._keys: dict[str, tuple[tuple[int, int, int], paramiko.PKey]] = {}

    def key(self, path: str) -> paramiko.PKey:
        """Return the key in *path*.

        Raises:
            KeyFileError: See :func:`load_key`.
        """
        try:
            found = Path(path).expanduser().stat()
        except OSError as exc:
            raise KeyFileError(f"key file {path}: {exc.strerror or exc}") from exc
        stamp = (found.st_ino, found.st_mtime_ns, found.st_size)
        with self._lock:
            held = self._keys.get(path)
            if held is not None and held[0] == stamp:
                return held[1]
            key = load_key(path)
            self._keys[path] = (stamp, key)
            return key

    def public_line(self, path: str) -> str:
        """Return the public half of the key in *path*, as ``<type> <base64>``.

        Raises:
            KeyFileError: See :func:`load_key`.
        """
        return line_of(self.key(path))

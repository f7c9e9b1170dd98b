"""Our own private key: read once, with a clear word when it is of no use."""

import threading
from pathlib import Path

import paramiko
from cryptography.exceptions import UnsupportedAlgorithm
from paramiko.pkey import UnknownKeyType
from paramiko.ssh_exception import SSHException

from remuda.ssh.errors import KeyFileError


def load_key(path: str) -> paramiko.PKey:
    """Read an ed25519, RSA or ECDSA private key in OpenSSH or PEM form.

    Raises:
        KeyFileError: It is missing, unreadable, not a private key, or has a passphrase.
    """
    file = Path(path).expanduser()
    try:
        key = paramiko.PKey.from_path(str(file))
    except OSError as exc:
        raise KeyFileError(f"key file {path}: {exc.strerror or exc}") from exc
    except TypeError as exc:  # what cryptography raises when a passphrase is missing
        raise KeyFileError(f"key file {path}: it has a passphrase; use one without") from exc
    except (ValueError, SSHException, UnsupportedAlgorithm, UnknownKeyType) as exc:
        raise KeyFileError(f"key file {path}: not an ed25519, RSA or ECDSA private key") from exc
    return key


def public_line(path: str) -> str:
    """Return the public half of a private key file, as ``<type> <base64>``.

    Raises:
        KeyFileError: See :func:`load_key`.
    """
    key = load_key(path)
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

"""SSH keys, made by ``ssh-keygen``."""

from __future__ import annotations

import base64
import binascii
import hashlib
import subprocess
import tempfile
from pathlib import Path
from typing import Final

from sandbox.machines.base import MachineError
from sandbox.machines.bootplan import HostKey

#: A well-formed key to which nobody has the other half: its 32 bytes are a hash.
STRANGER: Final = (
    "ssh-ed25519 "
    + base64.b64encode(
        b"\0\0\0\x0bssh-ed25519\0\0\0\x20" + hashlib.sha256(b"stranger").digest()
    ).decode()
    + " stranger"
)
_KEYGEN_S: Final = 30.0


def generate(comment: str, kind: str = "ed25519") -> HostKey:
    """Make a key pair.

    Raises:
        MachineError: If ssh-keygen is missing or fails.
    """
    with tempfile.TemporaryDirectory(prefix="sandbox-key-") as folder:
        path = Path(folder) / "key"
        try:
            subprocess.run(
                ["ssh-keygen", "-q", "-t", kind, "-N", "", "-C", comment, "-f", path],
                check=True,
                capture_output=True,
                timeout=_KEYGEN_S,
            )
        except (OSError, subprocess.SubprocessError) as exc:
            raise MachineError(f"ssh-keygen does not work: {exc}") from exc
        return HostKey(
            kind=kind, private=path.read_text(), public=path.with_suffix(".pub").read_text()
        )


def fingerprint(public: str) -> str | None:
    """Return the MD5 fingerprint of a public key, as Nova shows it; None if it is no key."""
    words = public.split()
    if len(words) < 2:  # noqa: PLR2004 - type and key
        return None
    try:
        blob = base64.b64decode(words[1], validate=True)
    except (binascii.Error, ValueError):
        return None
    length = int.from_bytes(blob[:4], "big")
    if blob[4 : 4 + length].decode("ascii", "replace") != words[0]:
        return None
    digits = hashlib.md5(blob).hexdigest()  # noqa: S324
    return ":".join(digits[i : i + 2] for i in range(0, len(digits), 2))

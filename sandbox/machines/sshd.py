"""Configurations for OpenSSH's server."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterable
from typing import Final

#: OpenSSH 9.8 began to shut out addresses whose logins fail (sshd_config(5),
#: PerSourcePenalties).  Here all clients have the same address.
_PENALTIES: Final = (9, 8)


def sshd_config(
    *,
    address: str,
    port: int,
    host_keys: Iterable[str],
    keys_file: str,
    version: tuple[int, int],
    pam: bool = False,
    more: Iterable[str] = (),
) -> str:
    """Return an sshd_config for one machine."""
    lines = [
        f"ListenAddress {address}:{port}",
        *(f"HostKey {path}" for path in host_keys),
        f"AuthorizedKeysFile {keys_file}",
        "PermitRootLogin prohibit-password",
        "PasswordAuthentication no",
        "KbdInteractiveAuthentication no",
        f"UsePAM {'yes' if pam else 'no'}",
        "StrictModes no",
        "UseDNS no",
        "PrintMotd no",
        "PrintLastLog no",
        "MaxStartups 200",
        "MaxSessions 100",
        "MaxAuthTries 20",
        "PidFile none",
        "LogLevel ERROR",
        "AcceptEnv LANG LC_*",
        *(["PerSourcePenalties no"] if version >= _PENALTIES else []),
        *more,
    ]
    return "\n".join((*lines, ""))


def openssh_version() -> tuple[int, int]:
    """Return the version of the installed OpenSSH; (0, 0) if it cannot be told."""
    try:
        done = subprocess.run(
            ["ssh", "-V"], capture_output=True, text=True, check=False, timeout=10
        )
    except (OSError, subprocess.SubprocessError):
        return (0, 0)
    found = re.search(r"OpenSSH_(\d+)\.(\d+)", done.stderr + done.stdout)
    return (int(found[1]), int(found[2])) if found else (0, 0)

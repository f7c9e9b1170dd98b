"""User data, as far as the lab's servers obey it: what cloud-init would make of it."""

import base64
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from email import message_from_bytes
from typing import Any

import yaml

_SCRIPT = b"#!"
_CONFIG = b"#cloud-config"


@dataclass(slots=True)
class Wishes:
    """What user data asks for.

    Attributes:
        host_keys: Private and public half by kind; given some, no others are made.
    """

    hostname: str | None = None
    authorized_keys: list[str] = field(default_factory=list)
    host_keys: dict[str, tuple[str, str]] = field(default_factory=dict)
    commands: list[str] = field(default_factory=list)
    scripts: list[bytes] = field(default_factory=list)

    @property
    def script(self) -> bytes:
        """What is run at boot, or nothing."""
        if self.scripts and not self.commands and len(self.scripts) == 1:
            return self.scripts[0]
        if not self.scripts and not self.commands:
            return b""
        parts = [f"{line}\n".encode() for line in self.commands]
        for number, script in enumerate(self.scripts):
            mark = f"END_OF_PART_{number}".encode()
            path = f"/run/lab-part-{number}".encode()
            parts.append(b"cat >%b <<'%b'\n%b\n%b\n" % (path, mark, script, mark))
            parts.append(b"chmod 755 %b; %b\n" % (path, path))
        return b"#!/bin/sh\n" + b"".join(parts)


def read_wishes(user_data: str | None) -> Wishes:
    """Read user data as Nova stores it."""
    wishes = Wishes()
    _take(wishes, base64.b64decode(user_data or ""))
    return wishes


def _take(wishes: Wishes, data: bytes) -> None:
    if data.startswith(_SCRIPT):
        wishes.scripts.append(data)
    elif data.startswith(_CONFIG):
        _take_config(wishes, yaml.safe_load(data) or {})
    elif data[:4096].lower().startswith((b"content-type:", b"mime-version:")):
        for part in message_from_bytes(data).walk():
            if not part.is_multipart():
                _take(wishes, part.get_payload(decode=True) or b"")


def _take_config(wishes: Wishes, config: Mapping[str, Any]) -> None:
    """Take a later cloud-config over an earlier one, as cloud-init does."""
    wishes.hostname = config.get("hostname", wishes.hostname)
    if "ssh_authorized_keys" in config:
        wishes.authorized_keys[:] = list(config["ssh_authorized_keys"])
    given = config.get("ssh_keys") or {}
    for kind in ("ed25519", "ecdsa", "rsa"):
        if f"{kind}_private" in given:
            pair = (str(given[f"{kind}_private"]), str(given.get(f"{kind}_public", "")))
            wishes.host_keys[kind] = pair
    if "runcmd" in config:
        wishes.commands[:] = [
            each if isinstance(each, str) else subprocess.list2cmdline(each)
            for each in config["runcmd"]
        ]

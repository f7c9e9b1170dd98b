"""What user data asks of a machine; pure.

A small part of cloud-init, with its words: ``#!`` scripts, ``#cloud-config`` with hostname,
ssh_authorized_keys, users, ssh_keys, ssh_deletekeys, write_files, runcmd and bootcmd, of chpasswd
whose password has expired, and MIME multipart of those.  Everything else in a cloud-config is
ignored, as cloud-init warns only.
"""

from __future__ import annotations

import base64
import binascii
import email
import gzip
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

import yaml

_KEY_TYPES: Final = ("ed25519", "ecdsa", "rsa")


@dataclass(frozen=True, slots=True, kw_only=True)
class User:
    """Somebody who can log in with one of *keys*.

    Attributes:
        login_shell: Of an account that the image has not.
        expired: The password is to be changed at the first login, whatever opens the account.
    """

    name: str
    keys: tuple[str, ...] = ()
    sudo: bool = True
    login_shell: str = "/bin/bash"
    expired: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class File:
    """A file to write before anything starts."""

    path: str
    content: bytes
    mode: int = 0o644
    append: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class HostKey:
    """A host key known beforehand; *kind* is ``ed25519``, ``ecdsa`` or ``rsa``."""

    kind: str
    private: str
    public: str


@dataclass(frozen=True, slots=True, kw_only=True)
class BootPlan:
    """Everything a machine does at its first boot.

    Attributes:
        users: Root, the ordinary user, and others the user data names.
        host_keys: Empty: a new key is made.
        keep_host_keys: An image's own host keys stay (``ssh_deletekeys: false``).
        scripts: Run as root one after the other, while sshd is already up.
        warnings: What in the user data could not be understood; printed on the console.
        user_data: As it came; cloud-init keeps it on the disk.
    """

    hostname: str
    users: tuple[User, ...] = ()
    host_keys: tuple[HostKey, ...] = ()
    keep_host_keys: bool = False
    files: tuple[File, ...] = ()
    scripts: tuple[bytes, ...] = ()
    warnings: tuple[str, ...] = ()
    user_data: bytes = field(default=b"", repr=False)

    def with_keys(self, keys: tuple[str, ...]) -> BootPlan:
        """Return the plan with *keys* as the only ones for everybody."""
        return replace(self, users=tuple(replace(user, keys=keys) for user in self.users))


def plan_boot(user_data: bytes, *, hostname: str, user: str, keys: tuple[str, ...]) -> BootPlan:
    """Work out a machine's first boot.

    Args:
        user_data: As sent with the server, decoded; may be empty.
        hostname: Unless the user data says otherwise.
        user: The ordinary user of the image.
        keys: Let in root and the ordinary user.
    """
    users = tuple(User(name=name, keys=keys) for name in dict.fromkeys(("root", user)))
    plan = BootPlan(hostname=hostname, users=users, user_data=user_data)
    for part in _parts(user_data):
        if part.startswith(b"#!"):
            plan = replace(plan, scripts=(*plan.scripts, part))
        elif part.lstrip().startswith(b"#cloud-config"):
            plan = _configured(plan, part, user)
        elif part.strip():
            plan = _warn(plan, f"user data part ignored: it begins with {part[:20]!r}")
    return plan


def _parts(data: bytes) -> Iterator[bytes]:
    if data.startswith(b"\x1f\x8b"):
        try:
            data = gzip.decompress(data)
        except (OSError, EOFError):
            return
    head = data.lstrip()[:200].lower()
    if not head.startswith((b"content-type: multipart", b"mime-version:", b"from ")):
        yield data
        return
    for part in email.message_from_bytes(data).walk():
        payload = part.get_payload(decode=True)
        if not part.is_multipart() and isinstance(payload, bytes):
            yield payload


def _warn(plan: BootPlan, warning: str) -> BootPlan:
    return replace(plan, warnings=(*plan.warnings, warning))


def _configured(plan: BootPlan, part: bytes, user: str) -> BootPlan:
    try:
        config = yaml.safe_load(part)
    except yaml.YAMLError as exc:
        return _warn(plan, f"cloud-config ignored: {exc}")
    if not isinstance(config, dict):
        return plan
    name = config.get("hostname") or config.get("fqdn") or plan.hostname
    plan = replace(
        plan,
        hostname=str(name).split(".")[0],
        keep_host_keys=config.get("ssh_deletekeys", True) is False,
        host_keys=plan.host_keys + _host_keys(config.get("ssh_keys")),
    )
    plan = _with_users(plan, config, user)
    for entry in _dicts(config.get("write_files")):
        plan = _with_file(plan, entry)
    commands = [*_list(config.get("bootcmd")), *_list(config.get("runcmd"))]
    if commands:
        lines = [
            each if isinstance(each, str) else shlex.join(map(str, each))
            for each in commands
            if isinstance(each, str | list)
        ]
        script = "\n".join(("#!/bin/sh", *lines, "")).encode()
        plan = replace(plan, scripts=(*plan.scripts, script))
    return plan


def _host_keys(asked: Any) -> tuple[HostKey, ...]:
    if not isinstance(asked, Mapping):
        return ()
    return tuple(
        HostKey(
            kind=kind,
            private=_ended(asked[f"{kind}_private"]),
            public=_ended(asked.get(f"{kind}_public") or ""),
        )
        for kind in _KEY_TYPES
        if asked.get(f"{kind}_private")
    )


def _ended(text: Any) -> str:
    return str(text).strip() + "\n" if text else ""


def _with_users(plan: BootPlan, config: Mapping[str, Any], user: str) -> BootPlan:
    everyone = _strings(config.get("ssh_authorized_keys"))
    users = {each.name: replace(each, keys=each.keys + everyone) for each in plan.users}
    for entry in _list(config.get("users")):
        if isinstance(entry, str) and entry != "default":
            users.setdefault(entry, User(name=entry, sudo=False))
        elif isinstance(entry, dict) and entry.get("name"):
            name = str(entry["name"])
            keys = _strings(entry.get("ssh_authorized_keys") or entry.get("ssh-authorized-keys"))
            before = users.get(name)
            users[name] = User(
                name=name,
                keys=(before.keys if before else ()) + keys,
                sudo=bool(entry.get("sudo")) or name in ("root", user),
                login_shell=str(entry.get("shell") or "/bin/bash"),
            )
    for name in _expired(config.get("chpasswd")):
        if name in users:
            users[name] = replace(users[name], expired=True)
    return replace(plan, users=tuple(users.values()))


def _expired(chpasswd: Any) -> Iterator[str]:
    """Yield whose new passwords are to be changed; cloud-init's default is that all are."""
    if not isinstance(chpasswd, Mapping) or chpasswd.get("expire", True) is False:
        return
    for entry in _list(chpasswd.get("users")):
        if isinstance(entry, dict) and entry.get("name"):
            yield str(entry["name"])


def _with_file(plan: BootPlan, entry: Mapping[str, Any]) -> BootPlan:
    try:
        content = _content(str(entry.get("content", "")), str(entry.get("encoding", "")))
        mode = int(str(entry.get("permissions", "0644")), 8)
        file = File(
            path=str(entry["path"]),
            content=content,
            mode=mode,
            append=bool(entry.get("append", False)),
        )
    except (KeyError, ValueError, OSError, binascii.Error) as exc:
        return _warn(plan, f"write_files entry ignored: {exc!r}")
    return replace(plan, files=(*plan.files, file))


def _content(text: str, encoding: str) -> bytes:
    match encoding:
        case "b64" | "base64":
            return base64.b64decode(text)
        case "gzip" | "gz":
            return gzip.decompress(text.encode("latin-1"))
        case "gz+b64" | "gzip+b64" | "gz+base64" | "gzip+base64":
            return gzip.decompress(base64.b64decode(text))
        case "" | "text/plain":
            return text.encode()
        case _:
            raise ValueError(f"encoding {encoding!r} is not known")


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _dicts(value: Any) -> list[dict[str, Any]]:
    return [each for each in _list(value) if isinstance(each, dict)]


def _strings(value: Any) -> tuple[str, ...]:
    return tuple(str(each).strip() for each in _list(value))

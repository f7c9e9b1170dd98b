"""Who may log in to a namespace machine: its passwd, group, shadow, homes and keys."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from sandbox.machines.base import MachineError
from sandbox.machines.bootplan import User
from sandbox.machines.upper import put, text_of

#: Ordinary people's ids (login.defs(5)); the host's own are not shown in a machine.
_PEOPLE: Final = range(1000, 60000)
_SHELL: Final = re.compile(r"/[A-Za-z0-9_./+-]{1,200}")
#: Of an entry in passwd(5).
_FIELDS: Final = 7
#: (uid_t) -1 stands for none.
_ID_MAX: Final = 2**32 - 2
_ID_DIGITS_MAX: Final = 10


def write_accounts(upper: Path, users: tuple[User, ...]) -> None:
    """Make sure that *users* exist and that their keys let them in, beside those of the image.

    Args:
        users: Root among them.
        upper: What the machine has written, or its image had, over the host's root.

    Raises:
        MachineError: If the image's account files cannot be used.
    """
    passwd = _lines(upper, "etc/passwd")
    group = _lines(upper, "etc/group")
    shadow = _lines(upper, "etc/shadow")
    for user in users:
        if not any(line.startswith(f"{user.name}:") for line in passwd):
            number = _free_id(passwd)
            passwd.append(f"{user.name}:x:{number}:{number}::/home/{user.name}:{_shell(user)}")
            group.append(f"{user.name}:x:{number}:")
        # "*": no password opens it, yet sshd does not hold it for locked, as it does with "!".
        shadow = [line for line in shadow if not line.startswith(f"{user.name}:")]
        # Day 0: it is to be changed now (shadow(5)).
        shadow.append(f"{user.name}:*:{0 if user.expired else 19000}:0:99999:7:::")
    sudoers = [user.name for user in users if user.sudo and user.name != "root"]
    put(upper, "etc/passwd", _joined(passwd))
    put(upper, "etc/group", _joined(_with_members(group, sudoers)))
    put(upper, "etc/shadow", _joined(shadow), 0o640)
    for user in users:
        _write_home(upper, user, passwd)
    rights = [f"{name} ALL=(ALL) NOPASSWD:ALL" for name in sudoers]
    put(upper, "etc/sudoers.d/90-cloud-init-users", _joined(rights), 0o440)


def _shell(user: User) -> str:
    """Return the shell of a new account.

    Raises:
        MachineError: If it is no path, which would be read as more than that.
    """
    if not _SHELL.fullmatch(user.login_shell):
        raise MachineError(f"no shell of an account: {user.login_shell[:80]!r}")
    return user.login_shell


def _lines(upper: Path, name: str) -> list[str]:
    """Return the lines of an account file: the image's, else the host's without its people."""
    own = text_of(upper, name)
    if own is not None:
        return own.splitlines()
    host = (Path("/") / name).read_text(encoding="utf-8").splitlines()
    people = {
        line.split(":")[0]
        for line in Path("/etc/passwd").read_text(encoding="utf-8").splitlines()
        if _number(line) in _PEOPLE
    }
    return [line for line in host if line.split(":")[0] not in people]


def _number(line: str) -> int:
    parts = line.split(":")
    return _id(parts[2]) if len(parts) > 2 else -1  # noqa: PLR2004


def _id(text: str) -> int:
    """Return a user's or group's number, or -1."""
    plain = text.isascii() and text.isdecimal() and len(text) <= _ID_DIGITS_MAX
    return int(text) if plain and int(text) <= _ID_MAX else -1


def _free_id(passwd: list[str]) -> int:
    taken = {_number(line) for line in passwd}
    number = next((number for number in _PEOPLE if number not in taken), None)
    if number is None:
        raise MachineError("the image's passwd has no number left for a user")
    return number


def _with_members(group: list[str], names: list[str]) -> list[str]:
    """Return the lines of a group file with *names* in the group of those who may become root."""
    changed = []
    for line in group:
        name, *rest, members = line.split(":") if ":" in line else (line, "")
        if name == "sudo":
            if not rest:
                raise MachineError(f"the image's group file cannot be used: {line[:80]!r}")
            whole = dict.fromkeys([*filter(None, members.split(",")), *names])
            changed.append(":".join((name, *rest, ",".join(whole))))
        else:
            changed.append(line)
    return changed


def _write_home(upper: Path, user: User, passwd: list[str]) -> None:
    line = next(line for line in passwd if line.startswith(f"{user.name}:"))
    uid, gid, home = _entry(line)
    file = f"{home}/.ssh/authorized_keys"
    keys = [*(text_of(upper, file) or "").splitlines(), *user.keys]
    path = put(upper, file, _joined(dict.fromkeys(keys)), 0o600)
    folder = path.parent
    folder.parent.chmod(0o700 if user.name == "root" else 0o755)
    folder.chmod(0o700)
    for each in (folder.parent, folder, path):
        os.chown(each, uid, gid)


def _entry(line: str) -> tuple[int, int, str]:
    """Return the numbers and the home of an entry in passwd, without slashes around it.

    Raises:
        MachineError: If it has none that can be used.
    """
    parts = line.split(":")
    if len(parts) == _FIELDS:
        uid, gid, home = _id(parts[2]), _id(parts[3]), parts[5].strip("/")
        if uid >= 0 and gid >= 0 and parts[5].startswith("/") and home:
            return uid, gid, home
    raise MachineError(f"the image's passwd cannot be used: {line[:80]!r}")


def _joined(lines: Iterable[str]) -> str:
    return "".join(f"{line}\n" for line in lines)

"""Who may log in to a namespace machine: its passwd, group, shadow, homes and keys."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

from sandbox.machines.bootplan import User

#: Ordinary people's ids (login.defs(5)); the host's own are not shown in a machine.
_PEOPLE: Final = range(1000, 60000)


def write_accounts(upper: Path, users: tuple[User, ...]) -> None:
    """Make sure that *users* exist and only their keys let them in.

    Args:
        users: Root among them.
        upper: What the machine has written, or its image had, over the host's root.
    """
    passwd = _lines(upper, "etc/passwd")
    group = _lines(upper, "etc/group")
    shadow = _lines(upper, "etc/shadow")
    for user in users:
        if not any(line.startswith(f"{user.name}:") for line in passwd):
            number = _free_id(passwd)
            passwd.append(f"{user.name}:x:{number}:{number}::/home/{user.name}:/bin/bash")
            group.append(f"{user.name}:x:{number}:")
        # "*": no password opens it, yet sshd does not hold it for locked, as it does with "!".
        shadow = [line for line in shadow if not line.startswith(f"{user.name}:")]
        shadow.append(f"{user.name}:*:19000:0:99999:7:::")
    _put(upper / "etc/passwd", passwd, 0o644)
    _put(upper / "etc/group", group, 0o644)
    _put(upper / "etc/shadow", shadow, 0o640)
    for user in users:
        _write_home(upper, user, passwd)
        if user.sudo and user.name != "root":
            _put(
                upper / f"etc/sudoers.d/90-{user.name.replace('.', '-')}",
                [f"{user.name} ALL=(ALL) NOPASSWD:ALL"],
                0o440,
            )


def _lines(upper: Path, name: str) -> list[str]:
    """Return the lines of an account file: the image's, else the host's without its people."""
    own = upper / name
    if own.exists():
        return own.read_text(encoding="utf-8").splitlines()
    host = (Path("/") / name).read_text(encoding="utf-8").splitlines()
    people = {
        line.split(":")[0]
        for line in Path("/etc/passwd").read_text(encoding="utf-8").splitlines()
        if _number(line) in _PEOPLE
    }
    return [line for line in host if line.split(":")[0] not in people]


def _number(line: str) -> int:
    parts = line.split(":")
    return int(parts[2]) if len(parts) > 2 and parts[2].isdecimal() else -1  # noqa: PLR2004


def _free_id(passwd: list[str]) -> int:
    taken = {_number(line) for line in passwd}
    return next(number for number in _PEOPLE if number not in taken)


def _write_home(upper: Path, user: User, passwd: list[str]) -> None:
    entry = next(line for line in passwd if line.startswith(f"{user.name}:")).split(":")
    uid, gid, home = int(entry[2]), int(entry[3]), upper / entry[5].lstrip("/")
    (home / ".ssh").mkdir(parents=True, exist_ok=True)
    keys = home / ".ssh/authorized_keys"
    _put(keys, list(user.keys), 0o600)
    for path, mode in ((home, 0o700 if user.name == "root" else 0o755), (home / ".ssh", 0o700)):
        path.chmod(mode)
        os.chown(path, uid, gid)
    os.chown(keys, uid, gid)


def _put(path: Path, lines: list[str], mode: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    path.chmod(mode)

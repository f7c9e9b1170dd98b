"""Files in a machine's own layer, from outside: no link in it may lead us to the host's files."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from sandbox.machines.base import MachineError
from sandbox.machines.system import is_whiteout


def put(upper: Path, name: str, content: str | bytes, mode: int = 0o644) -> Path:
    """Write the file *name* of the machine, in place of whatever is there.

    Raises:
        MachineError: If its folder is a link.
    """
    path = place(upper, name)
    remove(path)
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    path.chmod(mode)
    return path


def link(upper: Path, name: str, target: str) -> None:
    """Make a symbolic link, in place of whatever is there.

    Raises:
        MachineError: If its folder is a link.
    """
    path = place(upper, name)
    remove(path)
    path.symlink_to(target)


def place(upper: Path, name: str) -> Path:
    """Return where the machine has *name*, in a folder that is there.

    Raises:
        MachineError: If its folder is a link, or the name would lead elsewhere.
    """
    folder = upper
    for part in _parts(name)[:-1]:
        folder /= part
        make_folder(folder)
    return upper / name


def make_folder(folder: Path) -> bool:
    """Make a folder unless it is there; return whether it is new.

    Raises:
        MachineError: If there is something else.
    """
    if is_whiteout(folder):
        folder.unlink()
    try:
        folder.mkdir()
    except FileExistsError:
        if not stat.S_ISDIR(folder.lstat().st_mode):
            raise MachineError(f"{folder.name} is no folder in the image") from None
        return False
    folder.chmod(0o755)
    return True


def text_of(upper: Path, name: str) -> str | None:
    """Return what the machine's layer has in the file *name*; None if it has no such file.

    Raises:
        MachineError: If the name would lead elsewhere.
    """
    ways, path = _ways(name), upper / name
    if any(upper.joinpath(*parts).is_symlink() for parts in ways) or not path.is_file():
        return None
    return path.read_text(encoding="utf-8", errors="replace")


def hide(upper: Path, name: str) -> None:
    """Let the machine not see the host's file *name*; what is its own stays.

    Raises:
        MachineError: If its folder is a link, or the name would lead elsewhere.
    """
    path = place(upper, name)
    if not os.path.lexists(path):
        os.mknod(path, stat.S_IFCHR, 0)


def remove(path: Path) -> None:
    """Remove a file, link or whiteout, if there is one."""
    path.unlink(missing_ok=True)


def _ways(name: str) -> list[tuple[str, ...]]:
    parts = _parts(name)
    return [parts[: i + 1] for i in range(len(parts))]


def _parts(name: str) -> tuple[str, ...]:
    """Return the parts of the name of a file below the machine's root.

    Raises:
        MachineError: If it would lead out of there: names may come from images.
    """
    parts = tuple(name.split("/"))
    if "\0" in name or not all(part not in {"", ".", ".."} for part in parts):
        raise MachineError(f"{name!r} is no name of a file in a machine")
    return parts

"""What namespace machines see of this machine: all of it, or a minimal Debian made of its files.

Nothing is copied. A layer lies between this machine's root and a machine's own writes, and hides
what no wanted package has brought (whiteouts and opaque folders: kernel, overlayfs.rst).
"""

from __future__ import annotations

import os
import re
import shutil
import stat
import subprocess
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from sandbox.machines.base import MachineError
from sandbox.machines.probe import sshd_path

#: Besides what Debian cannot be without: what tests, checks and steps of images use.
_WANTED: Final = (
    *("ca-certificates", "curl", "iproute2", "less", "netcat-openbsd", "openssh-client"),
    *("openssh-server", "procps", "python3", "sudo", "systemd"),
)
#: They are sorted out; what is elsewhere (/etc, devices) is small or a machine's own anyway.
_SORTED: Final = ("/usr", "/var")
#: Kept with all below, whoever brought them: data of the tools that stay.
_WHOLE: Final = frozenset(f"/var/lib/{name}" for name in ("apt", "dpkg", "pam", "systemd", "ucf"))
#: Never kept: nobody runs them, and they are most of the files.
_UNREAD: Final = ("/usr/share/doc/", "/usr/share/man/", "/usr/share/locale/", "/usr/share/info/")
#: Debian's images for clouds have no lists of packages either: they are fetched before a use.
_LISTS: Final = "/var/lib/apt/lists"
_OPAQUE: Final = ("/usr/local", "/var/cache", "/opt", _LISTS)
_MADE: Final = (
    *("/usr/local/bin", "/usr/local/sbin", "/usr/local/lib"),
    *("/var/cache/apt/archives/partial", "/var/cache/debconf", "/var/cache/ldconfig"),
    f"{_LISTS}/partial",
)
_CHOSEN: Final = "/etc/alternatives/"
_INFO: Final = "/var/lib/dpkg/info"
_STATUS: Final = "/var/lib/dpkg/status"
#: What dpkg has done since it last wrote its status (dpkg's own journal).
_UPDATES: Final = "/var/lib/dpkg/updates"
_FIELDS: Final = "${binary:Package}\t${Essential}\t${Priority}\t${Depends}, ${Pre-Depends}"
_QUERY_S: Final = 60.0

#: sudo, where this machine has none: as much of it as scripts use. The other file is setpriv(1),
#: which whoever may execute it runs as root.
SUDO: Final = "/usr/local/bin/sudo"
_SUDO_ROOT: Final = "/usr/local/libexec/sandbox-sudo"
_SUDO_TEXT: Final = f"""#!/bin/sh
while [ $# -gt 0 ]; do
  case $1 in
  -n | -E | -H) shift ;;
  --) shift; break ;;
  -*) echo "sudo: this small one knows -n, -E, -H and no $1" >&2; exit 1 ;;
  *) break ;;
  esac
done
[ $# -gt 0 ] || {{ echo "usage: sudo [-n] COMMAND" >&2; exit 1; }}
[ -x {_SUDO_ROOT} ] || {{ echo "sudo: $(id -un) may not run sudo" >&2; exit 1; }}
PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
HOME=/root USER=root LOGNAME=root
export PATH HOME USER LOGNAME
exec {_SUDO_ROOT} --reuid=0 --regid=0 --clear-groups -- "$@"
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Package:
    """An installed package; *needs* are its dependencies, each the names that would do."""

    name: str
    needed: bool
    needs: tuple[tuple[str, ...], ...]
    provides: tuple[str, ...]


def why_no_minimal() -> str:
    """Say why a minimal system cannot be told from the rest here; empty if it can."""
    if shutil.which("dpkg-query") is None:
        return "not installed: dpkg"
    return "" if (sshd_path() or "").startswith(("/usr/sbin/", "/sbin/")) else "sshd is no package"


def make_layer(layer: Path, *, minimal: bool) -> None:
    """Fill the empty folder *layer*, which lies over this machine's root in all machines.

    Raises:
        MachineError: If a minimal system cannot be told from the rest here.
    """
    try:
        if minimal:
            _hide_rest(layer, _closure(_installed()))
        elif Path(_STATUS).exists():
            _write_status(layer)
        if shutil.which("sudo", path="/usr/bin:/bin:/usr/sbin:/sbin") is None:
            _put_sudo(layer)
    except (OSError, subprocess.SubprocessError) as exc:
        raise MachineError(f"the system of machines cannot be made: {exc}") from exc


def is_whiteout(path: Path) -> bool:
    """Say whether *path* in a layer stands for a file that was removed."""
    try:
        seen = path.lstat()
    except OSError:
        return False
    return stat.S_ISCHR(seen.st_mode) and seen.st_rdev == 0


def _put_sudo(layer: Path) -> None:
    root = layer / _SUDO_ROOT[1:]
    for path in (layer / SUDO[1:], root):
        _make_folders(layer, path.parent)
    (layer / SUDO[1:]).write_text(_SUDO_TEXT, encoding="ascii")
    (layer / SUDO[1:]).chmod(0o755)
    tool = shutil.which("setpriv")
    if tool is None:
        raise MachineError("not installed: setpriv")
    shutil.copyfile(tool, root)
    os.chown(root, 0, sudo_group())
    root.chmod(0o4750)


def sudo_group() -> int:
    """Return the number of the group whose members may become root; root's own if there is none."""
    for line in Path("/etc/group").read_text(encoding="utf-8").splitlines():
        name, _, number = line.split(":")[:3]
        if name == "sudo":
            return int(number)
    return 0


# ---------------------------------------------------------------- packages


def _dpkg(*words: str) -> str:
    done = subprocess.run(
        ["dpkg-query", *words],
        capture_output=True,
        text=True,
        timeout=_QUERY_S,
        check=False,
        env={"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C.UTF-8"},
    )
    if done.returncode:
        raise MachineError(f"dpkg-query: {done.stderr.strip()[-300:]}")
    return done.stdout


def _installed() -> list[_Package]:
    lines = _dpkg("-W", "-f", f"${{db:Status-Status}}\t{_FIELDS}\t${{Provides}}\n").splitlines()
    rows = [line.split("\t") for line in lines]
    return [
        _Package(
            name=name,
            needed=essential == "yes" or priority == "required",
            needs=tuple(
                tuple(_bare(one) for one in each.split("|"))
                for each in needs.split(",")
                if each.strip()
            ),
            provides=tuple(_bare(each) for each in provides.split(",") if each.strip()),
        )
        for status, name, essential, priority, needs, provides in rows
        if status == "installed"
    ]


def _bare(word: str) -> str:
    """Return a package's name without version and architecture."""
    return re.split(r"[\s(:\[]", word.strip(), maxsplit=1)[0]


def _closure(packages: Sequence[_Package]) -> set[str]:
    """Return the names of what is needed or wanted, and of what that needs in turn; pure."""
    by_name: dict[str, _Package] = {}
    for package in packages:
        for name in package.provides:
            by_name.setdefault(name, package)
    by_name |= {_bare(package.name): package for package in packages}
    left = [package for package in packages if package.needed]
    left += [by_name[name] for name in _WANTED if name in by_name]
    found: set[str] = set()
    while left:
        package = left.pop()
        if package.name in found:
            continue
        found.add(package.name)
        for choices in package.needs:
            left += [by_name[name] for name in choices if name in by_name][:1]
    return found


# ---------------------------------------------------------------- the layer


def _hide_rest(layer: Path, names: set[str]) -> None:
    kept = set(_real(_files_of(names)))
    kept |= {path for folder in ("/usr/bin", "/usr/sbin") for path in _alternatives(folder)}
    folders = {str(parent) for path in kept | _WHOLE for parent in Path(path).parents}
    for top in _SORTED:
        for path in _others(top, kept, folders):
            _whiteout(layer, path)
    _make_folders(layer, layer / _INFO[1:])
    for entry in os.scandir(_INFO):  # libc6:amd64.list, or bash.list; and "format"
        if "." in entry.name and entry.name.rpartition(".")[0] not in names:
            _whiteout(layer, entry.path)
    _write_status(layer, {_bare(name) for name in names})
    for name in _OPAQUE:
        _make_folders(layer, layer / name[1:])
        os.setxattr(layer / name[1:], "trusted.overlay.opaque", b"y")
    for name in _MADE:
        _make_folders(layer, layer / name[1:])


def _files_of(names: set[str]) -> Iterator[str]:
    for line in _dpkg("-L", *names).splitlines():
        # Of diverted files it says in words where they are.
        path = line if line.startswith("/") else line.rpartition(": ")[2]
        if path.startswith("/") and not f"{path}/".startswith(_UNREAD):
            yield path


def _real(paths: Iterable[str]) -> Iterator[str]:
    """Yield where files are: packages say /bin/sh and mean /usr/bin/sh."""
    parents: dict[str, str] = {}
    for path in paths:
        folder, _, name = path.rpartition("/")
        if folder not in parents:
            parents[folder] = os.path.realpath(folder or "/")
        yield str(Path(parents[folder]) / name)


def _alternatives(folder: str) -> Iterator[str]:
    """Yield links that no package has brought but update-alternatives(1) has made."""
    for entry in os.scandir(folder):
        if entry.is_symlink() and str(Path(entry.path).readlink()).startswith(_CHOSEN):
            yield entry.path


def _others(folder: str, kept: set[str], folders: set[str]) -> Iterator[str]:
    """Yield the topmost of what is below *folder* and not to be seen."""
    for entry in os.scandir(folder):
        if entry.path in _WHOLE or entry.path in _OPAQUE:
            continue
        if entry.path not in kept and entry.path not in folders:
            yield entry.path
        elif entry.is_dir(follow_symlinks=False):
            yield from _others(entry.path, kept, folders)


def _whiteout(layer: Path, path: str) -> None:
    hidden = layer / path[1:]
    _make_folders(layer, hidden.parent)
    os.mknod(hidden, stat.S_IFCHR, 0)


def _make_folders(layer: Path, folder: Path) -> None:
    """Make a folder of the layer, and those above, with the rights of this machine's."""
    if folder == layer or folder.is_dir():
        return
    _make_folders(layer, folder.parent)
    folder.mkdir()
    folder.chmod(0o755)
    here = Path("/") / folder.relative_to(layer)
    if here.is_dir():
        seen = here.stat()
        os.chown(folder, seen.st_uid, seen.st_gid)
        folder.chmod(stat.S_IMODE(seen.st_mode))


def _write_status(layer: Path, names: set[str] | None = None) -> None:
    """Write what dpkg knows: those packages and no others, or all.

    Never one that this machine is just installing: its tools go on, those of machines would not.
    """
    text = Path(_STATUS).read_text(encoding="utf-8", errors="surrogateescape")
    own = [
        each
        for each in text.split("\n\n")
        if (names is None or _package_of(each) in names) and _is_settled(each)
    ]
    path = layer / _STATUS[1:]
    _make_folders(layer, path.parent)
    path.write_text("".join(f"{each.strip()}\n\n" for each in own), errors="surrogateescape")
    path.chmod(0o644)
    _make_folders(layer, layer / _UPDATES[1:])
    os.setxattr(layer / _UPDATES[1:], "trusted.overlay.opaque", b"y")


def _is_settled(paragraph: str) -> bool:
    """Say whether a package is whole, or only its configuration is left."""
    found = re.search(r"^Status: \w+ ok (\S+)$", paragraph, re.MULTILINE)
    return found is not None and found[1] in ("installed", "config-files")


def _package_of(paragraph: str) -> str:
    first = paragraph.strip().partition("\n")[0]
    return first.removeprefix("Package: ")

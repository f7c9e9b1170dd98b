"""Hosts as folders: each has a root of its own, an overlay over those that it has in common.

To be used within a mount and a PID namespace of one's own (:mod:`tests.operations`): every mount
and every process then ends with it. All hosts share one network; their addresses are in 127/8.
"""

import hashlib
import os
import shutil
import subprocess
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

#: Of one block; the longest installs packages.
BLOCK_S_MAX: Final = 600.0
_CACHE: Final = "var/cache/pip"
_DEVICES: Final = ("null", "zero", "full", "random", "urandom")
#: What a host's processes find in their environment, and nothing else.
_PATH: Final = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


class BlockError(Exception):
    """A block ended with another code than 0; the text is what it printed."""


class Host:
    """One root.

    Attributes:
        name: Short name; its host name is ``NAME.example.org``.
        root: Where its root is mounted; what is written there stays in this host.
        ending: Called before the root goes.
    """

    #: Downloads of pip that all hosts share, to be kept for the next time.
    cache: Path | None = None

    def __init__(self, name: str, folder: Path, lowers: Sequence[Path]) -> None:
        self.name = name
        self.folder = folder
        self.lowers = tuple(lowers)
        self.root = folder / "root"
        self.ending: list[Callable[[], None]] = []
        self._mounted = False

    @property
    def upper(self) -> Path:
        """Where its own writes are."""
        return self.folder / "upper"

    def up(self) -> None:
        """Mount the root; does nothing if it is."""
        if self._mounted:
            return
        for each in (self.root, self.upper, self.folder / "work"):
            each.mkdir(parents=True, exist_ok=True)
        lower = ":".join(str(each) for each in self.lowers)
        options = f"lowerdir={lower},upperdir={self.upper},workdir={self.folder / 'work'}"
        _run(["mount", "-t", "overlay", "overlay", "-o", options, str(self.root)])
        for kind, place, more in (
            ("proc", "proc", ""),
            ("tmpfs", "run", "mode=755"),
            ("tmpfs", "dev", "mode=755"),
            ("tmpfs", "tmp", "mode=1777"),
        ):
            where = self.root / place
            where.mkdir(exist_ok=True)
            _run(["mount", "-t", kind, kind, *(["-o", more] if more else []), str(where)])
        for name in _DEVICES:
            node = self.root / "dev" / name
            node.touch()
            _run(["mount", "--bind", f"/dev/{name}", str(node)])
        if self.cache is not None:
            where = self.root / _CACHE
            where.mkdir(parents=True, exist_ok=True)
            _run(["mount", "--bind", str(self.cache), str(where)])
        for name, target in (("fd", ""), ("stdin", "/0"), ("stdout", "/1"), ("stderr", "/2")):
            (self.root / "dev" / name).symlink_to(f"/proc/self/fd{target}")
        self._mounted = True

    def down(self) -> None:
        """Take the mounts away, so that others may stand on what was written."""
        if self._mounted:
            for each in self.ending:
                each()
            _run(["umount", "--recursive", str(self.root)])
            self._mounted = False

    def command(self, words: Sequence[str]) -> list[str]:
        """Return the command that runs *words* in this root, under the host's own name."""
        enter = 'hostname "$0" && exec chroot "$@"'
        fqdn = f"{self.name}.example.org"
        return ["unshare", "--uts", "--ipc", "sh", "-c", enter, fqdn, str(self.root), *words]

    def shell(self, script: str, environ: Mapping[str, str], log: Path) -> str:
        """Run a block as root; return what it printed.

        Raises:
            BlockError: If it ends with a code other than 0, or not in time.
        """
        self.up()
        words = ["/bin/bash", "-euo", "pipefail", "-c", script]
        with log.open("ab") as output:
            start = output.tell()
            process = subprocess.Popen(
                self.command(words),
                env=self.environ(environ),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
            )
            try:
                code: int | str = process.wait(BLOCK_S_MAX)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
                code = f"none after {BLOCK_S_MAX:g} s"
        said = log.read_bytes()[start:].decode(errors="replace")
        if code != 0:
            raise BlockError(f"exit code {code}\n{said[-6000:]}")
        return said

    @staticmethod
    def environ(more: Mapping[str, str]) -> dict[str, str]:
        """Return the environment of root's shell, with *more* of the site's."""
        usual = {"PATH": _PATH, "HOME": "/root", "USER": "root", "LANG": "C.UTF-8"}
        return {**usual, "DEBIAN_FRONTEND": "noninteractive", **more,
                "PIP_CACHE_DIR": f"/{_CACHE}"}  # fmt: skip


class Hosts:
    """All hosts of a page; blocks for several are run once, as long as these are still alike."""

    def __init__(self, folder: Path, base: Sequence[Path]) -> None:
        self._folder = folder
        self._base = tuple(base)
        #: What hosts have in common, the newest last, and for which hosts that is being written.
        self._lines: dict[str, tuple[Host, ...]] = {}
        self._members: dict[Host, tuple[str, ...]] = {}
        self._own: dict[str, Host] = {}
        self._mail: dict[str, list[tuple[str, Path]]] = {}

    def those(self, names: tuple[str, ...], *, personal: bool) -> list[Host]:
        """Return the roots in which a block for *names* is to be run.

        Args:
            names: Whose block it is.
            personal: What it does depends on the host.
        """
        alike = {(self._line(name), tuple(self._mail.get(name, ()))) for name in names}
        if (
            personal
            or len(names) == 1
            or len(alike) > 1
            or any(name in self._own for name in names)
        ):
            return [self.own(name) for name in names]
        line, _ = alike.pop()
        if line and self._members[line[-1]] == names:
            host = line[-1]
        else:
            host = self._made(f"{len(self._members)}-common", names[0], line)
            self._members[host] = names
            for name in names:
                self._lines[name] = (*line, host)
        self._deliver(host, names)
        return [host]

    def own(self, name: str) -> Host:
        """Return the root of one host: from now on it is like no other."""
        if name not in self._own:
            self._own[name] = self._made(name, name, self._line(name))
        self._deliver(self._own[name], (name,))
        return self._own[name]

    def send(self, name: str, file: Path, folder: str) -> None:
        """Have a file put into a host's folder before anything else is done there.

        Who gets the same stays alike.
        """
        kept = self._folder / "mail" / hashlib.sha256(file.read_bytes()).hexdigest() / file.name
        if not kept.exists():
            kept.parent.mkdir(parents=True)
            shutil.copy(file, kept)
        self._mail.setdefault(name, []).append((folder, kept))

    def _line(self, name: str) -> tuple[Host, ...]:
        return self._lines.get(name, ())

    def _deliver(self, host: Host, names: Sequence[str]) -> None:
        letters = [self._mail.pop(name, []) for name in names]
        for folder, file in letters[0]:
            shutil.copy(file, host.root / folder.lstrip("/"))

    def _made(self, folder: str, name: str, line: Sequence[Host]) -> Host:
        for each in line:
            each.down()
        lowers = [each.upper for each in reversed(line)]
        host = Host(name, self._folder / folder, (*lowers, *self._base))
        host.up()
        return host


def _run(words: Sequence[str]) -> None:
    done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=60)
    if done.returncode != 0:
        raise OSError(f"{' '.join(words)}: {done.stderr.strip()}")


def fresh_environment() -> dict[str, str]:
    """Return what a site says of its package index and its proxies, and nothing else of ours."""
    wanted = ("PIP_", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy")
    return {k: v for k, v in os.environ.items() if k.startswith(wanted) or k == "no_proxy"}

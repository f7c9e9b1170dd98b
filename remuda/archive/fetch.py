"""Fetches files of a machine over a session that is open: it needs ``tar``, and no credential."""

import posixpath
import threading
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final, Protocol

from remuda.archive.bounds import ArchiveBounds
from remuda.archive.contents import said
from remuda.archive.names import BadNameError, safe_name
from remuda.archive.pipe import BytePipe
from remuda.archive.tarstream import TarStream
from remuda.archive.trees import LeftOut, TreeEntry, TreeError, TreeLink
from remuda.runtime.clock import Clock
from remuda.ssh.errors import SshError
from remuda.ssh.tail import Tail

#: Each is a command of its own.
PATHS_MAX: Final = 32
PATH_CHARS_MAX: Final = 1024
#: What ``tar`` may send after the end of its archive: it fills up a record.
_REST_BYTES_MAX: Final = 1024 * 1024
#: After a stream has ended, its command has so long to tell how.
_END_S: Final = 10.0
#: GNU tar: a file changed while it was read; what came is what there was.
_CHANGED: Final = 1
_MISSING: Final = 66
_SAID_CHARS_MAX: Final = 2048
#: Of what is there, ``tar`` tells at least the folder.
_NOTHING: Final = "the machine sent an archive with nothing in it, not even the folder"

#: A folder is entered, so that all names are below it; a file is told by its own name. Links are
#: told as links, but for the path itself, which somebody has named.
#: The first byte says which of both it is.
_TAR: Final = (
    'cd -- "$REMUDA_FROM" || exit 66; '
    'if [ -d "$REMUDA_PATH" ]; then cd -- "$REMUDA_PATH" && printf d && exec tar -cf - .; '
    'elif [ -e "$REMUDA_PATH" ]; then '
    'cd -- "$REMUDA_ABOVE" && printf f && exec tar -chf - "$REMUDA_NAME"; '
    'else echo "there is nothing of this name" >&2; exit 66; fi'
)
#: By a POSIX shell, whatever the user's own is.
_COMMAND: Final = ("/bin/sh", "-c", _TAR)
_FOLDER: Final = b"d"


class RunsCommands(Protocol):
    """What is needed of a session; see :meth:`remuda.ssh.session.SshSession.run`."""

    def run(
        self,
        command: Sequence[str],
        *,
        stdout: BytePipe | None = None,
        stderr: "_Said | None" = None,
        env: Mapping[str, str] | None = None,
        limit_s: float | None = None,
        stopped: Callable[[], bool] = ...,
    ) -> int:
        """Run a command and return its exit code."""


@dataclass(frozen=True, slots=True)
class FetchPath:
    """A path on a machine, and the name that it gets with us.

    Attributes:
        path: Absolute, or relative to where the job ran.
        name: A single part, or several with slashes.
    """

    path: str
    name: str

    def __post_init__(self) -> None:
        """Check it.

        Raises:
            ValueError: One sentence.
        """
        if not self.path or len(self.path) > PATH_CHARS_MAX or "\x00" in self.path:
            raise ValueError(f"{self.path[:80]!r} is no path on a machine")
        try:
            same = safe_name(self.name) == self.name
        except BadNameError as error:
            raise ValueError(f"{self.name[:80]!r} is no name in an archive: {error}") from error
        if not same:
            raise ValueError(f"{self.name[:80]!r} is no name in an archive: {safe_name(self.name)}")

    @classmethod
    def of(cls, path: str) -> "FetchPath":
        """Return the path under the last part of its own name.

        Raises:
            ValueError: It has none that could be taken.
        """
        last = posixpath.basename(posixpath.normpath(path)) if path else ""
        if last in {"", ".", "..", "/"}:
            raise ValueError(f"{path!r} has no name of its own: say which it gets, as PATH=NAME")
        return cls(path, last)


def fetch(
    session: RunsCommands,
    paths: Sequence[FetchPath],
    *,
    bounds: ArchiveBounds,
    clock: Clock,
    start: str = ".",
    stopped: Callable[[], bool] = lambda: False,
) -> Iterator[TreeEntry]:
    """Yield the files of some paths, as the machine sends them, one path after the other.

    Nothing that it sends is believed: names are checked by whoever stores them, sizes and time
    are bounded here. Links are told, not followed; devices and the like are left out. So is a path
    that is not there.

    Args:
        session: Logged in.
        paths: Files and folders, at most :data:`PATHS_MAX`.
        bounds: The bytes and files of each path, and the time of all of them.
        clock: The time.
        start: What relative paths are relative to; itself, to the user's home.
        stopped: Asked about twice a second.

    Raises:
        TreeError: It breaks off: the connection, the machine, or a bound.
    """
    ends_s = clock.monotonic_s() + bounds.seconds
    for wanted in paths:
        rest_s = ends_s - clock.monotonic_s()
        if rest_s <= 0 or stopped():
            raise TreeError(f"{wanted.path}: the time is over")
        work = _Work(session, _environment(wanted.path, start), rest_s, stopped)
        work.start()
        try:
            empty = yield from _fetched(work, wanted, bounds)
        finally:
            work.end()
        if words := work.why(_NOTHING if empty else ""):
            yield LeftOut(name=wanted.name, why=words, wanted=True)


def _fetched(
    work: "_Work", wanted: FetchPath, bounds: ArchiveBounds
) -> Generator[TreeEntry, None, bool]:
    """Yield what one command sends; return whether there was nothing in its archive."""
    pipe = work.pipe
    begun = pipe.read()
    if not begun:
        work.end()
        if not work.ended:
            raise TreeError(f"{wanted.path}: {work.why('the machine sends nothing')}")
        return True
    early = [begun[1:]] if begun[1:] else []
    stream = TarStream(lambda: early.pop() if early else pipe.read(), bounds)
    try:
        for entry in stream:
            yield _named(entry, wanted.name, folder=begun[:1] == _FOLDER)
        rest = 0
        while rest < _REST_BYTES_MAX and (data := pipe.read()):
            rest += len(data)
    except TreeError as error:
        work.end()
        # Why it was cut short is known to the command, if to anybody.
        raise TreeError(f"{wanted.path}: {work.why(str(error))}") from error
    return stream.empty


def _named(entry: TreeEntry, name: str, *, folder: bool) -> TreeEntry:
    """Return *entry* as it is called with us; a name that leads elsewhere is left as it is."""
    if not folder:
        return replace(entry, name=name)
    if entry.name.startswith("/"):
        return LeftOut(name=entry.name, why="its name is absolute")
    own = entry.name.removeprefix("./")
    if isinstance(entry, TreeLink):
        return replace(entry, name=f"{name}/{own}", target=f"{name}/{entry.target}")
    return replace(entry, name=f"{name}/{own}")


class _Said(Tail):
    """The end of what ``tar`` says of its troubles."""

    def __init__(self) -> None:
        super().__init__(_SAID_CHARS_MAX)

    def write(self, data: bytes, /) -> None:
        self.add(data)

    def flush(self) -> None:
        pass


class _Work(threading.Thread):
    """Runs the command of one path, and remembers how it ended."""

    def __init__(
        self,
        session: RunsCommands,
        env: Mapping[str, str],
        seconds: float,
        stopped: Callable[[], bool],
    ) -> None:
        super().__init__(name="archive-fetch", daemon=True)
        self._session = session
        self._env = env
        self._seconds = seconds
        self._stopped = stopped
        self._heard = _Said()
        self._code: int | None = None
        self._broken = ""
        self.pipe = BytePipe()

    @property
    def ended(self) -> bool:
        """Whether the command has ended by itself."""
        return self._code is not None

    def end(self) -> None:
        """Take no more, and wait until it has ended."""
        self.pipe.abandon()
        self.join(_END_S)

    def run(self) -> None:
        """Do it."""
        try:
            self._code = self._session.run(
                _COMMAND,
                stdout=self.pipe,
                stderr=self._heard,
                env=self._env,
                limit_s=self._seconds,
                stopped=self._stopped,
            )
        except BrokenPipeError:
            pass  # we have had enough
        except (SshError, OSError, ValueError) as error:
            self._broken = str(error)
        finally:
            self.pipe.close()

    def why(self, otherwise: str) -> str:
        """Return what went wrong there, or *otherwise*."""
        if self._code == 0 or (self._code == _CHANGED and not otherwise):
            return otherwise
        words = self._heard.text().strip().rpartition("\n")[2]
        if self._code == _MISSING:
            return said(words) or "it cannot be entered"
        if self._code is not None:
            return said(words or f"tar ended with exit code {self._code}")
        return said(self._broken) or otherwise


def _environment(path: str, start: str) -> Mapping[str, str]:
    """Return the variables of the command; none of their values is taken for an option."""
    whole = path if path.startswith("/") else f"./{path}"
    above, name = posixpath.split(whole.rstrip("/") or "/")
    return {
        "REMUDA_FROM": start if start.startswith("/") else f"./{start}",
        "REMUDA_PATH": whole,
        "REMUDA_ABOVE": above or "/",
        "REMUDA_NAME": f"./{name}",
    }

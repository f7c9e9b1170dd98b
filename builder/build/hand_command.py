"""Runs commands on this host: each in a folder of its own, with an end, and nothing left of it.

A command and all that it has started are one group of processes, which is killed as a group. What
leaves the group is found by its environment, in which the name of that folder stands; so is what a
builder that was killed has left.
"""

import contextlib
import logging
import os
import selectors
import signal
import stat
import subprocess
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Final, Protocol

from builder.build import commanding
from builder.build.commanding import CommandEnd, CommandOrder, Cut
from builder.build.hand_leftovers import end_marked, remove_own
from builder.build.outcome import ROOM
from builder.hands import blame
from builder.hands.own_folder import own_folder, remove_left
from builder.upload.hand_carry import RESERVE_BYTES, free_bytes
from remuda.model.build import Blame
from remuda.runtime.waiting import SLICE_S, HandStoppedError, Waiting
from remuda.ssh.tail import Tail

log = logging.getLogger(__name__)

#: After the signal that asks, all of it is killed: time to unmount what was mounted.
KILL_AFTER_S: Final = 8.0
#: What was killed ends at once, unless it is another user's, or the kernel hangs.
ENDED_AFTER_S: Final = 3.0
#: When it has ended, what is still in the pipe may take so long to be read.
DRAIN_S: Final = 5.0
#: Between two looks at its file, and at the room that is left.
LOOK_S: Final = 1.0
#: So late a hand notices that it has to stop, and that all is over.
_LATE_S: Final = 4.0
_PREFIX: Final = "command-"
_STEP: Final = "command"
_PIECE_BYTES: Final = 64 * 1024
_TAIL_BYTES: Final = 16 * 1024
#: Names in its folder: what we run, its HOME, and where its file comes to lie.
_SCRIPT, _HOME, _OUT, _DISK = "script", "home", "out", "disk"
#: No process begins while another one's script is open for writing: the kernel would refuse it.
_BEGINNING: Final = threading.Lock()

Hear = Callable[[bytes], object]


class CommandRunner(Protocol):
    """Runs commands."""

    def run(
        self, order: CommandOrder, waiting: Waiting, hear: Hear
    ) -> AbstractContextManager[Path]:
        """Run one; give the path of its file, which nobody can replace, as long as it is wanted.

        Args:
            order: What to run.
            waiting: Says when to give up.
            hear: Takes all that it prints; there may be any amount of it.

        Raises:
            MishapError: It has failed, or its file is none.
            HandStoppedError: The hand has to stop.
            OSError: Its folder cannot be made.
        """

    def close(self) -> None:
        """Wait until none runs any more; whoever runs one was told to stop."""


class _AtWork:
    """The commands that run, or whose file is wanted, by their folders once they have one."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._some: list[list[Path]] = []

    @contextmanager
    def entered(self) -> Iterator[list[Path]]:
        """Be among them; the caller adds its folder to what it gets."""
        mine: list[Path] = []
        with self._changed:
            self._some.append(mine)
        try:
            yield mine
        finally:
            with self._changed:
                self._some = [one for one in self._some if one is not mine]
                self._changed.notify_all()

    def wait(self, limit_s: float) -> list[Path]:
        """Wait until there is none; return the folders of what is left at the limit."""
        with self._changed:
            self._changed.wait_for(lambda: not self._some, timeout=limit_s)
            return [own for mine in self._some for own in mine]


@dataclass(frozen=True, slots=True, kw_only=True)
class HostCommands:
    """Runs commands on this host; see :class:`CommandRunner`.

    Attributes:
        folder: Where each gets a folder of its own; made if it is not there.
        environ: The builder's environment, of which a command gets next to nothing.
        free: How many bytes there are left in a folder's file system.
        kill_after_s: See :data:`KILL_AFTER_S`; *ended_after_s*: see :data:`ENDED_AFTER_S`.
    """

    folder: Path
    environ: Mapping[str, str] = field(default_factory=lambda: os.environ, repr=False)
    free: Callable[[Path], int] = free_bytes
    kill_after_s: float = KILL_AFTER_S
    ended_after_s: float = ENDED_AFTER_S
    _at_work: _AtWork = field(default_factory=_AtWork)

    def close(self) -> None:
        """See :meth:`CommandRunner.close`."""
        for one in self._at_work.wait(self.kill_after_s + _LATE_S):
            end_marked(one)

    @contextmanager
    def run(self, order: CommandOrder, waiting: Waiting, hear: Hear) -> Iterator[Path]:
        """Run one; see :meth:`CommandRunner.run`."""
        with (
            self._at_work.entered() as mine,
            own_folder(self.folder, _PREFIX, remove_own) as own,
        ):
            mine.append(own)
            if why := commanding.no_room(self.free(own), order.bytes_max + RESERVE_BYTES):
                raise blame.fail(ROOM, Blame.CLOUD, why)  # another host may have some
            for name in (_HOME, _OUT):
                (own / name).mkdir(mode=0o700)
            out = os.open(own / _OUT, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            try:
                running = _Running(
                    means=self, order=order, own=own, out=out, waiting=waiting, hear=hear
                )
                failed = commanding.why_failed(running.run())
                if failed is not None:
                    raise blame.fail(_STEP, *failed)
                file = _opened(out)
            finally:
                os.close(out)
            try:
                # By the open file: whatever its name means by now.
                yield Path(f"/proc/self/fd/{file}")
            finally:
                os.close(file)


def end_left_commands(folder: Path) -> int:
    """End what builders that are no more have left running; return how many commands that were."""
    return remove_left(folder, _PREFIX, remove_own)


@dataclass(slots=True, kw_only=True)
class _Running:
    """One command.

    Attributes:
        own: Its folder; *out*: that of its file, open.
    """

    means: HostCommands
    order: CommandOrder
    own: Path
    out: int
    waiting: Waiting
    hear: Hear
    _tail: Tail = field(default_factory=lambda: Tail(_TAIL_BYTES))
    _cut: Cut | None = None
    _killed: bool = False
    _look_s: float = 0.0

    def run(self) -> CommandEnd:
        """Run it to its end, or to ours.

        Raises:
            MishapError: It could not be begun.
            HandStoppedError: The hand has to stop.
        """
        process = self._begin()
        assert process.stdout is not None  # noqa: S101 - it was asked for
        try:
            with process.stdout as stream, selectors.DefaultSelector() as selector:
                os.set_blocking(stream.fileno(), False)
                selector.register(stream, selectors.EVENT_READ)
                self._watch(process, stream, selector)
                self._kill(process)
                self._drain(stream, selector)
        finally:
            self._kill(process)
        if self._cut is not None and self.waiting.stopped():
            raise HandStoppedError
        return CommandEnd(code=process.returncode, output=self._said(), cut=self._cut)

    def _said(self) -> str:
        """Return the end of what it printed; our folder, new each time, by the names it knows.

        Else no two failures had the same last words, and the same one would never count as such.
        """
        text = self._tail.text()
        for path, name in (
            (self.own / _OUT / _DISK, "$REMUDA_OUTPUT"),
            (self.own / _HOME, "$HOME"),
            (self.own / _SCRIPT, _SCRIPT),
        ):
            text = text.replace(str(path), name)
        return text

    def _begin(self) -> "subprocess.Popen[bytes]":
        script, home = self.own / _SCRIPT, self.own / _HOME
        output = str(self.own / _OUT / _DISK)
        variables = commanding.environment(
            self.order, self.means.environ, home=str(home), output=output
        )
        words = [str(script), *self.order.arguments]
        if not self.order.text.startswith("#!"):
            words.insert(0, "/bin/sh")
        with _BEGINNING:
            number = os.open(script, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o700)
            with os.fdopen(number, "wb") as file:
                file.write(self.order.text.encode())
            try:
                return subprocess.Popen(
                    words,
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.STDOUT,
                    bufsize=0,
                    cwd=home,
                    env=variables,
                    start_new_session=True,
                    umask=0o077,
                )
            except OSError as exc:
                message = f"it cannot be begun: {exc.strerror or exc}"
                raise blame.fail(_STEP, Blame.RECIPE, message) from exc

    def _watch(
        self,
        process: "subprocess.Popen[bytes]",
        stream: IO[bytes],
        selector: selectors.BaseSelector,
    ) -> None:
        """Hear it until it has ended, by itself or by us."""
        clock = self.waiting.clock
        ends_s = clock.monotonic_s() + self.order.timeout_s
        killed_s: float | None = None
        while not _over(process):
            now_s = clock.monotonic_s()
            if killed_s is not None and now_s >= killed_s:
                return
            if killed_s is None and (cut := self._why_cut(now_s, ends_s)) is not None:
                self._cut, killed_s = cut, now_s + self.means.kill_after_s
                _signal(process, signal.SIGTERM)
            if selector.select(SLICE_S if selector.get_map() else SLICE_S / 5):
                self._take(stream, selector)

    def _why_cut(self, now_s: float, ends_s: float) -> Cut | None:
        """Return why it is not to go on, or None."""
        if self.waiting.stopped():
            return Cut(blame=Blame.BUILDER, why="the builder was stopped")
        if now_s >= ends_s:
            return commanding.late(self.order)
        if now_s < self._look_s:
            return None
        self._look_s = now_s + LOOK_S
        if why := commanding.no_room(self.means.free(self.own), RESERVE_BYTES):
            return Cut(blame=Blame.BUILDER, why=why)
        return commanding.too_large(self.order, _size_bytes(self.out))

    def _take(self, stream: IO[bytes], selector: selectors.BaseSelector) -> bool:
        """Take what has come; return whether there may be more."""
        try:
            data = os.read(stream.fileno(), _PIECE_BYTES)
        except BlockingIOError:
            return False
        if not data:
            selector.unregister(stream)
            return False
        self._tail.add(data)
        self.hear(data)
        return True

    def _drain(self, stream: IO[bytes], selector: selectors.BaseSelector) -> None:
        """Take what it has left in the pipe; nobody writes into it any more, or not for long."""
        clock = self.waiting.clock
        ends_s = clock.monotonic_s() + DRAIN_S
        while selector.get_map() and clock.monotonic_s() < ends_s:
            if not self._take(stream, selector):
                return

    def _kill(self, process: "subprocess.Popen[bytes]") -> None:
        """End all of it: the group, and who has left it."""
        if not self._killed:
            self._killed = True
            _signal(process, signal.SIGKILL)
            try:
                process.wait(self.means.ended_after_s)
            except subprocess.TimeoutExpired:
                log.warning("command.not_ended pid=%d folder=%s", process.pid, self.own)
        end_marked(self.own)


def _over(process: "subprocess.Popen[bytes]") -> bool:
    """Whether a process has ended; its number, which is its group's, stays taken for now."""
    flags = os.WEXITED | os.WNOHANG | os.WNOWAIT
    return os.waitid(os.P_PID, process.pid, flags) is not None


def _signal(process: "subprocess.Popen[bytes]", what: signal.Signals) -> None:
    """Send a signal to the whole group of a process that nobody has waited for yet."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, what)


def _size_bytes(out: int) -> int:
    """Return how large the file is by now."""
    try:
        found = os.stat(_DISK, dir_fd=out, follow_symlinks=False)
    except OSError:
        return 0
    return max(found.st_size, found.st_blocks * 512) if stat.S_ISREG(found.st_mode) else 0


def _opened(out: int) -> int:
    """Open what a command has written.

    Raises:
        MishapError: It is no file that could be an image.
    """
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    try:
        # A device is not even opened: that alone may do something.
        kind = os.stat(_DISK, dir_fd=out, follow_symlinks=False).st_mode
        number = os.open(_DISK, flags, dir_fd=out) if stat.S_ISREG(kind) else None
    except FileNotFoundError:
        message = "it ended well, and wrote no file to REMUDA_OUTPUT"
        raise blame.fail("file", Blame.RECIPE, message) from None
    except OSError as exc:
        message = f"its file cannot be read: {exc.strerror or exc}"
        raise blame.fail("file", Blame.RECIPE, message) from exc
    if number is None or not stat.S_ISREG(os.fstat(number).st_mode):
        if number is not None:
            os.close(number)
        message = "what it wrote to REMUDA_OUTPUT is no regular file"
        raise blame.fail("file", Blame.RECIPE, message)
    return number

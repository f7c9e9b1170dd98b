"""Commands on a machine for people, CI and builders: streamed, several over one connection."""

import io
import tarfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Final, Self

import paramiko

from remuda.runtime.clock import Clock, SystemClock
from remuda.ssh.api import Login, Script, check_environment
from remuda.ssh.errors import (
    ConnectionLostError,
    CutShortError,
    HostKeyUnknownError,
    SshError,
)
from remuda.ssh.keyfile import KeyRing
from remuda.ssh.link import Link, open_link
from remuda.ssh.runner import STOPPED, Ran, end_processes, run_script
from remuda.ssh.streams import ChannelWriter, InStream, OutStream, Sink, Source
from remuda.ssh.tail import Tail
from remuda.ssh.wrapping import MARK, exports, led_by, make_token, shell_line

#: How often a copy under way looks at its limit and at *stopped*.
_SLICE_S: Final = 0.5

#: After the exit code, so long without output means that a process left behind holds it open.
_QUIET_S: Final = 0.5

#: After the exit code of a command with a limit, all output has to be here in this time.
_DRAIN_S: Final = 1.0

#: An account may run nothing and report success: this last line shows that the copy was made.
_COPIED: Final = "remuda-copied"
_COPY_IN: Final = (
    'mkdir -p -- "$REMUDA_DIR" && tar -xpof - -C "$REMUDA_DIR"'
    f' && printf "%s-%s\\n" {_COPIED} "$REMUDA_NONCE"'
)


class CopyFailedError(SshError):
    """The machine did not take the files: no room, no permission, no ``tar``."""


def _nothing() -> None:
    pass


def _never() -> bool:
    return False


@dataclass(frozen=True, slots=True, kw_only=True)
class _Call:
    """One command to run.

    Attributes:
        feed: Writes its standard input, in a thread of its own.
        stop: Makes *feed* return soon.
        limit_s: It is ended after this; None: never.
        stopped: Asked now and then if there is a limit: it is ended, too.
        drain_s: So long after its exit its output may take, if there is a limit.
    """

    command: Sequence[str] | str
    env: Mapping[str, str]
    sinks: tuple[Sink | None, Sink | None]
    feed: Callable[[ChannelWriter], None]
    stop: Callable[[], None] = _nothing
    limit_s: float | None = None
    stopped: Callable[[], bool] = _never
    drain_s: float | None = _DRAIN_S


class SshSession:
    """A logged-in connection; leaving the block closes it and ends what still runs in it.

    Commands may be run one after another, or at once from several threads.
    """

    def __init__(self, link: Link, host_key: str, clock: Clock | None = None) -> None:
        """Take over a logged-in *link*; see :func:`open_session`."""
        self._link = link
        self._clock: Clock = clock or SystemClock()
        self.host_key = host_key

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        exc: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close."""
        self.close()

    def close(self) -> None:
        """End the connection; may be called again."""
        self._link.close()

    def run(
        self,
        command: Sequence[str] | str,
        *,
        stdin: BinaryIO | None = None,
        stdout: Sink | None = None,
        stderr: Sink | None = None,
        env: Mapping[str, str] | None = None,
        limit_s: float | None = None,
        stopped: Callable[[], bool] = _never,
    ) -> int:
        """Run a command and return its exit code; 128 and the number for a death by signal.

        Args:
            command: A program and its arguments, or one text for the user's shell. As with ssh,
                it is seen in the machine's process list: secrets belong into *env* or *stdin*.
            stdin: Read until its end, through its descriptor if it has one; None: empty.
            stdout: Where the output goes, unchanged and as it comes; None: thrown away.
            stderr: The same for errors.
            env: Added to the environment, through the encrypted connection.
            limit_s: For all of it, output that is still read included; None: as long as it takes.
            stopped: Asked about twice a second if there is a limit: True ends it.

        Raises:
            CutShortError: It took too long, or was stopped.
            ConnectionLostError: Whether the command ended is not known.
            OSError: Of a local stream; the command was ended. BrokenPipeError if the reader of
                our output went away.
            ValueError: *env* cannot be exported.
        """
        with Source(stdin) as source:
            call = _Call(
                command=command,
                env=env or {},
                sinks=(stdout, stderr),
                feed=source.feed,
                stop=source.stop,
                limit_s=limit_s,
                stopped=stopped,
                drain_s=limit_s,
            )
            return self._execute(call)

    def run_script(
        self,
        script: Script,
        *,
        stopped: Callable[[], bool] = _never,
        hear: Callable[[bytes], object] | None = None,
    ) -> Ran:
        """Run a script as provers do; see :func:`remuda.ssh.runner.run_script`.

        One at a time: what the machine may send meanwhile is counted for all of the connection.
        """
        try:
            return run_script(self._link, script, self._clock, stopped, hear)
        finally:
            self._link.allow(packets=float("inf"), received=float("inf"))

    def copy_tree(
        self,
        local_dir: Path,
        remote_dir: str,
        *,
        limit_s: float | None = None,
        stopped: Callable[[], bool] = _never,
    ) -> None:
        """Copy what is in *local_dir* into *remote_dir*, which is made; needs ``tar`` there.

        Modes, times, symbolic and hard links are kept, owners are not: all belongs to the user
        who logged in. One stream, whatever the number of files.

        Args:
            local_dir: An existing directory, or a link to one.
            remote_dir: Absolute, or relative to the user's home.
            limit_s: For all of it; None: as long as it takes.
            stopped: Asked about twice a second if there is a limit: True ends it.

        Raises:
            CopyFailedError: The machine did not take it; the message has its words.
            CutShortError: It took too long, or was stopped; a part may be there.
            ConnectionLostError: The connection broke.
            OSError: A local file could not be read.
        """
        if not local_dir.is_dir():
            raise NotADirectoryError(f"{local_dir} is not a directory")
        self._copy(local_dir.resolve(strict=True), ".", remote_dir, limit_s, stopped)

    def copy_file(
        self,
        local_file: Path,
        remote_dir: str,
        name: str,
        *,
        limit_s: float | None = None,
        stopped: Callable[[], bool] = _never,
    ) -> None:
        """Copy one file into *remote_dir*, as *name*; see :meth:`copy_tree`.

        Raises:
            CopyFailedError: The machine did not take it; the message has its words.
            CutShortError: It took too long, or was stopped; a part may be there.
            ConnectionLostError: The connection broke.
            OSError: The file could not be read.
        """
        self._copy(local_file.resolve(strict=True), name, remote_dir, limit_s, stopped)

    def _copy(
        self,
        local: Path,
        name: str,
        remote_dir: str,
        limit_s: float | None,
        stopped: Callable[[], bool],
    ) -> None:
        def feed(writer: ChannelWriter) -> None:
            buffered = io.BufferedWriter(writer, 256 * 1024)
            # GNU format: the one that busybox, BSD and old GNU tar all read, long names included.
            with tarfile.open(fileobj=buffered, mode="w|", format=tarfile.GNU_FORMAT) as tar:
                tar.add(local, arcname=name, filter=_without_owner)
            buffered.flush()

        said, nonce = _TailSink(), make_token()
        call = _Call(
            command=_COPY_IN,
            env={"REMUDA_DIR": remote_dir, "REMUDA_NONCE": nonce},
            sinks=(said, said),
            feed=feed,
            limit_s=limit_s,
            stopped=stopped,
        )
        code = self._execute(call)
        words = said.text()
        if code or f"{_COPIED}-{nonce}" not in words:
            raise CopyFailedError(f"{remote_dir}: {words.strip() or f'exit code {code}'}")

    def _execute(self, call: "_Call") -> int:
        """Run one command with its three streams pumped; see :meth:`run`."""
        token = make_token()
        pairs = (*call.env.items(), (MARK, token))
        check_environment(pairs)
        line = f"{exports(pairs)}\n{shell_line(call.command)}\n"
        header = line.encode()
        channel = self._link.open_channel()

        def lead(writer: ChannelWriter) -> None:
            writer.write(header)
            call.feed(writer)

        fed = InStream(channel, lead)
        outs = (
            OutStream(channel.recv, call.sinks[0], "ssh-stdout"),
            OutStream(channel.recv_stderr, call.sinks[1], "ssh-stderr"),
        )
        try:
            self._link.start(channel, led_by(header))
            for stream in (fed, *outs):
                stream.on_failure = partial(self._link.close_channel, channel)
                stream.start()
            self._await_end(channel, token, call)
            _drain(outs, self._enough(call))
        except KeyboardInterrupt:
            self._interrupt(channel, token)
            raise
        finally:
            call.stop()
            self._link.close_channel(channel)
            for out in outs:
                out.finish()
            fed.finish()
        return _outcome(channel, (fed, *outs))

    def _await_end(self, channel: paramiko.Channel, token: str, call: "_Call") -> None:
        """Wait until a command has ended.

        Raises:
            CutShortError: It was ended by us.
        """
        if call.limit_s is None:
            channel.status_event.wait()
            return
        ends_s = self._clock.monotonic_s() + call.limit_s
        while not channel.status_event.wait(_SLICE_S):
            why = STOPPED if call.stopped() else ""
            if self._clock.monotonic_s() >= ends_s:
                why = f"no end after {call.limit_s:g} s"
            if why:
                with suppress(ConnectionLostError):
                    end_processes(self._link, channel, token)
                raise CutShortError(why)

    def _enough(self, call: "_Call") -> Callable[[], bool]:
        """Return what says when to wait no more for output after the exit of a command."""
        if call.limit_s is None or call.drain_s is None:
            return _never
        ends_s = self._clock.monotonic_s() + call.drain_s
        return lambda: call.stopped() or self._clock.monotonic_s() >= ends_s

    def _interrupt(self, channel: paramiko.Channel, token: str) -> None:
        """Pass Ctrl-C on to the command, and insist if it takes long."""
        with suppress(ConnectionLostError):
            end_processes(self._link, channel, token, signals=("INT", "TERM", "KILL"))


def require_host_keys(login: Login) -> None:
    """Make sure that a machine can be told from others before anything is sent to it.

    Raises:
        HostKeyUnknownError: No host key of it is known.
    """
    if not login.host_keys:
        raise HostKeyUnknownError(
            f"no host key of {login.address} is known: nobody can tell whose machine answers"
        )


def open_session(login: Login, *, clock: Clock | None = None, insecure: bool = False) -> SshSession:
    """Connect, compare the host key, log in.

    Args:
        login: How to get in; its limits hold for each answer, the session may last as long as it
            likes.
        clock: The time.
        insecure: Where no host key is known, take the machine that answers for the right one.

    Raises:
        HostKeyUnknownError: No host key is known, and not *insecure*.
        NotYetError: Nothing that speaks SSH is there (yet).
        NotSshError: Something else answers.
        HostKeyMismatchError: It is not the machine of ``login.host_keys``.
        LoginRefusedError: Our key does not open the account.
        KeyFileError: Our key cannot be read.
        NoKeyError: There is none.
    """
    if not insecure:
        require_host_keys(login)
    clock = clock or SystemClock()
    link = open_link(login, clock)
    try:
        host_key = link.meet(login.host_keys)
        link.login(login, KeyRing())
    except BaseException:
        link.close()
        raise
    link.keep_alive()
    return SshSession(link, host_key, clock)


class _TailSink(Tail):
    """Keeps the end of what ``tar`` prints."""

    def __init__(self) -> None:
        super().__init__(4096)

    def write(self, data: bytes, /) -> None:
        self.add(data)

    def flush(self) -> None:
        pass


def _without_owner(member: tarfile.TarInfo) -> tarfile.TarInfo:
    member.uid = member.gid = 0
    member.uname = member.gname = ""
    return member


def _drain(outs: tuple[OutStream, ...], enough: Callable[[], bool]) -> None:
    """Let output arrive that was under way at the exit, however slow its reader here is.

    A process left in the background may hold the streams open for ever: silence ends the wait,
    and so does *enough*, for it may also print something now and then.
    """
    while not enough():
        before = [out.total for out in outs]
        ended = [out.join(_QUIET_S) for out in outs]
        if all(ended):
            return
        idle = all(out.waiting or out.join(0) for out in outs)
        if idle and before == [out.total for out in outs]:
            return


def _outcome(channel: paramiko.Channel, streams: tuple[InStream | OutStream, ...]) -> int:
    for stream in streams:
        if stream.failure is not None:
            raise stream.failure
    if channel.exit_status < 0:
        raise ConnectionLostError("the connection broke before the command had ended")
    return channel.exit_status

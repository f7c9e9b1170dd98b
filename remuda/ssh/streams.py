"""Carries bytes between local streams and a channel: blocking threads, no polling, no limits lost.

Each direction has its own thread and blocks where its other side is slow; the SSH window then
fills and the sender stops. So a command that reads and writes at once can never be dead-locked by
us, and no more than a window (2 MiB) is held in memory.
"""

import contextlib
import io
import os
import select
import threading
from collections.abc import Callable
from typing import BinaryIO, Final, Protocol, Self

import paramiko

from remuda.ssh.link import BROKEN

_CHUNK: Final = 64 * 1024

#: Threads are woken when a channel closes; one that hangs in a local stream is left behind.
_FINISH_S: Final = 1.0


class Sink(Protocol):
    """Where output goes: any binary stream."""

    def write(self, data: bytes, /) -> object:
        """Take all of *data*."""

    def flush(self) -> object:
        """Pass it on."""


class OutStream:
    """Copies one output stream of a channel to a local stream until its end."""

    def __init__(self, receive: Callable[[int], bytes], sink: Sink | None, name: str) -> None:
        """Prepare to copy what *receive* gives to *sink*; None throws it away."""
        self._receive = receive
        self._sink = sink
        self._thread = threading.Thread(target=self._copy, name=name, daemon=True)
        self.waiting = False  # for the peer, rather than for the local stream
        self.total = 0
        self.failure: Exception | None = None
        self.on_failure: Callable[[], None] = lambda: None

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def join(self, timeout_s: float) -> bool:
        """Wait for the end; return if it has come."""
        self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def finish(self) -> None:
        """Wait for the end after the channel was closed, if it ever began."""
        if self._thread.ident is not None:
            self._thread.join(_FINISH_S)

    def _next(self) -> bytes:
        """Return what has come next; empty at the end, and when the connection broke."""
        self.waiting = True
        try:
            return self._receive(_CHUNK)
        except BROKEN:
            return b""
        finally:
            self.waiting = False

    def _copy(self) -> None:
        while data := self._next():
            self.total += len(data)
            if self._sink is None:
                continue
            try:
                self._sink.write(data)
                self._sink.flush()
            except (OSError, ValueError) as exc:  # ValueError: the stream was closed
                self.failure = exc
                self.on_failure()
                return


class ChannelWriter(io.RawIOBase):
    """Standard input of a command as a stream to write to."""

    def __init__(self, channel: paramiko.Channel) -> None:
        """Write to *channel*."""
        super().__init__()
        self._channel = channel

    def writable(self) -> bool:
        """Return True."""
        return True

    def write(self, data: object, /) -> int:
        """Send all of *data*, waiting for the window as long as it takes.

        Raises:
            BrokenPipeError: The command reads no more, or the connection broke.
        """
        view = memoryview(data).cast("B")  # type: ignore[arg-type]
        try:
            self._channel.sendall(bytes(view))
        except BROKEN as exc:
            raise BrokenPipeError(str(exc) or "closed") from exc
        return len(view)


class InStream:
    """Feeds the standard input of a command in a thread, then sends the end.

    Attributes:
        failure: What reading the local side raised, if it did.
    """

    def __init__(self, channel: paramiko.Channel, feed: Callable[[ChannelWriter], None]) -> None:
        """Prepare to call *feed* with the place to write to."""
        self._channel = channel
        self._feed = feed
        self._thread = threading.Thread(target=self._run, name="ssh-stdin", daemon=True)
        self.failure: Exception | None = None
        self.on_failure: Callable[[], None] = lambda: None

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def finish(self) -> None:
        """Wait for the end, for a while: a read of a stream without descriptor may last."""
        if self._thread.ident is not None:
            self._thread.join(_FINISH_S)

    def _run(self) -> None:
        try:
            self._feed(ChannelWriter(self._channel))
        except BrokenPipeError:
            return  # the command does not want more, which is its right
        except (OSError, ValueError) as exc:
            self.failure = exc
            self.on_failure()
            return
        with contextlib.suppress(*BROKEN):
            self._channel.shutdown_write()


class Source:
    """Copies a local stream to a command, and can be told to stop while it waits for input."""

    def __init__(self, stream: BinaryIO | None) -> None:
        """Read *stream*: through its descriptor if it has one, past any buffer; None is empty."""
        self._stream = stream
        self._stopped = False
        self._wake_r, self._wake_w = os.pipe()

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Free the pipe; the thread must have ended."""
        os.close(self._wake_r)
        os.close(self._wake_w)

    def stop(self) -> None:
        """Make :meth:`feed` return soon."""
        self._stopped = True
        with contextlib.suppress(OSError):
            os.write(self._wake_w, b"x")

    def feed(self, writer: ChannelWriter) -> None:
        """Copy until the end of the stream or until stopped."""
        if self._stream is None:
            return
        try:
            number = self._stream.fileno()
        except (OSError, AttributeError):
            self._feed_plain(writer, self._stream)
            return
        while True:
            ready, _, _ = select.select([number, self._wake_r], [], [])
            if self._wake_r in ready:
                return
            data = os.read(number, _CHUNK)
            if not data:
                return
            writer.write(data)
            if self._stopped:  # the pipe may be gone
                return

    @staticmethod
    def _feed_plain(writer: ChannelWriter, stream: BinaryIO) -> None:
        while data := stream.read(_CHUNK):
            writer.write(data)

"""Where the output of machines goes: straight through, with a prefix, or as JSON lines."""

import codecs
import sys
import threading
from collections.abc import Mapping
from typing import Any, BinaryIO, Final, Protocol

from remuda.cli.terminal import say
from remuda.jsontext import to_json
from remuda.visible import visible
from requestor.commands.parallel import Outlet
from requestor.nodes import LeasedNode


class RunReporter(Protocol):
    """Tells what happens, to people or to programs."""

    def outlets(self, node: LeasedNode, index: int, /) -> tuple[Outlet, Outlet]:
        """Return where the output and the errors of a node go."""

    def tell(self, event: str, sentence: str, /, **facts: Any) -> None:
        """Say one thing: the sentence to people, event and facts to programs."""


class Lines:
    """Passes complete lines on, each with a prefix; several may share one stream and its lock."""

    def __init__(self, stream: BinaryIO, lock: threading.Lock, prefix: bytes) -> None:
        self._stream = stream
        self._lock = lock
        self._prefix = prefix
        self._rest = b""

    def write(self, data: bytes, /) -> None:
        """Take *data*; an unfinished line is kept until its end or :meth:`flush` at the end."""
        *lines, self._rest = (self._rest + data).split(b"\n")
        if lines:
            with self._lock:
                self._stream.write(b"".join(self._prefix + line + b"\n" for line in lines))
                self._stream.flush()

    def flush(self) -> None:
        """Do nothing: lines are passed on as they end."""

    def close(self) -> None:
        """Pass on a last line without an end."""
        if self._rest:
            self.write(b"\n")


class JsonOutlet:
    """Passes output on as JSON lines, whatever the chunks are."""

    def __init__(self, sink: "JsonReporter", node: str, stream: str) -> None:
        self._sink = sink
        self._node = node
        self._stream = stream
        # A chunk may end within a character.
        self._decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")

    def write(self, data: bytes, /) -> None:
        """Take *data*."""
        text = self._decoder.decode(data)
        if text:
            self._sink.emit(
                {"event": "output", "node": self._node, "stream": self._stream, "text": text}
            )

    def flush(self) -> None:
        """Do nothing: each line is written at once."""


class JsonReporter:
    """Everything as JSON lines on standard output."""

    def __init__(self) -> None:
        self._lock: Final = threading.Lock()

    def emit(self, doc: Mapping[str, Any]) -> None:
        """Write one line."""
        text = to_json(doc, separators=(",", ":"))
        with self._lock:
            sys.stdout.write(f"{text}\n")
            sys.stdout.flush()

    def outlets(self, node: LeasedNode, _index: int, /) -> tuple[Outlet, Outlet]:
        """See RunReporter."""
        return JsonOutlet(self, node.id, "stdout"), JsonOutlet(self, node.id, "stderr")

    def tell(self, event: str, _sentence: str, /, **facts: Any) -> None:
        """See RunReporter."""
        self.emit({"event": event, **facts})


class PlainReporter:
    """Output to standard output and errors to standard error, sentences to standard error.

    Args:
        prefixed: Begin each line with the index and the address of its machine.
        quiet: Say nothing of our own.
    """

    def __init__(self, *, prefixed: bool, quiet: bool) -> None:
        self._prefixed = prefixed
        self._quiet = quiet
        self._locks = (threading.Lock(), threading.Lock())
        self._lines: list[Lines] = []

    def outlets(self, node: LeasedNode, index: int, /) -> tuple[Outlet, Outlet]:
        """See RunReporter."""
        streams = (sys.stdout.buffer, sys.stderr.buffer)
        if not self._prefixed:
            return streams
        prefix = f"[{index} {visible(node.address)}] ".encode()
        out, err = (
            Lines(stream, lock, prefix) for stream, lock in zip(streams, self._locks, strict=True)
        )
        self._lines += [out, err]
        return out, err

    def tell(self, event: str, sentence: str, /, **_facts: Any) -> None:
        """See RunReporter."""
        if event == "done":
            for lines in self._lines:
                lines.close()
        if sentence and not self._quiet:
            say(visible(f"remuda: {sentence}"), err=True)
            sys.stderr.flush()

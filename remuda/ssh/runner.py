"""Runs one script over a connection: its end, its last words, and both of its time limits."""

from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final

import paramiko

from remuda.redaction import MARGIN, redact_end
from remuda.runtime.clock import Clock
from remuda.ssh.api import OUT_OF_TIME, Heard, Script
from remuda.ssh.errors import ConnectionLostError
from remuda.ssh.link import BROKEN, Link
from remuda.ssh.wrapping import (
    CANNOT_CODE,
    KILL_AFTER_S,
    TIMED_OUT_CODES,
    killer,
    make_token,
    program,
)

#: How often a silent script looks at its limit and at *stopped*.
_SLICE_S: Final = 0.5

#: Our own limit ends so long after the machine's, which leaves the better evidence.
_GRACE_S: Final = KILL_AFTER_S + 5.0

#: After the exit code, output still in flight may take so long. Only a script that leaves a
#: process behind with its output open makes us wait for all of it.
_DRAIN_S: Final = 1.0

#: A script that prints more is broken: stop it rather than carry its noise for hours.
OUTPUT_TOTAL_MAX: Final = 64 * 1024 * 1024

#: The same in packets and bytes on the wire: whatever else a machine sends is worth no more.
_PACKETS_MAX: Final = 200_000
_RECEIVED_MAX: Final = OUTPUT_TOTAL_MAX + _PACKETS_MAX * 64

#: How long the processes of a script may take to end when no time is left for the whole proof.
ENDING_S: Final = 3.0

#: Why a script ended that we were told to give up.
STOPPED: Final = "stopped by us"

_CHUNK: Final = 64 * 1024

#: How much of a script's last line goes into the sentence that says why it failed.
_LAST_LINE_MAX: Final = 300


@dataclass(frozen=True, slots=True, kw_only=True)
class Ran:
    """How a script ended.

    Attributes:
        exit_code: None if it was killed or never ended.
        why: Empty if it passed, its judge included.
        lost: The connection broke meanwhile.
        broken: The machine did what none does, or could not end it: the script is not to blame.
    """

    exit_code: int | None
    why: str
    output: str
    lost: bool = False
    broken: bool = False


class Tail:
    """Keeps the end of a stream of bytes, and a little more: the cut must not halve a secret."""

    def __init__(self, bytes_max: int) -> None:
        """Keep at most *bytes_max*."""
        self._bytes_max = bytes_max
        self._parts: deque[bytes] = deque()
        self._held = 0
        self.total = 0

    def add(self, data: bytes) -> None:
        """Take *data* and forget what is too old."""
        self._parts.append(data)
        self._held += len(data)
        self.total += len(data)
        while self._held - len(self._parts[0]) >= self._bytes_max + MARGIN:
            self._held -= len(self._parts.popleft())

    def text(self) -> str:
        """Return the end as text, beginning with a note if something was left out."""
        seen = b"".join(self._parts)[-self._bytes_max - MARGIN :]
        kept = _decoded(seen[-self._bytes_max :])
        if self.total <= self._bytes_max:
            return kept
        note = f"[{self.total - self._bytes_max} bytes left out]\n"
        return note + redact_end(_decoded(seen), len(kept))


def _decoded(data: bytes) -> str:
    return data.decode(errors="replace").replace("\0", "\N{REPLACEMENT CHARACTER}")


def run_script(
    link: Link,
    script: Script,
    clock: Clock,
    stopped: Callable[[], bool],
    hear: Callable[[bytes], object] | None = None,
) -> Ran:
    """Run *script* to its end, its limit, or until *stopped*; never raises for the machine.

    Args:
        link: Logged in.
        script: What to run.
        clock: The time.
        stopped: Asked about twice a second.
        hear: Takes all output as it comes, and must not raise; then there may be any amount of
            it. None: whoever prints more than :data:`OUTPUT_TOTAL_MAX` is ended.
    """
    tail = Tail(script.output_bytes_max)
    if hear is None:
        link.allow(packets=_PACKETS_MAX, received=_RECEIVED_MAX)
    else:
        link.allow(packets=float("inf"), received=float("inf"))
    started_s = clock.now_s()
    begun_s = clock.monotonic_s()
    try:
        with link.channel() as channel:
            run = _Run(link, channel, script, tail, clock, stopped, hear)
            run.begin()
            why = run.listen()
            code = channel.exit_status
    except (ConnectionLostError, *BROKEN) as exc:
        why = link.misbehaviour or str(exc) or "the connection was closed"
        lost = not link.misbehaviour
        return Ran(exit_code=None, why=why, output=tail.text(), lost=lost, broken=not lost)
    took_s = clock.monotonic_s() - begun_s
    heard = Heard(output=tail.text(), started_s=started_s, ended_s=clock.now_s())
    if why:
        return Ran(exit_code=None, why=why, output=heard.output, broken=code < 0)
    if code < 0:  # paramiko's word for a channel that ended without an exit code
        why = link.misbehaviour or "the connection was closed before it ended"
        lost = not link.misbehaviour
        return Ran(exit_code=None, why=why, output=heard.output, lost=lost, broken=not lost)
    if code in TIMED_OUT_CODES and took_s >= script.timeout_s:
        why = f"killed after {script.timeout_s:g} s"
        return Ran(exit_code=None, why=why, output=heard.output)
    return Ran(exit_code=code, why=_verdict(script, code, heard), output=heard.output)


@dataclass(slots=True)
class _Run:
    """A script under way."""

    link: Link
    channel: paramiko.Channel
    script: Script
    tail: Tail
    clock: Clock
    stopped: Callable[[], bool]
    hear: Callable[[bytes], object] | None = None
    token: str = field(default_factory=make_token)

    def begin(self) -> None:
        """Start the shell and give it the whole program."""
        self.channel.set_combine_stderr(combine=True)
        self.link.feed(self.channel, program(self.script, self.token), as_root=self.script.as_root)

    def listen(self) -> str:
        """Collect output until the end; return why we ended it, or an empty string."""
        limit_s = self.clock.monotonic_s() + self.script.timeout_s + _GRACE_S
        drained_s: float | None = None
        while not self._ended():
            now_s = self.clock.monotonic_s()
            if self.channel.exit_status_ready():
                drained_s = now_s + _DRAIN_S if drained_s is None else drained_s
                if now_s >= drained_s:
                    break
            if why := self._too_much(overdue=now_s >= limit_s):
                self._kill()
                return why
        return ""

    def _ended(self) -> bool:
        """Take what has come; return True if output and exit code are complete."""
        slice_s = max(0.0, min(_SLICE_S, self.link.deadline_s - self.clock.monotonic_s()))
        self.channel.settimeout(slice_s)
        try:
            data = self.channel.recv(_CHUNK)
        except TimeoutError:
            return False
        if data:
            self.tail.add(data)
            if self.hear is not None:
                self.hear(data)
            return False
        return self.channel.status_event.wait(slice_s)

    def _too_much(self, *, overdue: bool) -> str:
        if self.clock.monotonic_s() >= self.link.deadline_s:
            return OUT_OF_TIME
        if overdue:
            return f"no end after {self.script.timeout_s:g} s, and the machine did not kill it"
        if self.hear is None and self.tail.total > OUTPUT_TOTAL_MAX:
            return f"it printed more than {OUTPUT_TOTAL_MAX >> 20} MiB"
        return STOPPED if self.stopped() else ""

    def _kill(self) -> None:
        """Have all its processes ended: the backstop of the limit that the machine enforces."""
        ends_s = self.clock.monotonic_s() + ENDING_S
        hurried = self.link.deadline_s < ends_s
        self.link.deadline_s = max(self.link.deadline_s, ends_s)
        with suppress(ConnectionLostError):  # a frozen machine: what we know already is the reason
            end_processes(
                self.link,
                self.channel,
                self.token,
                as_root=self.script.as_root,
                signals=("KILL",) if hurried else ("TERM", "KILL"),
            )


def end_processes(
    link: Link,
    channel: paramiko.Channel,
    token: str,
    *,
    as_root: bool = False,
    signals: tuple[str, ...] = ("TERM", "KILL"),
) -> None:
    """End what carries *token* on the machine, and wait a moment for its *channel* to tell.

    Raises:
        ConnectionLostError: The connection broke.
    """
    with link.channel() as second:
        link.feed(second, killer(token, signals), as_root=as_root)
        channel.status_event.wait(len(signals) + 1.0)


def _verdict(script: Script, code: int, heard: Heard) -> str:
    """Say why a script that ended by itself has failed, or return an empty string."""
    if code == 0:
        return script.judge(heard) if script.judge else ""
    last = next((line.strip() for line in reversed(heard.output.split("\n")) if line.strip()), "")
    if not last:
        return f"exit code {code}"
    last = last[:_LAST_LINE_MAX]
    return last if code in {1, CANNOT_CODE} else f"{last} (exit code {code})"

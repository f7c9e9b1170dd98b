"""Runs one script over a connection: how it ends, what it said last, both of its time limits."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final

import paramiko

from remuda.runtime.clock import Clock
from remuda.ssh.answers import Answers
from remuda.ssh.api import OUT_OF_TIME, Heard, Script
from remuda.ssh.errors import ConnectionLostError
from remuda.ssh.link import BROKEN, Link
from remuda.ssh.tail import Tail, last_line
from remuda.ssh.wrapping import (
    CANNOT_CODE,
    KILL_AFTER_S,
    TIMED_OUT_CODES,
    greeting,
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
    token, nonce = make_token(), make_token()
    run = _Run(link, script, Tail(script.output_bytes_max), clock, stopped, hear, token, nonce)
    return run.execute(program(script, token, nonce))


def greet(link: Link, clock: Clock, stopped: Callable[[], bool]) -> Ran:
    """Have the account execute one command; a login alone does not show that it executes any."""
    script = Script(name="login", text="", timeout_s=link.answer_timeout_s)
    token, nonce = make_token(), make_token()
    run = _Run(link, script, Tail(script.output_bytes_max), clock, stopped, None, token, nonce)
    return run.execute(greeting(nonce))


@dataclass(slots=True)
class _Run:
    """A script under way."""

    link: Link
    script: Script
    tail: Tail
    clock: Clock
    stopped: Callable[[], bool]
    hear: Callable[[bytes], object] | None
    token: str
    nonce: str
    answers: Answers = field(init=False)

    def __post_init__(self) -> None:
        """Listen for the answers of this very program."""
        self.answers = Answers(self.nonce, self._take)

    def execute(self, sent: bytes) -> Ran:
        """Have the program that is *sent* executed; return how it ended."""
        if self.hear is None:
            self.link.allow(packets=_PACKETS_MAX, received=_RECEIVED_MAX)
        else:
            self.link.allow(packets=float("inf"), received=float("inf"))
        started_s = self.clock.now_s()
        begun_s = self.clock.monotonic_s()
        try:
            with self.link.channel() as channel:
                self.link.feed(channel, sent, as_root=self.script.as_root)
                why = self._listen(channel)
                code = channel.exit_status
        except (ConnectionLostError, *BROKEN) as exc:
            why = self.link.misbehaviour or str(exc) or "the connection was closed"
            return self._lost(why)
        if why:
            return Ran(exit_code=None, why=why, output=self._output(), broken=code < 0)
        if code < 0:  # paramiko's word for a channel that ended without an exit code
            return self._lost(self.link.misbehaviour or "the connection was closed before it ended")
        took_s = self.clock.monotonic_s() - begun_s
        heard = Heard(output=self._output(), started_s=started_s, ended_s=self.clock.now_s())
        return self._ended_by_itself(code, heard, took_s)

    def _lost(self, why: str) -> Ran:
        lost = not self.link.misbehaviour
        return Ran(exit_code=None, why=why, output=self._output(), lost=lost, broken=not lost)

    def _ended_by_itself(self, told: int, heard: Heard, took_s: float) -> Ran:
        """Judge a command that ended, and of which *told* is what sshd says."""
        answers = self.answers
        if not answers.begun or (answers.code is None and told == 0):
            # A shell that executes nothing, or that hides how its command ended.
            why = _unanswered(told, answers.noise(), begun=answers.begun)
            said = heard.output or answers.noise()
            return Ran(exit_code=told, why=why, output=said, broken=True)
        code = told if answers.code is None else answers.code
        if code in TIMED_OUT_CODES and took_s >= self.script.timeout_s:
            why = f"killed after {self.script.timeout_s:g} s"
            return Ran(exit_code=None, why=why, output=heard.output)
        return Ran(exit_code=code, why=_verdict(self.script, code, heard), output=heard.output)

    def _output(self) -> str:
        self.answers.flush()
        return self.tail.text()

    def _take(self, data: bytes) -> None:
        """Take what the program itself says."""
        self.tail.add(data)
        if self.hear is not None:
            self.hear(data)

    def _listen(self, channel: paramiko.Channel) -> str:
        """Collect output until the end; return why we ended it, or an empty string."""
        limit_s = self.clock.monotonic_s() + self.script.timeout_s + _GRACE_S
        drained_s: float | None = None
        while True:
            heard = self.answers.total
            if self._ended(channel):
                return ""
            now_s = self.clock.monotonic_s()
            if channel.exit_status_ready():
                # What a process left behind says is not waited for, but the program's own end is.
                more = self.answers.code is None and self.answers.total > heard
                drained_s = now_s + _DRAIN_S if drained_s is None or more else drained_s
                if now_s >= min(drained_s, limit_s):
                    return ""
            if why := self._too_much(overdue=now_s >= limit_s):
                self._kill(channel)
                return why

    def _ended(self, channel: paramiko.Channel) -> bool:
        """Take what has come; return True if output and exit code are complete."""
        slice_s = max(0.0, min(_SLICE_S, self.link.deadline_s - self.clock.monotonic_s()))
        if channel.recv_stderr_ready():
            self.answers.add_beside(channel.recv_stderr(_CHUNK))
        channel.settimeout(slice_s)
        try:
            data = channel.recv(_CHUNK)
        except TimeoutError:
            return False
        if data:
            self.answers.add(data)
            return False
        while channel.recv_stderr_ready():
            self.answers.add_beside(channel.recv_stderr(_CHUNK))
        return channel.status_event.wait(slice_s)

    def _too_much(self, *, overdue: bool) -> str:
        if self.clock.monotonic_s() >= self.link.deadline_s:
            return OUT_OF_TIME
        if overdue:
            return f"no end after {self.script.timeout_s:g} s, and the machine did not kill it"
        if self.hear is None and self.answers.total > OUTPUT_TOTAL_MAX:
            return f"it printed more than {OUTPUT_TOTAL_MAX >> 20} MiB"
        return STOPPED if self.stopped() else ""

    def _kill(self, channel: paramiko.Channel) -> None:
        """Have all its processes ended: the backstop of the limit that the machine enforces."""
        ends_s = self.clock.monotonic_s() + ENDING_S
        hurried = self.link.deadline_s < ends_s
        self.link.deadline_s = max(self.link.deadline_s, ends_s)
        with suppress(ConnectionLostError):  # a frozen machine: what we know already is the reason
            end_processes(
                self.link,
                channel,
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


def _unanswered(code: int, noise: str, *, begun: bool) -> str:
    """Say what an account did that gave no answer."""
    if begun:
        return "the account's shell ended with exit code 0, but what it was told to run did not end"
    said = last_line(noise)
    if said:
        return f"the account does not run commands; it says: {said}"
    return f"the account does not run commands: exit code {code}, and no answer"


def _verdict(script: Script, code: int, heard: Heard) -> str:
    """Say why a script that ended by itself has failed, or return an empty string."""
    if code == 0:
        return script.judge(heard) if script.judge else ""
    last = last_line(heard.output)
    if not last:
        return f"exit code {code}"
    return last if code in {1, CANNOT_CODE} else f"{last} (exit code {code})"

"""The contract of the prover: what the rest of Remuda knows of SSH.

A machine is *proven* when somebody logged in, met the expected host key, ran the setup script and
saw every check pass. A failure says which step failed, why, and what was printed.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final, Protocol

from remuda.redaction import redact_middle, redact_text
from remuda.runtime.clock import Clock

#: Why a step failed that had no time left, or could not end in what was left.
OUT_OF_TIME: Final = "the time for the proof is over"
#: Longer words of a script or machine are cut.
WHY_CHARS_MAX: Final = 2_000

_VARIABLE: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


class ProofStep(StrEnum):
    """The steps of a proof, in order; the value is the name in metrics and records."""

    CONNECT = "connect"  # TCP and the SSH banner
    HOST_KEY = "host-key"  # the machine is the one we made
    LOGIN = "login"  # our key opens the account
    STEP = "step"  # one of a recipe, where its image is used for the first time
    SETUP = "setup"  # the label's setup script
    CHECK = "check"  # built-in and operator's checks


@dataclass(frozen=True, slots=True, kw_only=True)
class HostKey:
    """A fresh ed25519 host key.

    Attributes:
        public: ``ssh-ed25519 <base64>``: goes into records and known_hosts.
        private: OpenSSH private key text. It goes into the user data of one server and nowhere
            else: neither into ZooKeeper nor into a log; ``repr`` leaves it out.
    """

    public: str
    private: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """What a script printed, between which two instants of our own wall clock.

    Attributes:
        started_s: When it was sent, seconds since the epoch.
        ended_s: When the last of it had arrived.
    """

    output: str
    started_s: float
    ended_s: float


def check_environment(environment: Sequence[tuple[str, str]]) -> None:
    """Make sure that a POSIX shell can export *environment*.

    Raises:
        ValueError: A name is not one, or a value holds a NUL.
    """
    for name, value in environment:
        if not _VARIABLE.fullmatch(name):
            raise ValueError(f"{name!r} is not the name of an environment variable")
        if "\0" in value:
            raise ValueError(f"the value of {name} holds a NUL")


@dataclass(frozen=True, slots=True, kw_only=True)
class Script:
    """A script to run on the machine.

    Attributes:
        name: For people: ``setup``, or the check's name.
        text: The script itself; its first line says which interpreter, else ``/bin/sh``.
        arguments: Given to it, in order; everybody on the machine can see them.
        timeout_s: Its process group is killed after this, on the machine and from here.
        output_bytes_max: Of what it prints only the end is kept.
        as_root: Run with ``sudo -n`` unless the login user is root.
        environment: Given through the encrypted connection, never on a command line.
        judge: Asked after exit code 0: an empty string if what was heard is right, else why not.
    """

    name: str
    text: str
    arguments: tuple[str, ...] = ()
    timeout_s: float = 60.0
    output_bytes_max: int = 16 * 1024
    as_root: bool = False
    environment: tuple[tuple[str, str], ...] = ()
    judge: Callable[[Heard], str] | None = None

    def __post_init__(self) -> None:
        """Refuse what no shell could run."""
        check_environment(self.environment)
        if "\0" in self.text or any("\0" in one for one in self.arguments):
            raise ValueError(f"script {self.name!r} holds a NUL: it is not text")
        if self.timeout_s <= 0:
            raise ValueError(f"script {self.name!r}: a limit of {self.timeout_s} s")


@dataclass(frozen=True, slots=True, kw_only=True)
class Login:
    """How to get in.

    Attributes:
        host_keys: Acceptable ``<type> <base64>`` lines; empty: scan and pin what is there.
        key_file: Private key of ours, or None to ask the agent; never a password.
        connect_timeout_s: For TCP and the banner together.
        answer_timeout_s: For the key exchange, for the login, and for a command to be accepted.
    """

    address: str
    port: int = 22
    user: str = "root"
    key_file: str | None = None
    host_keys: tuple[str, ...] = ()
    connect_timeout_s: float = 5.0
    answer_timeout_s: float = 15.0


@dataclass(frozen=True, slots=True, kw_only=True)
class StepTaken:
    """One finished step: how long, how it ended, and the end of what it printed.

    What a machine says may hold anything, our own keys and tokens too, and it goes into records
    and logs: it is redacted here, for all of them.

    Attributes:
        exit_code: Of a script that ended by itself; None for other steps and killed scripts.
        broken: The machine itself is at fault; see :class:`remuda.ssh.runner.Ran`.
    """

    step: ProofStep
    name: str
    seconds: float
    ok: bool
    why: str = ""
    output: str = ""
    exit_code: int | None = None
    broken: bool = False

    def __post_init__(self) -> None:
        """Take secrets out of what the machine said."""
        object.__setattr__(self, "why", redact_middle(self.why, WHY_CHARS_MAX))
        object.__setattr__(self, "output", redact_text(self.output))


class RunEnd(StrEnum):
    """How the steps of a recipe ended on a machine."""

    DONE = "done"
    FAILED = "failed"  # the step that was told last, which may fail on the next machine as well
    STOPPED = "stopped"  # by us, which says nothing of the machine
    SPOILED = "spoiled"  # they were begun on it before: nobody is to blame, another one will do


class RecipeRun(Protocol):
    """The steps of a recipe, run on a machine before its setup: see :mod:`remuda.steps`."""

    @property
    def names(self) -> tuple[str, ...]:
        """What is run, in order, as it is told."""

    def run(
        self,
        session: Any,
        *,
        clock: Clock,
        stopped: Callable[[], bool],
        take: Callable[[StepTaken], None],
    ) -> RunEnd:
        """Run all of them; never raises for what a machine does.

        Args:
            session: A :class:`remuda.ssh.session.SshSession`, logged in.
            clock: The time.
            stopped: Asked about twice a second: True gives up at once.
            take: Told of each that ended.
        """


@dataclass(frozen=True, slots=True, kw_only=True)
class ProofSpec:
    """What to prove of one machine, over one connection.

    Attributes:
        recipe: Is run before the setup, or None.
        login_wanted: False: only the banner and host key are met (for images without a login).
        on_step: Called with each finished step, for progress, in the thread of the caller.
    """

    login: Login
    recipe: RecipeRun | None = None
    setup: Script | None = None
    checks: Sequence[Script] = ()
    login_wanted: bool = True
    on_step: Callable[[StepTaken], None] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """The result of a proof.

    Attributes:
        host_keys: What the machine presented: the expected one it proved to have, or the scanned
            one; empty if it got not so far or presented a wrong one.
        steps: What was done, in order; the last one failed unless *ok*.
        too_early: Not up yet: worth another attempt until the deadline. Never after a recipe or a
            setup script has begun: these may not bear to run twice.
        stopped: We gave up because we were told to: this says nothing about the machine.
        spoiled: The machine is of no use any more, and nobody is to blame.
        cut: The deadline ended it: an earlier attempt may have more to say about the machine.
        setup_fetched: Bytes that the machine received while its setup script ran, as it says
            itself; None: there was none, or nobody knows.
    """

    ok: bool
    host_keys: tuple[str, ...] = ()
    steps: tuple[StepTaken, ...] = field(default=())
    too_early: bool = False
    stopped: bool = False
    spoiled: bool = False
    cut: bool = False
    setup_fetched: int | None = None

    def or_earlier(self, earlier: "Proof | None") -> "Proof":
        """Return *earlier* if this one was cut short and came no further, else this one."""
        if self.cut and earlier is not None and len(earlier.steps) >= len(self.steps):
            return earlier
        return self

    @property
    def why(self) -> str:
        """One sentence: what failed, or an empty string."""
        failed = next((step for step in self.steps if not step.ok), None)
        return "" if failed is None else f"{failed.name}: {failed.why}"


class Prover(Protocol):
    """Logs in and looks."""

    def prove(
        self,
        order: ProofSpec,
        *,
        stopped: Callable[[], bool] = lambda: False,
        deadline_s: float | None = None,
        login_by_s: float | None = None,
    ) -> Proof:
        """Make one attempt; never raises for what a machine or network does.

        Args:
            order: What to prove.
            stopped: Polled between steps, and about once a second while a script runs: True
                gives up at once (a running script is told to end).
            deadline_s: The attempt has failed if it has not ended by this instant of the prover's
                monotonic clock, whatever the machine does; None: only the limits of the single
                steps. Ending what still runs on the machine may take a few seconds more.
            login_by_s: The same, for all before the scripts.

        Raises:
            KeyFileError: Our own private key cannot be used.
        """

    def probe(
        self,
        address: str,
        port: int,
        *,
        timeout_s: float = 3.0,
        host_keys: tuple[str, ...] = (),
    ) -> str | None:
        """See whether a machine is still there; return None if it is, else what is wrong.

        Args:
            address: Where it is.
            port: Of its SSH server.
            timeout_s: For everything together.
            host_keys: Acceptable ``<type> <base64>`` lines, one of which it must prove to have;
                empty: its banner will do.
        """

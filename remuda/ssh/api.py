"""The contract of the prover: what the rest of Remuda knows of SSH.

A machine is *proven* when somebody logged in, met the expected host key, ran the setup script and
saw every check pass. A failure says which step failed, why, and what was printed.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol


class Step(StrEnum):
    """The steps of a proof, in order; the value is the name in metrics and records."""

    CONNECT = "connect"  # TCP and the SSH banner
    HOST_KEY = "host-key"  # the machine is the one we made
    LOGIN = "login"  # our key opens the account
    SETUP = "setup"  # the label's setup script
    CHECK = "check"  # built-in and operator's checks


@dataclass(frozen=True, slots=True, kw_only=True)
class Script:
    """A script to run on the machine.

    Attributes:
        name: For people: ``setup``, or the check's name.
        text: The script itself; its first line says which interpreter.
        timeout_s: It is killed after this.
        output_bytes_max: Of what it prints only the end is kept.
        as_root: Run with sudo unless the login user is root.
    """

    name: str
    text: str
    timeout_s: float = 60.0
    output_bytes_max: int = 16 * 1024
    as_root: bool = False
    environment: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Login:
    """How to get in.

    Attributes:
        host_keys: Acceptable ``<type> <base64>`` lines; empty: scan and pin what is there.
        key_file: Private key of ours, or None to ask the agent; never a password.
    """

    address: str
    port: int = 22
    user: str = "root"
    key_file: str | None = None
    host_keys: tuple[str, ...] = ()
    connect_timeout_s: float = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ProofOrder:
    """What to prove of one machine, in one session.

    Attributes:
        login_wanted: False: only the banner and host key are met (for images without a login).
        ready_line: Called with each finished step, for progress; may be called from any thread.
    """

    login: Login
    setup: Script | None = None
    checks: Sequence[Script] = ()
    login_wanted: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class StepTaken:
    """One finished step: how long, how it ended, and the end of what it printed."""

    step: Step
    name: str
    seconds: float
    ok: bool
    why: str = ""
    output: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """The result of a proof.

    Attributes:
        host_keys: What the machine presented (all of Login.host_keys that matched, or scanned).
        steps: What was done, in order; the last one failed unless *ok*.
        too_early: Nothing listens yet: worth another attempt until the deadline.
    """

    ok: bool
    host_keys: tuple[str, ...] = ()
    steps: tuple[StepTaken, ...] = field(default=())
    too_early: bool = False

    @property
    def why(self) -> str:
        """One sentence: what failed, or an empty string."""
        failed = next((step for step in self.steps if not step.ok), None)
        return "" if failed is None else f"{failed.name}: {failed.why}"


class Prover(Protocol):
    """Logs in and looks."""

    def prove(self, order: ProofOrder, *, stopped: Callable[[], bool] = lambda: False) -> Proof:
        """Make one attempt; never raises for what a machine or network does.

        Args:
            order: What to prove.
            stopped: Polled between steps: True gives up at once.
        """

    def knock(self, address: str, port: int, *, timeout_s: float = 3.0) -> str | None:
        """Meet only the SSH banner; return None if it is there, else what is wrong."""

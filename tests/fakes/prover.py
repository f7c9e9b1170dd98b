"""A prover without a network: what happens at an address is scripted, and nothing else happens."""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, Final

from remuda.runtime.clock import Clock
from remuda.ssh.api import OUT_OF_TIME, Heard, Proof, ProofSpec, ProofStep, Script, StepTaken
from remuda.ssh.link import fingerprint
from tests.fakes.clock import ManualClock

#: What a machine presents if the order expects no key of its own.
SCANNED: Final = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIFakeFakeFakeFakeFakeFakeFakeFakeFakeFakeFak"
#: Why the steps of a recipe do not run a second time.
BEGUN: Final = "the steps of its recipe were begun on it before"
_SCRIPTS: Final = frozenset({ProofStep.STEP, ProofStep.SETUP, ProofStep.CHECK})
OTHER: Final = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOtherOtherOtherOtherOtherOtherOtherOtherOth"


@dataclass(frozen=True, slots=True, kw_only=True)
class Exit:
    """How a script ends: its code and what it printed."""

    code: int = 0
    output: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """What a prover meets at an address.

    Attributes:
        too_early: So many attempts find nothing listening, before anything else happens.
        refuses: After those, so many more attempts find that the key does not open the account.
        host_key: What it presents; None: the first key the order expects, or :data:`SCANNED`.
        exits: By script name how it ends; others exit with 0 and print nothing.
        seconds: What each step claims to have taken.
        fetched: What its setup script fetches, in bytes; None: it does not tell.
        slow: Waited for in every attempt; an event of the test, so nothing sleeps.
    """

    too_early: int = 0
    refuses: int = 0
    host_key: str | None = None
    exits: dict[str, Exit] = field(default_factory=dict)
    seconds: float = 0.01
    fetched: int | None = None
    slow: threading.Event | None = None


class FakeProver:
    """Implements :class:`remuda.ssh.api.Prover`; addresses not scripted are good machines."""

    def __init__(
        self, machines: dict[str, Machine] | None = None, *, clock: Clock | None = None
    ) -> None:
        """Know *machines* by address; deadlines are read on *clock*, which else stands still."""
        self._clock: Clock = clock or ManualClock()
        self._lock = threading.Lock()
        self._machines = dict(machines or {})
        self.begun: set[str] = set()  # addresses at which a recipe was begun
        self.orders: list[ProofSpec] = []
        self.knocks: list[str] = []

    def script(self, address: str, machine: Machine) -> None:
        """Say what is at *address* from now on."""
        with self._lock:
            self._machines[address] = machine

    def change(self, address: str, **fields: Any) -> None:
        """Say what is different at *address* from now on."""
        with self._lock:
            machine = self._machines.get(address, Machine())
            self._machines[address] = replace(machine, **fields)

    def prove(
        self,
        order: ProofSpec,
        *,
        stopped: Callable[[], bool] = lambda: False,
        deadline_s: float | None = None,
        login_by_s: float | None = None,
    ) -> Proof:
        """Do what was scripted for the address."""
        machine = self._meet(order)
        if machine.slow is not None and not machine.slow.wait(60):
            raise AssertionError("the test never let the slow machine go on")

        ends_s = float("inf") if deadline_s is None else deadline_s
        in_s = ends_s if login_by_s is None else min(login_by_s, ends_s)
        attempt = _Attempt(order, machine, stopped, self._clock, (in_s, ends_s))
        attempt.begun = self.begun
        return attempt.make()

    def probe(
        self,
        address: str,
        port: int,
        *,
        timeout_s: float = 3.0,
        host_keys: tuple[str, ...] = (),
    ) -> str | None:
        """Find the machine unless it is still too early (which is not used up)."""
        del port, timeout_s
        with self._lock:
            self.knocks.append(address)
            machine = self._machines.get(address, Machine())
        if machine.too_early:
            return "Connection refused"
        return _compared(machine, host_keys)[1]

    def _meet(self, order: ProofSpec) -> Machine:
        """Count the attempt, and return the machine as this attempt finds it."""
        with self._lock:
            self.orders.append(order)
            machine = self._machines.get(order.login.address, Machine())
            if machine.too_early:
                left = replace(machine, too_early=machine.too_early - 1)
            else:
                left = replace(machine, refuses=max(0, machine.refuses - 1))
            self._machines[order.login.address] = left
        return machine


class _Attempt:
    """One proof under way."""

    def __init__(
        self,
        order: ProofSpec,
        machine: Machine,
        stopped: Callable[[], bool],
        clock: Clock,
        limits_s: tuple[float, float],
    ) -> None:
        self._order = order
        self._machine = machine
        self._stopped = stopped
        self._clock = clock
        self._ends_s, self._deadline_s = limits_s
        self._steps: list[StepTaken] = []
        self._host_keys: tuple[str, ...] = ()
        self.begun: set[str] = set()

    def make(self) -> Proof:
        """Take the steps in order until one fails."""
        for step, name, act in self._plan():
            if self._stopped():
                self._take(step, name, "stopped by us", Exit())
                return self._proof(ok=False, stopped=True)
            if step in _SCRIPTS:
                self._ends_s = self._deadline_s
            if self._late():
                self._take(step, name, OUT_OF_TIME, Exit())
                return self._proof(ok=False, too_early=self._ends_s < self._deadline_s)
            why, exit_, too_early = act()
            self._take(step, name, why, exit_)
            if why:
                return self._proof(ok=False, too_early=too_early, spoiled=why == BEGUN)
        return self._proof(ok=True)

    def _plan(self) -> list[tuple[ProofStep, str, Callable[[], tuple[str, Exit, bool]]]]:
        plan = [
            (ProofStep.CONNECT, "connect", self._connect),
            (ProofStep.HOST_KEY, "host-key", self._compare),
        ]
        if self._order.login_wanted:
            plan.append((ProofStep.LOGIN, "login", self._login))
            names = () if self._order.recipe is None else self._order.recipe.names
            plan += [
                (ProofStep.STEP, one, self._step(one, first=not number))
                for number, one in enumerate(names)
            ]
            setup = (self._order.setup,) if self._order.setup else ()
            plan += [(ProofStep.SETUP, one.name, self._runs(one)) for one in setup]
            plan += [(ProofStep.CHECK, one.name, self._runs(one)) for one in self._order.checks]
        return plan

    def _step(self, name: str, *, first: bool) -> Callable[[], tuple[str, Exit, bool]]:
        exit_, address = self._machine.exits.get(name, Exit()), self._order.login.address

        def act() -> tuple[str, Exit, bool]:
            if first and address in self.begun:
                return BEGUN, Exit(), False
            self.begun.add(address)
            return (exit_.output.strip() if exit_.code else ""), exit_, False

        return act

    def _late(self) -> bool:
        return self._clock.monotonic_s() >= self._ends_s

    def _connect(self) -> tuple[str, Exit, bool]:
        return ("Connection refused" if self._machine.too_early else ""), Exit(), True

    def _compare(self) -> tuple[str, Exit, bool]:
        line, why = _compared(self._machine, self._order.login.host_keys)
        if not why:
            self._host_keys = (line,)
        return why or "", Exit(), False

    def _login(self) -> tuple[str, Exit, bool]:
        user = self._order.login.user
        why = f"our key does not open the account {user}" if self._machine.refuses else ""
        return why, Exit(), True

    def _runs(self, script: Script) -> Callable[[], tuple[str, Exit, bool]]:
        exit_ = self._machine.exits.get(script.name, Exit())

        def act() -> tuple[str, Exit, bool]:
            if exit_.code:
                return (exit_.output.strip() or f"exit code {exit_.code}"), exit_, False
            heard = Heard(output=exit_.output, started_s=0.0, ended_s=0.0)
            judged = script.name in self._machine.exits and script.judge is not None
            why = script.judge(heard) if judged and script.judge else ""
            return why, exit_, False

        return act

    def _take(self, step: ProofStep, name: str, why: str, exit_: Exit) -> None:
        script = step in _SCRIPTS
        taken = StepTaken(
            step=step,
            name=name,
            seconds=self._machine.seconds,
            ok=not why,
            why=why,
            output=exit_.output,
            exit_code=exit_.code if script else None,
        )
        self._steps.append(taken)
        if self._order.on_step is not None:
            self._order.on_step(taken)

    def _proof(
        self,
        *,
        ok: bool,
        too_early: bool = False,
        stopped: bool = False,
        spoiled: bool = False,
    ) -> Proof:
        return Proof(
            ok=ok,
            cut=not ok and self._late(),
            host_keys=self._host_keys,
            steps=tuple(self._steps),
            too_early=too_early,
            stopped=stopped,
            setup_fetched=None if self._order.setup is None else self._machine.fetched,
            spoiled=spoiled,
        )


def _compared(machine: Machine, expected: tuple[str, ...]) -> tuple[str, str | None]:
    """Return the host key of *machine*, and what is wrong with it."""
    line = machine.host_key or (expected[0] if expected else SCANNED)
    if not expected or line in expected:
        return line, None
    wanted = ", ".join(fingerprint(one) for one in expected)
    return line, f"the host key is {fingerprint(line)}, expected {wanted}"

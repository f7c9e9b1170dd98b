"""The real prover: one connection per proof, every step timed and kept."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from remuda.runtime.clock import Clock, SystemClock
from remuda.ssh.api import OUT_OF_TIME, Proof, ProofSpec, ProofStep, RunEnd, Script, StepTaken
from remuda.ssh.errors import KeyFileError, NoCommandsError, NotYetError, SshError
from remuda.ssh.keyfile import KeyRing
from remuda.ssh.link import Link, open_link
from remuda.ssh.meter import fetched_bytes, meter_script, read_received
from remuda.ssh.runner import STOPPED, Ran, greet, run_script
from remuda.ssh.session import SshSession
from remuda.ssh.sshsocket import dial


class ParamikoProver:
    """Implements :class:`remuda.ssh.api.Prover`; may be used by many threads at once."""

    def __init__(self, clock: Clock | None = None) -> None:
        """Use *clock*, or the operating system's."""
        self._clock: Clock = clock or SystemClock()
        self._ring = KeyRing()

    def prove(
        self,
        order: ProofSpec,
        *,
        stopped: Callable[[], bool] = lambda: False,
        deadline_s: float | None = None,
        login_by_s: float | None = None,
    ) -> Proof:
        """Make one attempt; see :meth:`remuda.ssh.api.Prover.prove`.

        Raises:
            KeyFileError: Our own private key cannot be used.
        """
        if order.login_wanted and order.login.key_file is not None:
            self._ring.key(order.login.key_file)  # before anybody is bothered with a connection
        ends_s = float("inf") if deadline_s is None else deadline_s
        in_s = ends_s if login_by_s is None else min(login_by_s, ends_s)
        attempt = _Attempt(order, self._clock, self._ring, stopped, ends_s, in_s)
        try:
            attempt.make()
        except _Failed as failed:
            return attempt.proof(failed)
        return attempt.proof()

    def probe(
        self,
        address: str,
        port: int,
        *,
        timeout_s: float = 3.0,
        host_keys: tuple[str, ...] = (),
    ) -> str | None:
        """See whether a machine is there; see :meth:`remuda.ssh.api.Prover.probe`."""
        ends_s = self._clock.monotonic_s() + timeout_s
        try:
            sock = dial(address, port, timeout_s=timeout_s, clock=self._clock)
            with Link(sock, self._clock, answer_timeout_s=timeout_s, deadline_s=ends_s) as link:
                if host_keys:
                    link.meet(host_keys)
        except SshError as exc:
            return str(exc)
        return None


class _Failed(Exception):  # noqa: N818 - it ends an attempt and is seen by nobody else
    """The step just recorded has failed: no other follows."""

    def __init__(
        self, *, too_early: bool = False, stopped: bool = False, spoiled: bool = False
    ) -> None:
        super().__init__()
        self.too_early = too_early
        self.stopped = stopped
        self.spoiled = spoiled


@dataclass(slots=True)
class _Attempt:
    """One proof under way."""

    order: ProofSpec
    clock: Clock
    ring: KeyRing
    stopped: Callable[[], bool]
    deadline_s: float
    ends_s: float  # of what is done just now: up to the login that is sooner
    steps: list[StepTaken] = field(default_factory=list)
    host_keys: tuple[str, ...] = ()
    setup_fetched: int | None = None

    def proof(self, failed: _Failed | None = None) -> Proof:
        """Return what came out."""
        late = self.clock.monotonic_s() >= self.ends_s
        return Proof(
            ok=failed is None,
            cut=late and failed is not None,
            host_keys=self.host_keys,
            steps=tuple(self.steps),
            too_early=failed is not None and failed.too_early,
            stopped=failed is not None and failed.stopped,
            spoiled=failed is not None and failed.spoiled,
            setup_fetched=self.setup_fetched,
        )

    def make(self) -> None:
        """Take all steps.

        Raises:
            _Failed: One failed; it is the last that was recorded.
        """
        with self._step(ProofStep.CONNECT):
            link = open_link(self.order.login, self.clock, deadline_s=self.ends_s)
        with link:
            with self._step(ProofStep.HOST_KEY):
                self.host_keys = (link.meet(self.order.login.host_keys),)
            if self.order.login_wanted:
                self._login(link)
                self.ends_s = link.deadline_s = self.deadline_s
                self._run_all(link)

    def _login(self, link: Link) -> None:
        """Open the account, and see that it executes a command: whoever gets it will have it do so.

        sshd opens accounts whose password has expired or whose shell is ``nologin``, too.
        """
        with self._step(ProofStep.LOGIN):
            link.login(self.order.login, self.ring)
            greeted = greet(link, self.clock, self.stopped)
            if greeted.why and greeted.exit_code is not None:
                raise NoCommandsError(greeted.why)
            if greeted.why:
                raise NotYetError(f"{greeted.why} (at the first command)")

    def _run_all(self, link: Link) -> None:
        if self.order.recipe is not None:
            # Its steps may be silent for hours.
            link.keep_alive()
            session = SshSession(link, self.host_keys[0], self.clock)
            end = self.order.recipe.run(
                session, clock=self.clock, stopped=self.stopped, take=self._note
            )
            if end is not RunEnd.DONE:
                raise _Failed(stopped=end is RunEnd.STOPPED, spoiled=end is RunEnd.SPOILED)
        if self.order.setup is not None:
            before = self._received(link)
            self._run(link, ProofStep.SETUP, self.order.setup)
            self.setup_fetched = fetched_bytes(before, self._received(link))
        for check in self.order.checks:
            self._run(link, ProofStep.CHECK, check)

    def _received(self, link: Link) -> int | None:
        """Ask what the machine has received until now; that it does not tell is no failure."""
        ran = run_script(link, meter_script(), self.clock, self.stopped)
        return None if ran.why else read_received(ran.output)

    @contextmanager
    def _step(self, step: ProofStep) -> Iterator[None]:
        """Time what happens inside, and turn its error into a recorded failure."""
        begun_s = self._begin(step, step.value)
        try:
            yield
        except KeyFileError:
            raise
        except SshError as exc:
            self._take(step, step.value, begun_s, _quiet(str(exc)))
            raise _Failed(too_early=exc.too_early) from exc
        self._take(step, step.value, begun_s, _quiet(""))

    def _run(self, link: Link, step: ProofStep, script: Script) -> None:
        begun_s = self._begin(step, script.name)
        ran = run_script(link, script, self.clock, self.stopped)
        self._take(step, script.name, begun_s, ran)
        if ran.why:
            # A machine that reboots while it is checked deserves another look; a recipe or a setup
            # script that had begun does not, for it may not bear to run twice.
            too_early = ran.lost and self.order.setup is None and self.order.recipe is None
            raise _Failed(too_early=too_early, stopped=ran.why == STOPPED)

    def _begin(self, step: ProofStep, name: str) -> float:
        begun_s = self.clock.monotonic_s()
        if self.stopped():
            self._take(step, name, begun_s, _quiet(STOPPED))
            raise _Failed(stopped=True)
        if begun_s >= self.ends_s:
            self._take(step, name, begun_s, _quiet(OUT_OF_TIME))
            raise _Failed(too_early=self.ends_s < self.deadline_s)
        return begun_s

    def _take(self, step: ProofStep, name: str, begun_s: float, ran: Ran) -> None:
        taken = StepTaken(
            step=step,
            name=name,
            seconds=self.clock.monotonic_s() - begun_s,
            ok=not ran.why,
            why=ran.why,
            output=ran.output,
            exit_code=ran.exit_code,
            broken=ran.broken,
        )
        self._note(taken)

    def _note(self, taken: StepTaken) -> None:
        self.steps.append(taken)
        if self.order.on_step is not None:
            self.order.on_step(taken)


def _quiet(why: str) -> Ran:
    """Return the outcome of a step that runs nothing on the machine."""
    return Ran(exit_code=None, why=why, output="")

"""The hand of a trial: an upload is booted where it is to run, looked at, and judged."""

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Final

from builder.build.hand_quiet import Quieting
from builder.build.hand_secrets import SecretError, read_secrets
from builder.hands import blame
from builder.hands.held_record import HeldRecord, TakenOverError, hold_upload
from builder.log.progress import ProgressLog, say
from builder.machine.hand_begin import InCloud, InPhases, MachineHand
from builder.machine.hand_borrow import MachineWanted
from builder.machine.hand_evidence import tell_console
from builder.machine.held import HeldMachine
from builder.quiet.identity import read_flat_identity
from builder.quiet.scripts import Traces, clone_script
from builder.upload import offline as without_network
from builder.upload import outcome as upload_outcome
from builder.upload.events import TrialEnded
from remuda.cloud.api import GoneError
from remuda.config.parts import CheckFrom
from remuda.model.build import Blame, Build, Mishap
from remuda.model.codec import CorruptRecordError
from remuda.model.imageask import ImageUse
from remuda.model.upload import TrialTimes, Upload
from remuda.runtime.waiting import HandStoppedError
from remuda.ssh.api import Proof, ProofSpec, ProofStep, Prover, Script, StepTaken
from remuda.ssh.checks import make_checks
from remuda.store.api import Stored, StoreError
from remuda.visible import visible

#: The launcher has logged in a moment ago; a clone that reboots by itself is given so long.
PROVE_AGAIN_S: Final = 120.0
_AGAIN_S: Final = 2.0
#: Beyond the limits of all scripts together: logins, and ending what hangs.
_MARGIN_S: Final = 120.0
#: Candidates that are asked for until one is on a host that has not seen a failure.
_HOSTS_TRIED_MAX: Final = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialInCloud(InCloud):
    """A :class:`builder.upload.tasks.TrialTask`, with the cloud in which it is carried out.

    Attributes:
        upload: As it was judged: tried in *provider*, and ours.
        build: What it is an upload of.
        wanted: The providers of the recipe that have the place.
        checks: Those of the labels that boot it there, besides the recipe's own.
        avoid: Hosts on which it has failed, as the cloud hides their names.
    """

    upload: Stored[Upload]
    build: Build
    provider: str
    wanted: Collection[str]
    checks: tuple[CheckFrom, ...] = ()
    avoid: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ValidatingHand(MachineHand):
    """Tries uploads."""

    prover: Prover

    def validate(
        self, task: TrialInCloud, log: ProgressLog, stopped: Callable[[], bool] = lambda: False
    ) -> TrialEnded:
        """Try it; return when the record says what was found, or is not ours any more.

        Args:
            task: What to try.
            log: Is told everything, and closed in the end.
            stopped: Asked about twice a second: True gives up at once.
        """
        waiting = self.waiting(stopped)
        record = hold_upload(self.machines.store, waiting, task.upload)
        work = _Trying(hand=self, task=task, record=record, waiting=waiting, log=log)
        why = work.run(work.judge)
        return TrialEnded(id=task.upload.value.id, provider=task.provider, why=why)


@dataclass(slots=True, kw_only=True)
class _Trying(InPhases):
    """One trial under way.

    Attributes:
        host: Where the candidate runs, if the cloud says so.
        times: How long it took, once it has passed.
    """

    hand: ValidatingHand
    task: TrialInCloud
    record: HeldRecord[Upload]
    host: str | None = None
    times: TrialTimes | None = None

    def judge(self) -> str | None:
        """Try it and write what was found; return what went wrong, or None."""
        mishap: Mishap | None = None
        try:
            self._try()
        except blame.MishapError as exc:
            mishap = exc.mishap
        except SecretError as exc:
            mishap = blame.mishap(self.phase, Blame.BUILDER, str(exc))
        except blame.ENDINGS as exc:
            if isinstance(exc, HandStoppedError):
                return self._write(upload_outcome.untried, str(exc))
            mishap = blame.of_error(self.phase, exc)
        why = None if mishap is None else mishap.said
        if mishap is not None and why is not None:
            say(self.log, f"FAILED, {mishap.blame} to blame: {visible(why)}")

        def judged(upload: Upload, *, now_s: float) -> Upload:
            task = self.task
            return upload_outcome.judged(
                upload, mishap, self.host, task.policy, task.wanted, now_s=now_s, times=self.times
            )

        return self._write(judged, why)

    def _write(self, change: Callable[..., Upload], why: str | None) -> str | None:
        try:
            self.record.write(lambda upload: change(upload, now_s=self.hand.clock.now_s()))
        except (TakenOverError, StoreError, HandStoppedError) as exc:
            say(self.log, f"not written: {exc}")
            return f"{why or 'passed'}; not written: {exc}"
        return why

    # -- the way -----------------------------------------------------------------------------

    def _try(self) -> None:
        self._begin("image")
        self._look_at_image()
        checks, offline = self._checks(self._made_on()), self.task.recipe.offline_checks
        first = _Candidate(
            phase="candidate", checks=checks, whose=lambda proof: _whose(proof, checks[0].name)
        )
        proof, boot_s = self._on_a_machine(first)
        times = TrialTimes(boot_s=boot_s, checks=tuple(_check_times(proof)))
        if offline:
            # Another machine: what ran on the first may have fetched what is to be there.
            second = _Candidate(
                phase="offline",
                said="offline: ",
                checks=without_network.offline_scripts(offline),
                whose=lambda proof: without_network.whose(proof, len(offline)),
            )
            proof, _ = self._on_a_machine(second)
            times = replace(times, offline=without_network.check_times(proof))
            say(self.log, f"offline: {times.offline_said}")
        self.times = times

    def _on_a_machine(self, candidate: "_Candidate") -> tuple[Proof, float | None]:
        """Borrow a machine and prove it; return the proof, and how long the machine booted."""
        left = _HOSTS_TRIED_MAX
        while True:
            left -= 1
            self.host = None
            self._begin("machine")
            with self.hand.machines.borrowed(self._wanted(), self.waiting, self.log) as machine:
                self.host = machine.host
                if left and self.host is not None and self.host in self.task.avoid:
                    say(self.log, "it is on a host where it has failed: another one is asked for")
                    continue
                self._begin(candidate.phase)
                try:
                    return self._prove(machine, candidate), machine.boot_s
                except blame.MishapError:
                    tell_console(self.task.cloud, machine.server, self.log)
                    raise

    def _wanted(self) -> MachineWanted:
        return self.task.machine(
            ImageUse.PROVE,
            self.task.provider,
            upload=self.record.value.id,
            boots=self.record.value.cloud_image or "",
            secret=bool(self.task.recipe.needed_secrets),
        )

    def _made_on(self) -> Mapping[str, str]:
        """Return what is not to be found again: the identity of the machine it was made on.

        A file was made on none. So a first machine is booted from it, and says who it is: what the
        next one has in common with it both have from the file, or nobody gave it to them.
        """
        if self.task.build.file is None:
            return self.task.build.identity
        self._begin("first machine")
        with self.hand.machines.borrowed(self._wanted(), self.waiting, self.log) as machine:
            self._begin("first login")
            with self.hand.machines.connect(machine, self.waiting) as session:
                quieting = Quieting(session=session, waiting=self.waiting, log=self.log)
                return quieting.identity(machine.login_key)

    def _checks(self, made_on: Mapping[str, str]) -> tuple[Script, ...]:
        """Return what to look for: first what tells it from the machine it was made on."""
        try:
            build, login_key = read_flat_identity(made_on)
        except CorruptRecordError as exc:
            message = f"its record does not say what it was made on: {exc.why}"
            raise blame.fail("identity", Blame.RESIDUE, message) from exc
        secrets = read_secrets(self.task.recipe, self.hand.environ)
        traces = Traces(
            host_keys=(),
            # Not the launcher's: that one opens all of its machines, and shall.
            login_keys=(login_key,),
            secrets=tuple("".join(one) for one in secrets.values()),
        )
        own = make_checks(self.task.recipe.checks)
        try:
            clone = clone_script(build, traces)
        except ValueError as exc:  # nobody can look for them
            raise blame.fail("identity", Blame.RESIDUE, str(exc)) from exc
        return (clone, *own, *make_checks(self.task.checks))

    def _look_at_image(self) -> None:
        """Make sure that there is one: no launcher could boot what the cloud has lost."""
        image_id = self.record.value.cloud_image or ""
        try:
            self.task.images.get_image(image_id)
        except GoneError:
            raise blame.fail("image", Blame.MACHINE, "the cloud has lost the image") from None

    def _prove(self, machine: HeldMachine, candidate: "_Candidate") -> Proof:
        clock, checks = self.hand.clock, candidate.checks
        order = ProofSpec(login=machine.login, checks=checks, on_step=self._tell)
        again_s = clock.monotonic_s() + PROVE_AGAIN_S
        ends_s = again_s + _MARGIN_S + sum(one.timeout_s for one in checks)
        proof: Proof | None = None
        while True:
            machine.check()
            proof = self.hand.prover.prove(
                order, stopped=self.waiting.stopped, deadline_s=ends_s
            ).or_earlier(proof)
            if proof.ok:
                return proof
            self.waiting.check()
            if not proof.too_early or clock.monotonic_s() >= again_s:
                break
            self.waiting.pause(_AGAIN_S)
        machine.check()
        said = f"{candidate.said}{proof.why}"
        raise blame.fail(_failed(proof), candidate.whose(proof), said)

    def _tell(self, taken: StepTaken) -> None:
        self.log.step(taken.name)
        if taken.output:
            self.log.write(taken.output.encode(errors="replace"))
        if not taken.ok:
            say(self.log, f"failed: {visible(taken.why)}")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Candidate:
    """What is looked for on one machine.

    Attributes:
        phase: What the log calls it.
        said: What goes before why it failed.
        whose: Whose failure a proof is; each of them counts against the image.
    """

    phase: str
    said: str = ""
    checks: tuple[Script, ...]
    whose: Callable[[Proof], Blame]


def _check_times(proof: Proof) -> Iterator[tuple[str, float]]:
    return ((one.name, one.seconds) for one in proof.steps if one.step is ProofStep.CHECK)


def _failed(proof: Proof) -> str:
    return next((one.name for one in proof.steps if not one.ok), "candidate")


def _whose(proof: Proof, clone_check: str) -> Blame:
    """Return whose failure the proof of a first candidate is."""
    failed = next((one for one in proof.steps if not one.ok), None)
    if failed is None or failed.step is not ProofStep.CHECK or failed.broken or proof.too_early:
        return Blame.MACHINE
    return Blame.RESIDUE if failed.name == clone_check else Blame.RECIPE

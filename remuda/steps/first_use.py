"""The steps of a recipe on a machine that is to be used: no image of it is there yet."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Final

from remuda.images.failed import blame_of
from remuda.model.build import Blame
from remuda.runtime.clock import Clock
from remuda.runtime.waiting import HandStoppedError, Waiting
from remuda.ssh.api import ProofStep, RunEnd, Script, StepTaken
from remuda.ssh.errors import SshError
from remuda.ssh.runner import STOPPED
from remuda.ssh.session import SshSession
from remuda.steps.room import CLOUD_INIT_S_MAX, SLACK_S
from remuda.steps.runner import StepContext, StepFailedError, StepRunner
from remuda.steps.scripts import BEGIN, BEGUN_BEFORE

#: What comes before the first step, as it is told.
BEGINNING: Final = "wait for cloud-init"
_MARK: Final = "/var/tmp/remuda-first-use-"  # noqa: S108 - a folder, of which only the name counts


class _BegunBeforeError(StepFailedError):
    """The steps were begun on this machine before: nobody is to blame, another one will do."""


class _Unkept:
    """A log that nobody reads: of each step the end of its output is kept as evidence."""

    def step(self, name: str) -> None:
        """Leave it out."""

    def write(self, data: bytes) -> None:
        """Leave it out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FirstUse:
    """Implements :class:`remuda.ssh.api.RecipeRun`: the same steps as builders take.

    Attributes:
        mark: Tells the machine from others; by it is seen that they were begun there before.
    """

    context: StepContext
    mark: str

    @property
    def names(self) -> tuple[str, ...]:
        """What is run, in order."""
        return (BEGINNING, *(step.called for step in self.context.recipe.steps))

    def run(
        self,
        session: SshSession,
        *,
        clock: Clock,
        stopped: Callable[[], bool],
        take: Callable[[StepTaken], None],
    ) -> RunEnd:
        """Run all steps; see :meth:`remuda.ssh.api.RecipeRun.run`."""
        waiting = Waiting(clock, stopped)
        runner = StepRunner(session=session, context=self.context, waiting=waiting, log=_Unkept())
        end = self._take(clock, take, BEGINNING, lambda: self._begin(session, stopped))
        for step in self.context.recipe.steps:
            if end is not RunEnd.DONE:
                break
            end = self._take(clock, take, step.called, partial(runner.run, step))
        return end

    def _take(
        self,
        clock: Clock,
        take: Callable[[StepTaken], None],
        name: str,
        act: Callable[[], str],
    ) -> RunEnd:
        """Run one of them, and tell how it ended."""
        begun_s, output, why, end = clock.monotonic_s(), "", "", RunEnd.DONE
        try:
            output = act()
        except StepFailedError as exc:
            output, why = exc.output, exc.why
            # A file that is not here, or has changed, fails the next machine just as well: like
            # all other failures it counts against the launches of its kind.
            end = RunEnd.SPOILED if isinstance(exc, _BegunBeforeError) else RunEnd.FAILED
        except HandStoppedError:
            why, end = STOPPED, RunEnd.STOPPED
        except SshError as exc:
            why, end = str(exc), RunEnd.FAILED
        seconds, step = clock.monotonic_s() - begun_s, ProofStep.STEP
        taken = StepTaken(step=step, name=name, seconds=seconds, ok=not why, why=why, output=output)
        take(taken)
        return end

    def _begin(self, session: SshSession, stopped: Callable[[], bool]) -> str:
        """Mark the machine, and wait until cloud-init is done; return what it printed.

        Raises:
            StepFailedError: It is marked already, or cloud-init does not end.
            HandStoppedError: We were told to give up.
        """
        script = Script(
            name=BEGINNING,
            text=BEGIN,
            arguments=(f"{_MARK}{self.mark}", str(round(CLOUD_INIT_S_MAX))),
            timeout_s=CLOUD_INIT_S_MAX + SLACK_S,
        )
        ran = session.run_script(script, stopped=stopped)
        if ran.why == STOPPED:
            raise HandStoppedError
        if ran.exit_code == BEGUN_BEFORE:
            why = "the steps of its recipe were begun on it before, and may not bear to run twice"
            raise _BegunBeforeError(BEGINNING, Blame.MACHINE, why, ran.output)
        if ran.why:
            raise StepFailedError(BEGINNING, blame_of(ran.output), ran.why, ran.output)
        return ran.output

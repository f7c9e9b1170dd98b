"""The steps of a recipe, one after another over one connection."""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Protocol

from remuda.config import trees
from remuda.config.fingerprint import Trees, same
from remuda.config.images import BuildStep, StepCopy
from remuda.config.recipes import ImageRecipe
from remuda.config.sources import UnreadableError
from remuda.images.failed import blame_of
from remuda.model.build import Blame
from remuda.model.image import BuildId
from remuda.redaction import redact_middle, redact_text
from remuda.runtime.waiting import HandStoppedError, Waiting
from remuda.secret import Secret
from remuda.ssh.api import OUT_OF_TIME, WHY_CHARS_MAX, Script
from remuda.ssh.errors import CutShortError
from remuda.ssh.runner import STOPPED, Ran
from remuda.ssh.session import CopyFailedError, SshSession
from remuda.steps.room import waits_s
from remuda.steps.scripts import PACKAGES, PLACE, REMOVE
from remuda.visible import visible

#: To put a file in its place there is at least so much time, however long the copy took.
_PLACE_S_MIN: Final = 10.0
#: Where copies come in: not below ``/tmp``, which may lie in memory.
_CAME: Final = "/var/tmp"  # noqa: S108 - in a folder whose name nobody guesses


class StepLog(Protocol):
    """Where is told what steps do; never raises."""

    def step(self, name: str) -> None:
        """Begin a step; the one before has ended."""

    def write(self, data: bytes) -> None:
        """Add what was printed, which may be text of strangers, in any amount."""


class StepFailedError(Exception):
    """A step has failed, and so has every retry that it has; told without secrets.

    Attributes:
        step: What people call it.
        blame: Whose failure it was.
        why: What was said of it, which may be text of strangers.
        output: The end of what it printed.
    """

    def __init__(self, step: str, blame: Blame, why: str, output: str = "") -> None:
        self.step = step
        self.blame = blame
        self.why = redact_middle(why, WHY_CHARS_MAX)
        self.output = redact_text(output)
        super().__init__(f"{step}: {self.why}")


@dataclass(frozen=True, slots=True, kw_only=True)
class StepContext:
    """What steps get to know.

    Attributes:
        build: Which build it is for; number 0: none, but the machine of a first use.
        secrets: By the name that steps know.
        copied: What the build's fingerprint means by each file and folder.
    """

    build: BuildId
    provider: str
    recipe: ImageRecipe
    secrets: Mapping[str, Secret]
    copied: Trees = field(default_factory=dict)

    def environment(self, step: BuildStep) -> tuple[tuple[str, str], ...]:
        """Return the variables of a step: those said later win, ours before all, then secrets."""
        script = {} if step.script is None else step.script.environment
        ours = {
            "REMUDA_IMAGE": self.build.image,
            "REMUDA_BUILD": str(self.build.number),
            "REMUDA_PROVIDER": self.provider,
        }
        given: dict[str, str] = {}
        if step.script is not None or step.command is not None:
            given = {name: self.secrets[name] for name in step.secrets}
        return tuple({**self.recipe.environment, **script, **ours, **given}.items())


def script_of(step: BuildStep, context: StepContext) -> Script | None:
    """Return what a step runs on the machine; None: it copies.

    Raises:
        ValueError: Its script was never read.
    """
    text, as_root = step.command or "", step.as_root
    arguments: tuple[str, ...] = ()
    if step.copied is not None:
        return None
    if step.script is not None:
        text, arguments = step.script.text, step.script.arguments
    elif step.packages is not None:
        text, arguments, as_root = PACKAGES, step.packages, True
    return Script(
        name=step.called,
        text=text,
        arguments=arguments,
        timeout_s=step.timeout,
        as_root=as_root,
        environment=context.environment(step),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class StepRunner:
    """Takes steps on one machine.

    Attributes:
        came: Folder of the machine, in which copies lie until they are put in their place.
    """

    session: SshSession
    context: StepContext
    waiting: Waiting
    log: StepLog
    came: str = _CAME

    def run_all(self) -> None:
        """Take them all.

        Raises:
            StepFailedError: One has failed, and so has every retry that it has.
            HandStoppedError: The hand has to stop.
        """
        for step in self.context.recipe.steps:
            self.run(step)

    def run(self, step: BuildStep) -> str:
        """Take one step, and return the end of what it printed; raises as :meth:`run_all`."""
        name = step.called
        self.waiting.check()
        self.log.step(name)
        for again, wait_s in enumerate((*waits_s(step.retries), None)):
            whose, why, output = self._once(step, name)
            if not why:
                break
            self._say(f"{visible(name)} failed: {visible(why)}")
            if wait_s is None:
                tries = f" (tried {again + 1} times)" if again else ""
                raise StepFailedError(name, whose, f"{why}{tries}", output)
            self.waiting.pause(wait_s)
        return output

    def _say(self, text: str) -> None:
        self.log.write(f"{text}\n".encode(errors="replace"))

    def _once(self, step: BuildStep, name: str) -> tuple[Blame, str, str]:
        """Make one attempt; return whose failure it was, why (empty: none), and what it printed.

        Raises:
            StepFailedError: No other attempt would help.
            HandStoppedError: The hand has to stop.
        """
        script = script_of(step, self.context)
        if script is not None:
            ran = self._script(script)
            return blame_of(ran.output), ran.why, ran.output
        assert step.copied is not None  # noqa: S101 - it is of this kind
        try:
            return Blame.RECIPE, self._copy(step.copied, step), ""
        except (OSError, UnreadableError) as exc:
            # Another host of ours may have the file.
            raise StepFailedError(name, Blame.BUILDER, f"{step.copied.source}: {exc}") from exc

    def _script(self, script: Script) -> Ran:
        ran = self.session.run_script(script, stopped=self.waiting.stopped, hear=self.log.write)
        if ran.why == STOPPED:
            raise HandStoppedError
        if ran.lost or ran.broken or ran.why == OUT_OF_TIME:
            raise StepFailedError(script.name, Blame.MACHINE, ran.why, ran.output)
        return ran

    def _copy(self, copied: StepCopy, step: BuildStep) -> str:
        source = Path(copied.source)
        entries = trees.survey(source)
        self._say(f"{len(entries)} entries, {sum(one.size for one in entries)} bytes")
        came = f"{self.came}/remuda-copy-{secrets.token_hex(16)}"
        clock = self.waiting.clock
        ends_s = clock.monotonic_s() + step.timeout
        try:
            self._send(source, came, step.timeout)
        except (CutShortError, CopyFailedError) as exc:
            self.waiting.check()
            self._script(Script(name=step.called, text=REMOVE, arguments=(came,)))
            return str(exc)
        self._check_copied(copied, step.called)
        placing = Script(
            name=step.called,
            text=PLACE,
            arguments=(came, *_placed(copied)),
            timeout_s=max(_PLACE_S_MIN, ends_s - clock.monotonic_s()),
            as_root=step.as_root,
        )
        return self._script(placing).why

    def _check_copied(self, copied: StepCopy, name: str) -> None:
        """Look whether what was sent is what the build's fingerprint means.

        It is read after it was sent: a change before that, or meanwhile, is seen.

        Raises:
            StepFailedError: It is not.
        """
        expected = self.context.copied.get(copied.source)
        if expected is None or same(copied, expected, trees.read(Path(copied.source))):
            return
        # It begins anew: with the recipe of now, or where the files are those of its recipe.
        message = f"{copied.source} is not what it was when the build was asked for: it has changed"
        raise StepFailedError(name, Blame.BUILDER, message)

    def _send(self, source: Path, came: str, limit_s: float) -> None:
        stopped = self.waiting.stopped
        if source.is_dir():
            self.session.copy_tree(source, f"{came}/item", limit_s=limit_s, stopped=stopped)
        else:
            self.session.copy_file(source, came, "item", limit_s=limit_s, stopped=stopped)


def _placed(copied: StepCopy) -> tuple[str, str, str, str]:
    """Return where to, modes of files and folders, and owner; empty: not said."""
    mode = copied.mode or ""
    # x beside each r.
    folder = f"{int(mode, 8) | (int(mode, 8) & 0o444) >> 2:o}" if mode else ""
    return copied.to.rstrip("/") or "/", mode, folder, copied.owner or ""

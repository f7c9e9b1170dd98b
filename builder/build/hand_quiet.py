"""A build machine before its first step, and after its last: what is left of it in its image."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from builder.build.hand_inventory import packages_script, read_packages
from builder.build.release import Release, read_release, release_script
from builder.hands import blame
from builder.log.progress import ProgressLog, say
from builder.quiet.files import files_script, measure_of, read_files
from builder.quiet.identity import flat_identity
from builder.quiet.kinds import say as say_residues
from builder.quiet.needles import UnsearchableError, make_needles
from builder.quiet.reports import BadReportError, FailureClass, PhaseFailure
from builder.quiet.scripts import (
    Traces,
    identity_script,
    prepare_script,
    quiet_script,
    read_identity,
    read_prepare,
    read_quiet,
)
from remuda.config.recipes import ImageRecipe
from remuda.images.inventory import MachineContents, Package
from remuda.known_secrets import KNOWN
from remuda.model.build import Blame
from remuda.runtime.waiting import HandStoppedError, Waiting
from remuda.ssh.api import Script
from remuda.ssh.runner import STOPPED, Ran
from remuda.ssh.session import SshSession
from remuda.steps.scripts import HOST_KEYS
from remuda.visible import visible

#: sshd makes three or four, of which RSA's is the longest.
_HOST_KEYS_BYTES_MAX: Final = 64 * 1024
#: Lines of Base64, all but the last of one length: what a machine shows is masked in all logs of
#: this process, so that it must be nothing else, and must not displace the secrets of others.
_KEY: Final = re.compile(
    r"-----BEGIN (?:[A-Z0-9]{1,20} ){0,3}PRIVATE KEY-----\n"
    r"(?:[A-Za-z0-9+/]{60,80}\n){0,400}[A-Za-z0-9+/=]{1,80}\n"
    r"-----END (?:[A-Z0-9]{1,20} ){0,3}PRIVATE KEY-----",
    re.ASCII,
)
_KEYS_MAX: Final = 16
_BEGIN: Final = "-----BEGIN "
_END: Final = "-----END "
#: The base image, or how it is logged in to, is wrong: no other machine would do better.
_OF_THE_RECIPE: Final = frozenset({FailureClass.NOT_ROOT, FailureClass.TOOL_MISSING})


@dataclass(frozen=True, slots=True, kw_only=True)
class Quieting:
    """Works on one machine, over one connection.

    Everything raises MishapError if it fails, and HandStoppedError if the hand has to stop.

    Attributes:
        whose: To blame for what was made of it before: the recipe, or the job whose machine it is.
    """

    session: SshSession
    waiting: Waiting
    log: ProgressLog
    whose: Blame = Blame.RECIPE

    def prepare(self) -> None:
        """Wait until nobody else is at work on it."""
        ran = self._run("prepare", prepare_script(), tell=True)
        if not ran.why:
            return
        failure = read_prepare_failure(ran.output)
        if failure is None and ran.exit_code:
            # Not even begun: who logs in may not become root.
            raise blame.fail("prepare", self.whose, ran.why)
        raise self._failed("prepare", ran, failure)

    def check(self, checks: tuple[Script, ...]) -> None:
        """Run the image's checks of the machine, before anything is taken from it."""
        for script in checks:
            self.log.step(f"check {script.name}")
            ran = self._run(script.name, script, tell=True)
            if ran.why:
                raise blame.fail(script.name, self.whose, ran.why)

    def packages(self) -> tuple[Package, ...]:
        """Return what is installed on it; none if it cannot tell, which ends no build."""
        ran = self._run("packages", packages_script(), tell=False)
        found = None if ran.why else read_packages(ran.output)
        if found is None:
            say(self.log, f"its packages are not known: {visible(ran.why) or 'they are too many'}")
        return tuple(one for one in found or () if not _tells_secrets(*one))

    def contents(self, recipe: ImageRecipe) -> MachineContents | None:
        """Return what else is on it; None if it cannot tell, which ends no build."""
        how, ignored = recipe.inventory, recipe.inventory_ignore
        ran = self._run("files", files_script(how, ignored), tell=False)
        found = None if ran.why else read_files(ran.output, measure_of(how, ignored))
        if found is None:
            say(self.log, f"its files are not known: {visible(ran.why) or 'the list is not whole'}")
            return None
        words = (
            *(word for service in found.services for word in service),
            *(folder.name for folder in found.folders),
        )
        if _tells_secrets(*words):
            say(self.log, "its files are not known: the name of one holds a secret")
            return None
        return found

    def release(self) -> Release:
        """Return which system runs on it, as far as it says so, which ends no build."""
        ran = self._run("release", release_script(), tell=False)
        found = Release() if ran.why else read_release(ran.output)
        return Release() if _tells_secrets(*found.doc().values()) else found

    def identity(self, login_key: str) -> Mapping[str, str]:
        """Return what tells it from others, for the record of the build."""
        ran = self._run("identity", identity_script(), tell=False)
        if ran.why:
            raise blame.fail("identity", Blame.MACHINE, ran.why)
        found = read_identity(ran.output).identity
        assert found is not None  # noqa: S101 - the script's judge has seen one
        try:
            flat = flat_identity(found, login_key)
        except ValueError as exc:
            raise blame.fail("identity", Blame.MACHINE, str(exc)) from exc
        # It goes into a record that many may read.
        if any(map(_tells_secrets, flat.values())):
            raise blame.fail(
                "identity", Blame.RESIDUE, "a secret is in what identifies the machine"
            )
        return flat

    def host_keys(self) -> tuple[str, ...]:
        """Return its private host keys; they are masked from now on, and told to nobody."""
        script = Script(
            name="host keys",
            text=HOST_KEYS,
            as_root=True,
            output_bytes_max=_HOST_KEYS_BYTES_MAX,
        )
        ran = self._run("host keys", script, tell=False)
        keys = tuple(_blocks(ran.output))
        honest = tuple(one for one in keys if _KEY.fullmatch(one))
        KNOWN.note(honest)
        if ran.why:
            raise blame.fail("host keys", Blame.MACHINE, ran.why)
        if honest != keys:
            raise blame.fail("host keys", Blame.MACHINE, "it shows what is no private key")
        try:
            make_needles(keys)
        except UnsearchableError as exc:
            raise blame.fail("host keys", Blame.MACHINE, str(exc)) from exc
        return keys

    def quiet(self, traces: Traces) -> None:
        """Make it quiet, assert it, and give free blocks back: nobody logs in any more."""
        try:
            script = quiet_script(traces)
        except ValueError as exc:
            raise blame.fail("quiet", Blame.RECIPE, str(exc)) from exc
        ran = self._run("quiet", script, tell=False)
        if not ran.why:
            return
        try:
            report = read_quiet(ran.output, traces.kept)
        except BadReportError:
            raise blame.fail("quiet", Blame.MACHINE, ran.why) from None
        if report.residues:
            for one in report.residues:
                say(self.log, f"left: {one}")
            raise blame.fail("quiet", Blame.RESIDUE, say_residues(report.residues))
        raise self._failed("quiet", ran, report.failure)

    def _failed(self, step: str, ran: Ran, failure: PhaseFailure | None) -> blame.MishapError:
        if failure is None:
            return blame.fail(step, Blame.MACHINE, ran.why)
        whose = self.whose if failure.kind in _OF_THE_RECIPE else Blame.MACHINE
        return blame.fail(step, whose, f"{failure.kind}: {visible(failure.about)}")

    def _run(self, step: str, script: Script, *, tell: bool) -> Ran:
        """Run a script; what it prints is told only if *tell*.

        Raises:
            MishapError: The connection broke.
            HandStoppedError: The hand has to stop.
        """
        self.waiting.check()
        ran = self.session.run_script(script, stopped=self.waiting.stopped)
        if tell:
            self.log.write(ran.output.encode(errors="replace"))
        if ran.why == STOPPED:
            raise HandStoppedError
        if ran.lost or ran.broken:
            raise blame.fail(step, Blame.MACHINE, ran.why)
        return ran


def read_prepare_failure(output: str) -> PhaseFailure | None:
    """Return why a machine could not be prepared, if it says so."""
    try:
        return read_prepare(output).failure
    except BadReportError:
        return None


def _tells_secrets(*words: str) -> bool:
    """Whether a word holds a secret that we know; no step has the right to put it there."""
    return any(KNOWN.mask(word, "") != word for word in words)


def _blocks(output: str) -> Iterator[str]:
    """Yield the private keys in what a machine printed."""
    at = 0
    for _ in range(_KEYS_MAX):
        begin = output.find(_BEGIN, at)
        end = output.find(_END, begin)
        if begin < 0 or end < 0:
            return
        line_end = output.find("\n", end)
        at = len(output) if line_end < 0 else line_end
        yield output[begin:at]

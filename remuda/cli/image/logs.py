"""`remuda image log`: what a build, or a trial of it, has printed, and prints."""

import codecs
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Final

import click

from remuda.cli import output
from remuda.cli.context import CommandContext, with_context
from remuda.cli.errors import CommandFailedError, MistakeError
from remuda.cli.image.arguments import (
    JSON,
    ImageCommand,
    image_or_build,
    require_build,
    require_image,
    require_provider,
)
from remuda.cli.image.completing import complete_builds, complete_providers
from remuda.cli.output import age
from remuda.cli.terminal import say
from remuda.cli.views.build import step_json
from remuda.images import library
from remuda.images.buildlog import Anew, Gap, Heading, LogStep, LogTeller, Output, Piece, read_log
from remuda.images.catalogue import Catalogue
from remuda.images.following import LogFollower
from remuda.model.build import Build, BuildState
from remuda.model.codec import CorruptRecordError
from remuda.model.image import BuildId
from remuda.model.upload import Trial, TrialResult
from remuda.store.api import Store
from remuda.visible import visible, visible_lines

_SET_IN: Final = "  "


@click.command(
    "log",
    cls=ImageCommand,
    examples=(
        "remuda image log debian-ci --follow",
        "remuda image log debian-ci/12",
        "remuda image log debian-ci/12 --provider north",
        "remuda image log debian-ci/12 --raw > build.log",
    ),
)
@click.argument(
    "image", callback=image_or_build, metavar="IMAGE[/N]", shell_complete=complete_builds
)
@click.option(
    "--provider",
    metavar="NAME",
    help="Not how it was made, but how it was tried in a provider.",
    shell_complete=complete_providers,
)
@click.option("--follow", "-f", is_flag=True, help="Go on until the build, or trial, has ended.")
@click.option(
    "--raw", is_flag=True, help="Only the output, as it came, for a file: it may steer a terminal."
)
@JSON
@with_context
def log(
    *,
    context: CommandContext,
    image: tuple[str, int | None],
    provider: str | None,
    follow: bool,
    raw: bool,
    as_json: bool,
) -> None:
    """Print what the newest build of an image, or build N, has printed, or a trial of it.

    The complete log lies on the builder's host; here are its beginning and its end.
    """
    if raw and as_json:
        raise MistakeError("--raw and --json exclude each other")
    if raw and sys.stdout.isatty():
        raise MistakeError("--raw may steer this terminal: send it to a file or another program")
    teller = _Raw() if raw else _Json() if as_json else _Lines()
    with context.store() as store:
        build = _find(store, context, image, provider)
        try:
            if follow:
                follower = LogFollower(store, build.id, context.clock, provider=provider)
                _tell(teller, follower.pieces())
            else:
                _tell(teller, _once(store, build, provider))
        except CorruptRecordError as error:
            why = f"the log of build {build.id} is broken: {error.why}"
            raise CommandFailedError(why, 1) from error
        seen = Catalogue(library.read(store, only=[build.id.image], launched=False))
    if not raw:
        last = seen.builds.get(build.id.image, {}).get(build.id.number, build)
        teller.end(_ending(seen, last, provider))


def _find(
    store: Store, context: CommandContext, image: tuple[str, int | None], provider: str | None
) -> Build:
    """Return the build that is meant: the newest one if none is named."""
    name, number = image
    seen = Catalogue(library.read(store, only=[name], launched=False))
    builds = seen.builds.get(name, {})
    require_image(seen, store, context, name)
    require_provider(seen, name, provider)
    if number is not None:
        require_build(seen, BuildId(name, number))
        return builds[number]
    if not builds:
        raise CommandFailedError(f"no build of {name} was begun yet", 1)
    return builds[max(builds)]


def _once(store: Store, build: Build, provider: str | None) -> Iterator[Piece]:
    view = read_log(store, build.id, provider)
    if view is not None:
        return LogTeller().news(view)
    if provider is not None:
        why = f"was not tried in {provider} yet, or nothing of that is kept"
    else:
        why = "was not begun yet" if build.state is BuildState.REQUESTED else "has no log"
    raise CommandFailedError(f"build {build.id} {why}", 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Ending:
    """How a build stands, or a trial of it.

    Attributes:
        provider, verdict: Of the trial, or None.
        failure: What went wrong, or None.
    """

    build: Build
    provider: str | None = None
    verdict: TrialResult | None = None
    failure: str | None = None

    @property
    def sentence(self) -> str:
        """The same for people."""
        told = f"build {self.build.id} is {self.build.state}"
        if self.provider is not None:
            told = f"build {self.build.id} in {self.provider}: verdict {self.verdict}"
        return told if self.failure is None else f"{told}: {self.failure}"


def _ending(seen: Catalogue, build: Build, provider: str | None) -> _Ending:
    if provider is None:
        mishap = build.mishap
        failure = None if mishap is None else mishap.said
        return _Ending(build=build, failure=failure)
    uploads = seen.uploads.get(build.id, {}).values()
    trial = next((one.trials[provider] for one in uploads if provider in one.trials), Trial())
    return _Ending(build=build, provider=provider, verdict=trial.result, failure=trial.why)


class _Teller:
    """Prints pieces of a log; characters may be cut between two of them."""

    def __init__(self) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")

    def piece(self, piece: Piece) -> None:
        """Print one piece."""
        match piece:
            case Output(data=data):
                self.text(self._decoder.decode(data))
            case Heading(step=step):
                self.mark(_heading(step), {"event": "step", **step_json(step), "at": step.at})
            case Gap(size=size):
                self._decoder.reset()
                self.mark(f"… about {size} bytes are not kept …", {"event": "gap", "bytes": size})
            case Anew():
                self._decoder.reset()
                self.mark("== another builder begins the build anew ==", {"event": "anew"})

    def text(self, text: str) -> None:
        """Print output of the build."""

    def mark(self, line: str, event: dict[str, Any]) -> None:
        """Print a line of ours."""

    def end(self, ending: _Ending) -> None:
        """Print how it stands."""


class _Lines(_Teller):
    """For people: what a build prints is set in, so that it does not pass for ours."""

    def __init__(self) -> None:
        super().__init__()
        self._begun = False

    def text(self, text: str) -> None:
        """Print each line set in; a line may come in parts."""
        for line in visible_lines(text).splitlines(keepends=True):
            say(line if self._begun else _SET_IN + line, nl=False)
            self._begun = not line.endswith("\n")
        sys.stdout.flush()

    def mark(self, line: str, event: dict[str, Any]) -> None:  # noqa: ARG002
        """Print a line of ours on a line of its own."""
        if self._begun:
            say("")
            self._begun = False
        say(visible(line))

    def end(self, ending: _Ending) -> None:
        """Print how it stands."""
        self.mark(ending.sentence, {})


class _Json(_Teller):
    """For programs: one event in a line."""

    def text(self, text: str) -> None:
        """Print output."""
        output.emit_line({"event": "output", "text": text})

    def mark(self, line: str, event: dict[str, Any]) -> None:  # noqa: ARG002
        """Print an event."""
        output.emit_line(event)

    def end(self, ending: _Ending) -> None:
        """Print how it stands."""
        verdict = None if ending.verdict is None else str(ending.verdict)
        output.emit_line(
            {
                "event": "end",
                "build": str(ending.build.id),
                "state": str(ending.build.state),
                "provider": ending.provider,
                "verdict": verdict,
                "failure": ending.failure,
            }
        )


class _Raw(_Teller):
    """For files: the bytes as they came, and nothing of ours."""

    def piece(self, piece: Piece) -> None:
        """Write output."""
        if isinstance(piece, Output):
            sys.stdout.buffer.write(piece.data)
            sys.stdout.buffer.flush()


def _heading(step: LogStep) -> str:
    """Return the line of a step, with what is known of its end."""
    took = "" if step.seconds is None else f", {age(step.seconds)}"
    return f"== {step.name}{took}{', FAILED' if step.ok is False else ''} =="


def _tell(teller: _Teller, pieces: Iterable[Piece]) -> None:
    for one in pieces:
        teller.piece(one)

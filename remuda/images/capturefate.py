"""What becomes of a capture that the holder of a node has asked for. Pure.

It is said by the launch of the node, which only its launcher writes, and by the build that is made.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from remuda.images.words import NO_BUILDER, BuilderWords
from remuda.model.build import UNDER_WAY, Build, BuildState
from remuda.model.capture import Capture, CaptureAsk
from remuda.model.image import BuildId
from remuda.model.launch import Launch

_NOT_BEGUN: Final = "no builder has begun it yet"
_ALREADY: Final = "image {} is made of its machine already, or was"


class Fate(StrEnum):
    """How far a capture has come."""

    ASKED = "asked"  # the node's launcher has not answered
    TAKEN = "taken"  # a build is made of it, or will be
    KEPT = "kept"  # there is a snapshot: the machine is not needed any more
    REFUSED = "refused"
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class CaptureFate:
    """The same, with the build, and why, for people."""

    fate: Fate
    why: str = ""
    build: BuildId | None = None

    @property
    def open(self) -> bool:
        """Whether more is to come before the machine is of no use any more."""
        return self.fate in {Fate.ASKED, Fate.TAKEN}


def may_ask_again(before: Capture, build: Build | None) -> bool:
    """Whether what was asked before came to nothing before its machine was being quieted.

    Args:
        before: What the launcher has made of it.
        build: The one that it names, or None: it names none, or that is not on record any more.
    """
    if before.build is None:
        return before.refused is not None
    return build is None or (build.state not in UNDER_WAY and build.quieted_s is None)


def fate_of(
    ask: CaptureAsk,
    launch: Launch | None,
    build: Build | None,
    words: BuilderWords | None = None,
) -> CaptureFate:
    """Return how far a capture has come.

    Args:
        ask: What was asked.
        launch: Of the node; None: it is gone.
        build: The one that the launch names, or None.
        words: What the builders say; None: they were not asked.
    """
    capture = None if launch is None else launch.capture
    if launch is None:
        return CaptureFate(fate=Fate.FAILED, why="the node is gone")
    if capture is not None and capture.ask.token == ask.token:
        return _answered(capture, build, words)
    if capture is not None and not may_ask_again(capture, build):
        return CaptureFate(fate=Fate.REFUSED, why=_ALREADY.format(capture.ask.image))
    return CaptureFate(fate=Fate.ASKED, why="the launcher of the node has not answered yet")


def _answered(capture: Capture, build: Build | None, words: BuilderWords | None) -> CaptureFate:
    if capture.refused is not None:
        return CaptureFate(fate=Fate.REFUSED, why=capture.refused)
    if capture.build is None:
        why = None if words is None else words.not_begun(capture.ask.image)
        return CaptureFate(fate=Fate.TAKEN, why=why or _NOT_BEGUN)
    if build is None:
        why = "its build is not on record any more"
        return CaptureFate(fate=Fate.FAILED, why=why, build=capture.build)
    return _of_build(build, words)


def _of_build(build: Build, words: BuilderWords | None) -> CaptureFate:
    said = "" if build.mishap is None else build.mishap.said
    match build.state:
        case BuildState.BUILT:
            return CaptureFate(fate=Fate.KEPT, build=build.id)
        case BuildState.REQUESTED:
            why = said or _NOT_BEGUN
            if words is not None:
                why = (words.of(str(build.id)) or why) if words.living else NO_BUILDER
            return CaptureFate(fate=Fate.TAKEN, why=why, build=build.id)
        case BuildState.BUILDING | BuildState.SNAPSHOTTING:
            by = f"{build.owner or 'a builder'} makes it"
            return CaptureFate(fate=Fate.TAKEN, why=by, build=build.id)
        case _:
            return CaptureFate(fate=Fate.FAILED, why=said or f"it is {build.state}", build=build.id)

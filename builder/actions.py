"""What a builder may do next: data, each with the name of what it is done to."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import TypeVar

from remuda.model.build import Base, Mishap, Why
from remuda.model.image import BuildId, UploadId
from remuda.model.pointer import Pointer
from remuda.model.upload import Method, UploadEvent


@dataclass(frozen=True, slots=True, kw_only=True)
class BeginBuild:
    """Write the next build of an image, for a group of providers."""

    id: BuildId
    group: tuple[str, ...]
    why: Why
    fingerprint: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Supersede:
    """A build that nobody has begun is not wanted any more."""

    id: BuildId
    because: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TakeBuild:
    """Become the owner of a build, which is to be made in a provider.

    Attributes:
        instead: The same in the next provider, if this builder waits for too many machines here.
    """

    id: BuildId
    provider: str
    place: str
    parent: UploadId | None
    base: Base | None
    instead: "TakeBuild | None" = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Make:
    """Ask for a build machine, and work on it to the snapshot."""

    id: BuildId


@dataclass(frozen=True, slots=True, kw_only=True)
class LoseBuild:
    """A build whose owner is dead, or that is not in the cloud, begins anew or has failed."""

    id: BuildId
    mishap: Mishap
    last: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class KeepSnapshot:
    """A snapshot that a dead builder had asked for is whole: the build is finished."""

    id: BuildId
    snapshot: str
    also: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class BeginUpload:
    """A build is wanted in another place, too."""

    id: UploadId


@dataclass(frozen=True, slots=True, kw_only=True)
class TakeUpload:
    """Become the owner of an upload, which is to be made from another."""

    id: UploadId
    method: Method
    source: UploadId


@dataclass(frozen=True, slots=True, kw_only=True)
class Copy:
    """Share or carry the bytes."""

    id: UploadId


@dataclass(frozen=True, slots=True, kw_only=True)
class DropUpload:
    """An upload is to be made again, or never (BROKEN, GIVEN_UP, REJECTED)."""

    id: UploadId
    event: UploadEvent
    mishap: Mishap


@dataclass(frozen=True, slots=True, kw_only=True)
class TryUpload:
    """Become the owner of a trial in a provider.

    Attributes:
        instead: The same in the next provider, if this builder waits for too many machines here.
    """

    id: UploadId
    provider: str
    instead: "TryUpload | None" = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Validate:
    """Ask for a candidate, on none of these hosts if it can be, and judge it."""

    id: UploadId
    provider: str
    avoid: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class EndTrial:
    """Whoever tried an upload is dead: it is tried again."""

    id: UploadId


@dataclass(frozen=True, slots=True, kw_only=True)
class MovePointer:
    """Let launches boot another build."""

    image: str
    provider: str
    after: Pointer

    @property
    def id(self) -> tuple[str, str]:
        """What it is done to."""
        return self.image, self.provider


@dataclass(frozen=True, slots=True, kw_only=True)
class RetireUpload:
    """Let nothing new refer to an upload; before it, what refers to it is read anew."""

    id: UploadId
    because: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CondemnUpload:
    """A retiring upload may be deleted, if what is read anew does not refer to it."""

    id: UploadId


@dataclass(frozen=True, slots=True, kw_only=True)
class EraseImage:
    """Delete an image of a condemned upload, or its membership, in the cloud."""

    id: UploadId
    cloud_image: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ForgetUpload:
    """The cloud shows nothing of an upload any more: its record goes."""

    id: UploadId


@dataclass(frozen=True, slots=True, kw_only=True)
class RetireBuild:
    """Nothing of a build is left, or wanted."""

    id: BuildId


@dataclass(frozen=True, slots=True, kw_only=True)
class ForgetBuild:
    """The record of a build goes."""

    id: BuildId


@dataclass(frozen=True, slots=True, kw_only=True)
class SweepImage:
    """Delete an image with our tags that no record knows, if what is read anew does not either."""

    place: str
    cloud_image: str

    @property
    def id(self) -> tuple[str, str]:
        """What it is done to."""
        return self.place, self.cloud_image


@dataclass(frozen=True, slots=True, kw_only=True)
class RaiseAlarm:
    """Tell people; said once for each text."""

    image: str
    text: str

    @property
    def id(self) -> str:
        """What it is about."""
        return self.image


JudgedAction = (
    BeginBuild
    | Supersede
    | TakeBuild
    | Make
    | LoseBuild
    | KeepSnapshot
    | BeginUpload
    | TakeUpload
    | Copy
    | DropUpload
    | TryUpload
    | Validate
    | EndTrial
    | MovePointer
    | RetireUpload
    | CondemnUpload
    | EraseImage
    | ForgetUpload
    | RetireBuild
    | ForgetBuild
    | SweepImage
    | RaiseAlarm
)


@dataclass(slots=True)
class Plan:
    """What to do now, why the rest waits, and when to look again.

    Attributes:
        waits: By the name of what waits: one clause for people.
        wake_at_s: Nothing becomes due before this, wall clock; None: only news can change it.
    """

    actions: list[JudgedAction] = field(default_factory=list)
    waits: dict[str, str] = field(default_factory=dict)
    wake_at_s: float | None = None

    def do(self, action: JudgedAction) -> None:
        """Add an action."""
        self.actions.append(action)

    def wait(self, name: object, because: str, until_s: float | None = None) -> None:
        """Say why something waits, and until when if that is known."""
        self.waits[str(name)] = because
        if until_s is not None:
            self.wake(until_s)

    def wake(self, at_s: float) -> None:
        """Look again then, at the latest."""
        self.wake_at_s = at_s if self.wake_at_s is None else min(self.wake_at_s, at_s)


Way = TypeVar("Way", TakeBuild, TryUpload)


def in_order(ways: Sequence[Way]) -> Way | None:
    """Return the first of some ways to take the same, each with the next one instead, or None."""
    first: Way | None = None
    for way in reversed(ways):
        first = replace(way, instead=first)
    return first

"""What may be done next with builds: data, each with the name of what it is done to."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from builder.lanes import WRITTEN, Lane, own_id
from remuda.frame.work import WorkKind
from remuda.model.build import Base, Mishap, Why
from remuda.model.capture import Captured
from remuda.model.image import BuildId, UploadId


@dataclass(frozen=True, slots=True, kw_only=True)
class BeginBuild:
    """Write the next build of an image, for a group of providers; *captured*: of what machine."""

    id: BuildId
    group: tuple[str, ...]
    why: Why
    fingerprint: str
    captured: Captured | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Supersede:
    """A build that nobody has begun is not wanted any more."""

    id: BuildId
    because: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TakeBuild:
    """Become the owner of a build, which is to be made in a provider.

    Attributes:
        origin, since_full: As the build's record has them.
        on_host: It is made on this host: no machine is waited for.
        instead: The same in the next provider, if this builder waits for too many machines here.
    """

    id: BuildId
    provider: str
    place: str
    parent: UploadId | None
    base: Base | None
    origin: BuildId | None = None
    since_full: int = 0
    on_host: bool = False
    instead: "TakeBuild | None" = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Make:
    """Ask for a build machine, or run a command here, and work on it to the whole image."""

    id: BuildId


@dataclass(frozen=True, slots=True, kw_only=True)
class LoseBuild:
    """A build whose owner is dead, or that is not in the cloud, begins anew or has failed."""

    id: BuildId
    mishap: Mishap
    last: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class KeepSnapshot:
    """A snapshot that a dead builder had asked for is whole: the build is finished.

    Attributes:
        also: The other places it is wanted in.
    """

    id: BuildId
    snapshot: str
    also: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class RetireBuild:
    """Nothing of a build is left, or wanted."""

    id: BuildId


@dataclass(frozen=True, slots=True, kw_only=True)
class ForgetBuild:
    """The record of a build goes."""

    id: BuildId


BuildAction = (
    BeginBuild | Supersede | TakeBuild | Make | LoseBuild | KeepSnapshot | RetireBuild | ForgetBuild
)


def _image(action: BeginBuild) -> str:
    return f"image {action.id.image}"


#: In which lane each is done, and what it keeps busy.
KINDS: Final[Mapping[type, WorkKind[Lane]]] = {
    **dict.fromkeys((Supersede, TakeBuild, LoseBuild, RetireBuild), WRITTEN),
    BeginBuild: WorkKind(None, _image),
    Make: WorkKind(Lane.MAKE, own_id),
    KeepSnapshot: WorkKind(Lane.KEEP, own_id),
    ForgetBuild: WorkKind(Lane.KEEP, own_id),
}

"""What may be done next with uploads: data, each with the name of what it is done to."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from builder.lanes import WRITTEN, Lane, own_id
from remuda.frame.work import WorkKind
from remuda.model.build import Mishap
from remuda.model.image import UploadId
from remuda.model.upload import Method, UploadEvent


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


UploadAction = (
    BeginUpload
    | TakeUpload
    | Copy
    | DropUpload
    | TryUpload
    | Validate
    | EndTrial
    | RetireUpload
    | CondemnUpload
    | EraseImage
    | ForgetUpload
)

#: In which lane each is done, and what it keeps busy.
KINDS: Final[Mapping[type, WorkKind[Lane]]] = {
    **dict.fromkeys((BeginUpload, TakeUpload, DropUpload, TryUpload), WRITTEN),
    **dict.fromkeys((EndTrial, ForgetUpload), WRITTEN),
    Copy: WorkKind(Lane.COPY, own_id),
    Validate: WorkKind(Lane.TRY, own_id),
    RetireUpload: WorkKind(Lane.KEEP, own_id),
    CondemnUpload: WorkKind(Lane.KEEP, own_id),
    EraseImage: WorkKind(Lane.KEEP, own_id),
}

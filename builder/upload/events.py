"""What the hands of uploads bring back."""

from dataclasses import dataclass

from builder.upload.actions import CondemnUpload, EraseImage, RetireUpload
from remuda.model.image import UploadId


@dataclass(frozen=True, slots=True, kw_only=True)
class CopyEnded:
    """The hand of an upload has ended; it has written the record itself."""

    id: UploadId
    why: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialEnded:
    """A candidate was judged, or could not be; the hand has written the record itself."""

    id: UploadId
    provider: str
    why: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RetirementEnded:
    """A hand that read anew who refers to an upload, or deleted an image, has ended.

    Attributes:
        why: Why nothing was done, or None.
    """

    action: RetireUpload | CondemnUpload | EraseImage
    why: str | None = None

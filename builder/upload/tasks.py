"""What the hands of uploads are told, and what they do."""

from dataclasses import dataclass
from threading import Event
from typing import Protocol

from builder.policy import ImagePolicy
from builder.upload.actions import CondemnUpload, EraseImage, RetireUpload
from builder.upload.events import CopyEnded, RetirementEnded, TrialEnded
from remuda.config.parts import CheckFrom
from remuda.config.recipes import ImageRecipe
from remuda.model.build import Build
from remuda.model.upload import Upload
from remuda.store.api import Stored


@dataclass(frozen=True, slots=True, kw_only=True)
class CopyTask:
    """Bring a build to another place.

    Attributes:
        upload: Ours, to be made; its method says how.
        source: What it is made from.
        here: A provider that lies where the copy is to be; *there*: where its source lies.
        carried_sha512: Of what was carried of the build before, if anything was.
        statement: Hash of what is stated of the build, if anything is.
    """

    upload: Stored[Upload]
    source: Stored[Upload]
    here: str
    there: str
    policy: ImagePolicy | None
    stop: Event
    carried_sha512: str | None = None
    statement: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialTask:
    """Boot a candidate of an upload in a provider, and judge it.

    Attributes:
        checks: Of the labels that boot the image there, besides the recipe's.
        wanted: The providers of the recipe that lie in the place.
        avoid: Hosts on which it failed before.
    """

    upload: Stored[Upload]
    build: Stored[Build]
    provider: str
    recipe: ImageRecipe
    policy: ImagePolicy
    checks: tuple[CheckFrom, ...]
    wanted: tuple[str, ...]
    avoid: tuple[str, ...]
    stop: Event


@dataclass(frozen=True, slots=True, kw_only=True)
class EraseTask:
    """Delete an image of a condemned upload in the cloud, by a provider that lies there."""

    action: EraseImage
    upload: Stored[Upload]
    provider: str


class UploadCopier(Protocol):
    """Brings builds to other places."""

    def copy(self, task: CopyTask) -> CopyEnded:
        """Share or carry one, and write what came of it."""


class CandidateJudge(Protocol):
    """Boots candidates."""

    def validate(self, task: TrialTask) -> TrialEnded:
        """Try one, and write what was found."""


class UploadRetirer(Protocol):
    """Ends uploads, and deletes their images; it reads anew who may refer, before anything."""

    def retire(self, action: RetireUpload) -> RetirementEnded:
        """Let nothing new refer to an upload, if nothing but launches does."""

    def condemn(self, action: CondemnUpload) -> RetirementEnded:
        """Have a retiring upload deleted, if nothing refers to it."""

    def erase(self, task: EraseTask) -> RetirementEnded:
        """Delete the image of an upload that is being deleted."""

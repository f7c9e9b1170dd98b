"""The hands of a builder, as its brain knows them: what each is told, and what it brings back.

A hand runs in a thread of its lane. It is told the records that were judged, and writes what came
of them at their versions; a write that fails for its version means that somebody else has taken
the work over: then it cleans up and returns. *stop* is set when that is known sooner, and when
the process ends: whoever waits looks at it.
"""

from dataclasses import dataclass
from threading import Event
from typing import Protocol

from builder.actions import CondemnUpload, EraseImage, KeepSnapshot, RetireUpload, SweepImage
from builder.errands import ListPlace, Look
from builder.events import CopyEnded, ImagesListed, Kept, MakingEnded, ProviderSeen, TrialEnded
from builder.policy import ImagePolicy
from builder.view import ListedImage
from remuda.config.parts import CheckFrom
from remuda.config.recipes import ImageRecipe
from remuda.model.build import Build
from remuda.model.image import BuildId
from remuda.model.upload import Upload
from remuda.store.api import Stored


@dataclass(frozen=True, slots=True, kw_only=True)
class MakeTask:
    """Make a build of ours, from its machine to the snapshot.

    Attributes:
        recipe, policy: Of the fingerprint that the build has; they stay, whatever is reloaded.
        parent: What it starts from, if that is an image of ours.
        also: In which places else it is wanted.
    """

    build: Stored[Build]
    recipe: ImageRecipe
    policy: ImagePolicy
    parent: Stored[Upload] | None
    also: tuple[str, ...]
    stop: Event


@dataclass(frozen=True, slots=True, kw_only=True)
class AdoptTask:
    """Finish a build of which only a snapshot is left, by a provider that lies where it is."""

    action: KeepSnapshot
    build: Stored[Build]
    policy: ImagePolicy | None
    provider: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CopyTask:
    """Bring a build to another place.

    Attributes:
        upload: Ours, to be made; its method says how.
        source: What it is made from.
        here: A provider that lies where the copy is to be; *there*: where its source lies.
        carried_sha512: Of what was carried of the build before, if anything was.
    """

    upload: Stored[Upload]
    source: Stored[Upload]
    here: str
    there: str
    policy: ImagePolicy | None
    stop: Event
    carried_sha512: str | None = None


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


@dataclass(frozen=True, slots=True, kw_only=True)
class SweepTask:
    """Delete an image with our tags, if no record that is read anew knows it.

    Attributes:
        listed_s: When the first of the two listings that show it was begun, wall clock.
        provider: By which it is deleted.
    """

    action: SweepImage
    image: ListedImage
    listed_s: float
    provider: str


class BuildMaker(Protocol):
    """Makes builds."""

    def make(self, order: MakeTask) -> MakingEnded:
        """Make one, and write what came of it."""


class SnapshotAdopter(Protocol):
    """Finishes builds of dead builders."""

    def adopt(self, order: AdoptTask) -> Kept:
        """Look at a snapshot, hide and trim it, and write that it is whole."""


class UploadCopier(Protocol):
    """Brings builds to other places."""

    def copy(self, order: CopyTask) -> CopyEnded:
        """Share or carry one, and write what came of it."""


class CandidateJudge(Protocol):
    """Boots candidates."""

    def validate(self, order: TrialTask) -> TrialEnded:
        """Try one, and write what was found."""


class ImageKeeper(Protocol):
    """Ends references, and deletes images; it reads anew who may refer, before anything."""

    def retire(self, action: RetireUpload) -> Kept:
        """Let nothing new refer to an upload, if nothing but launches does."""

    def condemn(self, action: CondemnUpload) -> Kept:
        """Have a retiring upload deleted, if nothing refers to it."""

    def erase(self, order: EraseTask) -> Kept:
        """Delete the image of an upload that is being deleted."""

    def sweep(self, order: SweepTask) -> Kept:
        """Delete an image that no record knows."""


class CloudLooker(Protocol):
    """Looks at clouds."""

    def look(self, errand: Look) -> ProviderSeen:
        """Say what a provider's cloud tells of itself."""

    def list_images(self, errand: ListPlace) -> ImagesListed:
        """List our images in a place."""


class BuildLogs(Protocol):
    """Keeps the logs of builds."""

    def erase(self, build: BuildId) -> None:
        """Remove the log of a build whose record is to go; no error if there is none.

        Raises:
            StoreError: If that could not be done.
        """


@dataclass(frozen=True, slots=True, kw_only=True)
class Hands:
    """All of them."""

    making: BuildMaker
    adopting: SnapshotAdopter
    copying: UploadCopier
    validating: CandidateJudge
    keeping: ImageKeeper
    looking: CloudLooker
    logs: BuildLogs

"""The images of an account: made of servers, carried between clouds, shared, deleted.

It stands beside :mod:`remuda.cloud.api`, so that the contract of a launcher's cloud stays small:
launchers find images, builders make them. Implementations (the openstacksdk adapter, the fake of
the tests) pass the same contract tests. All methods block and may be called from several threads.
"""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Final, Protocol

from remuda.cloud.api import Fence, Image, unfenced
from remuda.model.ids import ServerId
from remuda.model.image import place_of, realm_of

#: It goes into records, which hold no longer texts. The longest hash has 128 digits.
_HASH: Final = re.compile(r"[A-Za-z0-9_-]{1,32}:[0-9A-Fa-f]{1,200}", re.ASCII)


class ImageStatus(StrEnum):
    """Glance's many statuses, reduced to the reactions."""

    PENDING = "pending"  # its data is on the way, or will never come: wait, within a limit
    ACTIVE = "active"
    DEACTIVATED = "deactivated"  # nothing boots from it until it is reactivated
    DEAD = "dead"  # killed …: nothing will ever boot from it; it may be deleted
    DELETING = "deleting"
    UNKNOWN = "unknown"  # a word that we do not know: change nothing, look again


class Visibility(StrEnum):
    """Who may see and boot an image."""

    PRIVATE = "private"
    SHARED = "shared"  # the projects that it was shared with, once they have accepted
    COMMUNITY = "community"  # everybody who knows its id
    PUBLIC = "public"  # everybody; operators only, in most clouds


class Membership(StrEnum):
    """What a project made of an image that was shared with it."""

    PENDING = "pending"  # it finds the image by its id only
    ACCEPTED = "accepted"
    REJECTED = "rejected"
    UNKNOWN = "unknown"  # a word that we do not know


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredImage(Image):
    """An image as the account's listing shows it; servers boot from it once it is active.

    Attributes:
        md5: Glance's ``checksum``; hexadecimal.
        hash_algo: Of *hash_value*, as :mod:`hashlib` calls it; None in clouds before 2018.
        disk_format: What an :class:`ImageOrder` for a copy has to say; likewise the next three.
        visibility: None if it is a word that we do not know.
        owner: Project that it belongs to.
        hidden: In no listing of anybody's but those that ask for hidden ones; found and booted by
            its id.
        protected: Cannot be deleted before that is taken back.
        updated_s: Of its last change by whomever; by the cloud's clock, seconds since the epoch.
        volume_backed: It has no data of its own and points to volume snapshots, which its
            deletion leaves behind: a snapshot of a server that boots from a volume.
    """

    status: ImageStatus
    md5: str | None = None
    hash_algo: str | None = None
    hash_value: str | None = None
    disk_format: str | None = None
    container_format: str | None = None
    visibility: Visibility | None = None
    owner: str | None = None
    hidden: bool = False
    protected: bool = False
    updated_s: float = 0.0
    volume_backed: bool = False


def hash_of(image: StoredImage) -> str | None:
    """Return ``<algorithm>:<digits>``, as the cloud tells it, or None if it tells no such thing."""
    found = f"{image.hash_algo or ''}:{image.hash_value or ''}"
    return found if _HASH.fullmatch(found) else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Received:
    """A download, as it lies in its file.

    Attributes:
        image: As the cloud described it before.
        size_bytes: Of the file.
        sha512: Of the file, computed by us while it arrived; hexadecimal.
        verified_by: Which hash of the cloud's own it was compared with, as :mod:`hashlib` calls
            it; None: the cloud has none (Ceph's snapshots), so that *sha512* is all there is.
    """

    image: StoredImage
    size_bytes: int
    sha512: str
    verified_by: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageEdit:
    """What is to become different of an image; None, and what is not named, stays as it is.

    Attributes:
        name: What nobody else may change meanwhile: while Nova uploads a snapshot it writes back
            the name that it has read, so rename active images only.
        hidden: Possible from the first moment on, while a snapshot is still pending.
        min_disk_gib: Not below what the image needs: Nova believes it.
        properties: To set; text of at most 255 bytes.
        removed: Properties that are to go; no error for those that are not there.
    """

    name: str | None = None
    hidden: bool | None = None
    protected: bool | None = None
    visibility: Visibility | None = None
    min_disk_gib: int | None = None
    min_ram_mib: int | None = None
    properties: Mapping[str, str] = field(default_factory=dict)
    removed: Collection[str] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageUsage:
    """How many images the account has and may have, as the cloud counts; None: no limit.

    Size is counted when data has come, not while it comes: the last upload may go beyond it.
    """

    images_used: int = 0
    images_max: int | None = None
    mib_used: int = 0
    mib_max: int | None = None
    uploads_used: int = 0
    uploads_max: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageOrder:
    """Everything of one upload.

    Attributes:
        properties: Ours (``remuda.model.tags``) and those that Nova heeds (``hw_…``, ``os_…``);
            text of at most 255 bytes.
        min_ram_mib: Flavors with less are refused by Nova; likewise *min_disk_gib*.
        hidden: From the beginning.
        sha512: What the file must have, in hexadecimal; None: whatever it is.
    """

    name: str
    disk_format: str
    container_format: str = "bare"
    properties: Mapping[str, str] = field(default_factory=dict)
    visibility: Visibility = Visibility.PRIVATE
    min_disk_gib: int = 0
    min_ram_mib: int = 0
    hidden: bool = False
    sha512: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageLocation:
    """Where the images of an account lie.

    Attributes:
        project: Its id.
        region: Its name; may be empty.
        endpoint: The image service's URL.
    """

    project: str
    region: str
    endpoint: str

    @property
    def place(self) -> str:
        """Accounts for which it is equal have the same images."""
        return place_of(project=self.project, region=self.region, endpoint=self.endpoint)

    @property
    def realm(self) -> str:
        """Accounts for which it is equal can share images by membership."""
        return realm_of(region=self.region, endpoint=self.endpoint)


class ImageStore(Protocol):
    """The images of one region of one account.

    Every method may raise TryLaterError, UnauthorizedError, CloudConfigError or CloudError
    besides what it names; those that take a *fence* also NotSentError, if it holds a call back.
    """

    def project(self) -> str:
        """Return the id of the account's project: what others share images with."""

    def location(self) -> ImageLocation:
        """Return where the images lie."""

    def list_images(self) -> tuple[StoredImage, ...]:
        """Return all images that belong to the account, hidden or not, whatever their state.

        Two paged calls. An image that is hidden meanwhile is in it; one that stops being hidden
        may be missing: nothing of ours does. Either the whole listing, or an error: never the
        part that could be read.
        """

    def get_image(self, image_id: str) -> StoredImage:
        """Return an image that the account can see, its own or not.

        Raises:
            GoneError: There is none (any more).
        """

    def snapshot(
        self, server: ServerId, name: str, tags: Mapping[str, str], *, fence: Fence = unfenced
    ) -> str:
        """Ask for an image of a server and return its id at once, without waiting for it.

        From then on the image is listed: pending, then active. A snapshot that fails takes its
        image along: what is listed no more has failed. If the server is deleted before the cloud
        has begun, the image may stay pending for ever: whoever waits has to give up by its age.
        Properties of the image that the server was booted from are inherited, *tags* win over
        them.

        Raises:
            GoneError: There is no such server.
            TryLaterError: The server is busy, e.g. with another snapshot, or not built yet.
            NoRoomError: There is no room for another image.
            BadOrderError: The cloud refuses; surely nothing was made. Among the reasons: the
                server's guest agent does not answer, so that it has to be stopped first.
            UnknownOutcomeError: An image may come: look for the tags in the listing.
        """

    def upload(
        self,
        order: ImageOrder,
        source: Path,
        *,
        fence: Fence = unfenced,
        going: Fence = unfenced,
    ) -> StoredImage:
        """Make an image of a file, piece by piece, and compare what the cloud says it got.

        What fails leaves nothing behind, except with UnknownOutcomeError, which says what may
        be left. Of a process that dies meanwhile a pending image is left.

        Args:
            order: What it is to be.
            source: The file.
            fence: Asked before the image is made.
            going: Asked before each piece: why the transfer is not to go on, or None.

        Raises:
            TryLaterError: Also: the transfer was not to go on.
            OSError: The file cannot be read.
            NoRoomError: There is no room for it.
            BadOrderError: The cloud refuses the order, e.g. the visibility.
            DamagedError: The cloud did not get what we sent, the file changed, or it is not what
                the order says.
            UnknownOutcomeError: An image may be left: look for the properties in the listing.
        """

    def download(
        self, image_id: str, target: Path, *, resume: bool = False, going: Fence = unfenced
    ) -> Received:
        """Write an image's data to a file, piece by piece, verified by the cloud's own hash.

        Where the cloud has none, the size is all that is compared: see ``Received.verified_by``.
        The file is there with all its bytes or not at all; until then they are in a file beside
        it, whose name ends in ``.part``, of which a process that dies leaves a part. Only its
        owner can read either of them.

        Args:
            image_id: Which.
            target: The file.
            resume: What breaks leaves its part, and the next download goes on with that; not
                where the cloud has no hash, for nothing would tell that the part is sound.
            going: Asked before each piece: why the transfer is not to go on, or None.

        Raises:
            OSError: The file cannot be written.
            TryLaterError: Also: the transfer was not to go on.
            GoneError: There is no such image.
            BadOrderError: It has no data that we may have (pending, deactivated, volume-backed).
            DamagedError: The data is not what its hash says.
        """

    def delete_image(self, image_id: str, *, fence: Fence = unfenced) -> None:
        """Delete an image; no error if it is gone already.

        Raises:
            InUseError: Something in the cloud still needs it.
            BadOrderError: We may not: it is protected, or somebody else's.
        """

    def edit_image(self, image_id: str, edit: ImageEdit, *, fence: Fence = unfenced) -> StoredImage:
        """Change an image, all of it or nothing, and return it as it is afterwards.

        Glance has no compare-and-set: of two who change the same at once the last one wins. So
        the image is read again afterwards, and what was asked for is true of it then, or
        TryLaterError says that somebody else has undone it. Idempotent.

        Raises:
            GoneError: There is no such image.
            BadOrderError: We may not: it is somebody else's, a property is guarded, or there are
                too many of them.
            TryLaterError: Also: somebody else changed it meanwhile.
        """

    def deactivate(self, image_id: str) -> None:
        """Let nothing boot from it and nobody download it, until further notice; idempotent.

        Raises:
            GoneError: There is no such image.
            BadOrderError: We may not, or it is not active.
        """

    def reactivate(self, image_id: str) -> None:
        """Take :meth:`deactivate` back; idempotent.

        Raises:
            GoneError: There is no such image.
            BadOrderError: We may not, or it was never active.
        """

    def usage(self) -> ImageUsage | None:
        """Return how much room there is for images, or None if the cloud does not tell."""

    def set_visibility(
        self, image_id: str, visibility: Visibility, *, fence: Fence = unfenced
    ) -> None:
        """Say who may see and boot it; idempotent.

        Raises:
            GoneError: There is no such image.
            BadOrderError: The account may not do that.
        """

    def share(self, image_id: str, project: str, *, fence: Fence = unfenced) -> None:
        """Offer an image of ours whose visibility is *shared* to a project; idempotent.

        Raises:
            GoneError: There is no such image.
            BadOrderError: It is not ours, or of another visibility.
        """

    def unshare(self, image_id: str, project: str, *, fence: Fence = unfenced) -> None:
        """Take the offer back; no error if there is none, or no such image.

        Servers of the other project that run go on.

        Raises:
            BadOrderError: It is not ours.
        """

    def members(self, image_id: str) -> Mapping[str, Membership]:
        """Return the projects that an image is shared with; of others' images, ours at most.

        Raises:
            GoneError: There is no such image.
            BadOrderError: It is of another visibility than *shared*.
        """

    def accept(self, image_id: str, *, fence: Fence = unfenced) -> None:
        """Take an image that another project has shared with ours; idempotent.

        From then on it is found by its name, as our own are.

        Raises:
            GoneError: There is no such image, or nobody shared it with us.
            BadOrderError: The cloud refuses.
        """

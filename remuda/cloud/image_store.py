"""The images of an account: made of servers, carried between clouds, shared, deleted.

It stands beside :mod:`remuda.cloud.api`, so that the contract of a launcher's cloud stays small:
launchers find images, builders make them. Implementations (the openstacksdk adapter, the fake of
the tests) pass the same contract tests. All methods block and may be called from several threads.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Protocol

from remuda.cloud.api import Image
from remuda.model.ids import ServerId


class ImageStatus(StrEnum):
    """Glance's many statuses, reduced to the reactions."""

    PENDING = "pending"  # its data is on the way, or will never come: wait, within a limit
    ACTIVE = "active"
    DEAD = "dead"  # killed, deactivated …: nothing boots from it; it may be deleted
    DELETING = "deleting"
    UNKNOWN = "unknown"  # a word that we do not know: change nothing, look again


class Visibility(StrEnum):
    """Who may see and boot an image."""

    PRIVATE = "private"
    SHARED = "shared"  # the projects that it was shared with, once they have accepted
    COMMUNITY = "community"  # everybody who knows its id
    PUBLIC = "public"  # everybody; operators only, in most clouds


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredImage(Image):
    """An image as the account's listing shows it; servers boot from it once it is active.

    Attributes:
        size_bytes: None until the data is there.
        md5: Glance's ``checksum``; hexadecimal.
        hash_algo: Of *hash_value*, as :mod:`hashlib` calls it; None in clouds before 2018.
        disk_format: What an :class:`ImageOrder` for a copy has to say; likewise the next three.
        visibility: None if it is a word that we do not know.
        owner: Project that it belongs to.
    """

    status: ImageStatus
    size_bytes: int | None = None
    md5: str | None = None
    hash_algo: str | None = None
    hash_value: str | None = None
    disk_format: str | None = None
    container_format: str | None = None
    min_disk_gib: int = 0
    min_ram_mib: int = 0
    visibility: Visibility | None = None
    owner: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageOrder:
    """Everything of one upload.

    Attributes:
        properties: Ours (``remuda.model.tags``) and those that Nova heeds (``hw_…``, ``os_…``);
            text of at most 255 bytes.
        min_ram_mib: Flavors with less are refused by Nova; likewise *min_disk_gib*.
    """

    name: str
    disk_format: str
    container_format: str = "bare"
    properties: Mapping[str, str] = field(default_factory=dict)
    visibility: Visibility = Visibility.PRIVATE
    min_disk_gib: int = 0
    min_ram_mib: int = 0


class ImageStore(Protocol):
    """The images of one region of one account.

    Every method may raise TryLaterError, UnauthorizedError, CloudConfigError or CloudError
    besides what it names.
    """

    def project(self) -> str:
        """Return the id of the account's project: what others share images with."""

    def list_images(self) -> tuple[StoredImage, ...]:
        """Return all images that belong to the account, whatever their state; one paged call.

        Either the whole listing, or an error: never the part that could be read.
        """

    def get_image(self, image_id: str) -> StoredImage:
        """Return an image that the account can see, its own or not.

        Raises:
            GoneError: There is none (any more).
        """

    def snapshot(self, server: ServerId, name: str, tags: Mapping[str, str]) -> str:
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
            BadOrderError: The cloud refuses; surely nothing was made.
            UnknownOutcomeError: An image may come: look for the tags in the listing.
        """

    def upload(self, order: ImageOrder, source: Path) -> StoredImage:
        """Make an image of a file, piece by piece, and compare what the cloud says it got.

        What fails leaves nothing behind, except with UnknownOutcomeError, which says what may
        be left. Of a process that dies meanwhile a pending image is left.

        Raises:
            OSError: The file cannot be read.
            NoRoomError: There is no room for it.
            BadOrderError: The cloud refuses the order, e.g. the visibility.
            DamagedError: The cloud did not get what we sent, or the file changed.
            UnknownOutcomeError: An image may be left: look for the properties in the listing.
        """

    def download(self, image_id: str, target: Path) -> StoredImage:
        """Write an image's data to a file, piece by piece, verified by the cloud's own hash.

        The file is there with all its bytes or not at all; until then they are in a file beside
        it, whose name ends in ``.part``, of which a process that dies leaves a part.

        Raises:
            OSError: The file cannot be written.
            GoneError: There is no such image.
            BadOrderError: It has no data that we may have (pending, deactivated), or the cloud
                has no hash of it.
            DamagedError: The data is not what its hash says.
        """

    def delete_image(self, image_id: str) -> None:
        """Delete an image; no error if it is gone already.

        Raises:
            InUseError: Something in the cloud still needs it.
            BadOrderError: We may not: it is protected, or somebody else's.
        """

    def set_visibility(self, image_id: str, visibility: Visibility) -> None:
        """Say who may see and boot it; idempotent.

        Raises:
            GoneError: There is no such image.
            BadOrderError: The account may not do that.
        """

    def share(self, image_id: str, project: str) -> None:
        """Offer an image of ours whose visibility is *shared* to a project; idempotent.

        Raises:
            GoneError: There is no such image.
            BadOrderError: It is not ours, or of another visibility.
        """

    def accept(self, image_id: str) -> None:
        """Take an image that another project has shared with ours; idempotent.

        From then on it is found by its name, as our own are.

        Raises:
            GoneError: There is no such image, or nobody shared it with us.
            BadOrderError: The cloud refuses.
        """

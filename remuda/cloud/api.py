"""The contract of a cloud: what the rest of Remuda knows of OpenStack.

Implementations (the openstacksdk adapter, and the in-memory fake of the tests) pass the same
contract tests. All methods block and may be called from several threads.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

from remuda.model.ids import ServerId


class CloudError(Exception):
    """Root of what a cloud call may raise; the subclass *is* the reaction."""


class TryLaterError(CloudError):
    """Throttled or briefly broken and surely without effect: same call again, later.

    Attributes:
        retry_after_s: Seconds that the cloud asked us to wait, or a default.
    """

    def __init__(self, why: str, *, retry_after_s: float = 5.0) -> None:
        super().__init__(why)
        self.retry_after_s = retry_after_s


class NoRoomError(CloudError):
    """Quota or capacity: ask nothing new of this pool for a while; let others take the request."""


class BadOrderError(CloudError):
    """The cloud rejects what we ask (image, flavor, network): a human must change something."""


class UnauthorizedError(CloudError):
    """Our credentials are not accepted: only this provider suffers, until a human acts."""


class UnknownOutcomeError(CloudError):
    """We cannot tell if it happened: look for our tag in the listing."""


class GoneError(CloudError):
    """What we asked about is not there (any more)."""


class ServerStatus(StrEnum):
    """Nova's many statuses, reduced to the reactions."""

    BUILDING = "building"
    ACTIVE = "active"
    ERROR = "error"
    STOPPED = "stopped"  # SHUTOFF, SUSPENDED, PAUSED …: it runs no more, though it should
    DELETING = "deleting"


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """One server of a listing.

    Attributes:
        tags: The metadata we put on it at creation (see ``remuda.model.tags``), and others'.
        fault: Nova's message when status is ERROR.
        created_s: By the cloud's clock, seconds since the epoch.
    """

    id: ServerId
    name: str
    status: ServerStatus
    tags: Mapping[str, str] = field(default_factory=dict)
    public_ipv4: str | None = None
    private_ipv4: str | None = None
    public_ipv6: str | None = None
    az: str | None = None
    host_id: str | None = None
    image_id: str | None = None
    flavor_id: str | None = None
    fault: str | None = None
    created_s: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageWanted:
    """Which image: by id, by name, or the newest of those that match.

    Attributes:
        pattern: Regular expression that must match the whole name.
        properties: Image properties that must be equal.
    """

    id: str | None = None
    name: str | None = None
    pattern: str | None = None
    properties: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """An image that a server can boot from; created_s by the cloud's clock."""

    id: str
    name: str
    created_s: float = 0.0
    properties: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class FlavorWanted:
    """Which flavor: by name, or the smallest with at least these.

    *name* together with minimums: smallest of those whose name contains it.
    """

    name: str | None = None
    ram_mib: int = 0
    cores: int = 0
    disk_gib: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Flavor:
    """A size of machine."""

    id: str
    name: str
    cores: int
    ram_mib: int
    disk_gib: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Quota:
    """What the account may use and does use, in the cloud's eyes; None: unlimited or unknown."""

    instances_max: int | None = None
    cores_max: int | None = None
    ram_mib_max: int | None = None
    instances_used: int = 0
    cores_used: int = 0
    ram_mib_used: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerOrder:
    """Everything of one create call.

    Attributes:
        tags: Server metadata, ours included; strings of at most 255 bytes.
        networks: Network names or ids, in order; empty: the cloud's default.
        user_data: Plain text; the adapter encodes it.
        volume_gib: Boot from a volume of this size that goes with the server; None: no volume.
        timeout_s: After this the outcome counts as unknown.
    """

    name: str
    image: Image
    flavor: Flavor
    tags: Mapping[str, str]
    networks: tuple[str, ...] = ()
    security_groups: tuple[str, ...] = ()
    az: str | None = None
    key_name: str | None = None
    config_drive: bool | None = None
    user_data: str | None = None
    volume_gib: int | None = None
    timeout_s: float = 60.0


class Cloud(Protocol):
    """One region of one account.

    Every method may raise TryLaterError, UnauthorizedError or CloudError besides what it names.
    """

    def list_servers(self) -> tuple[Server, ...]:
        """Return all servers of the account, ours and others', with one paged call."""

    def create_server(self, order: ServerOrder) -> ServerId:
        """Ask for a server and return its id at once, without waiting for it.

        Raises:
            NoRoomError: The cloud has no room; surely nothing was made.
            BadOrderError: The cloud rejects the order; surely nothing was made.
            UnknownOutcomeError: A server may exist (time-out, dropped connection, 5xx).
        """

    def delete_server(self, server: ServerId) -> None:
        """Ask for deletion; no error if it is gone already. Repeat until the listing agrees."""

    def console_log(self, server: ServerId, *, lines_max: int = 200) -> str:
        """Return the end of the console output; empty if the cloud has none."""

    def quota(self) -> Quota:
        """Return the account's limits and use."""

    def find_image(self, wanted: ImageWanted) -> Image:
        """Return the image; of several that match, the newest.

        Raises:
            BadOrderError: If none matches; the message names near ones.
        """

    def find_flavor(self, wanted: FlavorWanted) -> Flavor:
        """Return the flavor; of several that fit, the one with least RAM, then cores, then disk.

        Raises:
            BadOrderError: If none fits; the message says what there is.
        """

    def availability_zones(self) -> tuple[str, ...]:
        """Return the names of the zones that take servers."""

    def add_floating_ip(self, server: ServerId) -> str:
        """Give the server a floating IP and return it; idempotent.

        Raises:
            NoRoomError: If there is none left.
        """

    def remove_floating_ips(self, server: ServerId) -> None:
        """Release the floating IPs that we gave the server; no error if there are none."""

    def close(self) -> None:
        """Drop connections."""

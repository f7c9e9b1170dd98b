"""The contract of a cloud: what the rest of Remuda knows of OpenStack.

Implementations (the openstacksdk adapter, and the in-memory fake of the tests) pass the same
contract tests. All methods block and may be called from several threads.
"""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final, Protocol

from remuda.cloud.leftovers import ALL_KINDS, Leftover, LeftoverKind
from remuda.cloud.sizes import GIB, FlavorWanted, ImageNeeds
from remuda.model.ids import ServerId
from remuda.redaction import redact_middle, redact_text

#: Longer faults are cut: they go into records.
FAULT_CHARS_MAX: Final = 2_000

#: Why a call must not be sent any more, or None. What cannot be taken back is fenced: this is
#: asked after every wait of our own, last thing before each call that changes something.
Fence = Callable[[], str | None]


def unfenced() -> str | None:
    """Let everything through."""
    return None


class CloudError(Exception):
    """Root of what a cloud call may raise; the subclass *is* the reaction.

    What the cloud said goes into logs, verdicts and reports: it is redacted here, for all of them.
    """

    def __init__(self, why: str = "") -> None:
        super().__init__(redact_text(why))


class CloudConfigError(CloudError):
    """clouds.yaml, or what it says, is wrong: only this provider suffers, until a human acts."""


class TryLaterError(CloudError):
    """Throttled or briefly broken: the same call again, later.

    After ``create_server`` it also means that surely nothing was made.

    Attributes:
        retry_after_s: Seconds that the cloud asked us to wait, or a default.
    """

    def __init__(self, why: str, *, retry_after_s: float = 5.0) -> None:
        super().__init__(why)
        self.retry_after_s = retry_after_s


class NotSentError(TryLaterError):
    """We did not send it ourselves, for it was too late or no longer ours to ask for."""

    def __init__(self, why: str) -> None:
        super().__init__(f"not sent: {why}", retry_after_s=0.0)


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


class InUseError(CloudError):
    """It cannot be deleted, for something else needs it: that goes first."""


class DamagedError(CloudError):
    """What arrived is not what was sent; nothing of it was kept: once more, from the beginning."""


class ServerStatus(StrEnum):
    """Nova's many statuses, reduced to the reactions."""

    BUILDING = "building"
    ACTIVE = "active"
    ERROR = "error"
    STOPPED = "stopped"  # SHUTOFF, SUSPENDED, PAUSED …: it runs no more, though it should
    DELETING = "deleting"
    UNKNOWN = "unknown"  # the cloud itself does not know: change nothing, look again


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """One server of a listing.

    Attributes:
        tags: The metadata we put on it at creation (see ``remuda.model.tags``), and others'.
        public_ipv4: The address to connect to (``remuda.cloud.addresses`` has the rule), even
            if it is not public in the internet's sense; None until the server has an IPv4.
        floating_ipv4: The same as *public_ipv4* if that is a floating IP, else None; a cloud shows
            it some time after it was given.
        private_ipv4: An address of the inside; the same as *public_ipv4* if there is no other.
        fault: Nova's message when status is ERROR, without secrets and not longer than
            :data:`FAULT_CHARS_MAX`.
        created_s: By the cloud's clock, seconds since the epoch.
        vm_state: Nova's own word for what *status* reduces, e.g. ``stopped``.
        task: What Nova does with it just now (``powering-off``, ``image_uploading`` …), or None.
        volumes: Ids of the volumes that are attached to it, one that it boots from among them.
    """

    id: ServerId
    name: str
    status: ServerStatus
    tags: Mapping[str, str] = field(default_factory=dict)
    public_ipv4: str | None = None
    private_ipv4: str | None = None
    public_ipv6: str | None = None
    floating_ipv4: str | None = None
    az: str | None = None
    host_id: str | None = None
    image_id: str | None = None
    flavor_id: str | None = None
    fault: str | None = None
    created_s: float = 0.0
    vm_state: str | None = None
    task: str | None = None
    volumes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Cut the fault and take secrets out of it: it goes into logs and records."""
        if self.fault:
            object.__setattr__(self, "fault", redact_middle(self.fault, FAULT_CHARS_MAX))


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageWanted:
    """Which image: by id, by name, or the newest of those that match.

    Attributes:
        pattern: Regular expression that must match the whole name.
        properties: Image properties that must be equal.

    What is given besides an id must all be true of the image; an id needs no more.
    """

    id: str | None = None
    name: str | None = None
    pattern: str | None = None
    properties: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """An image that a server can boot from.

    Attributes:
        created_s: By the cloud's clock, seconds since the epoch.
        properties: All its fields that are text, so that ``owner`` or ``visibility`` can be
            asked for just like ``os_distro``.
        size_bytes: None until the data is there.
        virtual_bytes: Of the disk that a server gets; None if the cloud does not know.
    """

    id: str
    name: str
    created_s: float = 0.0
    properties: Mapping[str, str] = field(default_factory=dict)
    min_disk_gib: int = 0
    min_ram_mib: int = 0
    size_bytes: int | None = None
    virtual_bytes: int | None = None

    @property
    def needs(self) -> ImageNeeds:
        """What Nova, or later its hypervisor, compares with the flavor (or the volume)."""
        data_bytes = max(self.size_bytes or 0, self.virtual_bytes or 0)
        return ImageNeeds(
            ram_mib=self.min_ram_mib, disk_gib=max(self.min_disk_gib, -(-data_bytes // GIB))
        )


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
    """What the account may use and does use, as the cloud counts; None: unlimited or unknown.

    *metadata_items_max* is of one server.
    """

    instances_max: int | None = None
    cores_max: int | None = None
    ram_mib_max: int | None = None
    instances_used: int = 0
    cores_used: int = 0
    ram_mib_used: int = 0
    metadata_items_max: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerSpec:
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Port:
    """Where a server's private IPv4 address is: a floating IP can lead there.

    Attributes:
        network: The network's id.
        external: Its network is external itself: nothing leads there, nor needs to.
    """

    id: str
    server: ServerId
    ipv4: str
    network: str = ""
    external: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class FloatingIp:
    """A floating IP of ours; it belongs to one server for all its life."""

    id: str
    address: str


class Cloud(Protocol):
    """One region of one account.

    Every method may raise TryLaterError, UnauthorizedError, CloudConfigError or CloudError
    besides what it names; those that take a *fence* also NotSentError, if it holds a call back.
    """

    def list_servers(self) -> tuple[Server, ...]:
        """Return all servers of the account, ours and others', with one paged call.

        Either the whole listing, or an error: never the part that could be read.
        """

    def create_server(self, order: ServerSpec, *, fence: Fence = unfenced) -> ServerId:
        """Ask for a server and return its id at once, without waiting for it.

        Raises:
            NoRoomError: The cloud has no room; surely nothing was made.
            BadOrderError: The cloud rejects the order; surely nothing was made.
            UnknownOutcomeError: A server may exist (time-out, dropped connection, 5xx).
        """

    def get_server(self, server: ServerId) -> Server:
        """Return one server, for whoever knows an id but not whose it is.

        Raises:
            GoneError: If there is none.
            BadOrderError: If that can be no server's id.
        """

    def delete_server(self, server: ServerId, *, fence: Fence = unfenced) -> None:
        """Ask for deletion; no error if it is gone already. Repeat until the listing agrees."""

    def stop_server(self, server: ServerId, *, fence: Fence = unfenced) -> None:
        """Ask for a clean shutdown, done once the server is STOPPED and has no task.

        No error if it is stopped, or just stopping. For some time (60 s in Nova, or the image's
        ``os_shutdown_timeout``) the machine may end by itself; then it loses power, untold.

        Raises:
            GoneError: There is no such server.
            TryLaterError: It is busy, e.g. being snapshotted, or not built yet.
            BadOrderError: It cannot be stopped: it is locked, broken, suspended …
        """

    def start_server(self, server: ServerId, *, fence: Fence = unfenced) -> None:
        """Ask that a stopped server run again; no error if it does. Raises as *stop_server*."""

    def console_log(self, server: ServerId, *, lines_max: int = 200) -> str:
        """Return the end of the console output; empty if the cloud, or the server, has none."""

    def quota(self) -> Quota:
        """Return the account's limits and use."""

    def find_image(self, wanted: ImageWanted) -> Image:
        """Return the image; of several that match, the newest.

        What is hidden, or has the tags of a build, even inherited, is found by its id only.

        Raises:
            BadOrderError: If none matches; the message names near ones.
        """

    def find_flavor(self, wanted: FlavorWanted) -> Flavor:
        """Return the flavor; of several that fit, the one with least RAM, then cores, then disk.

        One without a disk is left out if the image is written to that, unless all are so.

        Raises:
            BadOrderError: If none fits; the message says what there is.
        """

    def availability_zones(self) -> tuple[str, ...]:
        """Return the names of the zones that take servers."""

    def find_ports(self, servers: Collection[ServerId]) -> Mapping[ServerId, Port]:
        """Return the ports of these servers, with one call for many; none for who has none yet."""

    def add_floating_ip(
        self, port: Port, *, untried: bool = False, fence: Fence = unfenced
    ) -> FloatingIp:
        """Give a server a floating IP and return it; idempotent, so repeat it when in doubt.

        Args:
            port: The server's.
            untried: Surely nobody has asked for it before, so that no look is needed.
            fence: Asked before each call that gives one.

        Raises:
            NoRoomError: If there is none left.
            BadOrderError: If no external network can be reached from the port.
            GoneError: If there is no such port (any more).
        """

    def remove_floating_ips(
        self,
        server: ServerId,
        *,
        known: str | None = None,
        hint: str | None = None,
        fence: Fence = unfenced,
    ) -> None:
        """Release the floating IPs that we gave the server; no error if there are none.

        One that a check of our provider gave it counts as ours.

        Args:
            server: There or gone.
            known: The id of its floating IP, as the cloud told us: no look is needed.
            hint: An id that somebody else wrote down: it is released only if the cloud says that
                it was made for this server by us, else they are looked for.
            fence: Asked before each call that releases one.
        """

    def list_leftovers(self, kinds: Collection[LeftoverKind] = ALL_KINDS) -> tuple[Leftover, ...]:
        """Return ports that are down and were made for a server, and our idle floating IPs.

        Only for *kinds* the cloud is asked: an account need not be allowed the others. Ports have
        no mark of ours: the caller knows that ``Leftover.server`` was one of ours and is gone.
        """

    def delete_leftover(self, leftover: Leftover, *, fence: Fence = unfenced) -> None:
        """Delete it, unless it has changed since it was listed; no error if it is gone.

        Raises:
            BadOrderError: If the account may not do that in this cloud.
        """

    def close(self) -> None:
        """Drop connections; calls that wait for their turn end with TryLaterError."""

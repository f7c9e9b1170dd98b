"""OpenStack as the cloud that the rest of Remuda knows.

Of openstacksdk only clouds.yaml and authentication are used. Its ``cloud`` layer looks up images,
flavors, networks and ports behind every call and connects to servers to choose an address; here
a create is one call, a delete is one call, and a listing is one call per page.
"""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, Final

from remuda.cloud import errors, flavors, images, ports, servers
from remuda.cloud.account import Account, AccountSettings
from remuda.cloud.api import (
    BadOrderError,
    Fence,
    Flavor,
    FloatingIp,
    Image,
    ImageWanted,
    Port,
    Quota,
    Server,
    ServerSpec,
    ServerStatus,
    TryLaterError,
    UnknownOutcomeError,
    unfenced,
)
from remuda.cloud.cache import TtlCache
from remuda.cloud.errors import Effect
from remuda.cloud.floating import FloatingIps
from remuda.cloud.leftovers import ALL_KINDS, Leftover, LeftoverKind
from remuda.cloud.networks import Networks
from remuda.cloud.openstack_images import OpenStackImages
from remuda.cloud.openstack_inspection import OpenStackInspector
from remuda.cloud.openstack_objects import OpenStackObjects
from remuda.cloud.paths import is_id
from remuda.cloud.rate import RateLimit, Traffic
from remuda.cloud.sizes import FlavorWanted
from remuda.cloud.wire import Wire
from remuda.model.ids import ServerId
from remuda.model.tags import Owner
from remuda.runtime.clock import Clock

#: A new upload of an image's name is noticed after this.
IMAGE_TTL_S: Final = 60.0
#: Flavors and zones change when operators change them.
FLAVOR_TTL_S: Final = 300.0

#: No console: not built yet (409), no such thing in this cloud (400, 404, 405, 501).
_NO_CONSOLE: Final = frozenset({400, 404, 405, 409, 501})
_NOT_FOUND, _CONFLICT = 404, 409
#: Nova's words for a server that no host was chosen for, besides 404.
_HOMELESS: Final = re.compile(r"is not ready\b")
#: Nova's words for a server that needs no stop, for it is stopped or stopping.
_STOPPED: Final = re.compile(r"in (?:vm_state stopped|task_state powering-off)\b")
#: The same for one that needs no start.
_RUNNING: Final = re.compile(r"in (?:vm_state active|task_state powering-on)\b")

_ImageKey = tuple[str | None, str | None, str | None, frozenset[tuple[str, str]]]


@dataclass(frozen=True, slots=True, kw_only=True)
class CloudSettings:
    """How to talk to one region of one account.

    Attributes:
        account: Where the credentials are.
        owner: Written on floating IPs, which have no metadata.
        rate_per_s: API calls per second of this process.
        page_size: Servers (or images) per page; None: as many as the cloud gives.
    """

    account: AccountSettings
    owner: Owner
    rate_per_s: float = 10.0
    page_size: int | None = None


class OpenStackCloud:
    """One region of one account of an OpenStack cloud; see :class:`remuda.cloud.api.Cloud`.

    Safe for several threads, which share one token, one rate limit and one set of connections.

    Raises:
        CloudConfigError: By the constructor, if clouds.yaml is wrong; it makes no call.
    """

    def __init__(self, settings: CloudSettings, *, clock: Clock) -> None:
        self._account = Account(settings.account, clock=clock)
        self._limit = RateLimit(per_s=settings.rate_per_s, clock=clock)
        timeout_s = settings.account.api_timeout_s
        self._wire = Wire(self._account, self._limit, timeout_s=timeout_s, clock=clock)
        self._clock = clock
        self._page_size = settings.page_size
        self._networks = Networks(self._wire, clock=clock)
        self._external = self._account.external_networks
        self._floating = FloatingIps(self._wire, self._networks, settings.owner, self._external)
        self._images = TtlCache[_ImageKey, Image](ttl_s=IMAGE_TTL_S, clock=clock)
        self._flavors = TtlCache[str, tuple[Flavor, ...]](ttl_s=FLAVOR_TTL_S, clock=clock)
        self._zones = TtlCache[str, tuple[str, ...]](ttl_s=FLAVOR_TTL_S, clock=clock)

    @property
    def api_calls(self) -> int:
        """How many API calls were sent so far, without those for tokens."""
        return self._wire.calls

    def inspector(self) -> OpenStackInspector:
        """Return what looks at the account for an operator, over the same connections."""
        return OpenStackInspector(self._wire, self._account)

    def image_store(self) -> OpenStackImages:
        """Return what makes, moves and deletes images, over the same connections."""
        return OpenStackImages(
            self._wire, self._account, changed=self._images.clear, page_size=self._page_size
        )

    def object_store(self) -> OpenStackObjects:
        """Return what keeps objects, over the same connections."""
        return OpenStackObjects(self._wire, self._account, clock=self._clock)

    def list_servers(self) -> tuple[Server, ...]:
        """Return all servers of the account; one call per page."""
        query = {} if self._page_size is None else {"limit": str(self._page_size)}
        docs = self._wire.pages("compute", ("servers", "detail"), "servers", query, Traffic.LIST)
        try:
            return tuple(servers.read_server(doc, self._external) for doc in docs)
        except (KeyError, ValueError, TypeError, AttributeError) as exc:
            raise TryLaterError(f"the listing of servers cannot be read: {exc!r}") from exc

    def create_server(self, order: ServerSpec, *, fence: Fence = unfenced) -> ServerId:
        """Ask for a server; one call, and one more if a network's name is not known yet."""
        body = servers.order_body(order, self._networks.ids(order.networks))
        try:
            answer = self._wire.call(
                "compute",
                "POST",
                ("servers",),
                effect=Effect.CREATE,
                body=body,
                timeout_s=order.timeout_s,
                traffic=Traffic.CREATE,
                fence=fence,
            )
        except BadOrderError:
            self._forget()  # perhaps a name now means another id
            raise
        server = answer.doc.get("server")
        named = server.get("id") if isinstance(server, Mapping) else None
        if not isinstance(named, str) or not is_id(named):
            raise UnknownOutcomeError("the cloud accepted the order but named no server")
        return ServerId(named)

    def get_server(self, server: ServerId) -> Server:
        """Return one server; one call."""
        answer = self._wire.call("compute", "GET", servers.path(server), effect=Effect.READ)
        try:
            return servers.read_server(answer.doc["server"], self._external)
        except (KeyError, ValueError, TypeError, AttributeError) as exc:
            raise TryLaterError(f"server {server} cannot be read: {exc!r}") from exc

    def delete_server(self, server: ServerId, *, fence: Fence = unfenced) -> None:
        """Ask for deletion; one call. A server that is busy (409) is for later."""
        self._wire.call(
            "compute",
            "DELETE",
            servers.path(server),
            effect=Effect.REPEATABLE,
            accept={_NOT_FOUND},
            traffic=Traffic.DELETE,
            fence=fence,
        )

    def stop_server(self, server: ServerId, *, fence: Fence = unfenced) -> None:
        """Ask for a clean shutdown; one call."""
        self._switch(server, "os-stop", _STOPPED, fence)

    def start_server(self, server: ServerId, *, fence: Fence = unfenced) -> None:
        """Ask that a stopped server run again; one call."""
        self._switch(server, "os-start", _RUNNING, fence)

    def _switch(self, server: ServerId, action: str, done: re.Pattern[str], fence: Fence) -> None:
        """Ask for an action that needs nothing more where Nova's refusal says that it is *done*."""
        answer = self._wire.call(
            "compute",
            "POST",
            servers.path(server, "action"),
            effect=Effect.REPEATABLE,
            body={action: None},
            accept={_CONFLICT, _NOT_FOUND},
            fence=fence,
        )
        if answer.status not in {_NOT_FOUND, _CONFLICT}:
            return
        why = errors.message_of(answer)
        if answer.status == _NOT_FOUND or _HOMELESS.search(why):
            # It has no host: not yet, or, being broken, for ever; if it exists at all.
            broken = self.get_server(server).status is ServerStatus.ERROR
            raise BadOrderError(why) if broken else TryLaterError(why)
        if not done.search(why):
            raise errors.of_busy_server(why)

    def console_log(self, server: ServerId, *, lines_max: int = 200) -> str:
        """Return the end of the console output; one call."""
        answer = self._wire.call(
            "compute",
            "POST",
            servers.path(server, "action"),
            effect=Effect.READ,
            body={"os-getConsoleOutput": {"length": lines_max}},
            accept=_NO_CONSOLE,
        )
        return str(answer.doc.get("output") or "")

    def quota(self) -> Quota:
        """Return limits and use; one call."""
        answer = self._wire.call("compute", "GET", ("limits",), effect=Effect.READ)
        try:
            return _read_quota(answer.doc["limits"]["absolute"])
        except (KeyError, ValueError, TypeError) as exc:
            raise TryLaterError(f"the answer with limits cannot be read: {exc!r}") from exc

    def find_image(self, wanted: ImageWanted) -> Image:
        """Return the image; remembered for a minute."""
        key = (wanted.id, wanted.name, wanted.pattern, frozenset(wanted.properties.items()))
        return self._images.get(key, lambda: images.find_image(self._wire, wanted))

    def find_flavor(self, wanted: FlavorWanted) -> Flavor:
        """Return the flavor; the list is remembered for five minutes."""
        known = self._flavors.get("all", lambda: flavors.list_flavors(self._wire))
        return flavors.choose(known, wanted)

    def availability_zones(self) -> tuple[str, ...]:
        """Return the zones that take servers; remembered for five minutes."""
        return self._zones.get("all", self._list_zones)

    def find_ports(self, servers: Collection[ServerId]) -> Mapping[ServerId, Port]:
        """Return the servers' ports; a call for every fifty, and one for the networks, rarely."""
        return ports.find_ports(self._wire, self._networks, servers)

    def add_floating_ip(
        self, port: Port, *, untried: bool = False, fence: Fence = unfenced
    ) -> FloatingIp:
        """Give a server a floating IP; one call, and a look before it unless *untried*."""
        return self._floating.add(port, untried=untried, fence=fence)

    def remove_floating_ips(
        self,
        server: ServerId,
        *,
        known: str | None = None,
        hint: str | None = None,
        fence: Fence = unfenced,
    ) -> None:
        """Release those that we gave the server; a call for each, and a look if none is known."""
        self._floating.remove(server, known=known, hint=hint, fence=fence)

    def list_leftovers(self, kinds: Collection[LeftoverKind] = ALL_KINDS) -> tuple[Leftover, ...]:
        """Return ports that are down and idle floating IPs; a call for each kind."""
        idle_ports = ports.list_idle_ports(self._wire) if LeftoverKind.PORT in kinds else ()
        idle_ips = self._floating.idle() if LeftoverKind.FLOATING_IP in kinds else ()
        return (*idle_ports, *idle_ips)

    def delete_leftover(self, leftover: Leftover, *, fence: Fence = unfenced) -> None:
        """Delete it unless it has changed; one to three calls."""
        match leftover.kind:
            case LeftoverKind.PORT:
                ports.delete_port(self._wire, leftover, fence=fence)
            case LeftoverKind.FLOATING_IP:
                self._floating.delete(leftover, fence=fence)

    def close(self) -> None:
        """Drop connections."""
        self._limit.close()
        self._account.close()

    def _list_zones(self) -> tuple[str, ...]:
        answer = self._wire.call("compute", "GET", ("os-availability-zone",), effect=Effect.READ)
        zones = answer.doc.get("availabilityZoneInfo") or ()
        return tuple(sorted(zone["zoneName"] for zone in zones if zone["zoneState"]["available"]))

    def _forget(self) -> None:
        self._images.clear()
        self._flavors.clear()
        self._zones.clear()
        self._networks.forget()


def _read_quota(absolute: Mapping[str, Any]) -> Quota:
    def limit(key: str) -> int | None:
        value = int(absolute.get(key, -1))
        return None if value < 0 else value  # Nova writes -1 for unlimited

    return Quota(
        instances_max=limit("maxTotalInstances"),
        cores_max=limit("maxTotalCores"),
        ram_mib_max=limit("maxTotalRAMSize"),
        instances_used=int(absolute.get("totalInstancesUsed", 0)),
        cores_used=int(absolute.get("totalCoresUsed", 0)),
        ram_mib_used=int(absolute.get("totalRAMUsed", 0)),
        metadata_items_max=limit("maxServerMeta"),
    )

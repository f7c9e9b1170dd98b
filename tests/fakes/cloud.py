"""A cloud in memory: deterministic, on an injected clock, with faults on demand.

It is held to the same contract tests as the real adapter (``tests/contract/cloud``). Servers
change only as time passes on the clock; nothing runs in the background. Scripted fates
(``next_creates`` and so on) are used first, then :class:`Chaos` draws with the seed.
"""

import random
import threading
from collections import Counter, deque
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import replace

from remuda.cloud import flavors, images
from remuda.cloud import servers as nova
from remuda.cloud.api import (
    BadOrderError,
    CloudError,
    Fence,
    Flavor,
    FloatingIp,
    GoneError,
    Image,
    ImageWanted,
    NotSentError,
    Port,
    Quota,
    Server,
    ServerSpec,
    ServerStatus,
    TryLaterError,
    unfenced,
)
from remuda.cloud.image_store import StoredImage
from remuda.cloud.leftovers import ALL_KINDS, Leftover, LeftoverKind
from remuda.cloud.sizes import FlavorWanted
from remuda.model.ids import ServerId
from remuda.runtime.clock import Clock
from tests.fakes.cloud_fates import (
    Boot,
    BootEnd,
    Chaos,
    Create,
    Delete,
    Fate,
    Listing,
    check_room,
    check_sizes,
    check_texts,
    create_error,
    drawn,
)
from tests.fakes.cloud_floating import FakeFloatingIps
from tests.fakes.cloud_machines import Machine, needs_start, needs_stop, view

DEBIAN = Image(
    id="10000000-0000-4000-8000-000000000001",
    name="debian-12",
    created_s=1000.0,
    properties={"os_distro": "debian"},
)
SMALL = Flavor(id="1", name="small", cores=1, ram_mib=1024, disk_gib=10)
LARGE = Flavor(id="2", name="large", cores=4, ram_mib=8192, disk_gib=40)

_SLOW_DELETE_FACTOR = 10
_OMITTED = 1 / 3


class FakeCloud:
    """See :class:`remuda.cloud.api.Cloud`.

    Attributes:
        calls: How often each method was called, by its name.
        orders: Everything that was ever really made, by server.
        next_creates: Fates of the coming create calls, in order; likewise the others.
        networks: Known networks; None: any name is right; likewise keypairs, security_groups.
        ports: Ports that were left behind; tests add to it.
        floating: Floating IPs.
        more_images: What can be booted besides *images*.
        task_of: What is being done with a server for the sake of an image, if anything.
        server_gone: Called when a server is gone.
        stop_s: Seconds that a shutdown takes.
        pause: Called where a real one waits for its rate limit, before the fence is asked.
    """

    def __init__(
        self,
        clock: Clock,
        *,
        seed: int = 0,
        boot_s: float = 5.0,
        delete_s: float = 1.0,
        quota: Quota | None = None,
        floating_ips_max: int = 10,
    ) -> None:
        self.clock = clock
        self.boot_s = boot_s
        self.delete_s = delete_s
        self.limits = quota or Quota()
        self.images: list[Image] = [DEBIAN]
        self.more_images: Callable[[], Iterable[StoredImage]] = tuple
        self.task_of: Callable[[ServerId], str | None] = lambda _: None
        self.server_gone: Callable[[ServerId], None] = lambda _: None
        self.stop_s = 1.0
        self.flavors: list[Flavor] = [SMALL, LARGE]
        self.zones: tuple[str, ...] = ("az1", "az2")
        self.networks: tuple[str, ...] | None = None
        self.keypairs: tuple[str, ...] | None = None
        self.security_groups: tuple[str, ...] | None = None
        self.chaos = Chaos()
        self.calls: Counter[str] = Counter()
        self.orders: dict[ServerId, ServerSpec] = {}
        self.next_creates: deque[Create] = deque()
        self.next_boots: deque[Boot] = deque()
        self.next_deletes: deque[Delete] = deque()
        self.next_listings: deque[Listing] = deque()
        self.omitted: set[ServerId] = set()
        self.ports: list[Leftover] = []
        self.pause: Callable[[], None] = lambda: None
        self.closed = False
        self._random = random.Random(f"cloud {seed}")  # noqa: S311 — reproducible, not secret
        self._lock = threading.RLock()
        self._failures: dict[str, deque[CloudError]] = {}
        self._machines: dict[ServerId, Machine] = {}
        self.floating = FakeFloatingIps(most=floating_ips_max)
        self._numbers = 0

    # What tests do to it.

    def calm(self) -> None:
        """Let everything go well from now on; what hangs already stays hung."""
        self.chaos = Chaos()
        for queue in (self.next_creates, self.next_boots, self.next_deletes, self.next_listings):
            queue.clear()
        self._failures.clear()
        self.omitted.clear()

    def fail(self, operation: str, *errors: CloudError) -> None:
        """Let the coming calls of a method, by its name, raise these; nothing is done then."""
        self._failures.setdefault(operation, deque()).extend(errors)

    def add_stranger(
        self, name: str = "stranger", tags: Mapping[str, str] | None = None
    ) -> ServerId:
        """Put somebody else's server into the account."""
        order = ServerSpec(name=name, image=DEBIAN, flavor=SMALL, tags=tags or {})
        return self._make(order, Boot(seconds=0.0)).id

    def force(self, server: ServerId, status: ServerStatus, *, fault: str | None = None) -> None:
        """Set a server's status, as a hypervisor's crash would."""
        self._machines[server].forced = status
        self._machines[server].fault = fault

    def vanish(self, server: ServerId) -> None:
        """Let a server be listed no more, without anybody having asked for it."""
        self._machines[server].gone_s = self.clock.now_s()

    def truth(self) -> dict[ServerId, Server]:
        """Return what really exists, whatever listings say; not counted as a call."""
        now_s = self.clock.now_s()
        return {each.id: self._view(each, now_s) for each in self._alive()}

    def next_change_s(self) -> float | None:
        """Return when the next server changes by itself; None if none will."""
        now_s = self.clock.now_s()
        times = [t for m in self._machines.values() for t in m.changes_s()]
        return min((each for each in times if each > now_s), default=None)

    # The contract.

    def list_servers(self) -> tuple[Server, ...]:
        """Return all servers, unless told to lie."""
        with self._lock:
            self._begin("list_servers")
            fate = self._fate(self.next_listings, self.chaos.listings, Listing.OK)
            if fate is Listing.FAILS:
                raise TryLaterError("fake: the listing fails", retry_after_s=1.0)
            if fate is Listing.EMPTY:
                return ()
            servers = [each for each in self.truth().values() if each.id not in self.omitted]
            if fate is Listing.OMITS:
                servers = [each for each in servers if self._random.random() >= _OMITTED]
            return tuple(servers)

    def create_server(self, order: ServerSpec, *, fence: Fence = unfenced) -> ServerId:
        """Make a server, unless told otherwise or there is no room."""
        with self._lock:
            self._begin("create_server", fence)
            fate = self._fate(self.next_creates, self.chaos.creates, Create.OK)
            error = create_error(fate)
            if error is not None and fate is not Create.LOST_REPLY:
                raise error
            self._check(order)
            boot = self.next_boots.popleft() if self.next_boots else self._drawn_boot()
            machine = self._make(order, boot)
            if error is not None:
                raise error
            return machine.id

    def delete_server(self, server: ServerId, *, fence: Fence = unfenced) -> None:
        """Begin the deletion, unless told otherwise."""
        with self._lock:
            nova.path(server)
            self._begin("delete_server", fence)
            fate = self._fate(self.next_deletes, self.chaos.deletes, Delete.OK)
            machine = self._machines.get(server)
            if fate is Delete.REFUSED:
                raise TryLaterError("fake: HTTP 409: the server is busy", retry_after_s=1.0)
            if machine is None or fate is Delete.IGNORED or machine.deleting:
                return
            machine.deleting = True
            factor = _SLOW_DELETE_FACTOR if fate is Delete.SLOW else 1
            machine.gone_s = self.clock.now_s() + self.delete_s * factor

    def stop_server(self, server: ServerId, *, fence: Fence = unfenced) -> None:
        """Begin a shutdown."""
        with self._lock:
            nova.path(server)
            self._begin("stop_server", fence)
            if needs_stop(self.truth().get(server)):
                self._machines[server].stopped_s = self.clock.now_s() + self.stop_s

    def start_server(self, server: ServerId, *, fence: Fence = unfenced) -> None:
        """Let a stopped server run, at once."""
        with self._lock:
            nova.path(server)
            self._begin("start_server", fence)
            if needs_start(self.truth().get(server)):
                self._machines[server].stopped_s = None

    def console_log(self, server: ServerId, *, lines_max: int = 200) -> str:
        """Return some lines that name the server."""
        nova.path(server)
        self._begin("console_log")
        if server not in self.truth():
            return ""
        name = self._machines[server].order.name
        return "\n".join(f"[{n}] {name} boots" for n in range(1, lines_max + 1))

    def quota(self) -> Quota:
        """Return limits and use."""
        self._begin("quota")
        used = [each.order.flavor for each in self._alive()]
        return replace(
            self.limits,
            instances_used=len(used),
            cores_used=sum(each.cores for each in used),
            ram_mib_used=sum(each.ram_mib for each in used),
        )

    def find_image(self, wanted: ImageWanted) -> Image:
        """Return the newest image that matches."""
        self._begin("find_image")
        known = (*self.images, *self.more_images())
        found = matching = [each for each in known if wanted.id == each.id]
        if wanted.id is None:
            hidden = {each.id for each in self.more_images() if each.hidden}
            shown = [each for each in known if each.id not in hidden]
            matching = [each for each in shown if images.matches(each, wanted)]
            found = [each for each in matching if not images.is_of_build(each)]
        if not found:
            near = images.near_names(wanted.name, (each.name for each in known))
            raise BadOrderError(f"fake: no image for {wanted}; {near}{images.left_out(matching)}")
        return max(found, key=lambda each: (each.created_s, each.id))

    def find_flavor(self, wanted: FlavorWanted) -> Flavor:
        """Return the smallest flavor that fits."""
        self._begin("find_flavor")
        return flavors.choose(self.flavors, wanted)

    def availability_zones(self) -> tuple[str, ...]:
        """Return the zones."""
        self._begin("availability_zones")
        return self.zones

    def find_ports(self, servers: Collection[ServerId]) -> Mapping[ServerId, Port]:
        """Return a port for each server that is there."""
        with self._lock:
            self._begin("find_ports")
            there = self.truth()
            return {
                server: Port(id=f"port-{server}", server=server, ipv4="10.0.0.1")
                for server in servers
                if server in there
            }

    def add_floating_ip(
        self, port: Port, *, untried: bool = False, fence: Fence = unfenced
    ) -> FloatingIp:
        """Give the server an address, of which it never has two."""
        with self._lock:
            self._begin("add_floating_ip", fence)
            there = self.truth()
            if port.server not in there:
                raise GoneError(f"fake: HTTP 404: port {port.id} could not be found")
            return self.floating.give(port, there, untried=untried)

    def get_server(self, server: ServerId) -> Server:
        """Return one server, which no listing's lie can hide."""
        with self._lock:
            nova.path(server)
            self._begin("get_server")
            found = self.truth().get(server)
            if found is None:
                raise GoneError(f"fake: HTTP 404: server {server} could not be found")
            return found

    def remove_floating_ips(
        self,
        server: ServerId,
        *,
        known: str | None = None,
        hint: str | None = None,
        fence: Fence = unfenced,
    ) -> None:
        """Take the server's address back; *hint* saves a look, and there is none here."""
        del hint
        with self._lock:
            self._begin("remove_floating_ips", fence)
            self.floating.take(server, known)

    def list_leftovers(self, kinds: Collection[LeftoverKind] = ALL_KINDS) -> tuple[Leftover, ...]:
        """Return planted ports and idle floating IPs."""
        self._begin("list_leftovers")
        self.calls.update(f"list_leftovers {kind}" for kind in kinds)
        return tuple(x for x in (*self.ports, *self.floating.idle(self.truth())) if x.kind in kinds)

    def delete_leftover(self, leftover: Leftover, *, fence: Fence = unfenced) -> None:
        """Forget it."""
        self._begin("delete_leftover", fence)
        self.ports = [each for each in self.ports if each.id != leftover.id]
        self.floating.sweep(leftover, self.truth())

    def close(self) -> None:
        """Remember that it was closed."""
        self.closed = True

    # The inside.

    def _begin(self, operation: str, fence: Fence = unfenced) -> None:
        self.pause()
        if why := fence():
            raise NotSentError(why)
        self.calls[operation] += 1
        if queue := self._failures.get(operation):
            raise queue.popleft()

    def _fate(self, script: deque[Fate], rates: Mapping[Fate, float], usual: Fate) -> Fate:
        return script.popleft() if script else self._draw(rates, usual)

    def _draw(self, rates: Mapping[Fate, float], usual: Fate) -> Fate:
        return drawn(self._random.random(), rates, usual) if rates else usual

    def _drawn_boot(self) -> Boot:
        factor = self._random.uniform(1.0, self.chaos.boot_factor_max)
        return Boot(end=self._draw(self.chaos.boots, BootEnd.ACTIVE), seconds=self.boot_s * factor)

    def _check(self, order: ServerSpec) -> None:
        if order.image.id not in {each.id for each in (*self.images, *self.more_images())}:
            raise BadOrderError(f"fake: HTTP 400: image {order.image.id} could not be found")
        if order.flavor.id not in {each.id for each in self.flavors}:
            raise BadOrderError(f"fake: HTTP 400: flavor {order.flavor.id} could not be found")
        if order.az is not None and order.az not in self.zones:
            raise BadOrderError(f"fake: HTTP 400: the requested zone {order.az} is not available")
        for kind, named, known in (
            ("network", order.networks, self.networks),
            ("security group", order.security_groups, self.security_groups),
            ("keypair", (order.key_name,) if order.key_name else (), self.keypairs),
        ):
            for each in named if known is not None else ():
                if each not in (known or ()):
                    raise BadOrderError(f"fake: there is no {kind} {each!r}")
        check_texts(order)
        check_sizes(order, (*self.images, *self.more_images()))
        used = [each.order.flavor for each in self._alive()] + [order.flavor]
        check_room("instances", len(used), self.limits.instances_max)
        check_room("cores", sum(each.cores for each in used), self.limits.cores_max)
        check_room("ram", sum(each.ram_mib for each in used), self.limits.ram_mib_max)

    def _make(self, order: ServerSpec, boot: Boot) -> Machine:
        self._numbers += 1
        server = ServerId(f"00000000-0000-4000-8000-{self._numbers:012d}")
        now_s = self.clock.now_s()
        seconds = self.boot_s if boot.seconds is None else boot.seconds
        machine = Machine(server, self._numbers, order, now_s, boot, now_s + seconds)
        self._machines[server] = machine
        self.orders[server] = order
        return machine

    def _alive(self) -> list[Machine]:
        now_s = self.clock.now_s()
        for each in [m.id for m in self._machines.values() if m.status(now_s) is None]:
            del self._machines[each]
            self.server_gone(each)
        return list(self._machines.values())

    def _view(self, machine: Machine, now_s: float) -> Server:
        floating, task = self.floating.of(machine.id), self.task_of(machine.id)
        return view(machine, now_s, zone=self.zones[0], floating=floating, task=task)

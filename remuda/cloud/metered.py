"""A cloud that tells how each call went, so that metrics need no change in the adapter."""

from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from typing import Final

from remuda.cloud.api import (
    Cloud,
    CloudError,
    Fence,
    Flavor,
    FloatingIp,
    Image,
    ImageWanted,
    Port,
    Quota,
    Server,
    ServerSpec,
    unfenced,
)
from remuda.cloud.leftovers import ALL_KINDS, Leftover, LeftoverKind
from remuda.cloud.sizes import FlavorWanted
from remuda.model.ids import ServerId
from remuda.runtime.clock import Clock

#: Outcome of a call that raised nothing; others are the names of the error classes.
OK: Final = "ok"

#: ``observe(operation, outcome, seconds)``; called from the thread of the call, must not raise.
Observe = Callable[[str, str, float], None]


class MeteredCloud:
    """Passes every call on to *inner* and reports it; see :class:`remuda.cloud.api.Cloud`."""

    def __init__(self, inner: Cloud, observe: Observe, *, clock: Clock) -> None:
        self._inner = inner
        self._observe = observe
        self._clock = clock

    @contextmanager
    def _timed(self, operation: str) -> Iterator[None]:
        start_s = self._clock.monotonic_s()
        outcome = "crashed"  # what is left when an error of no known kind passes
        try:
            yield
            outcome = OK
        except CloudError as exc:
            outcome = type(exc).__name__
            raise
        finally:
            self._observe(operation, outcome, self._clock.monotonic_s() - start_s)

    def list_servers(self) -> tuple[Server, ...]:
        """Return all servers."""
        with self._timed("list_servers"):
            return self._inner.list_servers()

    def create_server(self, order: ServerSpec, *, fence: Fence = unfenced) -> ServerId:
        """Ask for a server."""
        with self._timed("create_server"):
            return self._inner.create_server(order, fence=fence)

    def get_server(self, server: ServerId) -> Server:
        """Return one server."""
        with self._timed("get_server"):
            return self._inner.get_server(server)

    def delete_server(self, server: ServerId, *, fence: Fence = unfenced) -> None:
        """Ask for deletion."""
        with self._timed("delete_server"):
            self._inner.delete_server(server, fence=fence)

    def stop_server(self, server: ServerId, *, fence: Fence = unfenced) -> None:
        """Ask for a clean shutdown."""
        with self._timed("stop_server"):
            self._inner.stop_server(server, fence=fence)

    def start_server(self, server: ServerId, *, fence: Fence = unfenced) -> None:
        """Ask that a stopped server run again."""
        with self._timed("start_server"):
            self._inner.start_server(server, fence=fence)

    def console_log(self, server: ServerId, *, lines_max: int = 200) -> str:
        """Return the end of the console output."""
        with self._timed("console_log"):
            return self._inner.console_log(server, lines_max=lines_max)

    def quota(self) -> Quota:
        """Return limits and use."""
        with self._timed("quota"):
            return self._inner.quota()

    def find_image(self, wanted: ImageWanted) -> Image:
        """Return the image."""
        with self._timed("find_image"):
            return self._inner.find_image(wanted)

    def find_flavor(self, wanted: FlavorWanted) -> Flavor:
        """Return the flavor."""
        with self._timed("find_flavor"):
            return self._inner.find_flavor(wanted)

    def availability_zones(self) -> tuple[str, ...]:
        """Return the zones that take servers."""
        with self._timed("availability_zones"):
            return self._inner.availability_zones()

    def find_ports(self, servers: Collection[ServerId]) -> Mapping[ServerId, Port]:
        """Return the servers' ports."""
        with self._timed("find_ports"):
            return self._inner.find_ports(servers)

    def add_floating_ip(
        self, port: Port, *, untried: bool = False, fence: Fence = unfenced
    ) -> FloatingIp:
        """Give a server a floating IP."""
        with self._timed("add_floating_ip"):
            return self._inner.add_floating_ip(port, untried=untried, fence=fence)

    def remove_floating_ips(
        self,
        server: ServerId,
        *,
        known: str | None = None,
        hint: str | None = None,
        fence: Fence = unfenced,
    ) -> None:
        """Release the server's floating IPs."""
        with self._timed("remove_floating_ips"):
            self._inner.remove_floating_ips(server, known=known, hint=hint, fence=fence)

    def list_leftovers(self, kinds: Collection[LeftoverKind] = ALL_KINDS) -> tuple[Leftover, ...]:
        """Return what seems to be nobody's."""
        with self._timed("list_leftovers"):
            return self._inner.list_leftovers(kinds)

    def delete_leftover(self, leftover: Leftover, *, fence: Fence = unfenced) -> None:
        """Delete a leftover."""
        with self._timed("delete_leftover"):
            self._inner.delete_leftover(leftover, fence=fence)

    def close(self) -> None:
        """Drop connections; not a call of the cloud, so not reported."""
        self._inner.close()

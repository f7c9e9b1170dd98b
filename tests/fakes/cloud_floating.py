"""The floating IPs of the fake cloud."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass, field

from remuda.cloud.api import FloatingIp, NoRoomError, Port, TryLaterError
from remuda.cloud.leftovers import Leftover, LeftoverKind
from remuda.model.ids import ServerId


@dataclass(slots=True)
class FakeFloatingIps:
    """Which server each address was made for; neither addresses nor ids are ever used again.

    Attributes:
        given: Address to server.
        most: How many there may be.
    """

    most: int
    given: dict[str, ServerId] = field(default_factory=dict)
    _made: int = 0

    def of(self, server: ServerId) -> str | None:
        """Return the server's address, of which it never has two."""
        return next((ip for ip, holder in self.given.items() if holder == server), None)

    def give(self, port: Port, there: Collection[ServerId], *, untried: bool) -> FloatingIp:
        """Return the address of the port's server, made if need be."""
        address = self.of(port.server)
        if address is not None and untried:
            raise TryLaterError("fake: HTTP 409: it already has a floating IP")
        if address is None:
            self._make_room(there)
            self._made += 1
            address = f"198.19.{self._made >> 8 & 255}.{self._made & 255}"
            self.given[address] = port.server
        return FloatingIp(id=f"fip-{address}", address=address)

    def _make_room(self, there: Collection[ServerId]) -> None:
        if len(self.given) < self.most:
            return
        for idle in self.idle(there):
            del self.given[str(idle.address)]
            return
        raise NoRoomError("fake: no more IP addresses available on network public")

    def take(self, server: ServerId, known: str | None) -> None:
        """Release the one that is known, or the server's: a hint is never more than that."""
        for ip, holder in list(self.given.items()):
            if holder == server if known is None else f"fip-{ip}" == known:
                del self.given[ip]

    def sweep(self, leftover: Leftover, there: Collection[ServerId]) -> None:
        """Release one that is still idle."""
        if leftover.address is not None and self.given.get(leftover.address) not in there:
            self.given.pop(leftover.address, None)

    def idle(self, there: Collection[ServerId]) -> Iterator[Leftover]:
        """Yield those whose server is not there."""
        kind = LeftoverKind.FLOATING_IP
        for ip, holder in self.given.items():
            if holder not in there:
                yield Leftover(id=f"fip-{ip}", kind=kind, server=holder, address=ip)

"""One simulated cloud and its machines: the fake cloud, watched by the oracle."""

import contextlib
import random
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from remuda.cloud.api import (
    CloudError,
    Fence,
    FloatingIp,
    NotSentError,
    Port,
    Server,
    ServerSpec,
    ServerStatus,
    TryLaterError,
    UnknownOutcomeError,
    unfenced,
)
from remuda.model import launch as launches
from remuda.model import tags
from remuda.model.ids import NodeId, ServerId
from remuda.ssh.api import Proof, ProofSpec
from remuda.store import paths
from tests.fakes.cloud import FakeCloud
from tests.fakes.prover import OTHER, SCANNED, Exit, FakeProver, Machine
from tests.simulation.hostkeys import MadeKeys
from tests.simulation.setting import API_TIMEOUT_S, Rates
from tests.simulation.timetable import Timetable

if TYPE_CHECKING:
    from tests.simulation.oracle import Oracle


@dataclass(slots=True)
class Sky:
    """One provider's cloud; all its launchers see the same.

    Attributes:
        floating_pools: Pools that give each node a floating IP.
        keys: The host key that each machine really has.
        mute_until_s: Until then no create call is answered, nor done.
        spoilt_until_s: Machines that are made until then will not do.
        proven: Machines that passed a whole proof, and the key that they showed.
    """

    provider: str
    cloud: FakeCloud
    timetable: Timetable
    rng: random.Random
    rates: Rates
    oracle: "Oracle"
    floating_pools: frozenset[str] = frozenset()
    prover: FakeProver = field(default_factory=FakeProver)
    keys: dict[ServerId, str] = field(default_factory=dict)
    proven: dict[ServerId, str] = field(default_factory=dict)
    sick: set[ServerId] = field(default_factory=set)
    mute_until_s: float = 0.0
    spoilt_until_s: float = 0.0
    made_keys: MadeKeys = field(init=False)

    def __post_init__(self) -> None:
        """Let machines make host keys."""
        self.made_keys = MadeKeys(self, random.Random(f"host keys {self.provider}"))  # noqa: S311

    def end_storm(self, rates: Rates) -> None:
        """Turn all faults off."""
        self.cloud.calm()
        self.rates, self.mute_until_s, self.spoilt_until_s = rates, 0.0, 0.0

    def made(self, server: ServerId) -> None:
        """Give a new machine its key and its character."""
        order = self.cloud.orders[server]
        node = tags.read(order.tags)
        given = None if node is None else self._given_key(node.node)
        key = given or SCANNED
        machine = Machine(
            too_early=self.rng.choice((0, 0, 1, 3)),
            refuses=self.rng.choice((0, 0, 0, 1)),
            host_key=key,
        )
        spoilt = self.timetable.now_s() < self.spoilt_until_s
        if self.rng.random() < self.rates.sick or spoilt:
            self.sick.add(server)
            machine = self.rng.choice(
                (
                    Machine(host_key=OTHER),
                    Machine(host_key=key, exits={"setup": Exit(code=1, output="no mirror")}),
                    Machine(host_key=key, too_early=10_000),
                )
            )
        self.keys[server] = machine.host_key or key
        self.prover.script(self.address(server), machine)
        self.oracle.server_made(self, server)

    def _given_key(self, node: NodeId) -> str | None:
        found = self.oracle.read(paths.launch(self.provider, node))
        return None if found is None else launches.decode(node, found).host_key

    def address(self, server: ServerId) -> str:
        """Return the address that the fake cloud gives to a server, up or not."""
        number = int(server[-12:])
        return f"198.18.{number >> 8 & 255}.{number & 255}"

    def reached_at(self, server: ServerId) -> str:
        """Return the address that users are told: the floating IP, if there is one."""
        return self.cloud.floating.of(server) or self.address(server)

    def at(self, address: str) -> Server | None:
        """Return the machine that answers at an address."""
        for server in self.cloud.truth().values():
            if server.status is ServerStatus.ACTIVE and self.reached_at(server.id) == address:
                return server
        return None

    def healthy(self, server: ServerId) -> bool:
        """Whether the machine is up and well."""
        found = self.cloud.truth().get(server)
        return found is not None and found.status is ServerStatus.ACTIVE and server not in self.sick


@dataclass(slots=True)
class Window:
    """One launcher's view of a sky: everything passes through, watched and sometimes late.

    Attributes:
        name: Of the launcher.
    """

    sky: Sky
    name: str

    def create_server(self, order: ServerSpec, *, fence: Fence = unfenced) -> ServerId:
        """Make a server, now, or later than the caller is willing to wait."""
        sky, fence = self.sky, self._watched(order, fence)
        if sky.timetable.now_s() < sky.mute_until_s:
            raise UnknownOutcomeError("sim: 503 Service Unavailable")
        if sky.rng.random() < sky.rates.late_create:
            delay_s = sky.rng.uniform(0.0, API_TIMEOUT_S * 0.9)
            if why := fence():
                raise NotSentError(why)
            sky.timetable.after(delay_s, lambda: self._create_late(order))
            raise UnknownOutcomeError("sim: no answer in time")
        before = set(sky.cloud.orders)
        try:
            return sky.cloud.create_server(order, fence=fence)
        finally:
            for server in sorted(set(sky.cloud.orders) - before):
                sky.made(server)

    def _watched(self, order: ServerSpec, fence: Fence) -> Fence:
        """Let the oracle judge what is booted when nothing holds the call back any more."""

        def ask() -> str | None:
            why, rules = fence(), self.sky.oracle.images
            if why is None and rules is not None:
                rules.called(self.name, self.sky.provider, order)
            return why

        return ask

    def _create_late(self, order: ServerSpec) -> None:
        sky, before = self.sky, set(self.sky.cloud.orders)
        with contextlib.suppress(CloudError):
            sky.cloud.create_server(order)
        for server in sorted(set(sky.cloud.orders) - before):
            sky.made(server)

    def delete_server(self, server: ServerId, *, fence: Fence = unfenced) -> None:
        """Delete a server, if the oracle has nothing against it."""
        if fence() is None:
            self.sky.oracle.server_deleted(self.sky, server)
        self.sky.cloud.delete_server(server, fence=fence)

    def add_floating_ip(
        self, port: Port, *, untried: bool = False, fence: Fence = unfenced
    ) -> FloatingIp:
        """Give a floating IP; the caller may not hear of it."""
        sky = self.sky
        given = sky.cloud.add_floating_ip(port, untried=untried, fence=fence)
        sky.oracle.address_given(sky, port.server)
        if sky.rng.random() < sky.rates.lost_address:
            raise TryLaterError("sim: the reply is lost")
        return given

    def remove_floating_ips(
        self,
        server: ServerId,
        *,
        known: str | None = None,
        hint: str | None = None,
        fence: Fence = unfenced,
    ) -> None:
        """Take one back, if it is this server's."""
        before = dict(self.sky.cloud.floating.given)
        self.sky.cloud.remove_floating_ips(server, known=known, hint=hint, fence=fence)
        for address in before.keys() - self.sky.cloud.floating.given.keys():
            self.sky.oracle.address_taken(self.sky, server, holder=before[address])

    def __getattr__(self, name: str) -> Callable[..., object]:
        """Pass everything else through."""
        found: Callable[..., object] = getattr(self.sky.cloud, name)
        return found


@dataclass(slots=True)
class SimProver:
    """Proves machines of a sky: only those that are up, and with the key that they have."""

    sky: Sky

    def prove(
        self,
        order: ProofSpec,
        *,
        stopped: Callable[[], bool] = lambda: False,
        deadline_s: float | None = None,
        login_by_s: float | None = None,
    ) -> Proof:
        """Make one attempt."""
        server = self.sky.at(order.login.address)
        if server is None:
            return Proof(ok=False, host_keys=(), steps=(), too_early=True)
        login = replace(order.login, address=self.sky.address(server.id))
        key = self.sky.made_keys.told(server.id, order.setup)
        proof = self.sky.prover.prove(
            replace(order, login=login),
            stopped=stopped,
            deadline_s=deadline_s,
            login_by_s=login_by_s,
        )
        if proof.ok:
            self.sky.proven[server.id] = proof.host_keys[0]
        return self.sky.made_keys.did(server.id, order.setup, key, proof)

    def probe(
        self,
        address: str,
        port: int,
        *,
        timeout_s: float = 3.0,
        host_keys: tuple[str, ...] = (),
    ) -> str | None:
        """Look for the machine."""
        server = self.sky.at(address)
        if server is None:
            return "no route to host"
        return self.sky.prover.probe(
            self.sky.address(server.id), port, timeout_s=timeout_s, host_keys=host_keys
        )

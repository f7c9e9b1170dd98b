"""What others do to an installation: false records, another's id, lies that add up, old views.

Apart from the usual faults (tests/simulation/faults.py), with a source of chance of its own.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar, Final

from remuda.model import launch as launches
from remuda.model import tags
from remuda.model.ids import NodeId, PoolName, ProviderName, ReplicaId, ServerId
from remuda.model.launch import Launch, Step
from remuda.model.permit import encode_permit, new_permit
from remuda.store import paths
from remuda.store.api import Create, Op, Set
from remuda.store.api import Delete as Remove
from tests.fakes.cloud_fates import Delete, Listing
from tests.fakes.store import FakeZookeeper
from tests.simulation.process import Process
from tests.simulation.setting import INSTALLATION
from tests.simulation.trouble import Trouble

if TYPE_CHECKING:
    from tests.simulation.simulation import Simulation
    from tests.simulation.sky import Sky

#: Another installation that shares the clouds.
NEIGHBOUR: Final = "neighbour"
#: Node numbers of false records: drawn by nobody.
FALSE_FIRST: Final = 3_900_000_000


@dataclass(slots=True)
class Hostility(Trouble):
    """What others do, apart from the usual faults."""

    purpose: ClassVar[str] = "hostility"
    made: int = 0

    def kinds(self) -> Iterable[tuple[float, Callable[[], None]]]:
        """See Trouble."""
        rates = self.simulation.setting.hostility
        return (
            (rates.forge, self.forge),
            (rates.behind, self.fall_behind),
            (rates.takeover, self.take_over),
            (rates.blackout, self.black_out),
        )

    def _commit(self, *ops: Op) -> None:
        # The oracle judges what launchers and users write; this is neither's.
        FakeZookeeper.commit(self.simulation.zookeeper, ops, session_id=1)

    # False records.

    def forge(self) -> None:
        """Write a launch record that condemns some server, or a node under its user's hands."""
        sky = self._sky()
        used = [
            node_id
            for name in self.simulation.oracle.names(paths.launches(sky.provider))
            if self.simulation.oracle.locked_by_user(node_id := NodeId(name))
        ]
        if used and self.rng.random() < 0.5:
            self.condemn(sky, self.rng.choice(used))
        else:
            self.invent(sky)

    def condemn(self, sky: "Sky", node_id: NodeId) -> None:
        """Change a node's record, perhaps to name another server as well."""
        found = self.simulation.oracle.launch(sky.provider, node_id)
        if found is None:
            return
        server = found.server if self.rng.random() < 0.5 else self._victim(sky)
        false = replace(found, step=Step.CONDEMNED, server=server, why="forged")
        self.simulation.history.note("enemy", "condemns", node=node_id, server=server)
        path = paths.launch(sky.provider, node_id)
        self._commit(Set(path=path, data=launches.encode(false), version=-1))

    def invent(self, sky: "Sky") -> None:
        """Make a record of a node that nobody made, with a server and an address that exist."""
        self.made += 1
        node_id = NodeId(str(FALSE_FIRST + self.made))
        now_s, server = self.simulation.timetable.clock.now_s(), self._victim(sky)
        addresses = sorted(sky.cloud.floating.given)
        false = Launch(
            id=node_id,
            pool="main",
            label="small",
            step=self.rng.choice(tuple(Step)),
            owner=ReplicaId("nobody"),
            planned_s=now_s - 100.0,
            asked_by_s=now_s - 60.0,
            server=server,
            floating_ip=f"fip-{self.rng.choice(addresses)}" if addresses else None,
        )
        self.simulation.history.note("enemy", "invents", node=node_id, server=server)
        path = paths.launch(sky.provider, node_id)
        self._commit(Create(path=path, data=launches.encode(false)))

    def _victim(self, sky: "Sky") -> ServerId:
        return self.rng.choice((*sorted(sky.cloud.truth()), ServerId("../os-keypairs/key")))

    # Old views.

    def fall_behind(self) -> None:
        """Let the server of ZooKeeper stand still that one launcher is connected to."""
        victim = self._launcher()
        if victim is None:
            return
        seconds = self.rng.choice((3.0, 8.0, 100.0, 400.0))
        dumb = seconds < 5.0 and self.rng.random() < 0.5
        self.simulation.history.note(victim.name, "falls behind", seconds=seconds, dumb=dumb)
        victim.store.fall_behind(dumb=dumb)
        self.simulation.timetable.after(seconds, victim.store.catch_up)

    # Another's id.

    def take_over(self) -> None:
        """Write the id of another installation, as a restore does; somebody writes ours back."""
        self.simulation.history.note("enemy", "writes another id of the installation")
        self.identify(NEIGHBOUR)
        seconds = self.rng.uniform(1.0, 60.0)
        self.simulation.timetable.after(seconds, lambda: self.identify(INSTALLATION))

    def identify(self, installation: str) -> None:
        """Write an id of an installation."""
        self._commit(Set(path=paths.INSTALLATION, data=installation.encode(), version=-1))

    # Lies that add up.

    def black_out(self, provider: str | None = None) -> None:
        """Let a cloud refuse every deletion while its listings leave out most servers."""
        sky = self._sky() if provider is None else self.simulation.skies[provider]
        cloud, usual = sky.cloud, self.simulation.setting.rates.cloud
        cloud.chaos = replace(
            usual, deletes={Delete.REFUSED: 1.0}, listings={Listing.EMPTY: 0.6, Listing.OMITS: 0.4}
        )
        self.simulation.history.note("enemy", "blacks out a cloud")

        def end() -> None:
            if not self.simulation.calm:
                cloud.chaos = usual

        self.simulation.timetable.after(15.0, end)


def add_neighbours(sky: "Sky") -> Sequence[ServerId]:
    """Put servers of another installation into the cloud that has a provider of the same name."""
    owner = tags.Owner(installation=NEIGHBOUR, provider=ProviderName(sky.provider))
    return [
        sky.cloud.add_stranger(
            name=tags.server_name(node),
            tags=tags.make(
                tags.ServerTags(owner=owner, node=node, pool=PoolName("main"), label="small")
            ),
        )
        for node in (NodeId("3000000001"), NodeId("3000000901"))
    ]


def operate(simulation: "Simulation") -> None:
    """Do what an operator does who reads the warnings, and looks at what they tell of.

    What he permits is honoured for all servers, as the configuration pins the id.
    """
    for provider in simulation.skies:
        _remove_unreadable(simulation, provider)
    for provider, sky in simulation.skies.items():
        stopped = [process for process in simulation.processes if _stopped(process, provider)]
        if not stopped or simulation.oracle.read(paths.sweep_permit(provider)) is not None:
            continue
        known = simulation.oracle.names(paths.launches(provider))
        leaked = [
            server.id
            for server in sky.cloud.truth().values()
            if (node := tags.owned_node(server.tags, stopped[0].owner)) and node not in known
        ]
        simulation.history.note("operator", "permits", servers=len(leaked))
        permit(simulation, provider, leaked)


def permit(simulation: "Simulation", provider: str, servers: Sequence[ServerId]) -> None:
    """Write a permission to sweep, if there is none."""
    path = paths.sweep_permit(provider)
    if simulation.oracle.read(path) is None:
        record = encode_permit(new_permit(servers, now_s=simulation.timetable.clock.now_s()))
        ops = [Create(path=path, data=record)]
        FakeZookeeper.commit(simulation.zookeeper, ops, session_id=1)


def _remove_unreadable(simulation: "Simulation", provider: str) -> None:
    """Remove both records of nodes whose launch nobody can read; the sweep sees to the servers."""
    oracle = simulation.oracle
    for name in oracle.names(paths.launches(provider)):
        node = NodeId(name)
        if oracle.launch(provider, node) is not None or oracle.locked_by_user(node):
            continue
        simulation.history.note("operator", "removes records", node=node)
        oracle.forgotten.add(node)
        there = (paths.launch(provider, node), paths.node_lock(node), paths.node(node))
        ops = [Remove(path=path) for path in there if oracle.read(path) is not None]
        FakeZookeeper.commit(simulation.zookeeper, ops, session_id=1)


def _stopped(process: Process, provider: str) -> bool:
    return process.sky.provider == provider and process.brain.world.cloud.brake is not None

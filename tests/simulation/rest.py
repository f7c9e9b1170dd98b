"""Is everything at rest? The end that every run must come to, whatever happened before."""

from collections import Counter
from typing import TYPE_CHECKING

from launcher.actions import LANES
from launcher.lanes import Lane
from launcher.world import World
from remuda.model.ids import NodeId, ServerId
from remuda.model.imageask import labelled_image
from remuda.model.node import NodeState
from remuda.store import paths
from tests.fakes.beliefs import misbeliefs
from tests.simulation import setting as settings
from tests.simulation.firstuse import FIRST
from tests.simulation.imagerules import upload_of
from tests.simulation.oracle import made_by_us

if TYPE_CHECKING:
    from tests.simulation.process import Process
    from tests.simulation.simulation import Simulation
    from tests.simulation.sky import Sky


def unrest(simulation: "Simulation") -> str | None:
    """Return one sentence about what is not yet in order, or None."""
    return (
        _images(simulation)
        or _homes(simulation)
        or _clients(simulation)
        or _requests(simulation)
        or _nodes(simulation)
        or _servers(simulation)
        or _pools(simulation)
        or _leftovers(simulation)
        or _launchers(simulation)
        or _mirrors(simulation)
    )


def _images(simulation: "Simulation") -> str | None:
    if simulation.librarian is None:
        return None
    if not simulation.librarian.in_order:
        return "an image has no usable build"
    capturer = simulation.librarian.capturer
    if capturer is not None and (why := capturer.under_way()) is not None:
        return why
    oracle = simulation.oracle
    for provider in simulation.skies:
        for name in oracle.names(paths.launches(provider)):
            launch = oracle.launch(provider, NodeId(name))
            upload_id = None if launch is None else upload_of(launch)
            if upload_id and simulation.librarian.rules.spoiled(upload_id.build, provider):
                return f"node {name} of {upload_id.build}, which is revoked, is still there"
    return None


def _homes(simulation: "Simulation") -> str | None:
    homes = simulation.oracle.homes
    return None if homes is None else homes.unrest()


def _clients(simulation: "Simulation") -> str | None:
    there = [client for client in simulation.clients if not client.ended]
    return f"{there[0].name} still waits for {there[0].request}" if there else None


def _requests(simulation: "Simulation") -> str | None:
    names = simulation.oracle.names(paths.REQUESTS)
    return f"request {names[0]} is still there" if names else None


def _nodes(simulation: "Simulation") -> str | None:
    launches = set()
    for provider in simulation.skies:
        launches |= set(simulation.oracle.names(paths.launches(provider)))
    names = simulation.oracle.names(paths.NODES)
    if set(names) != launches:
        return f"nodes and launches differ: {sorted(set(names) ^ launches)}"
    for name in names:
        node = simulation.oracle.node(NodeId(name))
        if node is None or node.state is not NodeState.READY or not node.free:
            return f"node {name} is {node and node.state}"
        if any(labelled_image(label) is not None for label in node.labels):
            return f"node {name} of {node.labels[0]} is left, and serves nobody"
    return None


def _servers(simulation: "Simulation") -> str | None:
    for provider, sky in simulation.skies.items():
        launches = set(simulation.oracle.names(paths.launches(provider)))
        for server in sky.cloud.truth().values():
            found = made_by_us(server)
            if found is not None and found.node not in launches:
                return f"server {server.id} of {found.node} has leaked"
        there = set(sky.cloud.truth())
        for address, server in sky.cloud.floating.given.items():
            if server not in there:
                return f"{address} of {server} has leaked"
        for server in there:
            if _lacks_address(sky, server):
                return f"{server} has no floating IP"
        for name in launches:
            launch = simulation.oracle.launch(provider, NodeId(name))
            if launch is not None and launch.server not in there:
                return f"the server of {name} is not there"
    return None


def _lacks_address(sky: "Sky", server: ServerId) -> bool:
    found = made_by_us(sky.cloud.truth()[server])
    wanted = found is not None and found.pool in sky.floating_pools
    return wanted and sky.cloud.floating.of(server) is None


def _pools(simulation: "Simulation") -> str | None:
    ready = simulation.ready()
    config = settings.config_of(simulation.document)
    for name, label in sorted(config.labels.items()):
        if ready[name] < label.min_ready and _has_room(simulation, name):
            return f"{ready[name]} {name} are ready, {label.min_ready} are wanted"
        if ready[name] > label.min_ready and label.max_surplus_age == settings.SURPLUS_S:
            return f"{ready[name]} {name} are ready, and no more than {label.min_ready} are wanted"
    return None


def _has_room(simulation: "Simulation", label: str) -> bool:
    """Whether some pool could keep one more node of a label ready, by every limit.

    Where its image is made on first use, none is kept unless there is a build: which may be so.
    """
    cores, images = settings.CORES[settings.FLAVORS[label]], simulation.setting.images
    for provider, sky in simulation.skies.items():
        if images is not None and images.built.get((provider, label)) == FIRST:
            continue
        truth = sky.cloud.truth()
        quota = simulation.setting.quotas[provider].instances_max
        if quota is not None and len(truth) >= quota:
            continue
        for pool, doc in simulation.document["providers"][provider]["pools"].items():
            used = [
                sky.cloud.orders[server.id].flavor.cores
                for server in truth.values()
                if (found := made_by_us(server)) is not None and found.pool == pool
            ]
            most = doc["max-cores"]
            if (
                label in doc["labels"]
                and len(used) < doc["max-servers"]
                and (most is None or sum(used) + cores <= most)
            ):
                return True
    return False


def _leftovers(simulation: "Simulation") -> str | None:
    oracle = simulation.oracle
    for lock in oracle.names(paths.REQUEST_LOCKS):
        if names := oracle.names(f"{paths.REQUEST_LOCKS}/{lock}"):
            return f"the lock of request {lock} is held: {names}"
    for provider in simulation.skies:
        for place in (paths.claims(provider), paths.verdicts(provider)):
            if names := oracle.names(place):
                return f"{place} still has {names}"
    return None


def _launchers(simulation: "Simulation") -> str | None:
    for process in simulation.processes:
        if why := _launcher(process):
            return f"{process.name} {why}"
    components = Counter[str]()
    for process in simulation.processes:
        components.update(process.brain.world.pool_ids.values())
    registered = simulation.oracle.names(paths.POOL_COMPONENTS)
    pools = sum(
        len(simulation.document["providers"][process.sky.provider]["pools"])
        for process in simulation.processes
    )
    return None if len(registered) == pools else f"{len(registered)} of {pools} pools are seen"


def _mirrors(simulation: "Simulation") -> str | None:
    """Every launcher has heard of everything, and believes what is there."""
    for process in simulation.processes:
        if wrong := misbeliefs(process.store, simulation.zookeeper.tree):
            return f"{process.name} is mistaken: {wrong[0]}"
    return None


def _leaked(world: World) -> list[Lane]:
    """Return the lanes with more in them than is under way; hands that were given up are back."""
    kinds = (type(action) for action in world.busy.under_way().values())
    at_work = Counter(LANES[kind] for kind in kinds if kind in LANES)
    return [lane for lane in Lane if world.lanes.running[lane] > at_work[lane]]


def _launcher(process: "Process") -> str | None:
    world = process.brain.world
    if process.frozen or not world.awake:
        return "is not awake"
    if world.growing or world.awaiting:
        return f"has {world.growing} plans under way and awaits {sorted(world.awaiting)}"
    busy = sorted(view.id for view in world.nodes.views.values() if view.busy)
    if busy:
        return f"is busy with {busy}"
    writer = process.brain.starter.writer
    for name, kept in (
        ("verdicts", world.told_verdicts),
        ("requests", world.queue.views),
        ("claims", world.queue.claims),
        ("host keys", writer.host_keys),
        ("leaks", [one for one in world.busy if isinstance(one, tuple)]),
        ("promises", world.nodes.allocated),
        ("places in lanes", _leaked(world)),
    ):
        if kept:
            return f"keeps {name}: {sorted(kept)}"
    return None

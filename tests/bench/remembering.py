"""What a node costs a launcher's memory at ten thousand nodes.

Mirrors, fold and listing are the launcher's own, fed with the bytes that ZooKeeper and a cloud
would send for ready nodes; only the processes around it are left out, as they would take minutes
to make so many. Measured in a process of its own, of which nothing was asked before:
``python -m tests.bench.remembering COUNT`` prints bytes per node.
"""

import gc
import json
import logging
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from launcher.fold import Fold
from launcher.node.actions import Intent
from launcher.node.birth import NewNode, born
from launcher.node.fold import NodeFold
from launcher.node.proof import Access, ProofView
from launcher.node.steps import ready_node
from launcher.node.view import NodeView
from launcher.policy import Policy, compile_policy
from launcher.server.listing import take_listing
from launcher.world import World
from remuda import logs
from remuda.cloud.api import Server
from remuda.cloud.servers import read_server
from remuda.frame.set_aside import SetAside
from remuda.metrics.sink import NullMetrics
from remuda.model import launch as launches
from remuda.model import node as nodes
from remuda.model import tags
from remuda.model.ids import NodeId, PoolName, ProviderName, ServerId
from remuda.model.launch import Step
from remuda.model.node import NodeEvent
from remuda.runtime.now import Now
from remuda.store import paths
from remuda.store.mirror import TreeMirror
from remuda.store.wire import ReadZnode, Stat
from tests.bench.figures import Figure
from tests.bench.worlds import LABELS, ME, NOW, POOL, config, peers
from tests.fakes.store import FakeZookeeper
from tests.support.processes import ROOT

NODES: Final = 10_000
NODE_KIB_MAX: Final = 5.0
#: What is made once, such as shared texts, is made before the measurement begins.
_BEFORE: Final = 500
_OWNER: Final = tags.Owner(installation="0123456789ab", provider=ProviderName("east"))
_SOON_S: Final = 120.0


def measure() -> Figure:
    """Measure in a process of its own."""
    command = [sys.executable, "-m", "tests.bench.remembering", str(NODES)]
    done = subprocess.run(
        command, cwd=ROOT, check=True, capture_output=True, text=True, timeout=_SOON_S
    )
    kib = float(done.stdout) / 1024
    return Figure(
        name=f"memory of {NODES} nodes in process",
        bound=f"< {NODE_KIB_MAX:g} KiB each",
        measured=f"{kib:.1f} KiB each",
        ok=kib < NODE_KIB_MAX,
        details={"kib_each": kib},
    )


class Memory:
    """A launcher's world behind mirrors that are fed by hand."""

    def __init__(self) -> None:
        policy = compile_policy(config(NODES * 2), "east")
        self._world = World(policy=policy, peers=peers())
        fold = Fold(
            world=self._world,
            aside=SetAside(log=logs.get_logger(), metrics=NullMetrics()),
            read=lambda _: None,
            nodes=NodeFold(self._world, set(), lambda _node: None),
        )
        wire = FakeZookeeper().connect().wire
        self._mirrors = {
            root: TreeMirror(
                wire,
                root,
                lambda change: fold.fold(change, now_s=NOW.mono_s),
                lambda _path: True,
                make=True,
                closed=lambda _mirror: None,
            )
            for root in (paths.NODES, paths.provider("east"))
        }

    def take_in(self, numbers: range) -> None:
        """Let so many ready nodes be read."""
        for number in numbers:
            self._take_in_one(number)

    def _take_in_one(self, number: int) -> None:
        made = _born(number, self._world.policy)
        launch = made.launch
        server = read_server(_server_doc(number))
        view = NodeView(id=launch.id, launch=launch, node=made.node)
        view.proof = ProofView(access=Access.PROVEN, host_keys=(_key(number),))
        view.server.show(server)
        ready = ready_node(view, self._world.policy).after(NodeEvent.PROVEN, now_s=NOW.wall_s)
        done = replace(launch, step=Step.DONE, server=server.id)
        self._read(paths.provider("east"), paths.launch("east", launch.id), launches.encode(done))
        self._read(paths.NODES, paths.node(launch.id), nodes.encode(ready))

    def _read(self, root: str, path: str, data: bytes) -> None:
        zxid = len(path) + len(self._world.nodes.views) + 1_000_000
        self._mirrors[root].was_read(path, ReadZnode(data, Stat(zxid, 1, 0, 0, 0, 0)))

    def list_servers(self, number: int, count: int) -> None:
        """Take in a listing of all servers."""
        servers: tuple[Server, ...] = tuple(_listed(count))
        take_listing(self._world, number, servers, _OWNER, NOW)


def _listed(count: int) -> Iterator[Server]:
    for number in range(count):
        yield read_server(_server_doc(number))


def _key(number: int) -> str:
    return f"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIL0QVZbhnhGXOJwsBUHHDt8qKq2Y2ZKpCk{number:013d}"


def _born(number: int, policy: Policy) -> NewNode:
    label = LABELS[number % len(LABELS)]
    return born(
        policy,
        Intent(pool=POOL, label=label, cores=1, ram_mib=2048, volume_gib=0),
        node_id=_node_id(number),
        owner=ME,
        host_key=_key(number),
        launcher=None,
        now=Now(wall_s=NOW.wall_s + number, mono_s=NOW.mono_s),
    )


def _node_id(number: int) -> NodeId:
    return NodeId(f"{3_000_000_000 + number}")


def _server_doc(number: int) -> dict[str, Any]:
    """Return a server as it comes over the wire: nothing of it is shared with another."""
    node, label = _node_id(number), LABELS[number % len(LABELS)]
    ours = tags.ServerTags(owner=_OWNER, node=node, pool=PoolName(POOL), label=label)
    address = {"version": 4, "addr": f"10.0.{number // 250}.{number % 250}"}
    doc = {
        "id": ServerId(f"5d3f2a0e-6f0e-4f4e-9e59-{number:012d}"),
        "name": f"remuda-{node}",
        "status": "ACTIVE",
        "metadata": tags.make(ours, image="debian-12"),
        "addresses": {"net": [address]},
        "created": "2024-01-01T00:00:00Z",
        "hostId": f"{number % 300:056d}",
        "image": {"id": "c0ffee00-6f0e-4f4e-9e59-0d4c7a1f4f3a"},
        "flavor": {"id": "1"},
        "OS-EXT-AZ:availability_zone": "nova",
    }
    read: dict[str, Any] = json.loads(json.dumps(doc))
    return read


def _rss_bytes() -> int:
    gc.collect()
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def _grown(work: Callable[[], None]) -> int:
    before = _rss_bytes()
    work()
    return _rss_bytes() - before


def main(count: int) -> None:
    """Print the bytes per node."""
    logging.disable(logging.INFO)
    memory = Memory()
    memory.take_in(range(_BEFORE))
    memory.list_servers(1, _BEFORE)

    def grow() -> None:
        memory.take_in(range(_BEFORE, _BEFORE + count))
        for number in (2, 3):
            memory.list_servers(number, _BEFORE + count)

    sys.stdout.write(f"{_grown(grow) / count:.0f}\n")


if __name__ == "__main__":
    main(int(sys.argv[1]))

"""How soon a hold, more time, and its end take effect, and what a thousand holds cost at rest.

The machines are fed and of kind ``none``: nothing is looked at before half an hour before the end.
"""

import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from kazoo.client import KazooClient
from kazoo.exceptions import NoNodeError
from kazoo.protocol.states import WatchedEvent

from launcher.decide import decide
from launcher.world import Agenda, World
from remuda.model import launch as launches
from remuda.model import node as nodes
from remuda.model.hold import Hold, HoldSource
from remuda.model.ids import NodeId
from remuda.model.launch import Launch, Step
from remuda.model.node import NodeEvent, NodeState
from remuda.store import paths
from remuda.store.api import Set
from remuda.store.options import StoreOptions
from remuda.store.zookeeper import ZookeeperStore
from requestor.holding import wish_more, write_wish
from tests.bench.figures import Figure, median, ms, quantile, spread
from tests.bench.looking import Packets, cpu_s, page, pause
from tests.bench.pooled import Pooled
from tests.bench.worlds import NOW, Shape, settle, world
from tests.support.deadline import wait_for

EFFECT_S_MAX: Final = 1.0
#: Of a plan without any: what is left is noise of the machine.
DECIDE_MAX: Final = 1.25
MORE_PACKETS_PER_S: Final = 0.5
MORE_CORE: Final = 0.005
_SOON_S: Final = 120.0
_OWNER: Final = "bench"


def measure(folder: Path, *, quick: bool) -> list[Figure]:
    """Measure all of it; the thousand come last, for they are never given back."""
    count, rounds, rest_s = (300, 10, 20.0) if quick else (1000, 30, 62.0)
    with Pooled(folder) as pooled:
        pooled.feed(count + 2 * rounds)
        figures = _effects(pooled, rounds)
        figures += _rest(pooled, count, rest_s)
    return [*figures, _decide(5 if quick else 15)]


class Watching:
    """One session of its own that waits for what is written, by watches."""

    def __init__(self, hosts: tuple[str, ...]) -> None:
        self.store = ZookeeperStore.connect(StoreOptions(hosts=hosts), wait_s=30.0)
        self._zk = KazooClient(hosts=hosts[0], timeout=20.0)
        self._zk.start()

    def close(self) -> None:
        """End both sessions."""
        self._zk.stop()
        self._zk.close()
        self.store.close()

    def until(self, path: str, there: Callable[[bytes | None], bool]) -> float:
        """Wait until a record is as it should be (None: gone); return when that was seen."""
        until_s = time.perf_counter() + _SOON_S
        while time.perf_counter() < until_s:
            changed = threading.Event()

            def tell(_event: WatchedEvent, changed: threading.Event = changed) -> None:
                changed.set()

            try:
                raw, _ = self._zk.get(path, watch=tell)
            except NoNodeError:
                raw = None
            if there(raw):
                return time.perf_counter()
            if raw is None:
                break
            changed.wait(_SOON_S)
        raise AssertionError(f"{path} did not become what it should")


def _effects(pooled: Pooled, rounds: int) -> list[Figure]:
    """Hold, extend and release one machine after the other, each beside a raw chain."""
    found: dict[str, list[float]] = {"hold granted": [], "extended": [], "released": []}
    raw: list[float] = []
    watching = Watching(pooled.stage.server.hosts)
    try:
        for number in range(rounds + 2):
            chain_s, one = pooled.chain.one(), _one(pooled, watching)
            if number < 2:
                continue  # the first ones warm everything up
            raw.append(chain_s)
            for name, seconds in one.items():
                found[name].append(seconds)
            pause(0.05)
    finally:
        watching.close()
    return [
        Figure(
            name=f"{name}, from the wish to its effect, p95",
            bound=f"<= {EFFECT_S_MAX:g} s",
            measured=ms(quantile(times, 0.95)),
            raw=ms(median(raw)),
            ratio=median(times) / median(raw),
            ok=quantile(times, 0.95) <= EFFECT_S_MAX,
            details={"ours": spread(times), "raw": spread(raw), "rounds": rounds},
        )
        for name, times in found.items()
    ]


def _one(pooled: Pooled, watching: Watching) -> dict[str, float]:
    """Return how long each step of the hold of one machine took, in seconds."""
    pending = pooled.client.request("small")
    pending.wait(timeout_s=_SOON_S)
    (node,) = pending.accept()
    launch, record = paths.launch("alpha", node.id), paths.node(node.id)
    asked_s = time.perf_counter()
    node.keep("bench", owner=_OWNER, seconds=3600.0)
    granted_s = time.perf_counter() - asked_s  # its caller looks ten times a second
    node.release()
    watching.until(record, lambda raw: _state(node.id, raw) == NodeState.HOLD)
    more_s = time.perf_counter()
    write_wish(watching.store, node.id, wish_more(_OWNER, for_s=60.0, now_s=time.time()))
    extended_s = watching.until(launch, lambda raw: _extended(node.id, raw)) - more_s
    back_s = time.perf_counter()
    _give_back(watching.store, node.id)
    gone_s = watching.until(launch, lambda raw: _condemned(node.id, raw)) - back_s
    return {"hold granted": granted_s, "extended": extended_s, "released": gone_s}


def _state(node: NodeId, raw: bytes | None) -> NodeState | None:
    return None if raw is None else nodes.decode(node, raw).state


def _extended(node: NodeId, raw: bytes | None) -> bool:
    hold = None if raw is None else launches.decode(node, raw).hold
    return hold is not None and bool(hold.extended)


def _condemned(node: NodeId, raw: bytes | None) -> bool:
    """Whether its deletion is on record: the call follows within the same turn."""
    return raw is None or launches.decode(node, raw).step is Step.CONDEMNED


def _give_back(store: ZookeeperStore, node: NodeId) -> None:
    stored = store.read(paths.node(node))
    assert stored is not None
    used = nodes.decode(node, stored.value).after(NodeEvent.RETURNED, now_s=time.time())
    store.commit([Set(path=stored.path, data=nodes.encode(used), version=stored.version)])


def _rest(pooled: Pooled, count: int, seconds: float) -> list[Figure]:
    """Measure the launcher at rest without holds, and with *count* of them."""
    pooled._end_clients()
    pause(2.0)
    before = _at_rest(pooled, seconds)
    _hold_all(pooled, count)
    pause(5.0)
    after = _at_rest(pooled, seconds)
    packets, cpu = (after[place] - before[place] for place in (0, 1))
    return [
        Figure(
            name=f"{count} holds at rest, operations of ZooKeeper",
            bound=f"<= {MORE_PACKETS_PER_S:g}/s more",
            measured=f"{after[0]:.2f}/s",
            raw=f"{before[0]:.2f}/s",
            ok=packets <= MORE_PACKETS_PER_S,
            details={"seconds": seconds},
        ),
        Figure(
            name=f"{count} holds at rest, CPU",
            bound=f"<= {MORE_CORE:.1%} of a core more",
            measured=f"{after[1]:.2%}",
            raw=f"{before[1]:.2%}",
            ok=cpu <= MORE_CORE,
            details={"seconds": seconds},
        ),
    ]


def _at_rest(pooled: Pooled, seconds: float) -> tuple[float, float]:
    """Return operations per second of ZooKeeper and the part of a core that is used."""
    first, before_s = Packets.now(pooled.stage.server), cpu_s(pooled.launcher.pid)
    pause(seconds)
    packets = first.until(Packets.now(pooled.stage.server))
    used_s = cpu_s(pooled.launcher.pid) - before_s
    return packets.received / packets.at_s, used_s / packets.at_s


def _hold_all(pooled: Pooled, count: int) -> None:
    """Have machines held as an operator of another program would."""
    store = ZookeeperStore.connect(StoreOptions(hosts=pooled.stage.server.hosts), wait_s=30.0)
    try:
        names = sorted(store.children(paths.NODES))
        found = store.read_many([paths.node(NodeId(name)) for name in names])
        ready = [
            (one, node)
            for name, one in zip(names, found, strict=True)
            if one is not None
            and (node := nodes.decode(NodeId(name), one.value)).state is NodeState.READY
        ]
        for one, node in ready[:count]:
            said: dict[str, Any] = {"hold_job": _OWNER, "comment": "bench"}
            held = node.after(NodeEvent.HELD, now_s=time.time(), fields=said)
            store.commit([Set(path=one.path, data=nodes.encode(held), version=one.version)])
    finally:
        store.close()
    wait_for(lambda: page(pooled.url, "status")["holds"]["count"] >= count, _SOON_S, "the holds")


def _decide(rounds: int) -> Figure:
    """Compare plans for one change and for everything, with a thousand holds and without."""
    shape = Shape(used=10_000, free=0, waiting=1_000, limit=10_000)
    plain, kept = world(shape), world(shape)
    _keep(kept, 1_000)
    for made in (plain, kept):
        settle(made)
    found: dict[str, list[float]] = {}
    for name, made in (("without", plain), ("with", kept)):
        for what, everything in (("one change", False), ("everything", True)):
            found[f"{what} {name}"] = [
                _timed(made, everything=everything) for _ in range(3 * rounds)
            ]
    ratios = {
        what: min(found[f"{what} with"]) / min(found[f"{what} without"])
        for what in ("one change", "everything")
    }
    return Figure(
        name="one change, decided beside 1000 holds",
        bound=f"<= {DECIDE_MAX:g} x without",
        measured=ms(min(found["one change with"])),
        raw=ms(min(found["one change without"])),
        ratio=ratios["one change"],
        ok=ratios["one change"] <= DECIDE_MAX,
        details={name: spread(times) for name, times in found.items()} | {"ratios": ratios},
    )


def _keep(made: World, count: int) -> None:
    """Have the first machines of a world held for a day."""
    hold = Hold(
        owner=_OWNER,
        reason="bench",
        source=HoldSource.ASKED,
        for_s=86_400.0,
        since_s=NOW.wall_s - 60.0,
        ends_s=NOW.wall_s + 86_340.0,
    )
    for view in list(made.nodes.views.values())[:count]:
        assert isinstance(view.launch, Launch)
        assert view.node is not None
        view.launch = replace(view.launch, hold=hold)
        view.node = replace(view.node, state=NodeState.HOLD)
        made.touch_node(view)
    made.take_agenda()


def _timed(made: World, *, everything: bool) -> float:
    last = list(made.nodes.views)[-1]
    agenda = Agenda(everything=True) if everything else Agenda(everything=False, nodes={last})
    begun_s = time.thread_time()
    decide(made, agenda, NOW)
    return time.thread_time() - begun_s

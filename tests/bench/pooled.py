"""The figures of a launcher with a large pool of ready nodes: warm requests, bursts, idleness."""

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Final, Self

from kazoo.client import KazooClient

from remuda.store import paths
from requestor import Client, connect
from tests.bench.feeding import Feeder
from tests.bench.figures import Figure, against, median, quantile, spread
from tests.bench.looking import Packets, cpu_s, page, pause, rss_mib
from tests.bench.raw import Asking, Chain
from tests.bench.records import request_record
from tests.support.deadline import wait_for
from tests.support.processes import Process
from tests.support.stage import Doc, Stage

WARM_P50_TIMES: Final = 1.6
WARM_P95_TIMES: Final = 2.0
BURST_PART: Final = 1 / 3
IDLE_CORE: Final = 0.01
IDLE_PACKETS_PER_S: Final = 1.0
RSS_BASE_MIB: Final = 120.0
RSS_NODE_KIB: Final = 5.0
#: As configured by default: a waiting node is knocked at this often.
RECHECK_S: Final = 300.0
#: After each chain everything comes to rest, so that none is measured with another's aftermath.
_REST_S: Final = 0.03
_SOON_S: Final = 120.0


class Pooled:
    """One provider whose pool is fed with ready nodes, and a raw chain on the same ZooKeeper."""

    def __init__(self, folder: Path, labels: Mapping[str, Doc] | None = None) -> None:
        """Make *labels* as well, each as said, but like the others in how it is logged in to."""
        self.stage = Stage(folder, session_s=10.0)
        self._labels = labels or {}
        self.nodes = 0
        self._ended = False

    def __enter__(self) -> Self:
        """Start everything; the launcher has no nodes yet."""
        named = [one["image"]["built"] for one in self._labels.values() if "image" in one]
        if named:
            recipe = {"base": "debian-12", "flavor": "m1.small"}
            self.stage.config["images"] = {name: dict(recipe) for name in named}
        self.stage.__enter__()
        unlimited = {"instances": -1, "cores": -1, "ram": -1, "port": -1}
        # Machines of kind none: nothing is behind an address but, on request, an SSH banner.
        more = {"machines": "none", "banner": True, "ssh_port": 22922, "boot_jitter": 0}
        self.stage.cloud("a", boot_seconds=0, quota=unlimited, **more)
        how = {"host_keys": "scan", "connection_port": 22922}
        labels = {"small": how, **{name: {**how, **one} for name, one in self._labels.items()}}
        self.stage.provider(
            "alpha",
            "a",
            labels=labels,
            pool={"max_servers": 5000},
            rate=1000,
            idle_list_period=60,
        )
        for name in labels:
            self.stage.label(name, recheck=None)
        self.launcher: Process = self.stage.launcher("alpha")
        self.url = self.stage.at_work(self.launcher)
        self.chain = Chain(self.stage.server.hosts[0])
        self.client: Client = connect(self.stage.server.hosts)
        return self

    def __exit__(self, *error: object) -> None:
        """End everything."""
        self._end_clients()
        self.stage.close()
        if error[0] is None:
            self.stage.check_logs()

    def _end_clients(self) -> None:
        if not self._ended:
            self._ended = True
            self.client.close()
            self.chain.close()
            self.stage.zk.stop()

    def feeder(self) -> Feeder:
        """Return what makes ready nodes."""
        return Feeder(self.stage.folder / "remuda.yaml", "alpha", self.stage.server.hosts)

    def feed(self, count: int) -> None:
        """Make so many ready nodes, and wait until the launcher has adopted them."""
        feeder = self.feeder()
        try:
            feeder.feed("main", "small", count)
        finally:
            feeder.close()
        self.fed(count)

    def fed(self, count: int) -> None:
        """Wait until the launcher has adopted so many more."""
        self.nodes += count
        wait_for(
            lambda: len(self.launcher.events("node.adopted")) >= self.nodes, _SOON_S, "adoption"
        )
        self.full()

    def full(self) -> None:
        """Wait until all nodes are ready and free."""
        wait_for(lambda: self._free() >= self.nodes, _SOON_S, "a full pool")

    def _free(self) -> int:
        labels = page(self.url, "status")["status"]["labels"]
        return sum(one["ready"] for one in labels.values())

    # The figures

    def warm(self, pairs: int) -> list[Figure]:
        """One request at a time, each beside a raw chain."""
        for _ in range(10):
            self.chain.one()
            self.request()
        raw: list[float] = []
        ours: list[float] = []
        for _ in range(pairs):
            raw.append(self.chain.one())
            pause(_REST_S)
            ours.append(self.request())
            pause(_REST_S)
        details = {"ours": spread(ours), "raw": spread(raw), "pairs": pairs}
        return [
            against(
                "warm request to fulfilled, p50",
                median(ours),
                median(raw),
                times=WARM_P50_TIMES,
                details=details,
            ),
            against(
                "warm request to fulfilled, p95",
                quantile(ours, 0.95),
                quantile(raw, 0.95),
                times=WARM_P95_TIMES,
                details=details,
            ),
        ]

    def request(self, label: str = "small") -> float:
        """Ask for a ready node; return the seconds until it was there."""
        begun_s = time.perf_counter()
        pending = self.client.request(label)
        pending.wait(timeout_s=30.0)
        seconds = time.perf_counter() - begun_s
        pending.cancel()
        return seconds

    def burst(self, count: int, rounds: int) -> Figure:
        """Many requests at once, each round beside as many raw chains at once."""
        zk = KazooClient(hosts=self.stage.server.hosts[0], timeout=20.0)
        zk.start()
        raw: list[float] = []
        ours: list[float] = []
        cpu = 0.0
        self.chain.burst(200)
        try:
            for _ in range(rounds):
                raw.append(count / self.chain.burst(count))
                pause(1.0)
                before_s = cpu_s(self.launcher.pid)
                ours.append(count / self._burst(zk, count))
                cpu += cpu_s(self.launcher.pid) - before_s
                self.full()
                pause(1.0)
        finally:
            zk.stop()
            zk.close()
        part = median(ours) / median(raw)
        return Figure(
            name=f"burst of {count} warm requests",
            bound=">= 1/3 of raw",
            measured=f"{median(ours):.0f}/s",
            raw=f"{median(raw):.0f}/s",
            ratio=part,
            ok=part >= BURST_PART,
            details={"ours": ours, "raw": raw, "cpu_ms_each": cpu / rounds / count * 1000},
        )

    def _burst(self, zk: KazooClient, count: int) -> float:
        record = request_record("small")
        asking = Asking(zk)
        begun_s = time.perf_counter()
        for _ in range(count):
            asking.ask(f"{paths.REQUESTS}/200-", record, sequence=True)
        asking.wait(count)
        seconds = time.perf_counter() - begun_s
        for gone in [zk.delete_async(path) for path in asking.requests]:
            gone.get(timeout=_SOON_S)
        return seconds

    def idle(self, seconds: float) -> list[Figure]:
        """Nothing happens, for longer than every period of the launcher.

        Only the launcher's own session is left: what is counted is all its doing, with its pings.
        """
        self._end_clients()
        pause(2.0)
        before, before_s = Packets.now(self.stage.server), cpu_s(self.launcher.pid)
        pause(seconds)
        packets = before.until(Packets.now(self.stage.server))
        base = (cpu_s(self.launcher.pid) - before_s) / packets.at_s
        knock_s = self._knock_s()
        whole = base + knock_s * self.nodes / RECHECK_S
        rate = packets.received / packets.at_s
        return [
            Figure(
                name=f"idle with {self.nodes} ready nodes, CPU",
                bound=f"< {IDLE_CORE:.0%} of a core",
                measured=f"{whole:.2%}",
                ok=whole < IDLE_CORE,
                details={
                    "without_knocks": base,
                    "knock_ms": knock_s * 1000,
                    "recheck_s": RECHECK_S,
                    "seconds": packets.at_s,
                },
            ),
            Figure(
                name=f"idle with {self.nodes} ready nodes, ZooKeeper",
                bound=f"< {IDLE_PACKETS_PER_S:g} operations/s",
                measured=f"{rate:.2f}/s with pings",
                ok=rate < IDLE_PACKETS_PER_S,
                details={"received": packets.received, "sent": packets.sent},
            ),
        ]

    def _knock_s(self) -> float:
        """Return the CPU seconds of one look at a waiting node: all are due after a reload."""
        self.stage.label("small", recheck=RECHECK_S)
        before_s = cpu_s(self.launcher.pid)
        self.stage.write()
        seen = before_s
        for _ in range(60):
            pause(2.0)
            now_s = cpu_s(self.launcher.pid)
            if now_s > before_s + 0.2 and now_s - seen < 0.05:
                break
            seen = now_s
        return (seen - before_s) / self.nodes

    def memory(self, more: int, at_start_mib: float) -> Figure:
        """Resident memory against the number of nodes, after all the work before."""
        found = {0: at_start_mib, self.nodes: rss_mib(self.launcher.pid)}
        if more:
            self.feed(more)
            pause(2.0)
            found[self.nodes] = rss_mib(self.launcher.pid)
        spare = {n: RSS_BASE_MIB + n * RSS_NODE_KIB / 1024 - mib for n, mib in found.items()}
        return Figure(
            name="resident memory at " + " / ".join(map(str, found)) + " nodes",
            bound=f"< {RSS_BASE_MIB:g} MiB + {RSS_NODE_KIB:g} KiB each",
            measured=" / ".join(f"{mib:.0f}" for mib in found.values()) + " MiB",
            ok=min(spare.values()) > 0,
            details={str(n): mib for n, mib in found.items()},
        )


def measure(folder: Path, wanted: set[str], *, quick: bool) -> list[Figure]:
    """Measure what of this is wanted."""
    figures: list[Figure] = []
    with Pooled(folder) as pooled:
        pause(1.0)
        at_start_mib = rss_mib(pooled.launcher.pid)
        pooled.feed(300 if quick and wanted == {"warm"} else 1000)
        if "warm" in wanted:
            figures += pooled.warm(40 if quick else 120)
        if "burst" in wanted:
            figures.append(pooled.burst(1000, rounds=2 if quick else 4))
        if "idle" in wanted:
            figures += pooled.idle(30.0 if quick else 62.0)
        if "memory" in wanted:
            figures.append(pooled.memory(0 if quick else 1000, at_start_mib))
    return figures

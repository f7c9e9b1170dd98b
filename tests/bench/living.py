"""The figures of whole lives of nodes: a real machine is booted, proven, used and deleted."""

import time
from pathlib import Path
from typing import Final, Self
from urllib.parse import urlsplit

import yaml

from remuda.store import paths
from requestor import Client, NodeSet, connect
from tests.bench.figures import Figure, against, median, quantile, spread
from tests.bench.looking import Packets, pause
from tests.bench.raw import Chain
from tests.bench.tap import Tap
from tests.support.deadline import wait_for
from tests.support.stage import Stage

COLD_TIMES: Final = 4.0
DELETE_TIMES: Final = 4.0
PACKETS_MAX: Final = 20.0
PACKETS_EACH_FURTHER: Final = 4.0
_CALL_S: Final = 20.0
_SOON_S: Final = 60.0
_REST_S: Final = 0.1


class Living:
    """One provider without ready nodes whose calls to the cloud pass a tap."""

    def __init__(self, folder: Path) -> None:
        self.stage = Stage(folder, session_s=10.0)

    def __enter__(self) -> Self:
        """Start everything."""
        stage = self.stage
        stage.__enter__()
        unlimited = {"instances": -1, "cores": -1, "ram": -1, "port": -1}
        cloud = stage.cloud("a", machines="auto", boot_seconds=0.1, boot_jitter=0, quota=unlimited)
        self.tap = Tap(urlsplit(cloud.url).port or 0)
        self._tapped(cloud.url)
        for name in ("alpha", "beta", "gamma"):
            stage.provider(name, "a", list_period=0.2, idle_list_period=60)
        self.launchers = [stage.launcher("alpha")]
        self.chain = Chain(stage.server.hosts[0])
        self.client: Client = connect(stage.server.hosts)
        return self

    def __exit__(self, *error: object) -> None:
        """End everything."""
        self.client.close()
        self.chain.close()
        self.stage.close()
        self.tap.close()
        if error[0] is None:
            self.stage.check_logs()

    def _tapped(self, url: str) -> None:
        """Let clouds.yaml name the tap instead of what the catalogue says."""
        file = self.stage.folder / "clouds.yaml"
        doc = yaml.safe_load(file.read_text())
        for entry in doc["clouds"].values():
            tapped = url.replace(str(urlsplit(url).port), str(self.tap.port))
            entry["compute_endpoint_override"] = f"{tapped}/compute/RegionOne/v2.1"
        file.write_text(yaml.safe_dump(doc))

    def latencies(self, lives: int) -> list[Figure]:
        """From a request to its create call, and from used to the delete call."""
        self._life()
        raw: list[float] = []
        cold: list[float] = []
        deletes: list[float] = []
        fulfilled: list[float] = []
        for _ in range(lives):
            raw += [self.chain.one(), self.chain.one()]
            pause(_REST_S)
            begun_s = time.perf_counter()
            nodes = self._ask()
            fulfilled.append(time.perf_counter() - begun_s)
            cold.append(self.tap.first("POST", since_s=begun_s, timeout_s=_CALL_S) - begun_s)
            pause(_REST_S)
            raw += [self.chain.one(), self.chain.one()]
            pause(_REST_S)
            begun_s = time.perf_counter()
            nodes.release()
            deletes.append(self.tap.first("DELETE", since_s=begun_s, timeout_s=_CALL_S) - begun_s)
            self._quiet()
        details = {
            "cold": spread(cold),
            "delete": spread(deletes),
            "raw": spread(raw),
            "cold_to_accepted": spread(fulfilled),
            "p95_ratios": [quantile(one, 0.95) / quantile(raw, 0.95) for one in (cold, deletes)],
        }
        return [
            against(
                "cold request to create call",
                median(cold),
                median(raw),
                times=COLD_TIMES,
                details=details,
            ),
            against(
                "used to delete call",
                median(deletes),
                median(raw),
                times=DELETE_TIMES,
                details=details,
            ),
        ]

    def _ask(self) -> NodeSet:
        pending = self.client.request("small")
        pending.wait(timeout_s=_SOON_S)
        return pending.accept()

    def _life(self) -> None:
        self._ask().release()
        self._quiet()

    def _quiet(self) -> None:
        """Wait until the last record is gone."""
        gone = wait_for(
            lambda: not self.stage.zk.get_children(paths.NODES), _SOON_S, "the nodes to go"
        )
        assert gone
        pause(_REST_S)

    def packets(self, lives: int, launchers: int) -> list[Figure]:
        """Packets of whole lives, with one launcher, and with launchers of further providers."""
        found = [self._packets_each(lives)]
        for name in ("beta", "gamma")[: launchers - 1]:
            self.launchers.append(self.stage.launcher(name))
            pause(3.0)
            found.append(self._packets_each(lives))
        first, last = found[0], found[-1]
        more = (last.received - first.received) / max(1, len(found) - 1)
        details = {
            f"{n} launchers": {"received": one.received, "sent": one.sent, "seconds": one.at_s}
            for n, one in enumerate(found, 1)
        }
        return [
            Figure(
                name="ZooKeeper packets per life",
                bound=f"<= {PACKETS_MAX:g}",
                measured=f"{first.received:.1f} received, {first.sent:.1f} sent",
                ok=first.received <= PACKETS_MAX,
                details=details,
            ),
            Figure(
                name="more for each further launcher",
                bound=f"<= {PACKETS_EACH_FURTHER:g}",
                measured=f"{more:.1f} received",
                ok=more <= PACKETS_EACH_FURTHER,
                details=details,
            ),
        ]

    def _packets_each(self, lives: int) -> Packets:
        """Return the mean of some lives, less what comes and goes when nothing happens."""
        client_only = 0
        pause(1.5)
        server = self.stage.server
        begun = Packets.now(server)
        pause(4.0)
        idle = begun.until(Packets.now(server))
        begun = Packets.now(server)
        for _ in range(lives):
            client_only += self._counted_life()
        pause(1.5)
        busy = begun.until(Packets.now(server))
        part = busy.at_s / idle.at_s
        return Packets(
            busy.at_s / lives,
            (busy.received - idle.received * part - client_only) / lives,  # type: ignore[arg-type]
            (busy.sent - idle.sent * part - client_only) / lives,  # type: ignore[arg-type]
        )

    def _counted_life(self) -> int:
        """Live once; return how many packets our looking cost."""
        self._ask().release()
        looks = 0
        while True:
            looks += 1
            if not self.stage.zk.get_children(paths.NODES):
                return looks
            pause(0.1)


def measure(folder: Path, wanted: set[str], *, quick: bool) -> list[Figure]:
    """Measure what of this is wanted."""
    figures: list[Figure] = []
    with Living(folder) as living:
        if "cold" in wanted:
            figures += living.latencies(6 if quick else 12)
        if "packets" in wanted:
            figures += living.packets(4 if quick else 6, launchers=2 if quick else 3)
    return figures

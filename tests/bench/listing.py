"""How often the cloud is asked for its servers, with few and with many of them booting."""

import time
from pathlib import Path
from typing import Any

from tests.bench.figures import Figure
from tests.bench.looking import pause
from tests.support.stage import Cloud, Stage

LIST_PERIOD_S = 1.0
_SOON_S = 90.0


def measure(folder: Path, *, quick: bool) -> list[Figure]:
    """Count listings with 10 and with 500 nodes that never finish booting."""
    seconds = 5.0 if quick else 8.0
    counts = (10, 100) if quick else (10, 500)
    found: dict[int, float] = {}
    with Stage(folder, session_s=10.0) as stage:
        unlimited = {"instances": -1, "cores": -1, "ram": -1, "port": -1}
        cloud = stage.cloud("a", machines="none", boot_seconds=600, quota=unlimited)
        stage.provider(
            "alpha",
            "a",
            labels={"small": {"host_keys": "scan"}},
            pool={"max_servers": 1000},
            list_period=LIST_PERIOD_S,
            rate=1000,
            max_concurrency=1000,
        )
        launcher = stage.launcher("alpha")
        for count in counts:
            stage.label("small", min_ready=count)
            stage.write()
            stage.until(lambda n=count: cloud.servers() >= n, f"{count} servers", _SOON_S)  # type: ignore[misc]
            pause(2.0)
            found[count] = _per_period(cloud, seconds)
        assert launcher.alive
    worst = max(found.values())
    return [
        Figure(
            name="listings per period with " + " / ".join(map(str, found)) + " booting",
            bound="<= 1",
            measured=" / ".join(f"{one:.2f}" for one in found.values()),
            # A window of whole periods holds one more listing than periods at the most.
            ok=worst <= 1.0 + LIST_PERIOD_S / seconds,
            details={"seconds": seconds, "period_s": LIST_PERIOD_S},
        )
    ]


def _per_period(cloud: Cloud, seconds: float) -> float:
    before, begun_s = _listings(cloud.calls()), time.perf_counter()
    pause(seconds)
    after = _listings(cloud.calls())
    periods = (time.perf_counter() - begun_s) / LIST_PERIOD_S
    return (after - before) / periods


def _listings(calls: dict[str, Any]) -> int:
    compute: dict[str, Any] = calls.get("compute", {})
    found = {name: one["calls"] for name, one in compute.items() if "list" in name}
    return int(sum(n for name, n in found.items() if "server" in name))

"""How soon a replica goes on with what a killed one had in hand."""

import time
from collections import Counter
from pathlib import Path

from remuda.store import paths
from requestor import PendingRequest, connect
from tests.bench.figures import Figure
from tests.bench.looking import pause
from tests.support.stage import Stage

SESSION_S = 4.0
BOUND_S = 1.0
_SOON_S = 60.0


def measure(folder: Path, *, quick: bool) -> list[Figure]:
    """Kill the replica that makes the nodes of some requests while they boot."""
    over = [_once(folder / str(number)) for number in range(1 if quick else 3)]
    worst = sorted(over)[len(over) // 2]
    return [
        Figure(
            name="take-over after kill -9, beyond the session",
            bound=f"<= {BOUND_S:g} s",
            measured=f"{worst:.2f} s",
            ok=worst <= BOUND_S,
            details={"all": over, "session_s": SESSION_S},
        )
    ]


def _once(folder: Path) -> float:
    """Return the seconds from the kill to the last of its requests, less the session."""
    with Stage(folder, session_s=SESSION_S) as stage:
        stage.cloud("a", machines="auto", boot_seconds=1.0, boot_jitter=0)
        stage.provider("alpha", "a", list_period=0.2)
        both = [stage.launcher("alpha"), stage.launcher("alpha")]
        pause(1.0)
        with connect(stage.server.hosts) as client:
            asked = [client.request("small") for _ in range(4)]
            stage.until(
                lambda: len(stage.children(paths.claims("alpha"))) == len(asked), "claims", _SOON_S
            )
            stage.until(lambda: _all_booting(stage, len(asked)), "launches", _SOON_S)
            owners = Counter(
                one["owner"] for one in stage.records(paths.launches("alpha")).values()
            )
            victim = owners.most_common(1)[0][0]
            process = next(one for one in both if f"-{one.pid}-" in victim)
            killed_s = time.perf_counter()
            process.kill()
            for one in asked:
                _wait(one)
            seconds = time.perf_counter() - killed_s
            assert seconds > 1.0, "they were served before the session ended: nothing was proven"
            for one in asked:
                one.cancel()
    return seconds - SESSION_S


def _all_booting(stage: Stage, count: int) -> bool:
    found = stage.records(paths.launches("alpha")).values()
    return len(found) == count and all(one["step"] == "booting" for one in found)


def _wait(one: PendingRequest) -> None:
    one.wait(timeout_s=_SOON_S)

"""What a first use costs over a plain setup, and how many builds ten of them begin."""

import time
from pathlib import Path
from typing import Final, Self

from remuda.store import paths
from requestor import connect
from tests.bench.figures import Figure, median
from tests.bench.images_stage import BUILD_S, UNLIMITED, ImageStage, step

#: A machine that runs the recipe is served within so much of one whose setup does the same.
OVER_S: Final = 1.0
STEP_S: Final = 2.0
AT_ONCE: Final = 10
_SETUP: Final = f"#!/bin/sh\nsleep {STEP_S:g}\n"
_TTL_S: Final = 86_400.0


class FirstUses:
    """One cloud and one launcher; a builder is started when its builds are counted."""

    def __init__(self, folder: Path) -> None:
        self.stage = ImageStage(folder)

    def __enter__(self) -> Self:
        """Start everything."""
        stage = self.stage
        stage.__enter__()
        timing = {"boot_seconds": 1.0, "snapshot_seconds": 2.0, "boot_jitter": 0}
        stage.cloud("a", system="minimal", quota=UNLIMITED, workers=16, **timing)
        stage.label("plain", setup={"inline": _SETUP, "timeout": 60})
        stage.label("first")
        labels = {"plain": {}, "first": {"image": {"built": "base"}}}
        stage.provider("alpha", "a", pool={"max_servers": 100}, labels=labels)
        stage.image("base", step(f"sleep {STEP_S:g}"), build="on-demand", ttl=_TTL_S)
        stage.launcher("alpha")
        return self

    def __exit__(self, *error: object) -> None:
        """End everything."""
        self.stage.close()
        if error[0] is None:
            self.stage.check_logs()

    def served_s(self, label: str) -> float:
        """Return how long a request takes, from its record to its nodes."""
        with connect(self.stage.server.hosts) as client:
            begun_s = time.perf_counter()
            with client.request(label):
                return time.perf_counter() - begun_s

    def at_once(self) -> int:
        """Let ten requests come at once, beside a builder; return how many builds they began."""
        stage = self.stage
        with connect(stage.server.hosts) as client:
            pending = [client.request("first") for _ in range(AT_ONCE)]
            stage.builder()
            for one in pending:
                one.wait(BUILD_S)
                one.accept().release()
        stage.current("base", 1)
        return len(stage.records(paths.builds("base")))


def measure(folder: Path, *, quick: bool) -> list[Figure]:
    """Measure both."""
    with FirstUses(folder) as uses:
        rounds = range(3 if quick else 10)
        pairs = [(uses.served_s("plain"), uses.served_s("first")) for _ in rounds]
        plain_s, first_s = (median([one[at] for one in pairs]) for at in (0, 1))
        begun = uses.at_once()
    return [
        Figure(
            name="first use over a plain setup of the same",
            bound=f"<= {OVER_S:g} s",
            measured=f"{first_s - plain_s:.2f} s",
            raw=f"{plain_s:.2f} s",
            ratio=first_s / plain_s,
            ok=first_s - plain_s <= OVER_S,
            details={"rounds": pairs},
        ),
        Figure(
            name=f"builds begun by {AT_ONCE} first requests at once",
            bound="1",
            measured=str(begun),
            ok=begun == 1,
        ),
    ]

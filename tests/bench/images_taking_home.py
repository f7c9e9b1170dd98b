"""From a held machine's stop until its quota is free, for it has become an image."""

import time
from pathlib import Path
from typing import Final

from remuda.model.ids import NodeId
from remuda.runtime.clock import SystemClock
from requestor import connect
from requestor.holding import write_wish
from requestor.takinghome import WishedImage, await_answer, await_image
from tests.bench.figures import Figure, median
from tests.bench.images_building import BOOT_S, SNAPSHOT_S
from tests.bench.images_stage import UNLIMITED, ImageStage
from tests.bench.looking import pause

#: What is ours after the snapshot takes no longer than the snapshot itself.
TIMES: Final = 1.0
_SOON_S: Final = 120.0
_FOR_S: Final = 3600.0
_ME: Final = "bench"


def measure(folder: Path, *, quick: bool) -> list[Figure]:
    """Take some machines home one after the other, after one that warms everything up."""
    rounds = 2 if quick else 5
    with ImageStage(folder) as stage:
        _prepare(stage)
        _take_home(stage)
        found = [_take_home(stage) for _ in range(rounds)]
        stage.check_logs()
    phases = {name: median([one[name] for one in found]) for name in found[0]}
    ours_s = phases["from the stop until its quota is free"] - SNAPSHOT_S
    return [
        Figure(
            name="taken home, from the snapshot until the machine's quota is free",
            bound=f"<= {TIMES:g} x the snapshot",
            measured=f"{ours_s:.1f} s",
            raw=f"{SNAPSHOT_S:.1f} s",
            ratio=ours_s / SNAPSHOT_S,
            ok=ours_s <= TIMES * SNAPSHOT_S,
            details={"phases": phases, "rounds": found},
        )
    ]


def _prepare(stage: ImageStage) -> None:
    stage.label("job", min_ready=1)
    timing = {"boot_seconds": BOOT_S, "snapshot_seconds": SNAPSHOT_S, "boot_jitter": 0}
    stage.cloud("a", system="minimal", quota=UNLIMITED, workers=16, **timing)
    stage.provider("alpha", "a", labels={"job": {}})
    stage.config["holds"] = {"snapshots": {}}
    stage.launcher("alpha")
    stage.builder()


def _take_home(stage: ImageStage) -> dict[str, float]:
    """Hold a machine, and have it become an image; return how long each part took, in seconds."""
    node = _hold(stage)
    pause(1.0)
    clock = SystemClock()
    with connect(stage.hosts) as client:
        store, asked_s = client.store, time.time()
        make = WishedImage(me=_ME, for_s=_FOR_S).of(force=False, now_s=asked_s)
        wished = write_wish(store, node, make)
        await_answer(store, clock, wished)
        answered_s = time.time()
        one = await_image(store, clock, wished, ends_s=clock.monotonic_s() + _SOON_S)
    assert one is not None
    assert one.server is not None
    stage.until(lambda: "deleting" in _life(stage, one.server), "its machine to go", _SOON_S)
    life = _life(stage, one.server)
    return {
        "until it is granted": answered_s - asked_s,
        "until it is stopped": life["shutoff"] - asked_s,
        "from the stop until there is an image": one.since_s - life["shutoff"],
        "from the image until its quota is free": life["deleting"] - one.since_s,
        "from the stop until its quota is free": life["deleting"] - life["shutoff"],
        "whole": life["deleting"] - asked_s,
    }


def _hold(stage: ImageStage) -> NodeId:
    with connect(stage.hosts, requestor=_ME) as client:
        pending = client.request("job")
        pending.wait(_SOON_S)
        (node,) = pending.accept()
        node.hold("bench", owner=_ME, seconds=_FOR_S)
        return node.id


def _life(stage: ImageStage, server: str) -> dict[str, float]:
    """Return when a server came into each of its states for the first time."""
    life: dict[str, float] = {}
    for line in stage.journal():
        if line["server"] == server:
            life.setdefault(line["event"], line["at"])
    return life

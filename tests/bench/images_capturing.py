"""From a job's end until the image of its machine is current in two clouds, and where it goes."""

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from remuda.images.buildlog import decode_progress
from remuda.model.image import BuildId
from remuda.ssh.api import Login
from remuda.ssh.session import open_session
from remuda.store import paths
from requestor import connect
from requestor.nodes import LeasedNode
from tests.bench.figures import Figure, median
from tests.bench.images_building import BOOT_S, SNAPSHOT_S
from tests.bench.images_stage import UNLIMITED, ImageStage
from tests.bench.looking import pause
from tests.support.stage import Doc

IMAGE: Final = "oneiric"
#: The searches of two clones and of the machine itself are most of it, as of any build.
TIMES: Final = 6.0
CLOUDS: Final = {"alpha": "a", "beta": "b"}
_SOON_S: Final = 120.0
#: What a job leaves behind: no build before has it.
_WORK: Final = "sudo sh -c 'mkdir -p /opt/work && date +%s%N >/opt/work/made'"


def measure(folder: Path, *, quick: bool) -> list[Figure]:
    """Capture some machines one after the other, after one that warms everything up."""
    rounds = 2 if quick else 4
    with ImageStage(folder) as stage:
        _prepare(stage)
        _capture(stage, 1)
        pause(1.0)
        found = [_capture(stage, number) for number in range(2, 2 + rounds)]
        stage.check_logs()
    phases = {name: median([one[name] for one in found]) for name in found[0]}
    cloud_s = phases.pop("the clouds' own")
    whole_s = phases.pop("whole")
    return [
        Figure(
            name="capture, from the job's end to current in two clouds",
            bound=f"<= {TIMES:g} x the clouds' own",
            measured=f"{whole_s:.1f} s",
            raw=f"{cloud_s:.1f} s",
            ratio=whole_s / cloud_s,
            ok=whole_s <= TIMES * cloud_s,
            details={"phases": phases, "rounds": found},
        )
    ]


def _prepare(stage: ImageStage) -> None:
    stage.label("job", min_ready=1)
    timing = {"boot_seconds": BOOT_S, "snapshot_seconds": SNAPSHOT_S, "boot_jitter": 0}
    for provider, cloud in CLOUDS.items():
        stage.cloud(cloud, system="minimal", quota=UNLIMITED, workers=16, **timing)
        # Jobs are in the first alone, so that the image has to be carried into the second.
        ours: dict[str, Doc] = {"ours": {"image": {"built": IMAGE}}}
        labels = {**ours, "job": {}} if provider == "alpha" else ours
        stage.provider(provider, cloud, labels=labels)
    rule = {"labels": ["job"], "requestors": [".*"]}
    stage.config["images"] = {IMAGE: {"capture": rule, "flavor": "m1.small"}}
    for provider in CLOUDS:
        stage.launcher(provider)
    stage.builder()


def _capture(stage: ImageStage, number: int) -> dict[str, float]:
    """Let a job end with an image of its machine; return how long each part took, in seconds."""
    with connect(stage.hosts) as client:
        pending = client.request("job")
        pending.wait(_SOON_S)
        with pending as (node,):
            _work(stage, node)
            ended_s = time.time()
            assert node.capture(IMAGE, timeout_s=_SOON_S) == f"{IMAGE}/{number}"
            kept_s = time.time()
        moved_s = {one: stage.current(IMAGE, number, one) for one in CLOUDS}
    build_id = BuildId(IMAGE, number)
    raw, _ = stage.zk.get(paths.image_log(build_id))
    steps = {one.name: one.seconds or 0.0 for one in decode_progress(build_id, raw).steps}
    begun_s = stage.build(IMAGE, number)["requested_s"]
    stop_s = steps["stop"]
    boots_s = {one: _boot_s(stage, cloud, ended_s) for one, cloud in CLOUDS.items()}
    last = max(moved_s, key=lambda one: moved_s[one])
    # One cloud makes and tries it while it is carried to the other: the way is the longer one.
    own_s = stop_s + SNAPSHOT_S + max(boots_s.values())
    return {
        "asked, answered, begun": begun_s - ended_s,
        **{f"step {name}": seconds for name, seconds in steps.items()},
        "until its holder was told": kept_s - ended_s,
        **{f"current in {one} after": at_s - ended_s for one, at_s in moved_s.items()},
        **{f"candidate's boot in {one}": seconds for one, seconds in boots_s.items()},
        "the clouds' own": own_s,
        "whole": moved_s[last] - ended_s,
    }


def _work(stage: ImageStage, node: LeasedNode) -> None:
    """Do the job's work."""
    login = Login(
        address=node.address,
        port=node.port,
        user=node.user,
        key_file=str(stage.key),
        host_keys=node.host_keys,
    )
    with open_session(login) as session:
        assert session.run(_WORK) == 0


def _boot_s(stage: ImageStage, cloud: str, since_s: float) -> float:
    """Return how long the longest boot of a machine took that was made since then."""
    lives: dict[str, dict[str, float]] = {}
    for line in stage.journal(cloud):
        lives.setdefault(line["server"], {}).setdefault(line["event"], line["at"])
    boots = _boots(lives, since_s)
    assert boots, f"no candidate has booted in cloud {cloud}"
    return max(boots)


def _boots(lives: Mapping[str, Mapping[str, float]], since_s: float) -> list[float]:
    return [
        one["active"] - one["made"]
        for one in lives.values()
        if "active" in one and one.get("made", 0.0) >= since_s
    ]

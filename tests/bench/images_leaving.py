"""What a killed builder leaves behind, and when it is gone: in a build, a snapshot and a copy."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from remuda.model.image import BuildId
from remuda.store import paths
from tests.bench.figures import Figure
from tests.bench.images_stage import BUILD_S, UNLIMITED, ImageStage, step
from tests.support.deadline import wait_for
from tests.support.processes import Process

#: Its machine goes with its session, which has four seconds to end.
MACHINE_S: Final = 20.0
#: The cloud may be asked for a snapshot for two minutes, the last call be sent a minute later, and
#: be on its way for three: nobody else takes what came of it before.
SNAPSHOT_S: Final = 400.0
#: A call that was decided may be sent for a minute, and be on its way for three; then two listings,
#: a minute apart, have to show what came of it.
COPY_S: Final = 400.0
#: Long enough for everything to be under way at once.
_SLOW_S: Final = 120.0
_HANG_S: Final = 30.0
_API_S: Final = 5


def measure(folder: Path, *, quick: bool) -> list[Figure]:
    """Kill a builder with one of each under way; what takes minutes is left out if *quick*."""
    with ImageStage(folder) as stage:
        for cloud, provider in (("a", "alpha"), ("b", "beta")):
            stage.cloud(cloud, system="minimal", quota=UNLIMITED)
            stage.provider(provider, cloud, api_timeout=_API_S)
        stage.image("building", step("sleep 600", limit_s=900), providers={"alpha": None})
        for provider in ("alpha", "beta"):
            stage.launcher(provider)
        builder = stage.builder()
        others = () if quick else (_copying(stage), _snapshotting(stage))
        return _killed(stage, builder, others)


def _images(stage: ImageStage, cloud: str) -> int:
    (region,) = stage.clouds[cloud].ask("GET", "/state")["regions"].values()
    return int(region["images"])


def _copying(stage: ImageStage) -> Callable[[], bool]:
    """Begin a copy that takes long; return what says that nothing is left of it."""
    before = _images(stage, "b")
    stage.clouds["b"].fault("image.upload", "slow", seconds=_SLOW_S)
    providers = {"alpha": None, "beta": {"copy-from": "alpha"}}
    stage.image("copying", step("echo copied"), providers=providers)
    stage.write()
    uploads = paths.uploads(BuildId("copying", 1))
    wait_for(lambda: _images(stage, "b") > before, BUILD_S, "the copy to be under way")

    def over() -> bool:
        """Whether the half image is gone; what came of it here is gone on with later."""
        carried = [one for one in stage.records(uploads).values() if one.get("method") == "carry"]
        done = any(one["state"] == "usable" for one in carried)
        return _images(stage, "b") == before + done

    return over


def _snapshotting(stage: ImageStage) -> Callable[[], bool]:
    """Begin a snapshot that takes long; return what says that it is somebody's again."""
    before = _images(stage, "a")
    stage.clouds["a"].fault("server.snapshot", "snapshot_hang", seconds=_HANG_S, count=1)
    stage.image("snapshot", step("echo taken"), providers={"alpha": None})
    stage.write()
    wait_for(
        lambda: stage.build("snapshot", 1).get("state") == "snapshotting", BUILD_S, "a snapshot"
    )
    wait_for(lambda: _images(stage, "a") > before, BUILD_S, "its image")

    def over() -> bool:
        build = stage.build("snapshot", 1)
        # Either it is whole and kept, or it is gone and the build begun anew.
        kept = build["state"] == "built" and _images(stage, "a") == before + 1
        return bool(kept or (build["attempt"] and _images(stage, "a") == before))

    return over


def _killed(
    stage: ImageStage, builder: Process, others: tuple[Callable[[], bool], ...]
) -> list[Figure]:
    node = str(
        wait_for(lambda: stage.build("building", 1).get("node"), BUILD_S, "a machine to build on")
    )
    wait_for(lambda: stage.nodes("in-use", "make/building"), BUILD_S, "its steps to run")
    killed_s = time.monotonic()
    builder.kill()
    stage.builder()
    for cloud in stage.clouds.values():
        cloud.heal()

    def machine_gone() -> bool:
        events = {
            line["event"]
            for line in stage.journal("a")
            if line["metadata"].get("remuda_node_id") == node
        }
        given_back = stage.build("building", 1)["attempt"] > 0
        return given_back and "deleted" in events and node not in stage.nodes()

    named = (("machine", MACHINE_S, machine_gone),)
    if others:
        copied, taken = others
        named += (("snapshot", SNAPSHOT_S, taken), ("copy", COPY_S, copied))
    figures = []
    for what, bound_s, over in named:
        wait_for(over, 2 * bound_s, f"the {what} of the dead builder to go")
        seconds = time.monotonic() - killed_s
        figures.append(
            Figure(
                name=f"a killed builder's {what}, until nothing is left",
                bound=f"<= {bound_s:g} s",
                measured=f"{seconds:.0f} s",
                ok=seconds <= bound_s,
            )
        )
    return figures

"""Makes one build in the tests of the hand that does, and looks at what came of it."""

from typing import Any

from builder.build.events import MakingEnded
from builder.build.hand_make import MakeInCloud, MakingHand
from remuda.model.build import Blame, BuildState, Mishap
from remuda.model.capsule import Capsule, encode_capsule
from remuda.store import paths
from remuda.store.api import Create
from tests.unit.builder.handbench import (
    BUILD,
    OWNER,
    PROVIDER,
    Bench,
)

PATH = paths.build(BUILD)
#: Of the record of a build that goes well, in order.
WRITES = ["request", "node", "base", "quieted", "kept"]


def make(bench: Bench, *, environ: dict[str, str] | None = None, **changes: Any) -> MakingEnded:
    """Put a build on record, unless there is one, and make it."""
    found = bench.others.read(PATH)
    assert found is not None
    order = MakeInCloud(
        **{
            "build": bench.build() if found.value else bench.put_build(),
            "recipe": bench.recipe,
            "policy": bench.policy,
            "owner": OWNER,
            "cloud": bench.cloud,
            "images": bench.images,
            **changes,
        }
    )
    hand = MakingHand(
        machines=bench.machines, clock=bench.clock, environ=environ or {}, wait=bench.wait
    )
    ended = hand.make(order, bench.log, lambda: bench.stop)
    assert bench.log.closed
    assert bench.log.ok is (ended.why is None)
    return ended


def mishap(bench: Bench) -> Mishap:
    """Return what is on record of a failure, with nothing left behind of it."""
    build = bench.build().value
    assert build.mishap is not None
    again = build.mishap.blame in {Blame.CLOUD, Blame.BUILDER}
    assert build.state is (BuildState.REQUESTED if again else BuildState.FAILED)
    nothing_held(bench)
    assert bench.images.list_images() == ()
    return build.mishap


def nothing_held(bench: Bench) -> None:
    """Make sure that no request, node or key of the hand is left."""
    assert bench.others.children(paths.REQUESTS) == ()
    for one in bench.nodes():
        assert one.state == "used" or not bench.launcher.locks(one.id)
    folder = bench.machines._folder
    assert not folder.exists() or list(folder.iterdir()) == []


def failure(bench: Bench, request: str, result: str, **fields: Any) -> None:
    """Write the evidence of a failed launch."""
    number = len(bench.others.children(paths.failures(PROVIDER)))
    one = Capsule(
        node=f"n{number}",
        label="make/debian",
        pool="main",
        result=result,
        why=f"it was {result}",
        at_s=float(number),
        **{"request": request, **fields},
    )
    path = f"{paths.failures(PROVIDER)}/n{number}"
    bench.launcher.store.commit([Create(path=path, data=encode_capsule(one))])

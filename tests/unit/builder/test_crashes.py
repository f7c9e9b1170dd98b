"""A hand that meets a bug of ours: it waits, and what it was at counts as an attempt."""

from dataclasses import replace

from builder.build.actions import Make
from builder.build.tasks import MakeTask
from builder.upload.tasks import CopyTask
from remuda.frame.work import HandCrashed
from remuda.model.build import Blame, BuildState, encode_build
from remuda.model.ids import NodeId
from remuda.store import paths
from remuda.store.api import Set
from tests.unit.builder.bench import Bench, BrokenError
from tests.unit.builder.test_brain import makes, ready


def written(bench: Bench, order: MakeTask | CopyTask) -> None:
    """Write what an order is about, as hands do, and crash."""
    stored = order.build if isinstance(order, MakeTask) else order.upload
    data = bench.store.read(stored.path)
    assert data is not None
    bench.store.commit([Set(path=stored.path, data=data.value, version=stored.version)])
    raise BrokenError


def test_a_build_whose_hand_crashes_after_it_has_written_fails_at_last() -> None:
    """A bug of ours must not keep a builder busy: attempts count, and it waits in between."""
    bench = ready()
    bench.hands.do = lambda order: written(bench, order)
    bench.go()
    build = bench.build("a", 1)
    assert build.attempt == 1  # and taken anew, for the first loss waits for nobody
    assert build.mishap is not None
    assert build.mishap.blame is Blame.BUILDER
    assert len(makes(bench)) == bench.log.count("hand.crashed") == 1

    bench.pass_s(3600.0, step_s=5.0)
    attempts_max = bench.known.configured.policies["a"].attempts_max
    assert bench.build("a", 1).state is BuildState.FAILED
    assert bench.build("a", 1).attempt == attempts_max
    assert len([one for one in makes(bench) if one.build.value.id.number == 1]) == attempts_max


def test_a_loss_that_somebody_was_quicker_than_is_written_all_the_same() -> None:
    """The mirror may tell only later what the hand has written before it crashed."""
    bench = ready()
    bench.held = (Make,)
    bench.go()
    ((action, _),) = bench.workers.orders
    bench.workers.orders = []
    build = bench.build("a", 1)
    data = encode_build(replace(build, node=NodeId("3000000001")))
    bench.store.commit([Set(path=paths.build(build.id), data=data, version=-1)])
    bench.inbox.event(HandCrashed(action=action, why="boom"))
    bench.worker.turn(wait_s_max=0.0)  # before the mirror has told
    bench.go()

    assert bench.build("a", 1).attempt == 1

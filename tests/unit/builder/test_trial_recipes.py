"""By which recipe a build is tried: the one that it was made by, as long as we know it."""

from typing import Any

from builder.build.outcome import Quieted, quieted
from builder.build.tasks import MakeTask
from builder.build.writes import finish
from builder.upload.outcome import WholeImage
from builder.upload.tasks import TrialTask
from remuda.model.build import encode_build
from remuda.store.api import Set, Stored
from tests.unit.builder.bench import Bench, config


def made(bench: Bench) -> list[TrialTask]:
    """Let one build of a be made; its recipe changes meanwhile. Return what its trials are told."""

    def do(order: Any) -> None:
        if not isinstance(order, MakeTask) or order.build.value.id.number != 1:
            return
        result = Quieted(cloud_name="remuda-a-1", asked_by_s=0.0)
        now_s = bench.clock.now_s()
        build = quieted(order.build.value, result, now_s=now_s)
        path, version = order.build.path, order.build.version
        (done,) = bench.store.commit([Set(path=path, data=encode_build(build), version=version)])
        stored = Stored(path=path, value=build, version=done.version)
        image = WholeImage(cloud_image="i1", size_bytes=1)
        bench.store.commit(finish(stored, image, (), now_s=now_s))
        bench.worker.reconfigure(config(a={"username": "of-the-new-recipe"}))

    bench.hands.do = do
    bench.pass_s(10.0)
    return [
        one
        for one in bench.hands.orders
        if isinstance(one, TrialTask) and one.build.value.id.number == 1
    ]


def test_a_build_is_tried_by_the_recipe_that_it_was_made_by() -> None:
    """What another user, or another check, says of it means nothing."""
    bench = Bench(config(a={"username": "of-the-old-recipe"}))
    bench.launchers("p", "q")

    orders = made(bench)

    assert orders
    assert {one.recipe.makings["p"].username for one in orders} == {"of-the-old-recipe"}


def test_a_builder_that_does_not_know_that_recipe_takes_the_one_of_now() -> None:
    """It was made by another, which is dead."""
    bench = Bench(config(a={"username": "of-the-old-recipe"}))
    bench.launchers("p", "q")
    before = len(made(bench))
    assert before

    bench.known.build_recipes.begun.clear()
    bench.pass_s(60.0)

    later = [one for one in bench.hands.orders if isinstance(one, TrialTask)][before:]
    assert {one.recipe.makings["p"].username for one in later} == {"of-the-new-recipe"}

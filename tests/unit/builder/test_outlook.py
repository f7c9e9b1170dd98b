"""What hinders images, as a builder knows and tells it: clouds, launchers, recipes."""

from remuda.model.build import BuildState
from tests.unit.builder.bench import HERE
from tests.unit.builder.test_brain import makes, ready


def test_a_provider_in_trouble_takes_no_build_until_it_is_over() -> None:
    """Its launchers say so; the build says why it waits."""
    bench = ready()
    bench.status("p", "the cloud is away")
    bench.go()
    assert bench.build("a", 1).state is BuildState.REQUESTED
    assert bench.worker.brain.world.plan.waits["a/1"] == "p: the cloud is away"

    bench.status("p", None)
    bench.go()
    assert len(makes(bench)) == 1


def test_an_alarm_is_logged_once() -> None:
    """And shown as long as it holds."""
    bench = ready(a={"steps": [{"copy": {"from": "/nowhere/at-all", "to": "/x"}, "timeout": 5}]})
    bench.go()
    bench.pass_s(130.0, step_s=5.0)

    assert bench.log.count("image.alarm") == 1
    assert "cannot be used" in bench.worker.status()["alarms"]["a"][0]
    assert "does not exist" in bench.worker.status()["waits"]["a"]


def test_a_provider_that_does_not_answer_is_logged_once_and_asked_again() -> None:
    """And what it said before stays true."""
    bench = ready(a={"paused": True})
    bench.go()
    bench.hands.trouble["p"] = "no answer"
    bench.pass_s(100.0, step_s=5.0)
    assert bench.log.count("provider.trouble") == 1
    assert bench.known.providers()["p"].place == HERE
    assert bench.known.providers()["p"].trouble == "no answer"

    del bench.hands.trouble["p"]
    bench.pass_s(30.0, step_s=5.0)
    assert bench.known.providers()["p"].trouble is None
    assert bench.log.count("provider.back") == 1


def test_nothing_is_made_where_a_recipe_only_copies() -> None:
    """Its base there may be another, or none; launchers would not make it either."""
    bench = ready(a={"providers": {"p": {}, "q": {"copy-from": "p"}}})
    bench.status("p", "the cloud is away")
    bench.go()

    assert bench.build("a", 1).state is BuildState.REQUESTED
    assert bench.known.plan.waits["a/1"] == "p: the cloud is away"


def test_a_configuration_that_cannot_be_used_is_told_to_people() -> None:
    """As long as it cannot: the builder goes on, and nothing else shows that."""
    bench = ready(a={"paused": True})
    bench.go()
    bench.worker.note_config("remuda.yaml:3:1: images.a: no such key")
    bench.pass_s(5.0)
    assert bench.worker.status()["waits"]["configuration of me"].endswith("no such key")

    bench.worker.note_config(None)
    bench.pass_s(5.0)
    assert "configuration of me" not in bench.worker.status()["waits"]

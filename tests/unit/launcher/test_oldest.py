"""What waits, and what is being made, is told while it lasts, and not only when it ends."""

import pytest

from launcher.reporting import WAIT_S_MAX, Reporter
from launcher.world import World
from remuda.metrics.prometheus import PrometheusBackend
from remuda.metrics.sink import Metrics
from remuda.model.launch import Step
from remuda.model.request import RequestState
from tests.unit.launcher.worlds import NOW, add_claim, add_node, add_pool, add_request, world
from tests.unit.metrics.test_sink import value


def gauge(made: World, name: str, **labels: str) -> float | None:
    """Return what a launcher with that world says."""
    prometheus = PrometheusBackend()
    Reporter(world=made, metrics=Metrics([prometheus])).report(NOW)
    return value(prometheus, name, **labels)


def waits(made: World, label: str) -> float | None:
    """Return how long the oldest request for a label waits."""
    return gauge(made, "remuda_oldest_request_age", provider="here", label=label)


@pytest.mark.parametrize("state", [RequestState.REQUESTED, RequestState.PENDING])
def test_the_oldest_request_for_each_label(state: RequestState) -> None:
    """Pending ones, too: an outage in the middle of them is one like any other."""
    made = world()
    for number, ago_s in ((1, 30.0), (2, 90.0)):
        view = add_request(made, number, "small", state=state)
        view.seen_s = NOW.mono_s - ago_s
        if state is RequestState.PENDING:
            add_claim(made, view)

    assert (waits(made, "small"), waits(made, "large")) == (90.0, 0.0)


@pytest.mark.parametrize(("ago_s", "told_s"), [(500.0, 500.0), (-500.0, 0.0), (1e9, WAIT_S_MAX)])
def test_the_time_of_submission_is_the_requestors_word(ago_s: float, told_s: float) -> None:
    """A launcher that has just started tells the truth; a date of long ago or ahead is bounded."""
    made = world()
    view = add_request(made, 1, "small", created_s=NOW.wall_s - ago_s)
    view.seen_s = NOW.mono_s

    assert waits(made, "small") == pytest.approx(told_s)


def test_what_we_have_declined_waits_for_others() -> None:
    """They tell of it."""
    made = world()
    add_pool(made, "here", "main", "small")
    view = add_request(made, 1, "small", declined_by=("id-main",))
    view.seen_s = NOW.mono_s - 50.0

    assert waits(made, "small") == 0.0


def test_the_oldest_machine_that_is_being_made() -> None:
    """By its intent; one that is there already is none."""
    made = world()
    name = "remuda_oldest_launch_age"
    add_node(made, 1, launch={"planned_s": NOW.wall_s - 900.0})
    before = gauge(made, name, provider="here", label="small")
    for number, ago_s in ((2, 20.0), (3, 80.0)):
        launch = {"planned_s": NOW.wall_s - ago_s}
        add_node(made, number, step=Step.BOOTING, launch=launch)

    assert (before, gauge(made, name, provider="here", label="small")) == (0.0, 80.0)


def test_stock_replicas_and_the_configuration_are_told() -> None:
    """Each can be compared with what is there."""
    made = world()
    made.config_error = "line 3: no such key"

    assert gauge(made, "remuda_config_rejected") == 1.0
    assert gauge(made, "remuda_replicas", provider="here") == len(made.peers.ours())
    wanted = made.policy.labels["small"].min_ready
    assert gauge(made, "remuda_min_ready", label="small") == wanted

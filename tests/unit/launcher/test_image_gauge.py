"""A launcher says how many images are configured: a missing builder is noticed by that."""

from launcher.reporting import Reporter
from launcher.world import World
from remuda.metrics.prometheus import PrometheusBackend
from remuda.metrics.sink import Metrics
from tests.unit.launcher.imaged import imaged
from tests.unit.launcher.worlds import NOW, world
from tests.unit.metrics.test_sink import value


def gauge(made: World) -> float | None:
    """Return what a launcher with that world says."""
    prometheus = PrometheusBackend()
    Reporter(world=made, metrics=Metrics([prometheus])).report(NOW)
    return value(prometheus, "remuda_images_configured", provider="here")


def test_images_of_the_provider_are_counted_once() -> None:
    """Whatever number of pools could make their machines; without images it is zero."""
    assert gauge(imaged()) == 1
    assert gauge(world()) == 0

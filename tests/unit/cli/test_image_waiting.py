"""`remuda image build --wait` while somebody else changes his mind."""

from collections.abc import Sequence
from dataclasses import replace

from remuda.cli.image.building import build
from remuda.model.image import encode_image
from remuda.store import paths
from remuda.store.api import Done, Op, Set
from tests.fakes.store import FakeStore
from tests.support.imageharness import ADA, ImageHarness
from tests.support.standin import StandIn


class PausingHarness(ImageHarness):
    """Somebody pauses the image in the moment in which a build of it is wanted."""

    def _connect(self) -> FakeStore:
        store = super()._connect()
        commit = store.commit

        def paused(ops: Sequence[Op]) -> tuple[Done, ...]:
            done = commit(ops)
            record = replace(self.read_image(), paused=ADA)
            self.store.commit(
                [Set(path=paths.image("debian"), data=encode_image(record), version=-1)]
            )
            return done

        store.commit = paused  # type: ignore[method-assign]
        return store


def paused_meanwhile() -> PausingHarness:
    """Return a harness with a builder that lives, and nothing to hinder a build but the pause."""
    harness = PausingHarness()
    harness.shelf(1, 2, 3)
    harness.launcher.register("small")
    StandIn(harness.zookeeper.connect(), "beta").register("small")
    harness.builder()
    return harness


def test_who_waits_hears_that_the_image_was_paused_meanwhile() -> None:
    """Nobody begins a build then: who waits would else never know why."""
    result = paused_meanwhile().call(build, "debian", "--wait", "--timeout", "0.2s")

    because = "it was paused by ada@host: it is bad"
    assert result.exit_code == 5
    assert result.stdout.splitlines()[-1] == f"debian waits: {because}"
    assert f"did not become current in time: {because}" in result.stderr

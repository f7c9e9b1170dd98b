"""A held machine that became no image runs again: its hold is as it was."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from builder.takehome.hand_make import HALF_QUIET, NOT_STARTED
from remuda.cloud.api import ServerStatus
from remuda.model.ids import ReplicaId
from remuda.model.takehome import (
    ATTEMPTS_MAX,
    TakeHomeState,
)
from tests.unit.builder.handbench import Bench, ran
from tests.unit.builder.takings import Held, make, refuse


@pytest.fixture
def held(tmp_path: Path) -> Iterator[Held]:
    """Give a held machine, all in memory."""
    bench = Bench(tmp_path)
    yield Held(bench)
    bench.close()


def runs(held: Held) -> bool:
    """Whether the machine runs."""
    server = held.launch.server
    assert server is not None
    return held.bench.cloud.get_server(server).status is ServerStatus.ACTIVE


def test_what_is_found_on_the_machine_ends_it_and_the_hold_is_as_it_was(held: Held) -> None:
    """One sentence, no image, and a machine that has started with its identity again."""
    held.bench.session.ends["quiet"] = ran("it has a secret")
    assert "it has a secret" in (make(held) or "")
    one = held.one
    assert (one.state, one.quiet, one.quieting_s) == (TakeHomeState.FAILED, False, None)
    assert one.trouble is None
    assert held.bench.images.list_images() == ()
    assert held.bench.launcher.read_node(held.id).state == "hold"
    assert held.bench.cloud.calls["start_server"] == 1
    assert runs(held)
    # Its holder has taken the secret off, and asks once more.
    held.bench.session.ends.clear()
    held.put(state=TakeHomeState.ASKED, attempt=0, failure=None)
    assert make(held) is None


def test_a_machine_that_was_half_quiet_starts_again(held: Held) -> None:
    """The builder has died in the middle: nobody can tell what is left of its identity."""
    server = held.launch.server
    held.put(state=TakeHomeState.MAKING, owner=ReplicaId("dead"), quieting_s=1.0, server=server)
    assert HALF_QUIET in (make(held) or "")
    assert (held.one.state, held.one.quieting_s) == (TakeHomeState.FAILED, None)
    assert held.bench.logins == []
    assert runs(held)


def test_a_builder_that_dies_while_the_machine_starts_leaves_that_to_the_next(held: Held) -> None:
    """It makes no image any more, and says why the first one has not."""
    server = held.launch.server
    held.bench.cloud.stop_server(server)
    held.bench.clock.advance(60.0)
    held.put(
        state=TakeHomeState.MAKING,
        owner=ReplicaId("dead"),
        quieting_s=1.0,
        quiet=True,
        server=server,
        failure="snapshot: not here",
    )
    assert make(held) == "snapshot: not here"
    assert (held.one.state, held.one.failure) == (TakeHomeState.FAILED, "snapshot: not here")
    assert held.bench.images.snapshots == []
    assert runs(held)


@pytest.mark.parametrize("case", ["refused", "released", "too often"])
def test_a_machine_that_does_not_start_is_said_to_be_stopped(held: Held, case: str) -> None:
    """Beside why there is no image; it is started before it is entered once more."""
    held.bench.images.snapshot = refuse  # type: ignore[method-assign,assignment]
    start = held.bench.cloud.start_server
    attempt = 0
    if case == "refused":
        held.bench.cloud.start_server = refuse  # type: ignore[method-assign,assignment]
    elif case == "released":
        held.bench.session.before = partial(_release_at_quiet, held)
    else:
        attempt = ATTEMPTS_MAX
        held.put(state=TakeHomeState.MAKING, quieting_s=1.0, quiet=True, server=held.launch.server)
    held.put(attempt=attempt)
    assert make(held) is not None
    one = held.one
    assert (one.state, one.quiet) == (TakeHomeState.FAILED, False)
    assert NOT_STARTED in (one.trouble or "")
    if case == "refused":
        held.bench.cloud.start_server = start  # type: ignore[method-assign]
        del held.bench.images.snapshot
        held.put(state=TakeHomeState.ASKED, attempt=0, failure=None)
        assert make(held) is None
        assert held.bench.cloud.calls["start_server"] == 1


def test_a_machine_whose_snapshot_isrefused_runs_again(held: Held) -> None:
    """It is as it was, and is made quiet anew if it is wished once more."""
    held.bench.images.snapshot = refuse  # type: ignore[method-assign,assignment]
    assert "not here" in (make(held) or "")
    assert (held.one.state, held.one.quiet) == (TakeHomeState.FAILED, False)
    assert runs(held)
    del held.bench.images.snapshot
    assert held.one.asked_by_s == 0.0
    held.put(state=TakeHomeState.ASKED, attempt=0, failure=None)
    held.bench.logins.clear()
    assert make(held) is None
    assert len(held.bench.logins) == 1


def test_a_cloud_that_takes_the_call_and_starts_nothing_is_waited_for_once(held: Held) -> None:
    """Its time has an end; then that is said."""
    held.bench.images.snapshot = refuse  # type: ignore[method-assign,assignment]
    held.bench.cloud.start_server = lambda *_, **__: None  # type: ignore[method-assign]
    assert "not here" in (make(held) or "")
    assert "has not started the machine after 300 s" in (held.one.trouble or "")


def _release_at_quiet(held: Held, script: str) -> None:
    if script == "quiet":
        held.bench.change_node(held.id, state="used")

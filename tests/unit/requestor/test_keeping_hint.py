"""What is said after a failed run: what an autohold has kept, or how to keep the next machine."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, Final

import pytest

from remuda.insight.facts import NodeFacts, facts_of
from remuda.model.autohold import Autohold, encode_autohold
from remuda.model.hold import Hold, HoldSource
from remuda.model.ids import NodeId
from remuda.model.node import NodeState
from remuda.store import paths
from remuda.store.api import Create, StoreAwayError
from requestor.commands import keeping_hint
from requestor.commands.keeping_hint import tell_held, tell_kept
from tests.fakes.clock import ManualClock
from tests.support.commands import CommandHarness
from tests.support.keeping import NOW_S, Granting

WAITING: Final = Autohold(
    id="a1",
    owner="ada",
    reason="flaky",
    count=1,
    for_s=60.0,
    made_s=1.0,
    until_s=1e10,
    label="sm*",
)
HELD: Final = Hold(
    owner="ada",
    reason="flaky",
    source=HoldSource.AUTOHOLD,
    for_s=60.0,
    since_s=NOW_S,
    ends_s=NOW_S + 60.0,
    autohold="a1",
)


@dataclass
class Told:
    """Remembers what is told."""

    said: list[tuple[str, str, dict[str, Any]]] = field(default_factory=list)

    def tell(self, event: str, sentence: str, /, **facts: Any) -> None:
        """Remember it."""
        self.said.append((event, sentence, facts))


@dataclass
class Failed:
    """A node whose command has failed."""

    id: NodeId
    label: str
    facts: NodeFacts


class Bench:
    """An installation with one node that was given back after a failure."""

    def __init__(self, state: NodeState) -> None:
        self.harness, self.told = CommandHarness(), Told()
        self.launcher = self.harness.launcher
        self.id = self.launcher.ready_node("small", state=state, requestor="ci-1")
        self.launcher.store.ensure(paths.AUTOHOLDS)

    def waits(self, one: Autohold = WAITING) -> None:
        """Put an autohold on record."""
        path = paths.autohold(one.id)
        self.launcher.store.commit([Create(path=path, data=encode_autohold(one))])

    def tell(self, *, during: Callable[[], None] = lambda: None) -> list[str]:
        """Tell what became of the node; something happens once it was looked at."""
        self._tell(tell_kept, during)
        return [event for event, _, _ in self.told.said]

    def tell_held(self, *, during: Callable[[], None] = lambda: None) -> tuple[str, dict[str, Any]]:
        """Tell for how long the node is held, for which an hour was wished."""
        self._tell(partial(tell_held, for_s=3600.0), during)
        ((event, sentence, facts),) = self.told.said
        assert event == "held"
        return sentence, facts

    def _tell(self, teller: Callable[..., None], during: Callable[[], None]) -> None:
        node = Failed(self.id, "small", facts_of(self.launcher.read_node(self.id)))
        store, clock = self.harness.zookeeper.connect(), ManualClock()
        read = store.read

        def looked(path: str) -> Any:
            found = read(path)
            during()
            clock.advance(1.0)
            return found

        store.read = looked  # type: ignore[method-assign]
        teller(self.told, store, clock, [node])


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Look again at once."""
    monkeypatch.setattr(keeping_hint, "LOOK_S", 0.001)


def test_a_machine_that_an_autohold_keeps_is_said_once_it_is_held() -> None:
    """Its launcher may take a moment."""
    bench = Bench(NodeState.USED)
    bench.waits()

    def keep() -> None:
        Granting(bench.launcher).put(bench.id, HELD)
        bench.launcher.set_state(bench.id, NodeState.HOLD)

    assert bench.tell(during=keep) == ["kept"]
    (_, sentence, facts) = bench.told.said[0]
    assert sentence == (
        f"node {bench.id} is kept by autohold a1: remuda ssh {bench.id}; remuda release {bench.id}"
    )
    assert facts == {"node": bench.id, "autohold": "a1", "ends_at_s": NOW_S + 60.0}


@pytest.mark.parametrize("state", [NodeState.USED, NodeState.DELETING])
def test_of_a_machine_that_is_not_kept_it_is_said_how_to_keep_the_next(state: NodeState) -> None:
    """Though an autohold waits for it; who waits for a launcher does not for long."""
    bench = Bench(state)
    bench.waits()
    assert bench.tell() == ["hint"]
    assert "`remuda autohold add --label small --reason WHY`" in bench.told.said[0][1]


def test_nobody_waits_for_a_launcher_if_no_autohold_means_the_failure() -> None:
    """Another label's, or one that is over."""
    bench = Bench(NodeState.USED)
    bench.waits(Autohold(**{**_fields(WAITING), "label": "big"}))
    bench.waits(Autohold(**{**_fields(WAITING), "id": "a2", "until_s": 2.0}))

    def never() -> None:
        raise AssertionError("nobody had to look")

    assert bench.tell(during=never) == ["hint"]


def _fields(one: Autohold) -> dict[str, Any]:
    return {name: getattr(one, name) for name in Autohold.__slots__}


def test_what_cannot_be_known_is_not_told() -> None:
    """The exit code of the command is all that counts."""
    bench = Bench(NodeState.USED)
    bench.waits()

    def away() -> None:
        raise StoreAwayError("gone")

    assert bench.tell(during=away) == []
    told = Told()
    tell_kept(told, bench.launcher.store, ManualClock(), [])  # type: ignore[arg-type]
    assert told.said == []


GRANTED: Final = replace(HELD, source=HoldSource.REQUESTOR, autohold=None)
BOUNDED: Final = "no hold is longer than 1m (max-hold-age)"


@pytest.mark.parametrize(
    ("hold", "how", "seconds"),
    [
        (replace(GRANTED, for_s=3600.0001), "1h", 3600),
        (replace(GRANTED, bounded=BOUNDED), f"1m ({BOUNDED})", 60),
    ],
)
def test_of_a_machine_that_was_set_held_it_is_said_what_was_granted(
    hold: Hold, how: str, seconds: int
) -> None:
    """Not what was wished; its launcher may take a moment."""
    bench = Bench(NodeState.HOLD)
    sentence, facts = bench.tell_held(during=lambda: Granting(bench.launcher).put(bench.id, hold))
    assert sentence.startswith(f"node {bench.id} is held for {how}: remuda ssh {bench.id}; ")
    assert (facts["seconds"], facts["ends_at_s"]) == (seconds, hold.ends_s)
    assert facts["bounded"] == hold.bounded


@pytest.mark.parametrize("fault", [None, StoreAwayError("gone")])
def test_what_was_wished_is_called_so_if_no_launcher_has_answered(
    fault: StoreAwayError | None,
) -> None:
    """Whoever waits does not wait for long, and the machine is held all the same."""
    bench = Bench(NodeState.HOLD)

    def look() -> None:
        if fault is not None:
            raise fault

    sentence, facts = bench.tell_held(during=look)
    assert "is held for 1h, as wished; its launcher has not answered yet" in sentence
    assert (facts["seconds"], facts["ends_at_s"], facts["bounded"]) == (3600.0, None, None)

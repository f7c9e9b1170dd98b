"""What is said after a failed run: what an autohold has kept, or how to keep the next machine."""

import os
import signal
import threading
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, Final

import pytest
from click.testing import Result

from remuda.insight.facts import NodeFacts, facts_of
from remuda.model.autohold import Autohold, encode_autohold
from remuda.model.hold import Hold, HoldSource
from remuda.model.ids import NodeId
from remuda.model.node import NodeState
from remuda.store import paths
from remuda.store.api import Create, StoreAwayError
from requestor.commands import ending as ending_module
from requestor.commands import keeping_hint
from requestor.commands.ending import Ending
from requestor.commands.keeping_hint import HeldTeller, tell_kept
from requestor.commands.run import run
from requestor.commands.streams import PlainReporter
from requestor.nodes import LeasedNode
from tests.fakes.clock import ManualClock
from tests.fakes.store import FakeStore
from tests.support.commands import CommandHarness
from tests.support.deadline import wait_for
from tests.support.keeping import NOW_S, Granting

#: Of a wait for something that comes at once, but for a machine that is busy.
DEADLINE_S: Final = 60.0
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

    def tell(self, *, during: Callable[[], None] = lambda: None, me: str = "ci-1") -> list[str]:
        """Tell what became of the node; something happens once it was looked at."""
        self._tell(partial(tell_kept, me=me), during)
        return [event for event, _, _ in self.told.said]

    def tell_held(self, *, during: Callable[[], None] = lambda: None) -> tuple[str, dict[str, Any]]:
        """Tell for how long the node is held, for which an hour was wished."""
        self._tell(_ask, during)
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


def _ask(told: Told, store: FakeStore, clock: ManualClock, nodes: list[Any]) -> HeldTeller:
    """Tell for how long nodes are held, for which an hour was wished."""
    teller = HeldTeller(told, store, clock, for_s=3600.0)  # type: ignore[arg-type]
    for node in nodes:
        teller.add(node)
    teller.ask()
    teller.say_rest()
    return teller


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Look again at once."""
    monkeypatch.setattr(keeping_hint, "LOOK_S", 0.001)


@pytest.mark.parametrize(
    ("me", "whose"), [("ada", ": remuda ssh {id}; remuda release {id}"), ("ci-1", ", for ada")]
)
def test_a_machine_that_an_autohold_keeps_is_said_once_it_is_held(me: str, whose: str) -> None:
    """Its launcher may take a moment; how to get there, only to whom it is kept for."""
    bench = Bench(NodeState.USED)
    bench.waits()

    def keep() -> None:
        Granting(bench.launcher).put(bench.id, HELD)
        bench.launcher.set_state(bench.id, NodeState.HOLD)

    assert bench.tell(during=keep, me=me) == ["kept"]
    (_, sentence, facts) = bench.told.said[0]
    assert sentence == f"node {bench.id} is kept by autohold a1{whose.format(id=bench.id)}"
    assert facts == {
        "node": bench.id,
        "autohold": "a1",
        "owner": "ada",
        "ends_at_s": NOW_S + 60.0,
    }


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
    store = bench.launcher.store
    tell_kept(told, store, ManualClock(), [], me="ci-1")  # type: ignore[arg-type]
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


class SeveralHeld:
    """Machines that are set held, and whoever tells of them; reads are counted."""

    def __init__(self, count: int) -> None:
        self.harness, self.told, self.clock = CommandHarness(), Told(), ManualClock()
        self.reads, self.during = list[str](), dict[str, Callable[[], None]]()
        launcher = self.harness.launcher
        ids = [launcher.ready_node("small", state=NodeState.HOLD) for _ in range(count)]
        self.nodes = [Failed(one, "small", facts_of(launcher.read_node(one))) for one in ids]
        self.store = self.harness.zookeeper.connect()
        read = self.store.read

        def looked(path: str) -> Any:
            self.reads.append(path)
            self.during.get(path, lambda: None)()
            return read(path)

        self.store.read = looked  # type: ignore[method-assign]

    def answer(self, index: int, hold: Hold = GRANTED) -> None:
        """Let the launcher of one answer."""
        Granting(self.harness.launcher).put(self.nodes[index].id, hold)

    def when_read(self, index: int, happens: Callable[[], None]) -> None:
        """Let something happen whenever the record of one is read."""
        self.during[paths.node(self.nodes[index].id)] = happens

    def ask(self) -> HeldTeller:
        """Tell of them all."""
        return _ask(self.told, self.store, self.clock, self.nodes)

    def said(self) -> list[tuple[int, bool]]:
        """Return of which something was said, in order, and whether it was granted."""
        index = {one.id: place for place, one in enumerate(self.nodes)}
        return [
            (index[facts["node"]], facts["ends_at_s"] is not None) for _, _, facts in self.told.said
        ]


def _away() -> None:
    raise StoreAwayError("gone")


def test_zookeeper_is_waited_for_once() -> None:
    """Not once for each machine: all are told of, as they are held."""
    bench = SeveralHeld(3)
    bench.answer(0)
    bench.answer(2)
    bench.when_read(1, _away)
    bench.ask()
    assert bench.said() == [(0, True), (1, False), (2, False)]
    assert bench.reads.count(paths.node(bench.nodes[2].id)) == 0


def test_a_launch_that_cannot_be_read_says_nothing_of_the_others() -> None:
    """It is told of as wished, and the next one as it was granted."""
    bench = SeveralHeld(2)
    bench.answer(1)
    path = paths.launch("alpha", bench.nodes[0].id)
    bench.harness.launcher.store.ensure(path)
    bench.ask()
    assert bench.said() == [(0, False), (1, True)]


def test_who_has_answered_is_told_of_before_those_who_have_not() -> None:
    """Each at once; nobody looks for longer than launchers take."""
    bench = SeveralHeld(3)
    bench.answer(1)

    def pass_by() -> None:
        bench.clock.advance(keeping_hint.DECIDED_S / 2)

    bench.when_read(2, pass_by)
    bench.ask()
    assert bench.said() == [(1, True), (0, False), (2, False)]
    assert bench.reads.count(paths.node(bench.nodes[0].id)) == 2


def test_who_is_asked_to_end_tells_what_is_known() -> None:
    """On another thread, while a read lasts; nothing is waited for any more, or said twice."""
    bench = SeveralHeld(2)
    teller = HeldTeller(bench.told, bench.store, bench.clock, for_s=3600.0)  # type: ignore[arg-type]
    first, second = bench.nodes
    teller.add(first)  # type: ignore[arg-type]

    def asked() -> None:
        thread = threading.Thread(target=teller.say_rest)
        thread.start()
        thread.join()
        assert bench.said() == [(0, False)]

    bench.answer(0)
    bench.when_read(0, asked)
    teller.ask()
    teller.add(second)  # type: ignore[arg-type]
    assert bench.said() == [(0, False), (1, False)]
    teller.ask()
    teller.say_rest()
    assert len(bench.said()) == 2
    assert bench.reads.count(paths.node(second.id)) == 0


def _failing_run() -> Result:
    """Run a command on two machines that fails there, and have them held."""
    harness = CommandHarness()
    harness.launcher.register("small")
    harness.answer, harness.code = harness.launcher.lend, 2
    return harness.call(run, "small", "--count", "2", "--hold-on-failure=1h", "--", "x")


def test_a_run_that_a_signal_ends_says_what_it_has_set_held(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Also while the next machine is set held, which takes long if ZooKeeper is away."""
    ending = Ending(grace_s=3600.0, leave=lambda _number, _why: None)
    told: list[str] = []
    held: list[str] = []
    tell, hold = PlainReporter.tell, LeasedNode.hold

    def telling(reporter: PlainReporter, event: str, sentence: str, /, **facts: Any) -> None:
        tell(reporter, event, sentence, **facts)
        told.extend([facts["node"]] if event == "held" else [])

    def holding(node: LeasedNode, *words: Any, **more: Any) -> None:
        if held:
            os.kill(os.getpid(), signal.SIGTERM)
            wait_for(lambda: told == held, DEADLINE_S, "the first machine's line")
        hold(node, *words, **more)
        held.append(node.id)

    monkeypatch.setattr(ending_module, "Ending", lambda: ending)
    monkeypatch.setattr(PlainReporter, "tell", telling)
    monkeypatch.setattr(LeasedNode, "hold", holding)
    try:
        done = _failing_run()
    finally:
        ending.close()  # it listens until the process has ended, otherwise
    assert done.exit_code == 128 + signal.SIGTERM, done.stderr
    assert (told, len(held)) == (held, 2)


def test_a_run_that_cannot_hold_all_its_machines_says_which_are_held(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Without a look: ZooKeeper has been waited for already."""
    held: list[str] = []
    hold = LeasedNode.hold

    def holding(node: LeasedNode, *words: Any, **more: Any) -> None:
        if held:
            raise StoreAwayError("gone")
        hold(node, *words, **more)
        held.append(node.id)

    def never(*_words: object) -> None:
        raise AssertionError("nobody had to look")

    monkeypatch.setattr(LeasedNode, "hold", holding)
    monkeypatch.setattr(HeldTeller, "ask", never)
    done = _failing_run()
    assert done.exit_code == 3, done.stderr
    assert f"node {held[0]} is held for 1h, as wished" in done.stderr
    assert done.stderr.count(" is held for ") == 1

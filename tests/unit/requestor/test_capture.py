"""Having an image made of a node: asked under its lock, and followed to the snapshot."""

from dataclasses import replace
from typing import Any, Final

import pytest

from remuda.images.capturefate import Fate, fate_of, may_ask_again
from remuda.model.build import BuildState
from remuda.model.capture import Capture, CaptureAsk, ask_of
from remuda.model.ids import NodeId, ReplicaId
from remuda.model.launch import Launch, Step
from remuda.model.node import NodeState
from remuda.runtime.clock import SystemClock
from remuda.store import paths
from remuda.store.api import Delete, StoreAwayError
from requestor import capturing
from requestor.capturing import CaptureWatch
from requestor.errors import (
    CaptureFailedError,
    CaptureTimeoutError,
    InvalidOptionsError,
    NodesLostError,
    RequestorError,
)
from requestor.nodes import LeasedNode
from tests.support.capturing import (
    BUILD,
    Answering,
    Step_,
    begin,
    build,
    fail,
    keep,
    make,
    nothing,
    refuse,
    take,
)
from tests.unit.requestor.conftest import Bench


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Look again at once."""
    monkeypatch.setattr(capturing, "LOOK_S", 0.001)


def held(bench: Bench, *steps: Step_) -> LeasedNode:
    """Return a node of ours, with who answers."""
    pending = bench.client.request("small")
    bench.launcher.lend(pending.id)
    (node,) = pending.accept()
    Answering(bench.launcher, *steps).watch(bench.store)
    return node


def test_a_capture_is_waited_for_until_there_is_a_snapshot(bench: Bench) -> None:
    """Then the node is ours still, and can be given back."""
    node = held(bench, nothing, take, begin, make, keep)
    assert bench.client.capture(node, "oneiric") == "oneiric/3"
    ask = ask_of(bench.launcher.read_node(node.id))
    assert ask is not None
    assert (ask.image, ask.contender) == ("oneiric", node.taken.contender.rpartition("/")[2])
    assert node.valid
    node.release()
    assert bench.launcher.read_node(node.id).state is NodeState.USED


@pytest.mark.parametrize(
    ("steps", "refused", "why"),
    [
        ((take, refuse), True, "is not made: label small is none of those"),
        ((take, begin, fail), False, "failed: checks-before: it is not whole"),
        ((take, lambda one: one.launch(build=BUILD)), False, "is not on record any more"),
        ((), False, "the node is gone"),
    ],
)
def test_what_comes_to_nothing_is_said(
    bench: Bench, steps: tuple[Step_, ...], *, refused: bool, why: str
) -> None:
    """With the rule that it breaks, or what failed."""
    node = held(bench, *steps)
    with pytest.raises(CaptureFailedError, match=why) as caught:
        node.capture("oneiric")
    assert caught.value.refused is refused
    assert node.valid


def test_who_does_not_wait_hears_the_answer(bench: Bench) -> None:
    """If there is one: a rule that is broken is not found out later."""
    assert held(bench, nothing, take).capture("oneiric", wait=False) == ""
    assert held(bench, make).capture("oneiric", wait=False) == "oneiric/3"
    with pytest.raises(CaptureFailedError):
        held(bench, refuse).capture("oneiric", wait=False)


def test_who_asks_again_is_refused_and_leaves_the_first(bench: Bench) -> None:
    """As the command; once it has failed with the machine as it was, another one is written."""
    node = held(bench, make)
    node.capture("oneiric", wait=False)
    first = ask_of(bench.launcher.read_node(node.id))
    with pytest.raises(CaptureFailedError, match="already, or was") as caught:
        node.capture("oneiric")
    assert caught.value.refused
    assert ask_of(bench.launcher.read_node(node.id)) == first
    answering = Answering(bench.launcher)
    answering.node = node.id
    fail(answering)
    answering.steps = [keep]
    answering.watch(bench.store)
    assert node.capture("oneiric") == "oneiric/3"
    assert ask_of(bench.launcher.read_node(node.id)) != first


def test_time_is_not_endless(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """The capture goes on, as long as the node is held."""
    with pytest.raises(CaptureTimeoutError, match="b1 makes it"):
        held(bench, make).capture("oneiric", timeout_s=0.0)
    monkeypatch.setattr("requestor.nodes.ANSWER_S", 0.0)
    assert held(bench, nothing).capture("oneiric", wait=False) == ""


def test_who_has_lost_its_node_waits_no_more(bench: Bench) -> None:
    """The launcher deletes the machine."""

    def lost(_: Answering) -> None:
        bench.store.wire.suspend()
        bench.store.wire.resume(expired=True)

    node = held(bench, take, lost, take, take)
    with pytest.raises(NodesLostError):
        node.capture("oneiric")


def test_a_node_that_is_not_ours_is_not_asked_for(bench: Bench) -> None:
    """Nor under a name that no image can have."""
    node = held(bench)
    with pytest.raises(InvalidOptionsError, match="is no name of an image"):
        node.capture("../x")
    bench.launcher.store.commit([Delete(path=node.taken.contender)])
    with pytest.raises(NodesLostError):
        node.capture("oneiric")
    given = held(bench)
    given.release()
    with pytest.raises(RequestorError, match="returned"):
        given.capture("oneiric")


def test_a_broken_record_is_said(bench: Bench) -> None:
    """Nothing else would ever come of it."""
    node = held(bench, lambda one: one.put(paths.launch("alpha", one.node), b"{"))
    with pytest.raises(RequestorError, match="cannot be read"):
        node.capture("oneiric")


def away(*_: object) -> Any:
    """Be away."""
    raise StoreAwayError("it is away")


def watched(bench: Bench, *steps: Step_) -> CaptureWatch:
    """Return what looks after a capture that was asked for."""
    node = held(bench)
    node.capture("oneiric", wait=False, timeout_s=0.0)
    Answering(bench.launcher, *steps).watch(bench.store)
    ask = ask_of(bench.launcher.read_node(node.id))
    assert ask is not None
    return CaptureWatch(bench.store, SystemClock(), provider="alpha", node=node.id, ask=ask)


def test_zookeeper_may_be_away_for_a_moment(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """But not for longer than the client waits."""
    monkeypatch.setattr("requestor.nodes.ANSWER_S", 0.0)
    monkeypatch.setattr("requestor.nodes.outcome_of", lambda *_: "")
    back = watched(bench, take, away, away, keep)
    assert back.wait(until_s=None, away_s=1e6).fate is Fate.KEPT
    gone = watched(bench, take, away)
    with pytest.raises(StoreAwayError):
        gone.wait(until_s=None, away_s=-1.0)


ASK: Final = CaptureAsk(image="oneiric", token="t1", contender="c", at_s=1.0)
LAUNCH: Final = Launch(
    id=NodeId("1"),
    pool="main",
    label="small",
    step=Step.DONE,
    owner=ReplicaId("r"),
    planned_s=1.0,
    asked_by_s=1.0,
)


def test_one_machine_is_captured_once() -> None:
    """Another ask waits for the launcher only if it can be answered."""
    other = Capture(ask=replace(ASK, token="t0"), requestor="x", build=BUILD)
    launch = replace(LAUNCH, capture=other)
    fate = fate_of(ASK, launch, build(BuildState.BUILT, quieted_s=1.0))
    assert (fate.fate, "already" in fate.why) == (Fate.REFUSED, True)
    assert fate_of(ASK, launch, build(BuildState.FAILED)).fate is Fate.ASKED
    assert fate_of(ASK, launch, None).fate is Fate.ASKED
    assert not may_ask_again(replace(other, build=None), None)
    assert may_ask_again(replace(other, build=None, refused="no"), None)

"""What becomes of records that cannot be used: set aside, answered, given back, mended."""

import json
from collections.abc import Sequence

import pytest

from launcher.claim.actions import AdoptClaim, Claim, DropClaim
from launcher.events import HandCrashed
from launcher.node.actions import Condemn, MakeReady, Probe
from launcher.node.proof import Access
from launcher.request.actions import Allocate, Decline, Normalise, Release, WriteVerdict
from remuda.cloud.api import Server, ServerStatus
from remuda.frame.set_aside import WARNINGS_MAX, kind_of
from remuda.insight.facts import SSH_PORT, facts_of
from remuda.model.ids import NodeId, RequestId, ServerId
from remuda.model.launch import Step
from remuda.model.node import NodeState
from remuda.model.status import Ruling
from remuda.runtime.now import Now
from remuda.store import paths
from remuda.store.api import Op, Put, Set, Stored
from tests.support.badrecords import (
    DOCS,
    NODE,
    PLACES,
    PROVIDER,
    REQUEST,
    SEEN,
    raw_of,
)
from tests.unit.launcher.reading import (
    FOLDED,
    Launcher,
    of_kind_of,
    right,
)
from tests.unit.launcher.works import Works
from tests.unit.launcher.worlds import (
    NOW,
    add_claim,
    add_node,
    add_request,
    know,
    of_kind,
    think,
    world,
)


def test_a_request_that_nobody_can_serve_is_declined_with_the_reason() -> None:
    """Its requestor hears of it at once; it is no use to wait."""
    one = Launcher()
    bad = raw_of({**DOCS["request"], "node_types": ["small"] * 1500})
    one.put({"request": bad})
    actions = one.turn()
    (decline,) = [action for action in actions if isinstance(action, Decline)]
    (rule,) = [action for action in actions if isinstance(action, WriteVerdict)]
    (written,) = [op for op in one.sent if op.path == PLACES["request"]]

    assert decline.request == REQUEST
    assert rule.verdict is not None
    assert (rule.verdict.ruling, rule.verdict.reason) == (
        Ruling.DECLINED,
        "node_types has 1500 entries, more than 250",
    )
    assert isinstance(written, Set)
    assert json.loads(written.data)["state"] == "failed"
    assert of_kind_of(actions, Allocate, Claim) == []


def test_an_unfit_request_that_lacks_keys_is_declined_not_completed() -> None:
    """Whoever completes it would write on what cannot be read, for ever."""
    one = Launcher()
    one.put({"request": raw_of({"state": "requested", "node_types": [7]})})
    actions = one.turn()

    assert len(of_kind_of(actions, Decline)) == 1
    assert of_kind_of(actions, Normalise) == []


def test_a_request_that_nobody_can_serve_is_left_to_other_programs_launchers() -> None:
    """Ours decline once; it fails when everybody has."""
    one = Launcher()
    one.put({"pool": raw_of(DOCS["pool"])})
    doc = {**DOCS["request"], "requestor": "r" * 2000}
    one.put({"request": raw_of(doc)})
    one.turn()
    (written,) = [op for op in one.sent if op.path == PLACES["request"]]
    assert isinstance(written, Set)
    after = json.loads(written.data)
    one.world.queue.views[REQUEST].busy = None
    one.put({"request": written.data}, version=2)

    assert (after["state"], after["declined_by"]) == ("requested", ["id-main"])
    assert after["requestor"] == doc["requestor"]
    assert of_kind_of(one.turn(), Decline) == []


def test_a_claimed_request_that_becomes_unfit_is_declined_with_its_claim() -> None:
    """The lock goes with it."""
    one = Launcher()
    view = add_request(one.world, 1, "small", state="pending")  # type: ignore[arg-type]
    add_claim(one.world, view)
    one.put({"request": raw_of({**DOCS["request"], "state": "pending", "nodes": [7]})}, version=4)
    one.turn()

    assert paths.claim(PROVIDER, REQUEST) in [op.path for op in one.sent]


def test_bad_requests_among_good_ones_do_not_keep_those_waiting() -> None:
    """Ready nodes go to who can have them."""
    one = Launcher()
    add_node(one.world, 5)
    good = add_request(one.world, 7, "small", priority="300")
    for number, bad in enumerate(bad for bad in SEEN if bad.kind == "request"):
        path = paths.request(RequestId(f"100-{number:010d}"))
        stored = Stored(path=path, value=bad.raw, version=1)
        one.fold.fold(Put(path=path, stored=stored), now_s=NOW.mono_s)
    for view in list(one.world.queue.views.values()):
        if view.request.unfit is None and view.id != good.id:
            one.world.queue.forget(view.id)  # not bad enough

    assert [allocate.request for allocate in of_kind(think(one.world), Allocate)] == [good.id]


def test_a_port_that_is_none_does_not_keep_a_node_from_being_looked_at() -> None:
    """Containers have a mapping there; the usual port is tried."""
    for port in ("22/tcp", 10**400, {}, -1, True, 70_000):
        one = Launcher()
        one.put({"launch": raw_of({**DOCS["launch"], "counted": "ok", "opened": None})})
        one.put({"node": raw_of({**DOCS["node"], "connection_port": port})})

        assert len(of_kind_of(one.turn(), Probe)) == 1
        node = one.world.nodes.views[NODE].node
        assert node is not None
        assert facts_of(node).port == SSH_PORT


def test_a_node_in_init_whose_machine_is_proven_is_condemned() -> None:
    """Nobody of ours writes that state, and no node comes from there to ready."""
    made = world()
    view = add_node(made, 1, step=Step.PROVING, state=NodeState.INIT)
    know(view, access=Access.PROVEN)
    view.server.shown = Server(id=ServerId("server-1"), name="np", status=ServerStatus.ACTIVE)
    plan = think(made)

    assert [one.node for one in of_kind(plan, Condemn)] == [view.id]
    assert of_kind(plan, MakeReady) == []


def test_a_status_that_turns_unreadable_does_not_stand_for_the_old_one() -> None:
    """Nobody may count on what a provider said long ago."""
    one = Launcher()
    one.put(right())
    known = dict(one.world.peers.statuses)
    one.put({"status": raw_of({**DOCS["status"], "schema": 2}), "pool": b"{"})

    assert list(known) == ["there"]
    assert one.world.peers.statuses == {}
    assert PLACES["pool"] not in one.world.peers.pools


def test_a_launcher_lives_whatever_its_record_says() -> None:
    """Else its nodes would be taken over while it works on them."""
    one = Launcher()
    one.put({"replica": raw_of({**DOCS["replica"], "pid": float("nan")})})

    assert one.world.peers.provider_alive("there")
    assert one.metrics.aside == ["replica"]


def test_a_claim_that_cannot_be_read_is_given_back() -> None:
    """Under proof that nobody holds the lock: else the request would wait for ever."""
    one = Launcher()
    request = raw_of({**DOCS["request"], "state": "pending"})
    one.put({"request": request, "claim": b"rubbish"})
    actions = one.turn()
    names = [(type(op).__name__, op.path) for op in one.sent if "requests" in op.path]

    assert [type(one) for one in of_kind_of(actions, Release, DropClaim, AdoptClaim)] == [Release]
    assert ("Create", paths.request_lock(REQUEST)) in names
    assert ("Delete", paths.request_lock(REQUEST)) in names
    assert ("Set", PLACES["request"]) in names


def test_rubbish_over_a_claim_and_a_launch_is_mended_by_the_next_write() -> None:
    """We know what they said; only their versions are new."""
    one = Launcher()
    one.put(right())
    one.put({"claim": b"rubbish", "launch": b"rubbish"}, version=9)
    claim, view = one.world.queue.claims[REQUEST], one.world.nodes.views[NODE]

    assert (claim.pool, claim.version) == ("main", 9)
    assert (view.launch is not None, view.launch_version) == (True, 9)


def test_a_launch_of_a_newer_schema_is_not_overwritten() -> None:
    """Another version of ours knows what it means."""
    one = Launcher()
    one.put(right())
    one.put({"launch": raw_of({**DOCS["launch"], "schema": 3})}, version=9)

    assert one.world.nodes.views[NODE].launch_version == 1
    assert one.world.nodes.unreadable == {NODE}


def test_warnings_are_few_and_short_however_many_records_are_bad() -> None:
    """The metric counts all of them."""
    one = Launcher()
    for number in range(WARNINGS_MAX + 50):
        path = paths.request(RequestId(f"200-{number:010d}" + "x" * 900))
        stored = Stored(path=path, value=b'"' + b"x" * 5000 + b'"', version=1)
        for _ in range(2):
            one.fold.fold(Put(path=path, stored=stored), now_s=1.0)

    assert len(one.log.warnings) == WARNINGS_MAX + 1
    assert max(len(str(warning)) for warning in one.log.warnings) < 1000
    assert len(one.metrics.aside) == 2 * (WARNINGS_MAX + 50)


def test_an_error_that_nobody_foresaw_is_loud_and_ends_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A bug of ours in a decoder: told once with its traceback, counted each time."""

    def buggy(_node: NodeId, _raw: bytes) -> None:
        raise ZeroDivisionError("a bug of ours")

    monkeypatch.setattr("launcher.node.fold.launch.decode", buggy)
    one = Launcher()
    for version in range(3):
        one.put({"launch": raw_of(DOCS["launch"])}, version)
    one.put({"request": raw_of(DOCS["request"])})
    (told,) = one.log.errors

    assert one.metrics.bugs == ["launch"] * 3
    assert (told["event"], told["path"]) == ("record.unforeseen", PLACES["launch"])
    assert "ZeroDivisionError: a bug of ours" in told["why"]
    assert "Traceback" in told["why"]
    assert list(one.world.queue.views) == [REQUEST]


def test_an_action_that_cannot_be_started_holds_nothing_for_ever() -> None:
    """It is tried again later; nothing else waits for it."""
    made = world()
    works = Works(made)
    view, ready = add_request(made, 1), add_node(made, 5)
    claim = add_claim(made, view)
    works.hear(HandCrashed(action=Allocate(request=view.id, nodes=(ready.id,)), why="bug"), NOW)

    assert (view.busy, ready.busy) == (None, None)
    assert view.retry_s == claim.retry_s > NOW.mono_s
    assert of_kind(think(made), Allocate) == []


def test_a_verdict_that_cannot_be_written_is_given_up_and_disturbs_nothing() -> None:
    """The same words are not tried again and again; what else befalls the request goes on."""
    made = world(pools={"main": {"max-servers": 1}})
    works = Works(made)
    add_node(made, 1, allocated_to="200-0000000009")
    view = add_request(made, 1)
    after = Now(wall_s=NOW.wall_s + 1.0, mono_s=NOW.mono_s + 1.0)
    (written,) = of_kind(think(made, after), WriteVerdict)
    view.busy, retry_s = "claim", view.retry_s

    works.hear(HandCrashed(action=written, why="bug"), NOW)
    undisturbed = (view.busy, view.retry_s)
    view.busy = None
    again = of_kind(think(made, after), WriteVerdict)
    works.hear(HandCrashed(action=WriteVerdict(request=view.id, verdict=None), why="bug"), NOW)

    assert undisturbed == ("claim", retry_s)
    assert again == []
    assert view.id not in made.told_verdicts


def test_what_could_not_be_sent_is_not_waited_for() -> None:
    """Else nothing would be started any more."""
    one = Launcher()
    add_node(one.world, 5)
    add_request(one.world, 1, "small")
    add_request(one.world, 2, "large")

    def refuse(_ops: Sequence[Op], _done: object) -> None:
        raise UnicodeEncodeError("utf-8", "\ud800", 0, 1, "a bug of ours")

    one.works.starter.writer.sender.ground.store.commit_later = refuse  # type: ignore[method-assign]
    plan = think(one.world)
    for action in of_kind(plan, Allocate, Claim):
        with pytest.raises(UnicodeEncodeError):
            one.works.starter.start(action, NOW)

    assert len(of_kind(plan, Allocate, Claim)) == 2
    assert (one.world.allocating, one.world.growing) == ({}, 0)


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        *((PLACES[kind], kind.removeprefix("builder's ")) for kind in FOLDED),
        (paths.ledger("here"), "other"),
        ("/remuda/providers", "other"),
        ("/x", "other"),
    ],
)
def test_records_are_counted_by_kind(path: str, kind: str) -> None:
    """A few words, whatever the path."""
    assert kind_of(path) == kind

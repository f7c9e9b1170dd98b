"""`remuda release` and `remuda ssh`: ours at once, a stranger's only by force."""

from dataclasses import replace
from typing import Any, Final

import pytest

from remuda.model.hold import Hold, HoldSource
from remuda.model.ids import NodeId, RequestId
from remuda.model.jobreport import report_of
from remuda.model.node import NodeState
from remuda.model.request import RequestState
from remuda.store import paths
from remuda.store.api import Create, NotPermittedError, StoreAwayError, StoreError
from requestor import keys
from requestor.commands.kept_nodes import KEPT
from requestor.commands.release import release
from requestor.commands.request import request
from requestor.commands.ssh import ssh
from requestor.context import default_requestor
from tests.support.commands import CommandHarness
from tests.support.keeping import Granting


@pytest.fixture
def harness() -> CommandHarness:
    """A harness whose launcher lends at once."""
    one = CommandHarness()
    one.launcher.register("small", "big")
    one.answer = one.launcher.lend
    return one


def the_nodes(harness: CommandHarness) -> list[NodeState]:
    """Return the states of all nodes, by id."""
    names = harness.launcher.store.children(paths.NODES)
    return [harness.launcher.read_node(name).state for name in names]


def test_release_cancels_a_request(harness: CommandHarness) -> None:
    """In any state."""
    made = harness.call(request, "small").stdout.strip()
    assert harness.launcher.read_request(made).state is RequestState.FULFILLED

    assert harness.json(release, made) == [{"request": made, "cancelled": True, "owner": None}]
    result = harness.call(release, made)
    assert result.exit_code == 2
    assert "there is no request" in result.stderr


def test_release_leaves_a_strangers_request(harness: CommandHarness) -> None:
    """Whose it is, is said; --force means it, and says whose it was."""
    made = harness.call(request, "small", "--requestor", "ci@build").stdout.strip()
    result = harness.call(release, made, "--requestor", "ada@laptop")

    assert result.exit_code == 2
    assert f"request {made} is of ci@build, not of ada@laptop; --force cancels" in result.stderr
    assert harness.launcher.read_request(made).requestor == "ci@build"
    forced = harness.call(release, made, "--requestor", "ada@laptop", "--force")
    assert forced.stdout == f"request {made}, of ci@build, is cancelled\n"
    assert harness.launcher.store.children(paths.REQUESTS) == ()


def test_release_leaves_a_request_that_cannot_be_read(harness: CommandHarness) -> None:
    """Nobody knows whose it is."""
    path = paths.request(RequestId("200-0000000007"))
    harness.launcher.store.commit([Create(path=path, data=b"[")])
    result = harness.call(release, "200-0000000007")

    assert result.exit_code == 2
    assert "the record of request 200-0000000007 is broken; --force cancels" in result.stderr
    assert harness.call(release, "200-0000000007", "--force").exit_code == 0
    assert harness.launcher.store.children(paths.REQUESTS) == ()


def test_who_we_are_may_stand_in_the_environment(
    harness: CommandHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Several people's jobs on one machine, or one person's on several."""
    monkeypatch.setenv("REMUDA_REQUESTOR", "team")
    made = harness.call(request, "small").stdout.strip()

    assert harness.launcher.read_request(made).requestor == "team"
    assert harness.call(release, made).exit_code == 0


KEEPING = {"remuda": {KEPT: True}}


def test_release_gives_held_and_kept_nodes_back(harness: CommandHarness) -> None:
    """Nobody works on those; a node may be held for another one than who asked."""
    me = default_requestor()
    held = harness.launcher.ready_node(state=NodeState.HOLD, requestor=me)
    for_us = harness.launcher.ready_node(state=NodeState.HOLD, requestor="ci", hold_job=me)
    kept = harness.launcher.ready_node(state=NodeState.IN_USE, requestor=me, user_data=KEEPING)

    assert harness.call(release, held, for_us, kept).exit_code == 0
    assert the_nodes(harness) == [NodeState.USED] * 3


def test_release_leaves_a_machine_that_is_held_for_another(harness: CommandHarness) -> None:
    """Also to who had it in use: its launcher says for whom it is held."""
    me = default_requestor()
    theirs = harness.launcher.ready_node(state=NodeState.HOLD, requestor=me, hold_job="ada")
    claimed = harness.launcher.ready_node(state=NodeState.HOLD, requestor=me, hold_job=me)
    hold = Hold(owner="ada", reason="", source=HoldSource.AUTOHOLD, for_s=60.0)
    Granting(harness.launcher).put(NodeId(claimed), replace(hold, since_s=1.0, ends_s=2.0))
    for node in (theirs, claimed):
        result = harness.call(release, node)
        assert result.exit_code == 2
        assert f"node {node} is held for ada, not {me}; --force takes it away" in result.stderr
    forced = harness.call(release, claimed, "--force")
    assert forced.stdout == f"node {claimed} was held, of ada, and is given back\n"


#: What a launcher says of a node that an autohold of ada keeps.
FOR_ADA: Final = Hold(
    owner="ada",
    reason="flaky",
    source=HoldSource.AUTOHOLD,
    for_s=60.0,
    since_s=1.0,
    ends_s=61.0,
    autohold="a1",
)


def test_whoever_did_the_work_reports_of_it(harness: CommandHarness) -> None:
    """Though the machine is held for somebody else, so that it takes force to give it back."""
    node = harness.launcher.ready_node(state=NodeState.HOLD, requestor="ci", hold_job="ada")
    Granting(harness.launcher).put(NodeId(node), FOR_ADA)
    words = (node, "--failed", "exit code 2", "--force")

    stranger = harness.call(release, *words, "--requestor", "bob")
    assert stranger.exit_code == 2
    assert f"only ci reports how it went on node {node}" in stranger.stderr
    done = harness.call(release, *words, "--requestor", "ci")
    assert done.stdout == f"node {node} was held, of ada, and is given back\n"
    report = report_of(harness.launcher.read_node(node))
    assert report is not None
    assert report.why == "exit code 2"


def _closed(harness: CommandHarness, error: StoreError, *, after: int = 0) -> None:
    """Let launch records be read so often, and then not any more."""
    connect, looks = harness.zookeeper.connect, [0]

    def watched() -> Any:
        store = connect()
        read = store.read

        def looked(path: str) -> Any:
            if path.startswith(f"{paths.launches('alpha')}/"):
                looks[0] += 1
                if looks[0] > after:
                    raise error
            return read(path)

        store.read = looked  # type: ignore[method-assign]
        return store

    harness.zookeeper.connect = watched  # type: ignore[method-assign]


def test_what_is_given_back_is_said_without_another_look(harness: CommandHarness) -> None:
    """ZooKeeper may go away once it is done: whose the node was is known by then."""
    node = harness.launcher.ready_node(state=NodeState.HOLD, requestor="ci", hold_job="ci")
    Granting(harness.launcher).put(NodeId(node), FOR_ADA)
    _closed(harness, StoreAwayError("gone"), after=1)

    done = harness.call(release, node, "--requestor", "bob", "--force")
    assert done.exit_code == 0, done.stderr
    assert done.stdout == f"node {node} was held, of ada, and is given back\n"


def test_who_may_not_read_launches_goes_by_the_node(
    harness: CommandHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An installation may close them to requestors."""
    monkeypatch.setenv("PATH", "/nowhere")
    own = harness.launcher.ready_node(state=NodeState.HOLD, requestor="ci", hold_job="ada")
    Granting(harness.launcher).put(NodeId(own), FOR_ADA)
    _closed(harness, NotPermittedError(paths.launch("alpha", own)))

    visit = harness.call(ssh, own, "--requestor", "ada")
    assert "there is no ssh on this machine" in visit.stderr
    theirs = harness.call(release, own, "--requestor", "bob")
    assert f"node {own} is held for ada, not bob" in theirs.stderr
    assert harness.call(release, own, "--requestor", "ada").exit_code == 0


def test_release_gives_back_what_zuul_holds_for_a_job(harness: CommandHarness) -> None:
    """Nobody is called as the job, so that Zuul's own name counts."""
    me = default_requestor()
    zuul = {"zuul_system": "x"}
    held = harness.launcher.ready_node(
        state=NodeState.HOLD, requestor=me, hold_job="unit", user_data=zuul
    )
    assert harness.call(release, held).exit_code == 0


@pytest.mark.parametrize(
    ("words", "said"),
    [(("--ok",), (True, "")), (("--failed", "exit code 2"), (False, "exit code 2"))],
)
def test_release_may_say_how_it_went(
    harness: CommandHarness, words: tuple[str, ...], said: tuple[bool, str]
) -> None:
    """In the same transaction that gives the node back."""
    me = default_requestor()
    kept = harness.launcher.ready_node(state=NodeState.IN_USE, requestor=me, user_data=KEEPING)

    assert harness.call(release, kept, *words).exit_code == 0
    report = report_of(harness.launcher.read_node(kept))
    assert report is not None
    assert (report.ok, report.why) == said


def test_release_refuses_a_report_that_makes_no_sense(harness: CommandHarness) -> None:
    """Both at once, of a request, or of a stranger's work."""
    theirs = harness.launcher.ready_node(state=NodeState.HOLD, requestor="ci@build")
    for words, sentence in (
        (("1", "--ok", "--failed", "x"), "either --ok or --failed"),
        (("200-0000000007", "--ok"), "200-0000000007 is a request: no work was done on it"),
        ((theirs, "--force", "--ok"), f"only ci@build reports how it went on node {theirs}"),
    ):
        result = harness.call(release, *words)
        assert result.exit_code == 2
        assert sentence in result.stderr
    assert the_nodes(harness) == [NodeState.HOLD]


@pytest.mark.parametrize(
    ("state", "fields", "sentence"),
    [
        (NodeState.HOLD, {"requestor": "ci@build"}, "is held for ci@build, not {me}; --force"),
        (
            NodeState.HOLD,
            {"requestor": "ci@build", "hold_job": "ada@laptop"},
            "is held for ada@laptop, not {me}; --force",
        ),
        (NodeState.HOLD, {}, "is held for somebody, not {me}; --force"),
        (NodeState.HOLD, {"requestor": 7, "hold_job": ""}, "is held for somebody, not {me}"),
        (
            NodeState.IN_USE,
            {"requestor": "ci@build", "user_data": KEEPING},
            "is kept by ci@build, not {me}; --force",
        ),
        (NodeState.IN_USE, {"user_data": KEEPING}, "is kept by somebody, not {me}; --force"),
    ],
)
def test_release_leaves_a_strangers_node(
    harness: CommandHarness, state: NodeState, fields: dict[str, object], sentence: str
) -> None:
    """Whose it is, is said; --force means it, and says whose it was."""
    node_id = harness.launcher.ready_node(state=state, **fields)
    result = harness.call(release, node_id)
    owner = sentence.split()[3].rstrip(",")

    assert result.exit_code == 2
    assert sentence.format(me=default_requestor()) in result.stderr
    assert harness.launcher.read_node(node_id).state is state
    forced = harness.call(release, node_id, "--force")
    assert forced.stdout == f"node {node_id} was {state.said}, of {owner}, and is given back\n"
    assert harness.launcher.read_node(node_id).state is NodeState.USED


@pytest.mark.parametrize(
    ("state", "sentence"),
    [
        (NodeState.IN_USE, "is in use by somebody; --force takes it away"),
        (NodeState.READY, "is ready: there is nothing to give back"),
        (NodeState.USED, "is used already"),
    ],
)
def test_release_refuses_other_nodes(
    harness: CommandHarness, state: NodeState, sentence: str
) -> None:
    """Somebody's work is not taken away by a slip."""
    node_id = harness.launcher.ready_node(state=state)
    result = harness.call(release, node_id)

    assert result.exit_code == 2
    assert sentence in result.stderr
    assert harness.launcher.read_node(node_id).state is state


def test_release_by_force_takes_a_node_away(harness: CommandHarness) -> None:
    """The operator knows better."""
    node_id = harness.launcher.ready_node(state=NodeState.IN_USE)

    assert harness.call(release, "--force", node_id).exit_code == 0
    assert harness.launcher.read_node(node_id).state is NodeState.USED


@pytest.mark.parametrize(
    ("state", "fields"),
    [
        (NodeState.IN_USE, {}),
        (NodeState.HOLD, {}),
        (NodeState.READY, {"allocated_to": "200-0000000001"}),
    ],
)
def test_ssh_to_a_strangers_machine_must_be_meant(
    harness: CommandHarness,
    monkeypatch: pytest.MonkeyPatch,
    state: NodeState,
    fields: dict[str, str],
) -> None:
    """His work is on it; an own one, and a ready one that is nobody's, are as ever."""
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.setattr(keys, "ANSWER_S", 0.0)  # nobody makes certificates here
    theirs = harness.launcher.ready_node(state=state, requestor="ci@build", **fields)
    nobodys = harness.launcher.ready_node(requestor="ci@build")  # he gave it back unused

    refused = harness.call(ssh, theirs, "--requestor", "ada@laptop")
    assert refused.exit_code == 2
    assert f"node {theirs} is of ci@build, not of ada@laptop; --force logs in" in refused.stderr
    for words in ((theirs, "--force"), (theirs, "--requestor", "ci@build"), (nobodys,)):
        assert "there is no ssh on this machine" in harness.call(ssh, *words).stderr

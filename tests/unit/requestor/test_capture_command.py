"""The command `remuda image capture`: what it tells, and how it ends."""

import json
from typing import Any

import pytest

from remuda.cli.errors import EXIT_FAILED, EXIT_MISTAKE, EXIT_TIMEOUT
from remuda.model.capture import ask_of
from remuda.model.ids import NodeId
from remuda.model.image import ImageRecord, UploadId, encode_image
from remuda.model.node import NodeState
from remuda.model.pointer import Pointer, encode_pointer
from remuda.model.upload import Trial, TrialResult, Upload, UploadState, encode_upload
from remuda.store import paths
from remuda.store.api import NotPermittedError, Set
from requestor import capturing
from requestor.commands.capture import capture
from tests.fakes.store import FakeStore
from tests.support.capturing import (
    BUILD,
    PLACE,
    STOPPED,
    Answering,
    Step_,
    begin,
    fail,
    keep,
    make,
    nothing,
    refuse,
    say,
    take,
)
from tests.support.commands import CommandHarness


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Look again at once."""
    monkeypatch.setattr(capturing, "LOOK_S", 0.001)


# -- the command -------------------------------------------------------------------------------


@pytest.fixture
def harness() -> CommandHarness:
    """A harness with a node in use by ada."""
    one = CommandHarness()
    one.launcher.register("small")
    return one


def node_of(harness: CommandHarness, **fields: Any) -> str:
    """Put a node in use on record, locked by ada."""
    node = harness.launcher.ready_node("small", requestor="ada", **fields)
    harness.launcher.set_state(node, NodeState.IN_USE)
    harness.launcher.lock(node)
    return node


def call(harness: CommandHarness, node: str, *words: str, steps: tuple[Step_, ...] = ()) -> Any:
    """Run the command as ada."""
    answering = Answering(harness.launcher, *steps)
    connect = harness._connect

    def watched() -> FakeStore:
        store = connect()
        answering.watch(store)
        return store

    harness._connect = watched  # type: ignore[method-assign]
    arguments = (node, "--as", "oneiric", "--requestor", "ada", *words)
    return harness.call(capture, *arguments)


def test_the_command_tells_how_far_it_is(harness: CommandHarness) -> None:
    """And when the node can be given back."""
    node = node_of(harness)
    result = call(harness, node, steps=(nothing, take, begin, make, keep))
    assert result.exit_code == 0, result.output
    assert result.stdout.splitlines() == [
        f"node {node} is to be captured as oneiric: the launcher of the node has not answered yet",
        f"node {node} is to be captured as oneiric: no builder is running",
        f"node {node} is captured as oneiric/3: no builder is running{STOPPED}",
        f"node {node} is captured as oneiric/3: b1 makes it{STOPPED}",
        f"there is a snapshot of node {node} as oneiric/3: it can be given back",
    ]


def test_the_command_tells_why_nothing_is_begun(harness: CommandHarness) -> None:
    """As builders say it; and that there is none, or none that has the image."""
    node = node_of(harness)
    paused = "paused by ada: no room"

    def answered(one: Answering) -> None:
        take(one)
        say(one, providers={})

    def requested(one: Answering) -> None:
        begin(one)
        say(one, waits={"oneiric/3": paused})

    steps = (
        answered,
        say,
        lambda one: say(one, waits={"oneiric": "its numbers are used up"}),
        requested,
        say,
        keep,
    )
    result = call(harness, node, steps=steps)
    assert result.exit_code == 0, result.output
    asked, build = f"node {node} is to be captured as oneiric", f"node {node} is captured as"
    assert result.stdout.splitlines() == [
        f"{asked}: no builder has it in its configuration",
        f"{asked}: no builder has begun it yet",
        f"{asked}: its numbers are used up",
        f"{build} oneiric/3: {paused}{STOPPED}",
        f"{build} oneiric/3: no builder has begun it yet{STOPPED}",
        f"there is a snapshot of node {node} as oneiric/3: it can be given back",
    ]


def test_what_builders_say_may_be_closed_to_us(harness: CommandHarness) -> None:
    """Then it is not known why nothing is begun."""
    node = node_of(harness)
    connect = harness._connect

    def closed() -> FakeStore:
        store = connect()
        children = store.children

        def refusing(path: str) -> Any:
            if path == paths.BUILDERS:
                raise NotPermittedError(path)
            return children(path)

        store.children = refusing  # type: ignore[method-assign]
        return store

    harness._connect = closed  # type: ignore[method-assign]
    result = call(harness, node, steps=(take, keep))
    assert result.stdout.startswith(f"node {node} is to be captured as oneiric: no builder has")


def test_the_command_tells_programs(harness: CommandHarness) -> None:
    """A line of JSON for each step."""
    node = node_of(harness)
    result = call(harness, node, "--json", steps=(take, keep))
    events = [json.loads(line) for line in result.stdout.splitlines()]
    assert [one["event"] for one in events] == ["capture taken", "capture kept"]
    assert events[-1] == {
        "event": "capture kept",
        "node": node,
        "image": "oneiric",
        "build": "oneiric/3",
        "why": None,
    }


@pytest.mark.parametrize(
    ("steps", "words", "code", "why"),
    [
        ((refuse,), (), EXIT_MISTAKE, "label small is none of those"),
        ((take, fail), (), EXIT_FAILED, "checks-before: it is not whole"),
        ((make,), ("--timeout", "1ms"), EXIT_TIMEOUT, "b1 makes it"),
        ((), ("--no-wait", "--wait"), EXIT_MISTAKE, "--no-wait goes neither"),
        ((), ("--no-wait", "--timeout", "1s"), EXIT_MISTAKE, "--no-wait goes neither"),
    ],
)
def test_what_comes_to_nothing_is_one_sentence(
    harness: CommandHarness, steps: tuple[Step_, ...], words: tuple[str, ...], code: int, why: str
) -> None:
    """With the exit code of its kind."""
    result = call(harness, node_of(harness), *words, steps=steps)
    assert (result.exit_code, why in result.stderr) == (code, True), result.stderr
    assert len(result.stderr.splitlines()) == 1


def test_without_waiting_the_answer_is_told(harness: CommandHarness) -> None:
    """And that a rule is broken."""
    assert call(harness, node_of(harness), "--no-wait", steps=(take,)).exit_code == 0
    assert call(harness, node_of(harness), "--no-wait", steps=(refuse,)).exit_code == EXIT_MISTAKE


def test_without_an_answer_it_is_not_said_to_be_done(
    harness: CommandHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody knows whether it is taken."""
    monkeypatch.setattr("requestor.commands.capture.ANSWER_S", 0.0)
    result = call(harness, node_of(harness), "--no-wait", steps=(nothing,))
    assert (result.exit_code, "has not answered in 0 s" in result.stderr) == (EXIT_TIMEOUT, True)


def current(one: Answering) -> None:
    """Have the build proven and current."""
    keep(one)
    passed = Trial(result=TrialResult.PASSED)
    upload = Upload(
        id=UploadId(BUILD, PLACE),
        state=UploadState.USABLE,
        since_s=1.0,
        cloud_image="i",
        trials={"alpha": passed},
    )
    pointer = Pointer(image="oneiric", provider="alpha", place=PLACE, current=3)
    one.put(paths.upload(upload.id), encode_upload(upload))
    one.put(paths.pointer("oneiric", "alpha"), encode_pointer(pointer))
    one.put(paths.image("oneiric"), encode_image(ImageRecord(name="oneiric", last_build=3)))


def rejected(one: Answering) -> None:
    """Have the build rejected where it is tried."""
    keep(one)
    trial = Trial(result=TrialResult.FAILED, why="no login")
    upload = Upload(
        id=UploadId(BUILD, PLACE),
        state=UploadState.REJECTED,
        since_s=1.0,
        cloud_image="i",
        trials={"alpha": trial},
    )
    one.put(paths.upload(upload.id), encode_upload(upload))
    one.put(paths.image("oneiric"), encode_image(ImageRecord(name="oneiric", last_build=3)))


def test_with_wait_it_is_followed_until_it_is_current(harness: CommandHarness) -> None:
    """The node can be given back before that."""
    good = call(harness, node_of(harness), "--wait", steps=(current,))
    assert (good.exit_code, "oneiric/3 in alpha is current there" in good.stdout) == (0, True)


def test_with_wait_it_is_followed_until_it_is_rejected(harness: CommandHarness) -> None:
    """The machine that proves it does not come up, say."""
    bad = call(harness, node_of(harness), "--wait", steps=(rejected,))
    assert (bad.exit_code, "oneiric/3 in alpha failed: no login" in bad.stdout) == (1, True)


def test_what_is_not_held_by_us_is_refused(harness: CommandHarness) -> None:
    """Somebody else's, nobody's, one that is not in use, and one that is not there."""
    node = node_of(harness)
    words = (node, "--as", "oneiric", "--requestor", "eve")
    result = harness.call(capture, *words)
    assert result.exit_code == EXIT_MISTAKE
    assert f"node {node} is of ada, not of eve: only who holds a node" in result.stderr
    assert ask_of(harness.launcher.read_node(node)) is None

    ready = harness.launcher.ready_node("small")
    result = call(harness, ready)
    assert (result.exit_code, "is ready: an image is made only of" in result.stderr) == (2, True)
    result = call(harness, "3999999999")
    assert (result.exit_code, "there is no node 3999999999" in result.stderr) == (2, True)
    left = harness.launcher.ready_node("small", requestor="ada")
    harness.launcher.set_state(left, NodeState.IN_USE)
    result = call(harness, left)
    assert (result.exit_code, "the session of its user is over" in result.stderr) == (2, True)


def test_a_record_that_changes_is_read_anew(harness: CommandHarness) -> None:
    """And given up when it changes all the time."""
    node = node_of(harness)
    connect = harness._connect
    spoiled = {"left": 1}

    def spoiling() -> FakeStore:
        store = connect()
        commit = store.commit

        def late(ops: Any) -> Any:
            if spoiled["left"]:
                spoiled["left"] -= 1
                stored = harness.launcher.store.read(paths.node(NodeId(node)))
                assert stored is not None
                change = Set(path=stored.path, data=stored.value, version=stored.version)
                harness.launcher.store.commit([change])
            return commit(ops)

        store.commit = late  # type: ignore[method-assign]
        return store

    harness._connect = spoiling  # type: ignore[method-assign]
    assert call(harness, node, steps=(keep,)).exit_code == 0
    node = node_of(harness)
    spoiled["left"] = 100
    again = call(harness, node, steps=(keep,))
    assert (again.exit_code, "changes all the time" in again.stderr) == (1, True)


@pytest.mark.parametrize("step", [take, begin, make, keep])
def test_who_asks_again_is_refused_and_leaves_the_first(
    harness: CommandHarness, step: Step_
) -> None:
    """Nothing is written: the first is not ended by it, and the second never answered."""
    node = node_of(harness)
    call(harness, node, "--no-wait", steps=(step,))
    first = ask_of(harness.launcher.read_node(node))
    again = call(harness, node)
    assert again.exit_code == EXIT_MISTAKE
    assert "image oneiric is made of its machine already, or was" in again.stderr
    assert ask_of(harness.launcher.read_node(node)) == first


def test_who_asks_while_another_is_taken_is_refused(harness: CommandHarness) -> None:
    """The launcher may answer between our look and our write."""
    node = node_of(harness)
    call(harness, node, "--no-wait", steps=(refuse,))
    first = ask_of(harness.launcher.read_node(node))
    answering = Answering(harness.launcher)
    answering.node = NodeId(node)
    connect = harness._connect

    def late() -> FakeStore:
        store = connect()
        commit = store.commit

        def taken(ops: Any) -> Any:
            take(answering)
            return commit(ops)

        store.commit = taken  # type: ignore[method-assign]
        return store

    harness._connect = late  # type: ignore[method-assign]
    again = call(harness, node)
    assert (again.exit_code, "already, or was" in again.stderr) == (EXIT_MISTAKE, True)
    assert ask_of(harness.launcher.read_node(node)) == first


def test_the_log_of_a_build_is_not_for_requestors(harness: CommandHarness) -> None:
    """That it is closed to us ends nothing."""
    node = node_of(harness)
    connect = harness._connect

    def closed() -> FakeStore:
        store = connect()
        read = store.read

        def refusing(path: str) -> Any:
            if path.startswith(paths.IMAGE_LOGS):
                raise NotPermittedError(path)
            return read(path)

        store.read = refusing  # type: ignore[method-assign]
        return store

    harness._connect = closed  # type: ignore[method-assign]
    assert call(harness, node, "--wait", steps=(current,)).exit_code == 0

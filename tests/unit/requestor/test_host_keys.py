"""Machines whose host key nobody knows: nobody logs in unless told to."""

import os
import signal
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from remuda.insight.facts import facts_of
from remuda.model.node import Node, NodeState, encode
from remuda.ssh.api import Login
from remuda.ssh.errors import HostKeyUnknownError
from remuda.ssh.session import open_session
from remuda.store import paths
from remuda.store.api import Set, Store, StoreAwayError
from requestor.commands import ending as ending_module
from requestor.commands import ssh as command
from requestor.commands.ending import Ending
from requestor.commands.run import run
from requestor.commands.ssh import ssh, ssh_arguments
from tests.support.commands import CommandHarness
from tests.support.deadline import wait_for
from tests.unit.launcher.worlds import HOST_KEY as KEY
from tests.unit.model.test_publickey import ED25519
from tests.unit.requestor.test_commands import the_nodes

#: Of a wait for something that comes at once, but for a machine that is busy.
DEADLINE_S = 60.0


@pytest.fixture
def harness() -> CommandHarness:
    """A harness whose launcher lends at once."""
    one = CommandHarness()
    one.launcher.register("small", "big")
    one.answer = one.launcher.lend
    return one


def test_the_library_refuses_before_it_connects() -> None:
    """Nobody listens there, and nobody is asked."""
    with pytest.raises(HostKeyUnknownError, match=r"no host key of 192\.0\.2\.1 is known"):
        open_session(Login(address="192.0.2.1", host_keys=()))


def test_ssh_refuses_a_machine_without_keys(harness: CommandHarness) -> None:
    """Whoever answers at the address could be anybody; no ssh is started."""
    node = harness.launcher.ready_node(host_keys=[])

    result = harness.call(ssh, node)

    assert result.exit_code == 255
    assert f"no host key of node {node} is known" in result.stderr
    assert "--insecure" in result.stderr


def test_ssh_takes_any_machine_that_is_asked_for_insecurely(
    harness: CommandHarness, tmp_path: Path
) -> None:
    """Without a question, for scripts; with limits for silence, as always."""
    facts = facts_of(harness.launcher.read_node(harness.launcher.ready_node(host_keys=[])))
    arguments = ssh_arguments(facts, tmp_path, "key", ())

    assert "StrictHostKeyChecking=no" in arguments
    assert {"ConnectTimeout=15", "ServerAliveInterval=15", "ServerAliveCountMax=3"} <= {*arguments}
    assert arguments[-6:] == ["-i", "key", "-o", "IdentitiesOnly=yes", "--", "127.77.0.2"]


def test_a_held_machine_is_known_by_the_key_that_it_has_by_then(
    harness: CommandHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While the certificate is waited for, the launcher has it make another host key."""
    node = harness.launcher.ready_node("small", requestor="ada", hold_job="ada", host_keys=[KEY])
    harness.launcher.set_state(node, NodeState.IN_USE)
    harness.launcher.set_state(node, NodeState.HOLD)
    known: list[str] = []

    @contextmanager
    def certified(*_words: object, **_more: object) -> Iterator[str]:
        record = harness.launcher.read_node(node).with_fields(host_keys=[ED25519])
        data = encode(record)
        harness.launcher.store.commit([Set(path=paths.node(record.id), data=data, version=-1)])
        yield ""

    def started(arguments: list[str]) -> int:
        (file,) = (one.partition("=")[2] for one in arguments if one.startswith("UserKnown"))
        known.append(Path(file).read_text())
        return 0

    monkeypatch.setattr(command, "certified", certified)
    monkeypatch.setattr(command, "_run", started)
    done = harness.call(ssh, node, "--requestor", "ada")
    assert (done.exit_code, len(known)) == (0, 1), done.stderr
    assert (ED25519 in known[0], KEY in known[0]) == (True, False)


@pytest.mark.parametrize(
    ("certificate", "named", "used"),
    [
        ("certified", False, "certified"),
        ("", False, "own"),
        ("certified", True, "own"),
    ],
)
def test_a_key_of_the_environment_gives_way_to_a_certificate(
    harness: CommandHarness,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    *,
    certificate: str,
    named: bool,
    used: str,
) -> None:
    """It is for all machines; one that is named for this visit is meant, and asks nobody."""
    own = tmp_path / "own"
    own.touch()
    asked: list[str] = []
    arguments: list[str] = []

    @contextmanager
    def certified(
        _store: Store, _clock: Any, node: Node, _folder: Path, *, me: str, **_more: object
    ) -> Iterator[str]:
        asked.append(f"{node.id} {me}")
        yield certificate

    def started(given: list[str]) -> int:
        arguments.extend(given)
        return 0

    monkeypatch.setattr(command, "certified", certified)
    monkeypatch.setattr(command, "_run", started)
    node = harness.launcher.ready_node(requestor="ada")
    for state in (NodeState.IN_USE, NodeState.HOLD):
        harness.launcher.set_state(node, state)
    if named:
        done = harness.call(ssh, node, "--requestor", "ada", "--identity", str(own))
    else:
        monkeypatch.setenv("REMUDA_IDENTITY", str(own))
        done = harness.call(ssh, node, "--requestor", "ada")

    assert done.exit_code == 0, done.stderr
    assert Path(arguments[arguments.index("-i") + 1]).name == used
    assert asked == ([] if named else [f"{node} ada"])


def held_node(harness: CommandHarness) -> str:
    """Put a node on record that is held for ada."""
    node = harness.launcher.ready_node(requestor="ada")
    for state in (NodeState.IN_USE, NodeState.HOLD):
        harness.launcher.set_state(node, state)
    return node


@pytest.mark.parametrize("keyed", [True, False])
@pytest.mark.parametrize("connects", [1, 2])
def test_a_key_of_the_environment_is_used_if_zookeeper_goes_away(
    harness: CommandHarness,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    *,
    keyed: bool,
    connects: int,
) -> None:
    """After the node was read, at the second connect or later; without a key that is said."""
    own = tmp_path / "own"
    own.touch()
    if keyed:
        monkeypatch.setenv("REMUDA_IDENTITY", str(own))
    else:
        monkeypatch.delenv("REMUDA_IDENTITY", raising=False)
    connect, made = harness.zookeeper.connect, list[Any]()
    arguments: list[str] = []

    def watched() -> Any:
        if len(made) == connects:
            raise StoreAwayError("gone")
        made.append(connect())
        if len(made) == 2:
            made[1].suspend()
        return made[-1]

    def started(given: list[str]) -> int:
        arguments.extend(given)
        return 0

    node = held_node(harness)
    monkeypatch.setattr(harness.zookeeper, "connect", watched)
    monkeypatch.setattr(command, "_run", started)
    done = harness.call(ssh, node, "--requestor", "ada")
    assert len(made) == connects
    if keyed:
        assert done.exit_code == 0, done.stderr
        assert arguments[arguments.index("-i") + 1] == str(own)
    else:
        assert (done.exit_code, arguments) == (3, [])
        assert "ZooKeeper" in done.stderr


def test_a_visit_that_a_signal_ends_leaves_nothing(
    harness: CommandHarness, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While a certificate is waited for, there are a wish and a folder to be taken away."""
    left: list[int] = []
    ended: list[str] = []
    one = Ending(grace_s=3600.0, leave=lambda number, _why: left.append(number))

    @contextmanager
    def certified(*_words: object, check: Callable[[], None], **_more: object) -> Iterator[str]:
        assert [one.name.startswith("remuda-ssh-") for one in tmp_path.iterdir()] == [True]
        os.kill(os.getpid(), signal.SIGTERM)
        wait_for(lambda: one.asked or bool(left), DEADLINE_S, "the signal")
        try:
            check()
            yield ""
        finally:
            ended.append("taken back")

    def never(_arguments: list[str]) -> int:
        raise AssertionError("there was no visit")

    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(ending_module, "Ending", lambda: one)
    monkeypatch.setattr(command, "certified", certified)
    monkeypatch.setattr(command, "_run", never)
    try:
        done = harness.call(ssh, held_node(harness), "--requestor", "ada")
    finally:
        one.close()  # it listens until the process has ended, otherwise

    assert (done.exit_code, left, ended) == (128 + signal.SIGTERM, [], ["taken back"])
    assert list(tmp_path.iterdir()) == []


def without_keys(harness: CommandHarness) -> None:
    """Have machines lent whose records hold no host key."""
    lend = harness.launcher.lend

    def forgetful(made: str) -> object:
        lent = lend(made)
        for name in harness.launcher.store.children(paths.NODES):
            record = harness.launcher.read_node(name).with_fields(host_keys=[])
            harness.launcher.store.commit(
                [Set(path=paths.node(record.id), data=encode(record), version=-1)]
            )
        return lent

    harness.answer = forgetful


@pytest.mark.parametrize("words", [[], ["--json"]])
def test_run_refuses_a_machine_without_keys(harness: CommandHarness, words: list[str]) -> None:
    """Nothing is sent to it, and it is given back."""
    without_keys(harness)

    result = harness.call(run, "small", *words, "--", "x")

    assert result.exit_code == 255
    assert "no host key of 127.77.0.2 is known" in result.output
    assert "--insecure" in result.output
    assert harness.machines == []
    assert the_nodes(harness) == [NodeState.USED]


def test_run_takes_any_machine_that_is_asked_for_insecurely(harness: CommandHarness) -> None:
    """The user said so."""
    without_keys(harness)

    result = harness.call(run, "small", "--insecure", "--", "x")

    assert result.exit_code == 0
    assert len(harness.machines) == 1

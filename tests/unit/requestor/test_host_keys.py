"""Machines whose host key nobody knows: nobody logs in unless told to."""

from pathlib import Path

import pytest

from remuda.insight.facts import facts_of
from remuda.model.node import NodeState, encode
from remuda.ssh.api import Login
from remuda.ssh.errors import HostKeyUnknownError
from remuda.ssh.session import open_session
from remuda.store import paths
from remuda.store.api import Set
from requestor.commands.run import run
from requestor.commands.ssh import ssh, ssh_arguments
from tests.support.commands import Desk
from tests.unit.requestor.test_commands import the_nodes


@pytest.fixture
def desk() -> Desk:
    """A desk whose launcher lends at once."""
    one = Desk()
    one.launcher.register("small", "big")
    one.answer = one.launcher.lend
    return one


def test_the_library_refuses_before_it_connects() -> None:
    """Nobody listens there, and nobody is asked."""
    with pytest.raises(HostKeyUnknownError, match=r"no host key of 192\.0\.2\.1 is known"):
        open_session(Login(address="192.0.2.1", host_keys=()))


def test_ssh_refuses_a_machine_without_keys(desk: Desk) -> None:
    """Whoever answers at the address could be anybody; no ssh is started."""
    node = desk.launcher.ready_node(host_keys=[])

    result = desk.call(ssh, node)

    assert result.exit_code == 255
    assert f"no host key of node {node} is known" in result.stderr
    assert "--insecure" in result.stderr


def test_ssh_takes_any_machine_that_is_asked_for_insecurely(desk: Desk, tmp_path: Path) -> None:
    """Without a question, for scripts; with limits for silence, as always."""
    facts = facts_of(desk.launcher.read_node(desk.launcher.ready_node(host_keys=[])))
    arguments = ssh_arguments(facts, tmp_path, "key", ())

    assert "StrictHostKeyChecking=no" in arguments
    assert {"ConnectTimeout=15", "ServerAliveInterval=15", "ServerAliveCountMax=3"} <= {*arguments}
    assert arguments[-6:] == ["-i", "key", "-o", "IdentitiesOnly=yes", "--", "127.77.0.2"]


def without_keys(desk: Desk) -> None:
    """Have machines lent whose records hold no host key."""
    lend = desk.launcher.lend

    def forgetful(made: str) -> object:
        lent = lend(made)
        for name in desk.launcher.store.children(paths.NODES):
            record = desk.launcher.read_node(name).with_fields(host_keys=[])
            desk.launcher.store.commit(
                [Set(path=paths.node(record.id), data=encode(record), version=-1)]
            )
        return lent

    desk.answer = forgetful


@pytest.mark.parametrize("words", [[], ["--json"]])
def test_run_refuses_a_machine_without_keys(desk: Desk, words: list[str]) -> None:
    """Nothing is sent to it, and it is given back."""
    without_keys(desk)

    result = desk.call(run, "small", *words, "--", "x")

    assert result.exit_code == 255
    assert "no host key of 127.77.0.2 is known" in result.output
    assert "--insecure" in result.output
    assert desk.machines == []
    assert the_nodes(desk) == [NodeState.USED]


def test_run_takes_any_machine_that_is_asked_for_insecurely(desk: Desk) -> None:
    """The user said so."""
    without_keys(desk)

    result = desk.call(run, "small", "--insecure", "--", "x")

    assert result.exit_code == 0
    assert len(desk.machines) == 1

"""The scripts that change a host key, on a real sshd: each may be cut off, and be run again."""

import os
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from launcher.hostkey.actions import MakeHostKey, SwitchHostKey
from launcher.hostkey.hand_change import HostKeyHands
from launcher.hostkey.orders import make_order, switch_order
from launcher.node.view import NodeView
from launcher.world import World
from remuda.runtime.clock import SystemClock
from remuda.ssh.api import Login, ProofSpec
from remuda.ssh.prover import ParamikoProver
from tests.contract.ssh.conftest import login_of
from tests.support import sshd as servers
from tests.support.sshd import Sshd, make_key
from tests.unit.launcher.test_held_host_keys import held, world

pytestmark = [
    pytest.mark.ssh,
    pytest.mark.skipif(os.geteuid() != 0, reason="host keys are root's"),
]


def at(order: ProofSpec | str, login: Login, shell: str = "sh") -> ProofSpec:
    """Return an order to another machine, for another shell."""
    assert isinstance(order, ProofSpec)
    assert order.setup is not None
    text = order.setup.text.replace("#!/bin/sh", f"#!{shutil.which(shell)}", 1)
    if shell == "busybox":
        text = text.replace(f"#!{shutil.which(shell)}", f"#!{shutil.which(shell)} sh", 1)
    return replace(order, login=login, setup=replace(order.setup, text=text))


class Changing:
    """One machine whose host key is to be changed."""

    def __init__(self, server: Sshd, shell: str = "sh") -> None:
        self.hands = HostKeyHands(ParamikoProver(), lambda: False, SystemClock())
        self.login, self.shell, self.old = login_of(server), shell, server.host_key
        self.made: World = world()
        self.view: NodeView = held(self.made)
        assert self.view.launch is not None
        self.view.launch = replace(self.view.launch, host_key=server.host_key)

    def make(self) -> str:
        """Have a key made."""
        action = MakeHostKey(node=self.view.id)
        order = at(make_order(self.view, self.made.policy, action), self.login, self.shell)
        tried = self.hands.make(action, order)
        assert tried.key is not None, tried.why
        return tried.key

    def switch(self, key: str) -> str | None:
        """Have it shown; return why not, once that is settled."""
        action = SwitchHostKey(node=self.view.id, key=key)
        login = replace(self.login, host_keys=(self.old, key))
        order = at(switch_order(self.view, self.made.policy, action), login, self.shell)
        tried = self.hands.switch(action, order)
        while tried.again:  # each try waits for an answer, or is refused while sshd is away
            tried = self.hands.switch(action, order)
        return tried.why

    def shows(self, key: str) -> bool:
        """Whether the machine has a key."""
        port = self.login.port
        return self.hands.prover.probe(self.login.address, port, host_keys=(key,)) is None


@pytest.mark.parametrize("shell", [one for one in ("sh", "bash", "busybox") if shutil.which(one)])
def test_a_machine_shows_the_key_that_it_has_made_and_no_other(tmp_path: Path, shell: str) -> None:
    """Done again it is done; a second key that its job knows is gone."""
    more = tmp_path / "more"
    known = make_key(more)
    with servers.running(tmp_path / "sshd", settings=f"HostKey {more}") as server:
        changing = Changing(server, shell)
        first = changing.make()
        key = changing.make()
        assert first != key
        assert changing.shows(server.host_key)
        assert changing.switch(key) is None
        assert changing.switch(key) is None
        assert changing.shows(key)
        assert not changing.shows(server.host_key)
        assert (more.exists(), changing.shows(known)) == (False, False)
        file = server.home / "host_key"
        assert (file.stat().st_mode & 0o777, sorted(server.home.glob("*remuda*"))) == (0o600, [])
        assert file.with_suffix(".pub").read_text().split()[:2] == key.split()


def test_it_goes_on_where_it_was_cut_off(tmp_path: Path) -> None:
    """The files are there, and sshd has not heard of it."""
    with servers.running(tmp_path / "sshd") as server:
        changing = Changing(server)
        key = changing.make()
        file = server.home / "host_key"
        (server.home / "host_key.remuda-new").rename(file)
        assert changing.switch(key) is None
        assert changing.shows(key)
        assert not changing.shows(server.host_key)
        assert server.process.poll() is None


def test_a_key_that_is_not_there_any_more_changes_nothing(tmp_path: Path) -> None:
    """Nor does one that somebody has put in its place."""
    with servers.running(tmp_path / "sshd") as server:
        changing = Changing(server)
        key = changing.make()
        new = server.home / "host_key.remuda-new"
        new.unlink()
        assert "is not there any more" in str(changing.switch(key))
        make_key(new)
        assert "is not there any more" in str(changing.switch(key))
        assert changing.shows(server.host_key)


def test_an_sshd_that_would_not_start_again_is_not_told(tmp_path: Path) -> None:
    """It goes on with the key that it has, and the machine lets us in."""
    with servers.running(tmp_path / "sshd") as server:
        changing = Changing(server)
        key = changing.make()
        config = server.home / "config"
        before = config.read_text()
        config.write_text(f"{before}NoSuchSetting yes\n")
        assert "does not say its settings" in str(changing.switch(key))
        config.write_text(before)
        assert server.process.poll() is None
        assert changing.shows(server.host_key)
        assert changing.switch(key) is None

"""Looks at held machines whose root is a stranger: each ends, in time, and tells nobody a lie."""

import time
from pathlib import Path
from typing import Final

import pytest

from launcher.hold import hand_look
from launcher.hold.actions import LookIn
from launcher.hold.hand_look import LookHands
from launcher.hold.orders import order
from launcher.hold.view import Visit
from launcher.policy import compile_policy
from remuda.config.model import Config
from remuda.model.ids import NodeId
from remuda.runtime.clock import SystemClock
from remuda.ssh.api import Login, ProofSpec
from remuda.ssh.prover import ParamikoProver
from tests.support import attacks
from tests.support import sshd as servers
from tests.support.hostile import GIVE_UP_S, Stage, hostile, login_to
from tests.unit.launcher.test_holds import held, ruled
from tests.unit.launcher.worlds import document

pytestmark = pytest.mark.ssh

#: For a whole look; the honest part before an attack takes 30 ms.
TIME_S: Final = 0.6
WARNING: Final = "This machine is held for ada and is deleted in 10m."
ATTACKS: Final = {
    "silent in the exchange": (Stage.EXCHANGE, attacks.falls_silent),
    "silent in the login": (Stage.LOGIN, attacks.falls_silent),
    "silent instead of executing": (Stage.EXEC, attacks.falls_silent),
    "drips while it runs": (Stage.RUNNING, attacks.drips),
    "prints for ever": (Stage.RUNNING, attacks.output_for_ever),
    "garbage while it runs": (Stage.RUNNING, attacks.garbage),
    "hangs up while it runs": (Stage.RUNNING, attacks.closes),
}
#: What stands in place of `who`: (name, script)
LIARS: Final = {
    "hangs": "while :; do sleep 1; done",
    "prints one line for ever": "while :; do printf x; done",
    "prints lines for ever": "while :; do echo 'ada pts/0 now (there)'; done",
}


def look(login: Login) -> Visit:
    """Look once, with a warning, by the script that launchers use."""
    made = ruled()
    made.adopt_policy(compile_policy(Config.model_validate(document(ssh_key_file="/k")), "here"))
    ordered = order(held(made, address="198.18.0.1"), made.policy, WARNING)
    assert isinstance(ordered, ProofSpec)
    hands = LookHands(prover=ParamikoProver(), stopped=lambda: False, clock=SystemClock())
    action = LookIn(node=NodeId("3000000001"), warning=WARNING)
    return hands.look_in(action, ProofSpec(login=login, setup=ordered.setup)).visit


@pytest.mark.parametrize("name", ATTACKS)
def test_a_look_at_a_hostile_machine_ends(
    name: str, key_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By its deadline or before: nobody is known to be in, and nobody counts as warned."""
    monkeypatch.setattr(hand_look, "LOOK_IN_S", TIME_S)
    stage, attack = ATTACKS[name]
    begun_s = time.monotonic()
    with hostile(stage, attack) as port:
        found = look(login_to(port, key_file, answer_timeout_s=600))
    assert time.monotonic() - begun_s < GIVE_UP_S
    assert (found.logins, found.warned) == (None, False)
    assert found.why


@pytest.mark.parametrize("name", LIARS)
def test_a_machine_whose_programs_lie_ends_no_later(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever its `who` does: thirty-two lines at most are believed, and none is waited for."""
    if why := servers.available():
        pytest.skip(why)
    endless = name == "prints lines for ever"
    monkeypatch.setattr(hand_look, "LOOK_IN_S", 50.0 if endless else 2.0)
    tools = tmp_path / "bin"
    tools.mkdir()
    for tool, text in (("who", LIARS[name]), ("wall", "exit 0")):
        (tools / tool).write_text(f"#!/bin/sh\n{text}\n")
        (tools / tool).chmod(0o755)
    begun_s = time.monotonic()
    with servers.running(tmp_path, path=f"{tools}:/usr/bin:/bin") as server:
        found = look(
            Login(
                address="127.0.0.1",
                port=server.port,
                user=server.user,
                key_file=str(server.key_file),
                host_keys=(server.host_key,),
            )
        )
    assert time.monotonic() - begun_s < GIVE_UP_S
    if endless:
        assert (found.logins, found.warned) == (("ada pts/0 there",), True)
    else:
        assert (found.logins, found.warned) == (None, False)

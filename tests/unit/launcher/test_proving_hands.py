"""The hand that proves: it tells how far it is only where that may take long."""

from typing import Any

import pytest

from launcher.events import Event
from launcher.node.events import ScriptBegun
from launcher.node.hand_proving import ProvingHands
from launcher.server.specs import ServerSpecs
from remuda.runtime.inbox import Inbox
from remuda.ssh.api import ProofStep
from tests.fakes.clock import ManualClock
from tests.fakes.prover import Exit, FakeProver, Machine
from tests.unit.launcher.works import OWNER
from tests.unit.launcher.worlds import add_node, world

ADDRESS = "198.18.0.1"
CHECKS: list[dict[str, Any]] = [{"disk": {"free": "1MiB"}}, {"dns": {"name": "localhost"}}]


def told(machine: Machine, **label: Any) -> list[tuple[ProofStep, str]]:
    """Return which scripts the hand told of, until its attempt ended."""
    made = world(labels={"small": label}, **{"ssh-key-file": "/nowhere/key"})
    view = add_node(made, 1)
    inbox: Inbox[Event] = Inbox()
    clock = ManualClock()
    hands = ProvingHands(FakeProver({ADDRESS: machine}), lambda: False, clock, inbox)
    orders = ServerSpecs(policy=made.policy, owner=OWNER)
    assert view.launch is not None

    hands.prove(view.launch, orders, ADDRESS, until_s=1e6, login_by_s=1e6)

    events = inbox.drain(wait_s_max=0.0).events
    return [(one.step, one.name) for one in events if isinstance(one, ScriptBegun)]


SETUP, DISK, DNS = (
    (ProofStep.SETUP, "setup"),
    (ProofStep.CHECK, "disk /"),
    (ProofStep.CHECK, "dns localhost"),
)


@pytest.mark.parametrize(
    ("machine", "expected"),
    [
        (Machine(), [SETUP, DISK, DNS]),
        (Machine(too_early=1), []),
        (Machine(refuses=1), []),
        (Machine(exits={"setup": Exit(code=1)}), [SETUP]),
        (Machine(exits={"disk /": Exit(code=1)}), [SETUP, DISK]),
    ],
    ids=["good", "silent", "closed", "setup fails", "check fails"],
)
def test_each_script_is_told_when_it_begins(
    machine: Machine, expected: list[tuple[ProofStep, str]]
) -> None:
    """Somebody is in by then; and none that is not reached."""
    assert told(machine, setup={"inline": "true"}, checks=CHECKS) == expected


def test_a_login_alone_is_no_news() -> None:
    """Its proof ends in the next moment."""
    assert told(Machine()) == []


def test_it_wakes_nobody() -> None:
    """A healthy proof costs no turn of the brain more: who is slow is looked at by an alarm."""
    inbox: Inbox[Event] = Inbox()
    made = world(labels={"small": {"checks": CHECKS}}, **{"ssh-key-file": "/nowhere/key"})
    view = add_node(made, 1)
    assert view.launch is not None
    hands = ProvingHands(FakeProver(), lambda: False, ManualClock(), inbox)
    orders = ServerSpecs(policy=made.policy, owner=OWNER)

    hands.prove(view.launch, orders, ADDRESS, until_s=1e6, login_by_s=1e6)

    assert not inbox._news

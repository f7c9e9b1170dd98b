"""Who is let onto a running machine: with our key, where we know it to be, and told why not."""

from dataclasses import replace
from typing import Any

from launcher.guest.actions import LetIn, NoteGuest
from launcher.guest.events import GuestTried
from launcher.guest.hand_guest import GuestHands
from launcher.guest.orders import MARK, order
from launcher.guest.results import TRIES_MAX
from launcher.node.view import NodeView
from launcher.world import World
from remuda.model.guest import Guest
from remuda.model.ids import NodeId
from remuda.ssh.api import ProofSpec
from remuda.ssh.errors import KeyFileError
from tests.fakes.clock import ManualClock
from tests.fakes.prover import FakeProver, Machine
from tests.unit.launcher.captured import (
    BUILD,
    KEY,
    asked,
    taken,
    world,
)
from tests.unit.launcher.works import Works
from tests.unit.launcher.worlds import HOST_KEY, NOW, later, of_kind, think

# -- guests ------------------------------------------------------------------------------------


def test_a_guest_key_is_put_on_with_our_own_key() -> None:
    """At the address that we know, to the machine that we made, whatever its record says."""
    made = world()
    works = Works(made)
    view = asked(made, launch={**taken(BUILD), "address": "198.18.0.9"}, interface_ip="127.66.6.6")
    works.starter.start(LetIn(node=view.id, key=KEY), NOW)
    ((_, work),) = works.workers.orders
    event = work()
    assert event == GuestTried(node=view.id, key=KEY, why=None)
    prover = works.starter.proving.prover
    assert isinstance(prover, FakeProver)
    (sent,) = prover.orders
    assert (sent.login.address, sent.login.key_file) == ("198.18.0.9", "/k")
    assert sent.login.host_keys == (HOST_KEY,)
    assert sent.setup is not None
    assert sent.setup.arguments == (KEY, MARK)
    works.results.take(event, NOW)
    assert view.guest == Guest(key=KEY)


def hands(machine: Machine) -> GuestHands:
    """Return hands to a machine that behaves so."""
    prover = FakeProver({"198.18.0.1": machine})
    return GuestHands(prover=prover, stopped=lambda: False, clock=ManualClock())


def ordered(made: World, view: NodeView) -> ProofSpec:
    """Return what the prover is told."""
    found = order(view, made.policy, KEY)
    assert isinstance(found, ProofSpec)
    return found


def test_a_launcher_that_is_locked_out_says_so() -> None:
    """At once; a machine that does not answer is asked a few times more."""
    made = world()
    view = asked(made, launch=taken(BUILD))
    action = LetIn(node=view.id, key=KEY)
    tried = hands(Machine(refuses=1)).let_in(action, ordered(made, view))
    assert tried.why is not None
    assert "the launcher is not let into the machine" in tried.why
    works = Works(made)
    for number in range(1, TRIES_MAX):
        away = hands(Machine(too_early=1)).let_in(action, ordered(made, view))
        assert away.again
        works.results.take(away, NOW)
        assert (view.guest, view.patience.tries) == (None, number)
        assert of_kind(think(made), LetIn, NoteGuest) == []
    works.results.take(away, later(60.0))
    assert view.guest == Guest(key=KEY, refused=away.why)
    works.results.take(replace(away, node=NodeId("gone")), NOW)


class Keyless(FakeProver):
    """Its key file is none."""

    def prove(self, *_args: Any, **_more: Any) -> Any:
        """Say so."""
        raise KeyFileError("/k is no key")


def test_a_key_file_of_no_use_is_said() -> None:
    """It is the operator's to mend."""
    made = world()
    view = asked(made, launch=taken(BUILD))
    one = GuestHands(prover=Keyless(), stopped=lambda: False, clock=ManualClock())
    tried = one.let_in(LetIn(node=view.id, key=KEY), ordered(made, view))
    assert tried == GuestTried(node=view.id, key=KEY, why="/k is no key")


def test_who_cannot_be_let_in_is_told_why() -> None:
    """By the launcher's own configuration and knowledge."""
    made = world()
    view = asked(made, launch=taken(BUILD))
    no_key = replace(
        made.policy, config=made.policy.config.model_copy(update={"ssh_key_file": None})
    )
    assert "no ssh-key-file" in str(order(view, no_key, KEY))
    no_label = replace(made.policy, making={})
    assert "is not in the configuration" in str(order(view, no_label, KEY))
    assert view.launch is not None
    assert view.node is not None
    known = view.launch
    view.launch = replace(known, host_key=None)
    assert "does not know the host key" in str(order(view, made.policy, KEY))
    view.launch = known
    view.node = replace(view.node, doc={})
    assert "nobody knows the address" in str(order(view, made.policy, KEY))
    tried = hands(Machine()).let_in(LetIn(node=view.id, key=KEY), "why not")
    assert tried == GuestTried(node=view.id, key=KEY, why="why not")

"""The host key of a machine that becomes an image, or none: then it shows its first one again."""

from dataclasses import replace
from typing import Final

import pytest
from cryptography.hazmat.primitives.asymmetric import ed25519

from launcher.guest.letting_in import keep_open
from launcher.hostkey.actions import MakeHostKey, NoteHostKey, SwitchHostKey
from launcher.hostkey.orders import MAKE
from launcher.hostkey.view import HostKeyNews
from launcher.hostkey.writes import note_host_key
from launcher.node.view import NodeView
from launcher.takehome.actions import BeginTakeHome
from launcher.takehome.taking import may_start_anew
from launcher.takehome.writes import begin
from launcher.world import World
from remuda.frame.work import Written
from remuda.model import launch as launches
from remuda.model import node as nodes
from remuda.model.heldkey import HostKeyChange, HostKeyEvent, HostKeyStep
from remuda.model.holdwish import wish_fields
from remuda.model.launch import Launch
from remuda.model.takehome import TakeHome, TakeHomeState, decode_take_home
from remuda.store import paths
from remuda.store.api import Check, Create, Op, Set, Stored
from tests.fakes.prover import Exit, FakeProver, Machine
from tests.unit.launcher.test_held_host_keys import (
    KEPT,
    MADE,
    NEW,
    WHERE,
    carried_out,
    held,
    noted,
    world,
)
from tests.unit.launcher.test_take_home import GRANTED, WISH
from tests.unit.launcher.works import Works
from tests.unit.launcher.worlds import HOST_KEY, NOW, of_kind, think
from tests.unit.model.test_publickey import openssh

#: What the machine makes when it is told so again.
NEWER: Final = openssh(ed25519.Ed25519PrivateKey.generate().public_key())


def wished(made: World, change: HostKeyChange | None) -> NodeView:
    """Return a held machine that is to become an image, and how its host key stands."""
    view = held(made, change)
    assert view.launch is not None
    assert view.node is not None
    view.launch = replace(view.launch, take_home=GRANTED)
    view.node = view.node.with_fields(**wish_fields(WISH))
    made.touch_node(view)
    return view


def told(view: NodeView, ops: list[Op]) -> tuple[Launch, TakeHome]:
    """Take in what is written; return the launch, and the record of the image."""
    launch, image = None, None
    for one in ops:
        if isinstance(one, Set) and one.path == paths.node(view.id):
            view.node = nodes.decode(view.id, one.data)
        elif isinstance(one, Set) and one.path == paths.launch("here", view.id):
            launch = view.launch = launches.decode(view.id, one.data)
        elif isinstance(one, Create):
            image = decode_take_home(view.id, one.data)
    assert launch is not None
    assert image is not None
    return launch, image


def becoming(made: World) -> NodeView:
    """Return a machine whose host key has been changed, and that is becoming an image."""
    view = wished(made, MADE)
    change = replace(MADE, step=HostKeyStep.CHANGED)
    ops = note_host_key(made, view, NoteHostKey(node=view.id, change=change))
    launch = next(one for one in ops if isinstance(one, Set) and "launches" in one.path)
    view.launch = launches.decode(view.id, launch.data)
    assert (view.launch.host_key, view.launch.believed_keys) == (NEW, (NEW,))
    _, image = told(view, begin(made, view, now_s=NOW.wall_s))
    path = paths.take_home(view.id)
    made.take_homes[view.id] = Stored(path=path, value=image, version=0)
    return view


def test_either_key_is_believed_before_a_builder_may_start_the_machine_anew() -> None:
    """By launchers, and by users: cloud-init writes the key of the user data again."""
    made = world()
    view = becoming(made)
    assert view.launch is not None
    assert view.node is not None
    assert view.launch.believed_keys == (HOST_KEY, NEW)
    assert view.node.doc["host_keys"] == [HOST_KEY, NEW]
    made.take_homes.clear()  # and begun again nothing of that is another
    assert begin(made, view, now_s=NOW.wall_s)[0] == Check(
        path=paths.node(view.id), version=view.node_version
    )


@pytest.mark.parametrize(
    "change",
    [
        None,
        MADE,
        KEPT,
        replace(MADE, given=HOST_KEY),
        replace(MADE, step=HostKeyStep.KEPT, given=HOST_KEY),
    ],
    ids=["none", "made", "kept", "made again", "kept after an image that was none"],
)
def test_what_is_believed_stays_so_where_nothing_has_been_changed(
    change: HostKeyChange | None,
) -> None:
    """The first key is among it."""
    made = world()
    view = wished(made, change)
    before = view.launch
    assert before is not None
    launch, _ = told(view, begin(made, view, now_s=NOW.wall_s))
    assert (launch.believed_keys, launch.hold) == (before.believed_keys, before.hold)


@pytest.mark.parametrize(
    ("state", "waits"),
    [
        (TakeHomeState.ASKED, True),
        (TakeHomeState.MAKING, True),
        (TakeHomeState.FAILED, False),
        (None, True),
    ],
    ids=["asked", "making", "failed", "untold"],
)
def test_nothing_is_made_of_the_key_as_long_as_the_machine_may_start_anew(
    state: TakeHomeState | None, *, waits: bool
) -> None:
    """What it shows now is not what it shows then."""
    made = world()
    view = becoming(made)
    assert view.launch is not None
    assert view.node is not None
    stored = made.take_homes.pop(view.id)
    if state is not None:
        made.take_homes[view.id] = replace(stored, value=replace(stored.value, state=state))
    assert may_start_anew(made, view.launch) is waits
    step = keep_open(made, view, view.launch, view.node, NOW)
    assert step == (None if waits else MakeHostKey(node=view.id, unless=NEW))


def failed(made: World) -> tuple[Works, NodeView, FakeProver]:
    """Return a machine of which no image came about, and what is found on it."""
    works, view = Works(made), becoming(made)
    stored = made.take_homes[view.id]
    made.take_homes[view.id] = replace(
        stored, value=replace(stored.value, state=TakeHomeState.FAILED)
    )
    made.touch_node(view)
    prover = works.starter.proving.prover
    assert isinstance(prover, FakeProver)
    exits = {MAKE: Exit(output=f"remuda-made {NEWER}\n")}
    prover.script(WHERE, Machine(host_key=HOST_KEY, exits=exits))
    return works, view, prover


def test_a_machine_that_started_anew_makes_itself_another_key() -> None:
    """It shows the one of its user data, which more people may know than hold it."""
    made = world()
    works, view, prover = failed(made)
    (make,) = of_kind(think(made), MakeHostKey)
    assert carried_out(works, make).key == NEWER
    assert noted(works, view).step is HostKeyStep.MADE
    assert view.launch is not None
    assert view.launch.believed_keys == (HOST_KEY, NEWER)
    prover.change(WHERE, host_key=NEWER)
    carried_out(works, SwitchHostKey(node=view.id, key=NEWER))
    change = noted(works, view)
    assert (change.step, change.given) == (HostKeyStep.CHANGED, HOST_KEY)
    assert view.launch.believed_keys == (NEWER,)


def test_a_machine_that_did_not_start_anew_keeps_the_key_that_it_made() -> None:
    """Its builder died before it changed anything."""
    made = world()
    works, view, prover = failed(made)
    prover.change(WHERE, host_key=NEW)
    (make,) = of_kind(think(made), MakeHostKey)
    assert carried_out(works, make).wanted is HostKeyEvent.SHOWN
    assert prover.orders == []
    assert noted(works, view).step is HostKeyStep.CHANGED
    assert view.launch is not None
    assert view.launch.believed_keys == (NEW,)


def test_a_machine_that_makes_no_other_is_known_by_both() -> None:
    """Nobody can tell which it will show."""
    made = world()
    works, view, prover = failed(made)
    prover.change(WHERE, exits={MAKE: Exit(code=1, output="there is no ssh-keygen")})
    (make,) = of_kind(think(made), MakeHostKey)
    carried_out(works, make)
    assert noted(works, view).step is HostKeyStep.KEPT
    assert view.launch is not None
    assert view.launch.believed_keys == (HOST_KEY, NEW)


def test_a_visit_from_before_tells_nothing_any_more() -> None:
    """It has met the new key; the machine may show the first one since."""
    made = world()
    works, view = Works(made), wished(made, MADE)
    view.host_key = HostKeyNews(before=MADE, after=replace(MADE, step=HostKeyStep.CHANGED))
    works.hear(Written(action=BeginTakeHome(node=view.id), result=()), NOW)
    assert view.host_key is None

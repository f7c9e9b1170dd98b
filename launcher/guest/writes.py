"""What is written of guests, as operations of one transaction; pure."""

from dataclasses import replace

from launcher.guest.actions import NoteGuest, NoteKeys
from launcher.node.view import NodeView
from launcher.node.writes import advance
from launcher.world import World
from remuda.store.api import Op


def note_guest(world: World, view: NodeView, action: NoteGuest) -> list[Op]:
    """Write into the launch record what has become of a guest key."""
    assert view.launch is not None  # noqa: S101 - judged only with a launch record
    return advance(world, view, replace(view.launch, guest=action.guest))


def note_keys(world: World, view: NodeView, action: NoteKeys) -> list[Op]:
    """Write into the launch record what has become of the keys of a wish."""
    assert view.launch is not None  # noqa: S101 - judged only with a launch record
    hold = view.launch.hold
    assert hold is not None  # noqa: S101 - and only of a held machine
    others = tuple(one for one in hold.keys if one.token != action.token)
    kept = replace(hold, keys=(*others, *action.keys))
    return advance(world, view, replace(view.launch, hold=kept))

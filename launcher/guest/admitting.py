"""Whether somebody who wants onto a running machine is there yet."""

from launcher.guest.actions import LetIn, NoteGuest
from launcher.node.view import NodeView
from remuda.model.launch import Launch


def admit(view: NodeView, launch: Launch, key: str) -> LetIn | NoteGuest | None:
    """Return what brings a guest key onto a machine, and on record; None: it is.

    Whoever calls this has judged that its owner may come in.
    """
    if launch.guest is not None and launch.guest.key == key:
        return None
    tried = view.guest
    if tried is not None and tried.key == key:
        return NoteGuest(node=view.id, guest=tried)
    return LetIn(node=view.id, key=key)

"""Whose a request or a node is: the name that asked for it, and the person it is held for.

Names are what everybody says of themselves (``--requestor``, ``user@host``). They keep people from
taking each other's machines by a slip; they keep nobody from doing so on purpose, as ZooKeeper
lets every requestor write every request and node (docs/znodes.md, "Who may do what").
"""

from remuda.model.capture import requestor_of
from remuda.model.hold import Hold
from remuda.model.holdowner import HeldFor, held_for
from remuda.model.node import Node, NodeState
from remuda.model.request import Request
from remuda.model.takehome import TakeHome

#: In these a node is somebody's, with or without a request that it is promised to.
_SOMEBODYS = frozenset({NodeState.IN_USE, NodeState.HOLD, NodeState.USED})


def request_owner(request: Request, *, me: str) -> str | None:
    """Return who asked, ``somebody`` if the record does not say; None: we."""
    return None if request.requestor == me else request.requestor or "somebody"


def node_owner(node: Node, *, me: str, hold: Hold | None = None) -> str | None:
    """Return whose a node is; None: nobody's, or ours.

    Args:
        node: The node.
        me: What we are called.
        hold: What its launcher says of its hold; None: nothing that we have read.
    """
    if node.state not in _SOMEBODYS and not node.allocated_to:
        return None
    if node.state is NodeState.HOLD:
        return _other(held_for(node, hold), me=me)
    requestor = requestor_of(node)
    return None if requestor == me else requestor or "somebody"


def image_owner(image: TakeHome, *, me: str) -> str | None:
    """Return whose an image is that a held machine has become; None: ours."""
    return _other(image.held_for, me=me)


def _other(held: HeldFor, *, me: str) -> str | None:
    return None if held.is_of(me) else held.owner or held.requestor or "somebody"

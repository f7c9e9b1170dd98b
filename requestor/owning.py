"""Whose a request or a node is: the name that asked for it, and the person it is held for.

Names are what everybody says of themselves (``--requestor``, ``user@host``). They keep people from
taking each other's machines by a slip; they keep nobody from doing so on purpose, as ZooKeeper
lets every requestor write every request and node (docs/znodes.md, "Who may do what").
"""

from remuda.model.fields import LINE_CHARS_MAX, safe
from remuda.model.node import Node, NodeState
from remuda.model.request import Request

#: In these a node is somebody's, with or without a request that it is promised to.
_SOMEBODYS = frozenset({NodeState.IN_USE, NodeState.HOLD, NodeState.USED})


def request_owner(request: Request, *, me: str) -> str | None:
    """Return who asked, ``somebody`` if the record does not say; None: we."""
    return None if request.requestor == me else request.requestor or "somebody"


def node_owner(node: Node, *, me: str) -> str | None:
    """Return whose a node is; None: nobody's, or ours.

    Args:
        node: The node.
        me: What we are called.
    """
    if node.state not in _SOMEBODYS and not node.allocated_to:
        return None
    names = [node.doc.get("requestor")]
    if node.state is NodeState.HOLD:
        names.insert(0, node.doc.get("hold_job"))
    known = [safe(name, LINE_CHARS_MAX) for name in names if isinstance(name, str) and name]
    if me in known:
        return None
    return known[0] if known else "somebody"

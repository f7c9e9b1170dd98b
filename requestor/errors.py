"""What may go wrong for who asks for nodes; each type is one reaction."""

from remuda.insight.explanation import Explanation
from remuda.model.ids import NodeId, RequestId


class RequestorError(Exception):
    """Root of what this package raises, besides the store's own errors."""


class InvalidOptionsError(RequestorError, ValueError):
    """What is asked for makes no sense: ask for something else."""


#: The name of before, for one release.
WishError = InvalidOptionsError


class RequestFailedError(RequestorError):
    """No provider can serve the request; it has been deleted. Asking again will not help.

    Attributes:
        explanation: The verdict of each provider.
    """

    def __init__(self, request_id: RequestId, explanation: Explanation) -> None:
        super().__init__(f"request {request_id} failed: {explanation.sentence}")
        self.request_id = request_id
        self.explanation = explanation


class RequestTimeoutError(RequestorError, TimeoutError):
    """The request is not served in time; it still waits unless its deadline is over.

    Attributes:
        explanation: Why it still waits, by each provider.
    """

    def __init__(self, request_id: RequestId, waited_s: float, explanation: Explanation) -> None:
        super().__init__(
            f"request {request_id} is not served after {waited_s:.0f} s: {explanation.sentence}"
        )
        self.request_id = request_id
        self.waited_s = waited_s
        self.explanation = explanation


class WaitInterruptedError(RequestorError):
    """Another thread interrupted the wait; the request is as it was."""


class RequestGoneError(RequestorError):
    """The request no longer exists: cancelled, deleted by somebody, or lost with the session."""


class NotOursError(RequestorError):
    """The request is somebody else's: leave it, or say that you mean it (``force``).

    Attributes:
        owner: Who asked for it.
    """

    def __init__(self, request_id: RequestId, owner: str, me: str) -> None:
        super().__init__(f"request {request_id} is of {owner}, not of {me}")
        self.request_id = request_id
        self.owner = owner


class PromiseBrokenError(RequestorError):
    """A node of the fulfilled request cannot be had: gone, given away, or locked. Ask again."""

    def __init__(self, request_id: RequestId, node_id: NodeId, why: str) -> None:
        super().__init__(f"request {request_id}: node {node_id} {why}")
        self.request_id = request_id
        self.node_id = node_id


class CaptureFailedError(RequestorError):
    """No image is made of the machine; the message says which rule that breaks, or what failed.

    Attributes:
        refused: Whether it was never begun: then it has changed nothing of the machine.
    """

    def __init__(self, node: NodeId, image: str, why: str, *, refused: bool) -> None:
        how = "is not made" if refused else "failed"
        super().__init__(f"the capture of node {node} as {image} {how}: {why}")
        self.node = node
        self.image = image
        self.refused = refused


class KeyRefusedError(RequestorError):
    """A key is not put onto a machine, or not taken off it; the message says why."""


class CaptureTimeoutError(RequestorError, TimeoutError):
    """There is no snapshot of the machine in time; it goes on as long as the node is held."""


class HoldRefusedError(RequestorError):
    """The machine is not kept, or not for longer; the message says which rule that breaks.

    Attributes:
        silent: Whether nobody has answered, so that it may yet be granted.
    """

    def __init__(
        self, node: NodeId, why: str, *, wished: str = "granted", silent: bool = False
    ) -> None:
        super().__init__(f"the hold of node {node} is not {wished}: {why}")
        self.node = node
        self.silent = silent


class NodesLostError(RequestorError):
    """The ZooKeeper session is over, and the locks with it: the machines will be deleted."""

    def __init__(self, nodes: tuple[NodeId, ...]) -> None:
        super().__init__(
            f"the ZooKeeper session was lost; {', '.join(nodes)} will be deleted by the launcher"
        )
        self.nodes = nodes

"""Failed launches, charged to the request on whose account they were made.

Machines of a label are shared: whoever is first in service order gets the next one. But a request
is given up for its own launches only, or three bad boots would fail whichever of ten is the oldest.
What is counted is told by the launch records, so all replicas count alike.
"""

from collections.abc import Container
from dataclasses import dataclass, field

from remuda.model.ids import NodeId, RequestId


@dataclass(slots=True)
class Charges:
    """By request, the launches that failed since we claimed it, and why."""

    _failed: dict[RequestId, dict[NodeId, str]] = field(default_factory=dict)

    def add(self, request: RequestId, node: NodeId, why: str) -> bool:
        """Charge a request with a failed launch; return whether that is news."""
        failed = self._failed.setdefault(request, {})
        if node in failed:
            return False
        failed[node] = why
        return True

    def count(self, request: RequestId) -> int:
        """Return how many launches failed on its account."""
        return len(self._failed.get(request, ()))

    def last(self, request: RequestId) -> str:
        """Return why the last of them failed, or an empty text."""
        failed = self._failed.get(request)
        return "" if not failed else next(reversed(failed.values()))

    def forget(self, request: RequestId) -> None:
        """Begin anew: the claim is over."""
        self._failed.pop(request, None)

    def keep(self, claimed: Container[RequestId]) -> None:
        """Forget all but the requests that are claimed."""
        self._failed = {one: failed for one, failed in self._failed.items() if one in claimed}

"""Failed launches, charged to the request on whose account they were made.

Machines of a label are shared: whoever is first in service order gets the next one. But a request
is given up for its own launches only, or three bad boots would fail whichever of ten is the oldest.
What is counted is told by the records, so all replicas count alike: the launches that were begun
under the present claim, for one begun before it may have failed before it, too, and its record is
told again whenever somebody writes it.
"""

from collections import Counter
from collections.abc import Container
from dataclasses import dataclass, field

from remuda.model.ids import NodeId, RequestId


@dataclass(frozen=True, slots=True)
class _Charge:
    """What failed to launch, and why; when its record was made, by ZooKeeper's clock."""

    label: str
    why: str
    made_s: float


@dataclass(slots=True)
class Charges:
    """By request, the failed launches that were begun since we claimed it, and why."""

    _failed: dict[RequestId, dict[NodeId, _Charge]] = field(default_factory=dict)

    def add(self, request: RequestId, node: NodeId, why: str, *, label: str, made_s: float) -> bool:
        """Charge a request with a failed launch; return whether that is news."""
        failed = self._failed.setdefault(request, {})
        if node in failed:
            return False
        failed[node] = _Charge(label, why, made_s)
        return True

    def begin(self, request: RequestId, claimed_s: float) -> None:
        """Keep only what was begun since the claim was made; it may be told before its claim."""
        failed = self._failed.pop(request, {})
        kept = {node: one for node, one in failed.items() if one.made_s >= claimed_s}
        if kept:
            self._failed[request] = kept

    def count(self, request: RequestId) -> int:
        """Return how many launches failed on its account."""
        return len(self._failed.get(request, ()))

    def by_label(self, request: RequestId) -> Counter[str]:
        """Return how many launches of each label failed on its account."""
        return Counter(one.label for one in self._failed.get(request, {}).values())

    def last(self, request: RequestId) -> str:
        """Return why the last of them failed, or an empty text."""
        failed = self._failed.get(request)
        return "" if not failed else next(reversed(failed.values())).why

    def forget(self, request: RequestId) -> None:
        """Forget all: the claim is over."""
        self._failed.pop(request, None)

    def keep(self, claimed: Container[RequestId]) -> None:
        """Forget all but the requests that are claimed."""
        self._failed = {one: failed for one, failed in self._failed.items() if one in claimed}

"""What the brain remembers of a request; only its thread changes it."""

from dataclasses import dataclass
from enum import Enum

from remuda.model.ids import RequestId
from remuda.model.imageask import IMAGE_PRIORITY
from remuda.model.request import Request, RequestState


class MayGet(Enum):
    """Which machines a request may get.

    What is made for one request alone is nobody else's supply meanwhile.
    """

    ANY = "any"  # whatever is ready and free
    MATCHING = "matching"  # its own, or what is ready and free and fits together by chance
    NEW = "new"  # its own only

    @property
    def own(self) -> bool:
        """Whether machines are made for it alone."""
        match self:
            case MayGet.ANY:
                return False
            case MayGet.MATCHING | MayGet.NEW:
                return True


@dataclass(slots=True, kw_only=True, eq=False)
class RequestView:
    """One request: its record, its version, and what only this process knows.

    Attributes:
        seen_s: When this process first read it (monotonic seconds); grace times count from here.
        wanted_s: When its nodes were first to be handed over but for a look at them (monotonic).
        may_get: Follows from the record and the policy.
        lock_exists: Whether its lock directory is believed to exist (an optimistic guess that a
            rejected transaction corrects).
        returned_s: When we gave it back last (monotonic).
    """

    id: RequestId
    request: Request
    version: int
    seen_s: float
    may_get: MayGet = MayGet.ANY
    stale: bool = False
    busy: str | None = None
    wanted_s: float = float("inf")
    returned_s: float = float("-inf")
    lock_exists: bool = False
    tries: int = 0
    retry_s: float = 0.0

    @property
    def order(self) -> tuple[str, int, str]:
        """Service order: priority, relative priority, then submission; lower first.

        Machines for images come after those of users, whoever asks for them.
        """
        request, priority = self.request, self.request.priority
        if request.image is not None:
            priority = max(priority, IMAGE_PRIORITY)
        return (priority, request.relative_priority, request.sequence)

    @property
    def waiting(self) -> bool:
        """Whether it still wants nodes."""
        return self.request.state in (RequestState.REQUESTED, RequestState.PENDING)

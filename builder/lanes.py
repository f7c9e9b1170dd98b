"""What a builder does in threads: the lanes, and how much is done at once in each."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Any, Final

from remuda.frame.lanes import Lanes
from remuda.frame.work import WorkKind


class Lane(StrEnum):
    """A set of threads for actions of one kind."""

    MAKE = "make"
    TRY = "try"
    COPY = "copy"
    KEEP = "keep"
    LOOK = "look"
    READ = "read"


#: So many of each are under way at once in one builder; whatever more there is is judged again.
#: A build, a trial or a copy is a thread for its whole length; copies share the host's network.
LANE_SIZES: Final[Mapping[Lane, int]] = {
    Lane.MAKE: 16,
    Lane.TRY: 16,
    Lane.COPY: 4,
    Lane.KEEP: 8,
    Lane.LOOK: 8,
    Lane.READ: 1,
}


def new_lanes() -> Lanes[Lane, str]:
    """Return empty lanes: for each a place has to be free, and nobody waits in a queue.

    What finds none is judged again, for by then other things may be more urgent.
    """
    return Lanes(tuple(Lane))


def own_id(action: Any) -> str:
    """Return what most actions keep busy: what they are done to.

    The names of what is busy are those by which the judgements ask (``WorldView.busy``).
    """
    return str(action.id)


#: Of an action that is a transaction.
WRITTEN: Final[WorkKind[Lane]] = WorkKind(None, own_id)

"""One node's launch record, as whoever looks may find it: there, not there, broken, or closed.

What it means that there is none that can be read is for whoever asks to say. A hold that cannot be
read must not be overwritten, while what a machine has fetched is just not shown.
"""

from dataclasses import dataclass

from remuda.model import launch as launch_record
from remuda.model.codec import CorruptRecordError
from remuda.model.ids import NodeId
from remuda.model.launch import Launch
from remuda.model.node import Node
from remuda.store import paths
from remuda.store.api import NotPermittedError, Store, Stored


@dataclass(frozen=True, slots=True)
class FoundLaunch:
    """The launch, with the version of its record, which a later write must name."""

    launch: Launch
    version: int


@dataclass(frozen=True, slots=True)
class NoLaunch:
    """There is none: the node is of another program, or its launch is over."""


@dataclass(frozen=True, slots=True)
class BrokenLaunch:
    """The record is there, and cannot be read; *why* not, for people."""

    why: str


@dataclass(frozen=True, slots=True)
class ClosedLaunch:
    """The record is there, and its access control list does not let us in."""

    error: NotPermittedError


LaunchAnswer = FoundLaunch | NoLaunch | BrokenLaunch | ClosedLaunch


def launch_answer(node_id: NodeId, found: Stored[bytes] | NotPermittedError | None) -> LaunchAnswer:
    """Return what the store has answered, of whichever of its reads, decoded."""
    if found is None:
        return NoLaunch()
    if isinstance(found, NotPermittedError):
        return ClosedLaunch(found)
    try:
        return FoundLaunch(launch_record.decode(node_id, found.value), found.version)
    except CorruptRecordError as error:
        return BrokenLaunch(error.why)


def find_launch(store: Store, node: Node) -> LaunchAnswer:
    """Read the launch record of a node.

    Raises:
        StoreAwayError: If the answer did not come in time.
    """
    if not node.provider:
        return NoLaunch()
    try:
        return launch_answer(node.id, store.read(paths.launch(node.provider, node.id)))
    except NotPermittedError as error:
        return ClosedLaunch(error)


def launch_in(answer: LaunchAnswer) -> Launch | None:
    """Return the launch; None: there is none that we can read."""
    return answer.launch if isinstance(answer, FoundLaunch) else None


def why_unread(answer: LaunchAnswer) -> str | None:
    """Return why the launch that is there tells us nothing, for people; None: it is read, or none.

    Who shows what launches tell has to say so: else it looks as if there were nothing to tell.
    """
    match answer:
        case BrokenLaunch(why):
            return f"its launch record cannot be read: {why}"
        case ClosedLaunch():
            return "its launch record is closed to us"
        case _:
            return None

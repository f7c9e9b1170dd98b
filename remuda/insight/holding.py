"""What people are told of a machine that is kept for somebody, wherever they look."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from remuda.insight import tree
from remuda.insight.takehomes import image_note
from remuda.insight.tree import TreeReader
from remuda.model.hold import Hold, HoldSource
from remuda.model.ids import NodeId
from remuda.model.launch import Launch
from remuda.model.node import Node, NodeState
from remuda.model.takehome import TakeHome, decode_take_home
from remuda.store import paths
from remuda.store.api import NotPermittedError


@dataclass(frozen=True, slots=True, kw_only=True)
class Room:
    """How much of a pool is kept for people.

    Attributes:
        held: Its machines that are.
        most: Machines that it may have; None: no limit, or nobody says.
    """

    held: int
    most: int | None

    @property
    def said(self) -> str:
        """The same for people, as the subject of a sentence and its verb."""
        whole = "" if self.most is None else f" of {self.most}"
        verb = "is" if self.held == 1 and self.most is None else "are"
        machines = "machine" if self.held == 1 and self.most is None else "machines"
        return f"{self.held}{whole} {machines} {verb} kept for people"


def read_launches(read: TreeReader, providers: Iterable[str]) -> dict[NodeId, Launch]:
    """Return the launches with a hold of some providers; what is closed to us is left out."""
    found: dict[NodeId, Launch] = {}
    for provider in sorted(set(providers)):
        try:
            told = tree.launches(read, provider).records.values()
        except NotPermittedError:
            continue
        found |= {one.id: one for one in told if one.hold is not None}
    return found


def read_images(read: TreeReader) -> Mapping[NodeId, TakeHome]:
    """Return the images that holds go on as, by node; none if they are closed to us."""
    try:
        stored = read(paths.TAKE_HOME)
    except NotPermittedError:
        return {}
    level = tree.decode_all(stored, lambda name, raw: decode_take_home(NodeId(name), raw))
    return {NodeId(name): one for name, one in level.records.items()}


def room_of(read: TreeReader, nodes: Iterable[Node], provider: str, pool: str | None) -> Room:
    """Return how much of a pool is kept for people; *pool* None: of all pools of the provider."""
    held: Counter[str] = Counter()
    for one in nodes:
        if one.provider == provider and one.state is NodeState.HOLD:
            held[one.pool or ""] += 1
    status = tree.statuses(read).records.get(provider)
    told = {} if status is None else status.pools
    if pool is not None:
        return Room(held=held[pool], most=told[pool].instances_max if pool in told else None)
    most = [one.instances_max for one in told.values()]
    bounded = [one for one in most if one is not None]
    whole = sum(bounded) if bounded and len(bounded) == len(most) else None
    return Room(held=held.total(), most=whole)


def by_whom(hold: Hold) -> str:
    """Return by whose word a machine is held."""
    return str(hold.source) if hold.autohold is None else f"autohold {hold.autohold}"


def asked_by(hold: Hold) -> str:
    """Return by whose word a machine is held, as a sentence."""
    match hold.source:
        case _ if hold.autohold is not None:
            who = f"autohold {hold.autohold}"
        case HoldSource.ASKED:
            who = "whoever had it in use"
        case HoldSource.REQUESTOR:
            who = "the program that had it in use"
        case _:
            who = str(hold.source).capitalize()
    return f"{who} asked for that"


def circumstances(hold: Hold) -> list[str]:
    """Return what there is to say of a hold beside its owner, its reason and its end."""
    told = []
    if hold.lost is not None:
        told.append(f"LOST: {hold.lost}")
    if hold.bounded is not None:
        told.append(f"bounded: {hold.bounded}")
    if hold.host_key is not None and hold.host_key.why is not None:
        told.append(f"its host key is kept: {hold.host_key.why}")
    if hold.logins:
        told.append(f"logged in: {', '.join(hold.logins)}")
    return told


def image_words(launch: Launch | None, image: TakeHome | None) -> list[str]:
    """Return what became of a held machine's way to an image; nothing if nobody wished one."""
    note = None if launch is None else image_note(launch, image)
    return [] if note is None else [f"to take home: {note}"]

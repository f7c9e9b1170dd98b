"""What happened to each node lately: what was begun for it, and what came of it.

Logs tell it, too, but they are elsewhere when somebody asks why this one node is not ready. The
stories of nodes that are gone stay until newer ones need their place.
"""

from collections import OrderedDict, deque
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Final

from launcher.actions import Action
from launcher.claim.actions import Claim
from launcher.events import Event
from launcher.node.actions import Grow
from launcher.node.events import Probed, Proved, ScriptBegun
from launcher.server.events import Addressed, Created, Deleted
from remuda.cloud.api import CloudError
from remuda.frame.work import Finished, HandCrashed, Written, word
from remuda.model.fields import one_line
from remuda.model.ids import NodeId
from remuda.runtime.now import Now
from remuda.store.api import StoreError

#: So much is kept of one node, and so many nodes, the latest: three megabytes at the most.
HAPPENINGS_MAX: Final = 20
NODES_MAX: Final = 500
WORDS_CHARS_MAX: Final = 200
#: So many nodes are shown.
SHOWN_MAX: Final = 30


@dataclass(frozen=True, slots=True)
class Happening:
    """One thing that happened; *words* say what for, or what came of it (maybe a stranger's)."""

    at_s: float
    what: str
    words: str


@dataclass(slots=True)
class Stories:
    """The last happenings of the nodes that something happened to last."""

    _by: OrderedDict[NodeId, deque[Happening]] = field(default_factory=OrderedDict)

    def begun(self, action: Action, now: Now) -> None:
        """Note that an action has begun, for each node that it is done to."""
        for node in _nodes(action):
            self._tell(node, f"{word(action)} begun", _reason(action), now)

    def ended(self, event: Event, now: Now) -> None:
        """Note what came of an action, or how far it has come."""
        action = event.action if isinstance(event, Finished | Written | HandCrashed) else None
        brought = event.event if isinstance(event, Finished) else event
        what = f"{word(action)} ended" if action is not None else word(event)
        for node in _nodes(brought if action is None else action, getattr(brought, "made", ())):
            self._tell(node, what, _outcome(brought), now)

    def story(self, node: NodeId) -> tuple[Happening, ...]:
        """Return what happened to a node, the oldest first; empty if nothing is known."""
        return tuple(self._by.get(node, ()))

    def latest(self) -> dict[str, list[dict[str, Any]]]:
        """Return the stories of the nodes that something happened to last, for the status page."""
        latest = list(self._by)[-SHOWN_MAX:]
        return {node: [asdict(one) for one in self._by[node]] for node in latest}

    def _tell(self, node: NodeId, what: str, words: str, now: Now) -> None:
        told = self._by.get(node)
        if told is None:
            told = self._by[node] = deque(maxlen=HAPPENINGS_MAX)
            if len(self._by) > NODES_MAX:
                self._by.popitem(last=False)
        else:
            self._by.move_to_end(node)
        told.append(Happening(round(now.wall_s, 3), what, words))


def _nodes(done: object, made: Sequence[str] = ()) -> Iterator[NodeId]:
    """Yield whom it was done to: one node, those that were handed out together, those just born."""
    node = getattr(done, "node", None)
    if node is not None:
        yield node
    yield from getattr(done, "nodes", ())
    yield from map(NodeId, made)


def _reason(action: Action) -> str:
    """Return what an action says of itself besides its node."""
    launch = getattr(action, "launch", None)
    if launch is not None:
        return str(launch.step)
    return _text(getattr(action, "cause", None) or getattr(action, "request", None) or "")


def _outcome(event: object) -> str:
    words: object = ""
    match event:
        case Written(result=StoreError() as error) | Deleted(error=CloudError() as error):
            words = error
        case Written(action=Grow() | Claim() as action):
            words = action.cause  # it had no nodes yet when it began
        case HandCrashed(why=why):
            words = f"a bug of ours: {why}"
        case Created(result=result):
            words = result
        case Addressed(result=CloudError() as error):
            words = error
        case Proved(proof=proof):
            words = "proven" if proof.ok else proof.why
        case Probed(why=why):
            words = "it answers" if why is None else why
        case ScriptBegun(step=step, name=name):
            words = f"{step} {name}"
    return _text(words)


def _text(words: object) -> str:
    """Return words in bounds; secrets are taken out where they are shown."""
    return one_line(str(words), WORDS_CHARS_MAX)

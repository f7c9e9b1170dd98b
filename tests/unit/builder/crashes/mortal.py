"""A process that dies, or stands still, at a chosen moment: all that it does passes its life."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from remuda.cloud.api import Fence, NotSentError, unfenced
from remuda.store import paths
from remuda.store.api import Op, StoreError
from remuda.store.wire import OpDone
from tests.fakes.store import FakeStore, FakeWire, FakeZookeeper
from tests.unit.builder.crashes.tasks import DiedError

#: Calls that change nothing in a cloud: before or after them is the same.
READS = frozenset(
    {
        *("project", "location", "list_images", "get_image", "usage", "members", "download"),
        *("get_server", "find_image", "close"),
    }
)
#: What can only be asked of its own host, and is no call.
LOCAL = frozenset({"project", "close"})


#: Parts of paths that tell what a record is.
_KINDS = frozenset({"builds", "uploads", "pointers", "images", "requests", "lock", "nodes"})


class When(StrEnum):
    """The moment of a death."""

    BEFORE = "before"  # what was to be done is not
    AFTER = "after"  # it is, and nobody hears of it
    LATE = "late"  # it was sent, and takes effect when its sender is long dead
    FROZEN = "frozen"  # nobody dies, but the process stands still before it asks its fence
    SLOW = "slow"  # the same, with the call on its way
    STUCK = "stuck"  # the same, with the answer on its way


DEADLY = (When.BEFORE, When.AFTER, When.LATE)


@dataclass(frozen=True, slots=True)
class Blow:
    """At which of the things that a process does it is hit, counted from 0."""

    at: int
    when: When


@dataclass(slots=True)
class Life:
    """What one process does to the world, in order.

    Attributes:
        blow: What happens to it; None: nothing.
        died: Called when it has.
        freeze: Lets the world go on without it, until its session is long over.
        later: Lets something happen when whoever asked for it is dead.
        counting: Whether what is done counts; what a scenario begins with does not.
        hit: Whether the blow has come.
        done: Names of all that was done.
    """

    blow: Blow | None
    died: Callable[[], None]
    freeze: Callable[[], None]
    later: Callable[[Callable[[], Any]], None]
    counting: bool = True
    dead: bool = False
    frozen: bool = False
    hit: bool = False
    done: list[str] = field(default_factory=list)

    def check(self) -> None:
        """Let nothing out of a dead process."""
        if self.dead:
            raise DiedError

    def do(
        self,
        what: str,
        act: Callable[[], Any],
        *,
        late: Callable[[], Any] | None = None,
        fence: Fence = unfenced,
    ) -> Any:
        """Do something to the world, unless this is the end.

        Args:
            what: Its name.
            act: Does it.
            late: What comes of it if its sender dies meanwhile; None: all of it.
            fence: Asked when it is sent; what is on its way arrives whatever is said then.
        """
        self.check()
        when = None
        if self.counting:
            if self.blow is not None and self.blow.at == len(self.done):
                self.hit, when = True, self.blow.when
            self.done.append(what)
        if when is When.FROZEN:
            self.freeze()
        if why := fence():
            raise NotSentError(why)
        match when:
            case When.SLOW:
                self.freeze()
            case When.BEFORE:
                self.die()
            case When.LATE:
                self.later(late or act)
                self.die()
        result = act()
        match when:
            case When.AFTER:
                self.die()
            case When.STUCK:
                self.freeze()
        return result

    def die(self) -> None:
        """End now.

        Raises:
            DiedError: Always.
        """
        self.dead = True
        self.died()
        raise DiedError


class MortalWire(FakeWire):
    """The connection of a process that may die."""

    def __init__(self, zookeeper: FakeZookeeper, life: Life) -> None:
        super().__init__(zookeeper)
        self.life = life

    def commit(
        self, ops: Sequence[Op], done: Callable[[tuple[OpDone, ...] | StoreError], None]
    ) -> None:
        """See Wire; a write of what a builder shows of itself is no moment of its own."""
        if all(one.path.startswith(paths.BUILDERS) for one in ops):
            self.life.check()
            super().commit(ops, done)
            return
        whole = super().commit
        self.life.do(f"write {_said(ops)}", lambda: whole(ops, done))

    def _request(self, kind: str, done: Any, do: Any) -> None:
        self.life.check()
        super()._request(kind, done, do)


def connect(zookeeper: FakeZookeeper, life: Life) -> FakeStore:
    """Return the store of a mortal process."""
    wire = MortalWire(zookeeper, life)
    zookeeper._wires.append(wire)
    return FakeStore(wire)


class MortalCloud:
    """Passes all calls of a process on to a cloud, one after the other.

    Attributes:
        before: Called with the name and the arguments of each call when it arrives.
    """

    def __init__(self, life: Life, cloud: Any, before: Callable[[str, Any], None]) -> None:
        self._life = life
        self._cloud = cloud
        self._before = before

    def __getattr__(self, name: str) -> Any:
        """Return a method of the cloud that goes by the life of its caller."""
        method = getattr(self._cloud, name)
        if name in LOCAL or not callable(method):
            return method

        def call(*args: Any, **named: Any) -> Any:
            if name in READS:
                self._life.check()
                return method(*args, **named)

            fence = named.pop("fence", unfenced)

            def arrive() -> Any:
                self._before(name, args)
                return method(*args, **named)

            def half() -> Any:
                return self._cloud.glance.make(args[0], self._cloud.project(), 0.0)

            # Of a transfer that breaks with its sender an image without data is left.
            late = half if name == "upload" else arrive
            return self._life.do(f"call {name}", arrive, late=late, fence=fence)

        return call


def _said(ops: Sequence[Op]) -> str:
    """Return what a transaction writes, by kinds of records, for people."""
    kinds = []
    for op in ops:
        parts = op.path.split("/")[1:]
        kind = next((one for one in reversed(parts) if one in _KINDS), parts[-1])
        kinds.append(f"{type(op).__name__.lower()} {kind}")
    return ", ".join(dict.fromkeys(kinds))

"""Starting actions: those that may begin now are marked as busy, and given to the right hand."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

from builder import writes
from builder.actions import Action, JudgedAction
from builder.build.actions import ForgetBuild, KeepSnapshot, LoseBuild, Make, TakeBuild
from builder.crashes import Crashes, given_back
from builder.delays import DelayKey, Delays
from builder.events import HandEvent
from builder.hands.api import Hands
from builder.image.actions import MakeImage
from builder.image.writes import lacking
from builder.lanes import KINDS, PLACES, TAKES, Lane
from builder.orders import Orders
from builder.place.actions import ListPlace, Look, SweepImage
from builder.pointer.actions import MovePointer
from builder.recipe.actions import ReadRecipes
from builder.status.actions import Publish
from builder.status.writes import published
from builder.upload.actions import (
    CondemnUpload,
    Copy,
    EndTrial,
    EraseImage,
    RetireUpload,
    TryUpload,
    Validate,
)
from builder.view import WorldView
from builder.world import World
from remuda.frame.crew import Crew
from remuda.frame.dispatch import Dispatch
from remuda.frame.sender import Sender
from remuda.frame.work import Finished, HandCrashed, Written, word
from remuda.images.writes import NotBootableError
from remuda.model.build import Blame, Mishap
from remuda.model.image import BuildId, UploadId
from remuda.runtime.now import Now
from remuda.store import paths
from remuda.store.api import StoreError

_FULL: Final = "this builder has its hands full"
_NOBODY: Final = "no provider of the configuration can make or read it"
_WAITING: Final = "this builder waits already for as many machines as it may, in"
_CHANGED: Final = "its recipe has changed since it was taken"


def key_of(action: Action) -> DelayKey:
    """Return what an action does, to what."""
    return word(action), str(action.id)


def basis_of(action: Action) -> list[str]:
    """Return the path of the record that an action is about, if it is about one."""
    match action:
        case MovePointer():
            return [paths.pointer(action.image, action.provider)]
        case MakeImage():
            return [paths.image(action.id)]
        case _ if isinstance(action.id, BuildId):
            return [paths.build(action.id)]
        case _ if isinstance(action.id, UploadId):
            return [paths.upload(action.id)]
        case _:
            return []


def _provider(action: Action) -> str:
    """Return the provider that is to give a machine for what is taken, if one is."""
    match action:
        case TakeBuild() | TryUpload():
            return action.provider
        case _:
            return ""


@dataclass(slots=True)
class Starter:
    """Starts actions; none of its methods waits.

    Attributes:
        taking: What we are about to own, by lane and by the provider that is to give a machine, if
            one is.
        losses: What hands of ours have crashed at.
        wake_s: When the first of the actions that have to wait may begin (monotonic).
    """

    world: World
    hands: Hands
    dispatch: Dispatch[Action, Lane]
    crew: Crew[Action, HandEvent, Lane]
    sender: Sender[Action]
    orders: Orders
    delays: Delays
    read_recipes: Callable[[], HandEvent]
    taking: Counter[tuple[Lane, str]] = field(default_factory=Counter)
    crashes: Crashes = field(default_factory=Crashes)
    wake_s: float = float("inf")
    _starters: dict[type, Callable[[WorldView, Any, Now], bool]] = field(init=False)

    def __post_init__(self) -> None:
        """Make the table of starters; every other action is a transaction."""
        self._starters = {
            Make: self._make,
            KeepSnapshot: self._adopt,
            Copy: self._copy,
            Validate: self._validate,
            RetireUpload: self._retire,
            CondemnUpload: self._condemn,
            EraseImage: self._erase,
            SweepImage: self._sweep,
            ForgetBuild: self._forget_build,
            Look: self._look,
            ListPlace: self._list,
            ReadRecipes: self._read,
            MakeImage: self._make_image,
            Publish: self._publish,
        }

    def start(self, view: WorldView, action: Action, now: Now) -> bool:
        """Start an action, unless its subject is busy, it has to wait, or there is no place.

        What a hand of ours has crashed at is given back instead. Return whether it was started.
        """
        loss = self.crashes.due(view, action)
        if loss is not None:
            self.start(view, loss, now)
            return False
        action = self._by_share(action)
        if self.dispatch.is_busy(action) or self._waits(action, now):
            return False
        self.delays.begin(key_of(action), basis_of(action))
        begin = self._starters.get(type(action), self._write)
        begun = self.dispatch.start(action, lambda: begin(view, action, now), now.mono_s)
        if begun is None:
            return False
        if type(action) in TAKES:
            self.taking[TAKES[type(action)], _provider(action)] += 1
        return True

    def _waits(self, action: Action, now: Now) -> bool:
        """Whether an action has to wait; say why."""
        subject = KINDS[type(action)].subject(action)
        pause = self.delays.holds(key_of(action), now.mono_s)
        if pause is not None:
            self.wake_s = min(self.wake_s, pause.until_s)
            self.world.plan.wait(subject, pause.why)
            return True
        full = self._full(action)
        if full is not None:
            self.world.plan.wait(subject, full)
        return full is not None

    def ended(self, action: Action) -> bool:
        """Free what an action kept; False: it was not known to be under way."""
        if not self.dispatch.ended(action):
            return False
        self._freed(action)
        if type(action) in TAKES:
            self.taking[TAKES[type(action)], _provider(action)] -= 1
        return True

    def finished(self, news: Finished[Action, HandEvent]) -> HandEvent | HandCrashed[Action] | None:
        """Free what a hand kept, and return what it brought; None: it was not under way."""
        brought = self.dispatch.finished(news)
        if brought is not None:
            self._freed(news.action)
        return brought

    def _freed(self, action: Action) -> None:
        self.orders.ended(action)
        self.world.dirty = True

    def stop(self) -> None:
        """Begin nothing more, and tell all hands to end."""
        self.crew.stop()
        self.orders.stop_all()

    def _full(self, action: Action) -> str | None:
        """Return why there is no place for an action now, or None."""
        if not self.dispatch.has_place(action):
            return _FULL
        taken = TAKES.get(type(action))
        if taken is None:
            return None
        taking = sum(count for (one, _), count in self.taking.items() if one is taken)
        if self._owned(taken) + taking >= PLACES[taken]:
            return _FULL
        return self._crowded(action, taken)

    def _by_share(self, action: Action) -> Action:
        """Return what is taken by the first provider for which we may wait, or what was asked."""
        way: TakeBuild | TryUpload | None
        match action:
            case TakeBuild() | TryUpload():
                way = action
            case _:
                return action
        while way is not None and self._crowded(way, TAKES[type(way)]) is not None:
            way = way.instead
        return way or action

    def _crowded(self, action: Action, taken: Lane) -> str | None:
        """Return why we wait for no more machines of a provider, or None."""
        provider = _provider(action)
        waiting = self._waiting(taken, provider) + self.taking[taken, provider]
        if provider and waiting >= self._share(taken):
            return f"{_WAITING} {provider}"
        return None

    def _share(self, lane: Lane) -> int:
        """Return how many hands may wait for one provider: the others are to have some left."""
        return max(1, PLACES[lane] // max(1, len(self.world.configured.providers)))

    def _waiting(self, lane: Lane, provider: str) -> int:
        """Count what is ours and waits for a machine of a provider, or may for all we know."""
        records, me = self.world.records, self.world.me
        if lane is Lane.MAKE:
            builds = (one.value for one in records.builds.values())
            return sum(
                (one.owner, one.provider, one.node) == (me, provider, None) for one in builds
            )
        uploads = (one.value for one in records.uploads.values())
        return sum((one.owner, one.trying) == (me, provider) for one in uploads)

    def _owned(self, lane: Lane) -> int:
        """Count what is ours to do in a lane, whether its hand has begun or not."""
        records, me = self.world.records, self.world.me
        if lane is Lane.MAKE:
            return sum(one.value.owner == me for one in records.builds.values())
        tried = lane is Lane.TRY
        return sum(
            one.value.owner == me and (one.value.trying is not None) is tried
            for one in records.uploads.values()
        )

    # Transactions

    def _write(self, view: WorldView, action: JudgedAction, now: Now) -> bool:
        try:
            ops = writes.write(view, action)
        except (NotBootableError, KeyError) as error:
            self.refuse(action, now, f"what it refers to has changed: {error}")
            return False
        self.delays.begin(key_of(action), [*basis_of(action), *(op.path for op in ops)])
        self.sender.send(action, ops)
        return True

    def refuse(self, action: Action, now: Now, why: str) -> None:
        """Let an action wait that could not be begun."""
        self.delays.end(key_of(action), now.mono_s, why)
        self.world.plan.wait(KINDS[type(action)].subject(action), why)

    def _make_image(self, _world: WorldView, action: MakeImage, _now: Now) -> bool:
        ops = lacking(self.world.records, self.world.configured.recipes).get(action.id)
        if ops:
            self.sender.send(action, ops)
        return bool(ops)

    def _publish(self, _world: WorldView, action: Publish, _now: Now) -> bool:
        self.sender.send(action, published(self.world.me, action.data))
        return True

    # Hands

    def _make(self, view: WorldView, action: Make, now: Now) -> bool:
        order = self.orders.make(view, action)
        if order is None:
            mishap = Mishap(step="begin", blame=Blame.BUILDER, message=_CHANGED)
            self.start(view, LoseBuild(id=action.id, mishap=mishap, last=False), now)
            return False
        self.crew.submit(action, lambda: self.hands.making.make(order))
        return True

    def _adopt(self, view: WorldView, action: KeepSnapshot, now: Now) -> bool:
        order = self.orders.adopt(view, action)
        if order is None:
            self.refuse(action, now, "no provider of the configuration lies there")
            return False
        self.crew.submit(action, lambda: self.hands.adopting.adopt(order))
        return True

    def _copy(self, view: WorldView, action: Copy, now: Now) -> bool:
        order = self.orders.copy(view, action)
        if order is None:
            self.start(view, given_back(action.id, _NOBODY), now)
            return False
        self.crew.submit(action, lambda: self.hands.copying.copy(order))
        return True

    def _validate(self, view: WorldView, action: Validate, now: Now) -> bool:
        order = self.orders.trial(view, action)
        if order is None:  # its recipe is gone
            self.start(view, EndTrial(id=action.id), now)
            return False
        self.crew.submit(action, lambda: self.hands.validating.validate(order))
        return True

    def _retire(self, _world: WorldView, action: RetireUpload, _now: Now) -> bool:
        self.crew.submit(action, lambda: self.hands.retiring.retire(action))
        return True

    def _condemn(self, _world: WorldView, action: CondemnUpload, _now: Now) -> bool:
        self.crew.submit(action, lambda: self.hands.retiring.condemn(action))
        return True

    def _erase(self, view: WorldView, action: EraseImage, now: Now) -> bool:
        order = self.orders.erase(view, action)
        if order is None:
            self.refuse(action, now, "no provider of the configuration lies there")
            return False
        self.crew.submit(action, lambda: self.hands.retiring.erase(order))
        return True

    def _sweep(self, view: WorldView, action: SweepImage, now: Now) -> bool:
        order = self.orders.sweep(view, action)
        if order is None:
            self.refuse(action, now, "no provider of the configuration lies there")
            return False
        self.crew.submit(action, lambda: self.hands.sweeping.sweep(order))
        return True

    def _forget_build(self, view: WorldView, action: ForgetBuild, _now: Now) -> bool:
        ops, logs = writes.write(view, action), self.hands.logs
        store = self.sender.ground.store

        def forget() -> Written[Action]:
            try:
                logs.erase(action.id)  # nobody would find it again
                return Written(action=action, result=store.commit(ops))
            except StoreError as error:
                return Written(action=action, result=error)

        self.crew.submit(action, forget)
        return True

    def _look(self, _world: WorldView, action: Look, _now: Now) -> bool:
        self.crew.submit(action, lambda: self.hands.looking.look(action))
        return True

    def _list(self, _world: WorldView, action: ListPlace, _now: Now) -> bool:
        self.crew.submit(action, lambda: self.hands.looking.list_images(action))
        return True

    def _read(self, _world: WorldView, action: ReadRecipes, _now: Now) -> bool:
        self.crew.submit(action, self.read_recipes)
        return True

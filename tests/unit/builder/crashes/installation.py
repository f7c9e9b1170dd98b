"""A whole installation in virtual time: builders that are hit, what they work in, and people."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from builder.assembly import TREE
from builder.place.sites import image_tags
from remuda.cloud.image_store import ImageOrder
from remuda.config.model import Config
from remuda.images import revoking, writes
from remuda.images.library import Library
from remuda.model.build import encode_build
from remuda.model.image import BuildId, Word, encode_image
from remuda.store import paths
from remuda.store.api import Create, Op, Set, StoreError
from remuda.store.wire import OpDone
from tests.fakes.beliefs import misbeliefs
from tests.fakes.clock import ManualClock
from tests.fakes.store import FakeZookeeper
from tests.fakes.store_tree import Tree
from tests.unit.builder.crashes.land import INSTALLATION, Land
from tests.unit.builder.crashes.mortal import Blow
from tests.unit.builder.crashes.process import CONFIG, Builder
from tests.unit.builder.crashes.rules import Rules, unrest
from tests.unit.builder.crashes.tasks import DiedError, Tasks

SESSION_S: Final = 10.0
#: When a call arrives whose sender is dead: its session is over then, and its work taken.
LATE_S: Final = 40.0
#: How long a process stands still, if it does.
FROZEN_S: Final = 90.0
_WORD: Final = Word(who="ada", why="it is bad", at_s=1.0)


class Zookeeper(FakeZookeeper):
    """Shows each write that has been made to whoever watches over the rules."""

    watch: Callable[[Sequence[Op]], None] = staticmethod(lambda _ops: None)

    def commit(self, ops: Sequence[Op], session_id: int) -> tuple[OpDone, ...] | StoreError:
        """Do it, and have it looked at."""
        answer = super().commit(ops, session_id)
        if not isinstance(answer, StoreError):
            self.watch(ops)
        return answer


class Installation:
    """Everything, with time."""

    def __init__(self, folder: Path, saved: "Saved | None" = None, config: Config = CONFIG) -> None:
        self.config = config
        self.folder = folder / "work"
        self.folder.mkdir()
        self.clock = ManualClock(1_000_000.0 if saved is None else saved.now_s)
        self.zookeeper = Zookeeper(self.clock)
        if saved is not None:
            self.zookeeper.tree._nodes = saved.tree.copy()._nodes
        self.tasks = Tasks(self.clock)
        self.rules = Rules(self.zookeeper)
        self.zookeeper.watch = self.rules.written  # type: ignore[method-assign]
        self.land = Land(self.clock, self.zookeeper, lambda: self.library)
        if saved is None:
            self.land.store.ensure(*TREE)
            data = INSTALLATION.encode()
            self.land.store.commit([Create(path=paths.INSTALLATION, data=data)])
            self.strangers()
        else:
            saved.fill(self.land)
        self.builders: list[Builder] = []
        self._plans: list[tuple[float, Callable[[], Any]]] = []
        self._tokens = 0

    @property
    def library(self) -> Library:
        """What is on record of images."""
        return self.rules.library

    def strangers(self) -> None:
        """Put images into the clouds that are not ours."""
        for glance, project in ((self.land.one, "project-p"), (self.land.two, "project-r")):
            order = ImageOrder(name="theirs", disk_format="raw")
            glance.make(order, project, self.clock.now_s()).ready_s = self.clock.now_s()

    # -- time --------------------------------------------------------------------------------

    def at(self, seconds: float, act: Callable[[], Any]) -> None:
        """Let something happen so much later."""
        self._plans.append((self.clock.monotonic_s() + seconds, act))

    def later(self, act: Callable[[], Any]) -> None:
        """Let a call of a dead process arrive."""

        def arrive() -> None:
            try:
                act()
            except Exception as exc:
                if isinstance(exc, AssertionError):
                    raise

        self.at(LATE_S, arrive)

    def lost(self, builder: Builder) -> None:
        """Let its session end in a while."""
        wire, session_id = builder.store.wire, builder.store.session_id
        self.zookeeper._wires.remove(wire)
        self.at(SESSION_S, lambda: self.zookeeper.end_session(session_id))

    def freeze(self, builder: Builder) -> None:
        """Let another one go on, until the session of this one is long over; then it wakes."""
        self.lost(builder)
        builder.life.frozen = True
        self.start("b2")
        self.run(lambda: False, FROZEN_S)
        builder.life.frozen = False
        self.zookeeper._wires.append(builder.store.wire)
        builder.store.wire.resume(expired=True)

    def before_call(self, provider: str, name: str, args: Any) -> None:
        """Look at a call that arrives at a cloud."""
        if name == "delete_image":
            self.rules.deleted(self.land, provider, args[0])

    def close(self) -> None:
        """End all processes, with their threads."""
        for one in self.builders:
            one.life.dead = True
        self.tasks.run_due()

    def at_rest(self, numbers: Mapping[str, int]) -> bool:
        """Return whether all is as it is to be; asked often, so the first reason ends it."""
        return next(self._unrest(numbers), None) is None

    def unrest(self, numbers: Mapping[str, int]) -> list[str]:
        """Return what is not as it is to be in the end, with these builds current."""
        return list(self._unrest(numbers))

    def _unrest(self, numbers: Mapping[str, int]) -> Iterator[str]:
        if self.tasks.some:
            yield f"{len(self.tasks.some)} hands are at work"
        images = self.config.images.items()
        wanted = {(name, tuple(one.providers)): numbers[name] for name, one in images}
        yield from unrest(self.library, self.land, self.zookeeper, wanted)
        for one in self.builders:
            if not (one.life.dead or one.life.frozen):
                yield from misbeliefs(one.store, self.zookeeper.tree)

    def new_token(self) -> str:
        """Return a name that nobody has used."""
        self._tokens += 1
        return f"token{self._tokens}"

    def start(self, name: str, blow: Blow | None = None) -> Builder:
        """Start a builder."""
        one: Builder | None = None
        try:
            one = Builder(self, name, blow)
        except DiedError:
            raise AssertionError("it died before it was there") from None
        self.builders.append(one)
        return one

    def run(self, until: Callable[[], bool], limit_s: float) -> bool:
        """Let time pass until something is true; return whether it is within the limit."""
        ends_s = self.clock.monotonic_s() + limit_s
        while True:
            if self._step():
                continue
            if until():
                return True
            now_s = self.clock.monotonic_s()
            if now_s >= ends_s:
                return False
            self.clock.advance(max(0.001, min(self._next_s() - now_s, ends_s - now_s)))

    def _next_s(self) -> float:
        now_s = self.clock.monotonic_s()
        launchers_s = now_s + self.land.next_s() - self.clock.now_s()
        plans = [at_s for at_s, _ in self._plans]
        builders = [one.due_s for one in self.builders if not one.life.frozen]
        return min([*plans, *builders, self.tasks.next_s(), launchers_s])

    def _step(self) -> bool:
        worked = self.zookeeper.deliver() > 0
        for one in list(self.builders):
            try:
                worked |= one.turn()
            except DiedError:
                worked = True
        worked |= self.tasks.run_due()
        for one in [one for one in self.builders if one.life.dead]:
            self.tasks.run_due()
            one.buried()
            self.builders.remove(one)
        now_s = self.clock.monotonic_s()
        due = [one for one in self._plans if one[0] <= now_s]
        self._plans = [one for one in self._plans if one[0] > now_s]
        for _, act in due:
            act()
        return self.land.play() or worked or bool(due)

    # -- people ------------------------------------------------------------------------------

    def want(self, image: str) -> None:
        """Let somebody want a build."""
        stored = self.library.images[image]
        after = replace(stored.value, wanted=_WORD, wanted_above=stored.value.last_build)
        self._put(stored.path, encode_image(after), stored.version)

    def revoke(self, build_id: BuildId) -> None:
        """Let somebody revoke a build, with all that was made from it."""
        known = self.library
        builds = {one: stored.value for one, stored in known.builds.items()}
        places = self.land.places
        shelves = [known.shelf(*key, places[key[1]]) for key in sorted(known.pointers)]
        after = revoking.revoke(builds, shelves, build_id, _WORD)
        ops: list[Op] = []
        for build in after.builds:
            stored = known.builds[build.id]
            ops.append(Set(path=stored.path, data=encode_build(build), version=stored.version))
        for pointer in after.pointers:
            before = known.pointers[pointer.image, pointer.provider]
            ops += writes.move(before, pointer, {})
        self.land.store.commit(ops)

    def lose_image(self) -> None:
        """Let there be an image of ours that no record knows."""
        tagged = image_tags(INSTALLATION, "p", BuildId("debian", 77), "remuda-debian-77")
        order = ImageOrder(name="remuda-debian-77", disk_format="raw", properties=tagged)
        self.land.one.make(order, "project-p", self.clock.now_s()).ready_s = self.clock.now_s()

    def _put(self, path: str, data: bytes, version: int) -> None:
        self.land.store.commit([Set(path=path, data=data, version=version)])


class Saved:
    """An installation at one moment, without processes and machines."""

    def __init__(self, here: Installation) -> None:
        self.now_s = here.clock.now_s()
        for wire in list(here.zookeeper._wires):
            here.zookeeper.end_session(wire.session_id)
        self.tree: Tree = here.zookeeper.tree.copy()
        self.kept = [
            {key: replace(one) for key, one in glance.kept.items()}
            for glance in (here.land.one, here.land.two)
        ]
        self.members = [
            {key: dict(one) for key, one in glance.members.items()}
            for glance in (here.land.one, here.land.two)
        ]
        self.numbers = [glance.numbers for glance in (here.land.one, here.land.two)]

    def fill(self, land: Land) -> None:
        """Put the images where they were."""
        for at, glance in enumerate((land.one, land.two)):
            glance.kept = {key: replace(one) for key, one in self.kept[at].items()}
            glance.members = {key: dict(one) for key, one in self.members[at].items()}
            glance.numbers = self.numbers[at]

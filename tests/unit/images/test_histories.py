"""Who refers to an upload, over any history: never deleted while referred to, nothing for ever.

Launchers, movers, makers of children and copies, and two who retire and delete, all look at the
records at one time and write at another, over connections that may stand still, and may die in
between. ZooKeeper's part is played by the in-memory one.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Final

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from remuda.images import library, moves, references, writes
from remuda.images.library import Library
from remuda.images.moves import MoveRefusedError
from remuda.images.writes import NotBootableError
from remuda.model import launch as launches
from remuda.model.build import Build, BuildEvent, BuildState, Why, encode_build
from remuda.model.ids import NodeId
from remuda.model.image import BuildId, ImageRecord, UploadId, encode_image
from remuda.model.pointer import Pointer
from remuda.model.upload import (
    Upload,
    UploadEvent,
    UploadState,
    encode_upload,
)
from remuda.store import paths
from remuda.store.api import Create, Delete, Op, RejectedError, Set, Stored
from tests.fakes.store import FakeStore, FakeZookeeper
from tests.support.imagerecords import ImageRecords
from tests.unit.images.making import CHILD, IMAGE, PASSED, PLACES, WORD, child, launch, upload

#: Actors, each with a connection of its own.
ACTORS: Final = ("launcher", "mover", "maker", "retirer", "deleter")


class History(RuleBasedStateMachine):
    """Any history; each plan is made from one look and written later, or never."""

    def __init__(self) -> None:
        """Begin with an image and its child, without builds."""
        super().__init__()
        self.zookeeper = FakeZookeeper()
        self.god = self.zookeeper.connect()
        self.stores: dict[str, FakeStore] = {one: self.zookeeper.connect() for one in ACTORS}
        self.looks: dict[str, Library] = {one: Library() for one in ACTORS}
        self.plans: list[list[Op]] = []
        self.numbers = dict.fromkeys((IMAGE, CHILD), 0)
        self.nodes = 0
        for image in self.numbers:
            self.god.ensure(paths.builds(image), paths.pointers(image))
            path = paths.image(image)
            self.god.commit([Set(path=path, data=encode_image(ImageRecord(name=image)), version=0)])
        self.god.ensure(*map(paths.launches, PLACES))
        self.records = ImageRecords(self.zookeeper)
        for copied in (False, False, True):
            self.finish(copied=copied)
        self.looks["mover"] = self.records.library
        self.plan_move("pa", "advance", 1)
        self.commit(self.plans.pop())

    # -- what happens by itself --------------------------------------------------------------

    @rule()
    def build(self) -> None:
        """Let another build be finished."""
        self.finish(copied=False)

    def finish(self, *, copied: bool) -> None:
        """Let a build be finished: proven in one place, to be copied to the other perhaps."""
        self.numbers[IMAGE] += 1
        number = self.numbers[IMAGE]
        build = Build(
            id=BuildId(IMAGE, number),
            state=BuildState.BUILT,
            why=Why.AGE,
            requested_s=1.0,
            since_s=1.0,
        )
        ops: list[Op] = [
            Create(path=paths.build(build.id), data=encode_build(build)),
            Create(path=paths.uploads(build.id)),
            _create(upload(number)),
        ]
        if copied:
            ops.append(_create(upload(number, "pb", state=UploadState.PENDING, trials={})))
        self.commit(ops)

    @rule(actor=st.sampled_from(ACTORS), parts=st.sampled_from(["all", "uploads", "pointers"]))
    def look(self, actor: str, parts: str) -> None:
        """Let somebody hear of all that has changed, or of a part of it only."""
        now = self.records.library
        before = self.looks[actor]
        self.looks[actor] = {
            "all": now,
            "uploads": replace(before, uploads=now.uploads, builds=now.builds),
            "pointers": replace(before, pointers=now.pointers),
        }[parts]

    @rule(actor=st.sampled_from(ACTORS))
    def fall_behind(self, actor: str) -> None:
        """Let somebody's server stand still."""
        self.stores[actor].fall_behind()

    @rule(data=st.data())
    @precondition(lambda self: self.plans)
    def write(self, data: st.DataObject) -> None:
        """Let one plan be written, however old it is."""
        which = data.draw(st.integers(0, len(self.plans) - 1))
        self.commit(self.plans.pop(which))

    @rule()
    @precondition(lambda self: self.plans)
    def crash(self) -> None:
        """Let somebody die with a plan."""
        self.plans.pop()

    # -- what refers -------------------------------------------------------------------------

    @rule(data=st.data(), candidate=st.booleans())
    def plan_launch(self, data: st.DataObject, candidate: bool) -> None:  # noqa: FBT001
        """Let a launcher bind any upload that it believes in."""
        seen = self.pick(data, "launcher")
        if seen is None:
            return
        self.nodes += 1
        provider = next(one for one, place in PLACES.items() if place == seen.value.id.place)
        one = launch(f"{3_000_000_000 + self.nodes}", seen.value.id)
        path = paths.launch(provider, one.id)
        self.plan(
            lambda: [
                writes.bind(seen, candidate=candidate),
                Create(path=path, data=launches.encode(one)),
            ]
        )

    @rule(data=st.data())
    def end_launch(self, data: st.DataObject) -> None:
        """Let a node be gone."""
        some = _launches(self.god)
        if some:
            self.commit([Delete(path=data.draw(st.sampled_from(some)))])

    @rule(
        provider=st.sampled_from(sorted(PLACES)),
        verb=st.sampled_from(["advance", "promote", "rollback", "pin", "unpin"]),
        number=st.integers(1, 5),
    )
    def plan_move(self, provider: str, verb: str, number: int) -> None:
        """Let somebody move a pointer, by what they believe."""
        seen = self.looks["mover"]
        shelf = seen.shelf(IMAGE, provider, PLACES[provider])
        verbs: dict[str, Callable[[], Pointer | None]] = {
            "advance": lambda: moves.advance(shelf, now_s=2.0),
            "promote": lambda: moves.promote(shelf, number, WORD),
            "rollback": lambda: moves.rollback(shelf, WORD),
            "pin": lambda: moves.pin(shelf, number, WORD),
            "unpin": lambda: moves.unpin(shelf, WORD),
        }
        try:
            after = verbs[verb]()
        except MoveRefusedError:
            return
        if after is not None:
            before = seen.pointers.get((IMAGE, provider))
            some = {one: seen.seen(one) for one in seen.uploads}
            self.plan(lambda: writes.move(before, after, some))

    @rule(data=st.data())
    def plan_child(self, data: st.DataObject) -> None:
        """Let a build of another image begin from an upload."""
        seen = self.pick(data, "maker")
        if seen is None:
            return
        self.numbers[CHILD] += 1
        one = child(self.numbers[CHILD], seen.value.id)
        both = self.looks["maker"].seen(seen.value.id)
        create = Create(path=paths.build(one.id), data=encode_build(one))
        self.plan(lambda: [create, *writes.touch(both)])

    @rule(data=st.data())
    def end_child(self, data: st.DataObject) -> None:
        """Let it fail."""
        some = [
            one
            for one in self.records.library.builds.values()
            if one.value.id.image == CHILD and one.value.state is BuildState.BUILDING
        ]
        if some:
            one = data.draw(st.sampled_from(some))
            after = one.value.after(BuildEvent.FAILED, now_s=3.0)
            self.commit([Set(path=one.path, data=encode_build(after), version=one.version)])

    @rule(data=st.data())
    def plan_copy(self, data: st.DataObject) -> None:
        """Let a pending upload be begun, from an upload that is believed in."""
        look = self.looks["maker"]
        some = [one for one in look.uploads.values() if one.value.state is UploadState.PENDING]
        if not some:
            return
        one = data.draw(st.sampled_from(some))
        source = UploadId(one.value.id.build, PLACES["pa"])
        if source in look.uploads:
            after = one.value.after(UploadEvent.TAKEN, now_s=3.0, source=source.place)
            self.plan(lambda: [_set(one, after), *writes.touch(look.seen(source))])

    @rule(data=st.data(), works=st.booleans())
    def end_copy(self, data: st.DataObject, works: bool) -> None:  # noqa: FBT001
        """Let a copy be whole, or broken."""
        some = self.in_state(UploadState.MAKING)
        if some:
            one = data.draw(st.sampled_from(some))
            stored = one.value.after(UploadEvent.STORED, now_s=3.0, source=None)
            proven = stored.after(UploadEvent.TRIED, now_s=3.0).after(
                UploadEvent.PROVEN, now_s=3.0, trials=PASSED
            )
            broken = one.value.after(UploadEvent.GIVEN_UP, now_s=3.0, source=None)
            self.commit([_set(one, proven if works else broken)])

    @rule(
        data=st.data(),
        first=st.booleans(),
        verb=st.sampled_from(["pin", "rollback", "child", "copy", "launch"]),
    )
    def race(self, data: st.DataObject, first: bool, verb: str) -> None:  # noqa: FBT001
        """Let one who refers and one who retires look at the same moment, and write in turn."""
        self.plans.clear()
        for actor in ACTORS:
            self.look(actor, "all")
        usable = self.in_state(UploadState.USABLE)
        if not usable:
            return
        one = data.draw(st.sampled_from(usable))
        provider = next(name for name, place in PLACES.items() if place == one.value.id.place)
        refer: dict[str, Callable[[], None]] = {
            "pin": lambda: self.plan_move(provider, "pin", one.value.id.build.number),
            "rollback": lambda: self.plan_move(provider, "rollback", 1),
            "child": lambda: self.plan_child(data),
            "copy": lambda: self.plan_copy(data),
            "launch": lambda: self.plan_launch(data, candidate=False),
        }
        steps = [refer[verb], lambda: self.retire(one)]
        for step in steps if first else reversed(steps):
            step()
        while self.plans:
            self.write(data)
            self.nothing_is_deleted_that_is_referred_to()

    # -- what retires and deletes ------------------------------------------------------------

    @rule(data=st.data())
    def plan_retirement(self, data: st.DataObject) -> None:
        """Let one that is believed usable retire, if a look begun after that shows no reference."""
        one = self.pick(data, "retirer")
        if one is not None and one.value.state is UploadState.USABLE:
            self.retire(one)

    def retire(self, one: Stored[Upload]) -> None:
        """Plan it for an upload that was read before."""
        fresh = library.read(self.stores["retirer"])
        if references.why_kept(one.value.id, fresh.holders()) is None:
            self.plan(lambda: [_set(one, one.value.after(UploadEvent.RETIRED, now_s=4.0))])

    @rule(data=st.data())
    def plan_deletion(self, data: st.DataObject) -> None:
        """Let one that is believed retiring be deleted, on the same condition."""
        one = self.pick(data, "deleter")
        if one is None or one.value.state is not UploadState.RETIRING:
            return
        fresh = library.read(self.stores["deleter"])
        if references.why_kept(one.value.id, fresh.holders()) is None:
            self.plan(lambda: [_set(one, one.value.after(UploadEvent.UNREFERENCED, now_s=5.0))])

    # -- helpers -----------------------------------------------------------------------------

    def pick(self, data: st.DataObject, actor: str) -> Stored[Upload] | None:
        """Return an upload that somebody believes in."""
        some = self.looks[actor].uploads
        return some[data.draw(st.sampled_from(sorted(some)))] if some else None

    def in_state(self, state: UploadState) -> list[Stored[Upload]]:
        """Return the uploads that are in a state."""
        some = self.records.library.uploads.values()
        return [one for one in some if one.value.state is state]

    def plan(self, make: Callable[[], list[Op]]) -> None:
        """Keep what is to be written."""
        try:
            self.plans.append(make())
        except NotBootableError:
            return

    def commit(self, ops: list[Op]) -> None:
        """Write, unless the world has gone on."""
        try:
            self.god.commit(ops)
        except RejectedError:
            return
        self.records.written(ops)

    @invariant()
    def nothing_is_deleted_that_is_referred_to(self) -> None:
        """From the very moment in which it may be deleted on; and pointers name what is whole."""
        now = self.records.library
        found = references.index(now.holders())
        for one in now.uploads.values():
            if one.value.state is UploadState.DELETING:
                assert one.value.id not in found
        for pointer in now.pointers.values():
            for upload_id in writes.named(pointer.value):
                assert now.uploads[upload_id].value.state is UploadState.USABLE

    def teardown(self) -> None:
        """When all that refers has ended, everything else goes: nothing is kept for ever."""
        self.plans.clear()
        for path in _launches(self.god):
            self.commit([Delete(path=path)])
        for build in self.records.library.builds.values():
            if build.value.state is BuildState.BUILDING:
                ended = build.value.after(BuildEvent.FAILED, now_s=9.0)
                self.commit([Set(path=build.path, data=encode_build(ended), version=-1)])
        for state, event in (
            (UploadState.MAKING, UploadEvent.GIVEN_UP),
            (UploadState.PENDING, UploadEvent.GIVEN_UP),
            (UploadState.FAILED, UploadEvent.RETIRED),
            (UploadState.USABLE, UploadEvent.RETIRED),
            (UploadState.RETIRING, UploadEvent.UNREFERENCED),
        ):
            for one in self.in_state(state):
                held = references.why_kept(one.value.id, self.records.library.holders())
                if held is None:
                    self.commit([_set(one, one.value.after(event, now_s=9.0, source=None))])
        last = self.records.library
        named = {one for p in last.pointers.values() for one in writes.named(p.value)}
        for one in last.uploads.values():
            assert (one.value.state is not UploadState.DELETING) == (one.value.id in named)


def _create(one: Upload) -> Create:
    return Create(path=paths.upload(one.id), data=encode_upload(one))


def _set(before: Stored[Upload], after: Upload) -> Set:
    return Set(path=before.path, data=encode_upload(after), version=before.version)


def _launches(store: FakeStore) -> list[str]:
    return [
        paths.launch(provider, NodeId(node))
        for provider in PLACES
        for node in store.children(paths.launches(provider))
    ]


History.TestCase.settings = settings(max_examples=30, stateful_step_count=25, deadline=None)
TestHistory = History.TestCase

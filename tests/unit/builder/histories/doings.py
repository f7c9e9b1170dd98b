"""What builders, launchers and people do in a history: one generator each, a write at each step."""

from collections.abc import Callable, Iterator
from enum import StrEnum
from typing import Any, Final

from builder.actions import JudgedAction
from builder.alarm.actions import RaiseAlarm
from builder.build import outcome as build_outcome
from builder.build.actions import KeepSnapshot, Make
from builder.build.outcome import Quieted
from builder.build.writes import finish
from builder.decide import decide
from builder.place.actions import SweepImage
from builder.place.hand_sweep import SweepingHand
from builder.place.sites import Sites
from builder.upload import outcome as upload_outcome
from builder.upload.actions import CondemnUpload, Copy, EraseImage, RetireUpload, Validate
from builder.upload.hand_retire import RetiringHand
from builder.upload.outcome import WholeImage
from builder.view import WorldView
from builder.writes import write as write_action
from remuda.cli.image.record_writer import each_once, move_pointer, set_build
from remuda.images import writes
from remuda.images.catalogue import Catalogue
from remuda.images.library import Library
from remuda.images.moves import MoveRefusedError
from remuda.images.revoking import Changes
from remuda.images.writes import NotBootableError
from remuda.model import launch as launches
from remuda.model.build import Blame, Build, Mishap, encode_build
from remuda.model.ids import NodeId, ReplicaId
from remuda.model.image import BuildId, UploadId, Word
from remuda.model.launch import Launch, Step
from remuda.model.pointer import Pointer
from remuda.model.upload import Method, Upload, encode_upload
from remuda.store import paths
from remuda.store.api import Check, Create, Delete, Op, Set, Stored
from tests.fakes.image_store import FakeImages
from tests.unit.builder.histories.estate import INSTALLATION, Estate
from tests.unit.builder.histories.referring import BrokenRuleError

Steps = Iterator[None]


class Fate(StrEnum):
    """How a hand's work ends."""

    OK = "ok"
    CLOUD = "cloud"
    RECIPE = "recipe"


_BLAME: Final = {Fate.CLOUD: Blame.CLOUD, Fate.RECIPE: Blame.RECIPE}


def mishap(fate: Fate) -> Mishap | None:
    """Return what went wrong."""
    blame = _BLAME.get(fate)
    return None if blame is None else Mishap(step="x", blame=blame, message="it broke")


class Doings(Estate):
    """An estate with those who work on it."""

    # Builders.

    def settle(self, turns: int) -> None:
        """Let one builder work so many times, undisturbed, on what is true, or until it rests."""
        self.finish()
        idle = 0
        for _ in range(turns):
            self.list_places()
            world = self.world(self.living[0], self.look(self.living[0]))
            some = decide(world).actions
            for action in some:
                self.do(world, action, Fate.OK)
            self.finish()
            idle = 0 if some else idle + 1
            if idle > 2:
                return

    def do(self, world: WorldView, action: JudgedAction, fate: Fate) -> None:
        """Begin an action, unless its subject is busy."""
        if str(action.id) in {one.name for one in self.tasks if one.who == world.me}:
            return
        steps = self._steps(world, action, fate)
        if steps is not None:
            self.begin(world.me, action.id, steps)

    def _steps(self, world: WorldView, action: JudgedAction, fate: Fate) -> Steps | None:
        me = world.me
        steps: Steps | None = None
        match action:
            case Make(id=build_id):
                steps = self.make(me, build_id, fate)
            case Copy(id=upload_id):
                steps = self.copy(me, upload_id, fate)
            case Validate(id=upload_id):
                steps = self.validate(me, upload_id, fate)
            case EraseImage() | SweepImage():
                steps = self.remove(world, action)
            case RetireUpload() | CondemnUpload():
                steps = self.end(action)
            case KeepSnapshot():
                steps = self.adopt(world, action)
            case RaiseAlarm():
                pass
            case _:
                steps = self.write(lambda: write_action(world, action))
        return steps

    def write(self, make: Callable[[], list[Op]]) -> Steps:
        """Write what follows from what was believed."""
        try:
            ops = make()
        except (NotBootableError, MoveRefusedError, KeyError):
            return
        yield
        if ops:
            self.commit(ops)

    def end(self, action: RetireUpload | CondemnUpload, at: int = 0, between: Any = None) -> Steps:
        """Let the hand read anew, others act before its reading *at*, and it write later."""
        store = self.hesitant
        store.taken, store.readings = [], 0
        store.before = lambda number: between() if between and number == at else None
        hand, odd = self.keeper(store), self.oracle.now.odd
        (hand.retire if isinstance(action, RetireUpload) else hand.condemn)(action)  # type: ignore[arg-type]
        ops = store.taken
        store.before = lambda _number: None
        if ops and odd & self.oracle.now.odd:
            raise BrokenRuleError(f"{action.id} ends, though {min(odd)} may refer to it")
        yield
        if ops:
            self.commit(ops)

    def remove(self, world: WorldView, action: EraseImage | SweepImage) -> Steps:
        """Let the hand delete an image."""
        yield
        place = action.id.place if isinstance(action, EraseImage) else action.place
        here = next((one.name for one in world.providers.values() if one.place == place), None)
        if here is None:
            return
        if isinstance(action, EraseImage):
            self.keeper(self.god).erase(action, here)
            self.oracle.written()
        else:
            listing = world.listing(place)
            image = listing.images[action.cloud_image]
            self.sweeper().sweep(action, image, here, listed_s=listing.before_s)

    def keeper(self, store: Any) -> RetiringHand:
        """Return the real hand that ends uploads."""
        return RetiringHand(store, self.clock, INSTALLATION, self.sites())

    def sweeper(self) -> SweepingHand:
        """Return the real hand that deletes what no record knows."""
        return SweepingHand(self.god, self.clock, INSTALLATION, self.sites())

    def sites(self) -> Sites:
        """Return where images lie."""
        known = {name: self.images[name] for name in self.configured}
        return Sites(lambda: known)

    def adopt(self, world: WorldView, action: KeepSnapshot) -> Steps:
        """Finish a build of which only its snapshot is left."""
        stored = world.library.builds[action.id]
        yield
        image = WholeImage(cloud_image=action.snapshot)
        self.commit(finish(stored, image, action.also, now_s=self.clock.now_s()))

    def make(self, me: ReplicaId, build_id: BuildId, fate: Fate) -> Steps:
        """Fill a machine, and have a snapshot of it."""
        seen = self.fresh()
        stored, policy = seen.builds.get(build_id), self.world(me, seen).policies[build_id.image]
        if stored is None or stored.value.owner != me or stored.value.state != "building":
            return
        yield
        now_s, wrong = self.clock.now_s(), mishap(fate)
        if wrong is not None:
            self.set_build(stored, build_outcome.unmade(stored.value, wrong, policy, now_s=now_s))
            return
        name = self.token(build_id)
        order = Quieted(cloud_name=name, asked_by_s=now_s + 1.0)
        if not self.set_build(stored, build_outcome.quieted(stored.value, order, now_s=now_s)):
            return
        yield
        place = stored.value.place or ""
        snapshot = self.image(name, UploadId(build_id, place))
        yield
        again = self.fresh().builds.get(build_id)
        if again is None or again.value.cloud_name != name or again.value.state != "snapshotting":
            return
        also = {self.places[one] for one in again.value.group if one in self.configured} - {place}
        image = WholeImage(cloud_image=snapshot)
        ops = finish(again, image, tuple(sorted(also)), now_s=self.clock.now_s())
        yield
        self.commit(ops)

    def copy(self, me: ReplicaId, upload_id: UploadId, fate: Fate) -> Steps:
        """Share or carry."""
        seen = self.fresh()
        stored = seen.uploads.get(upload_id)
        policy = self.world(me, seen).policies[upload_id.build.image]
        if stored is None or stored.value.owner != me or stored.value.state != "making":
            return
        upload = stored.value
        source = seen.uploads[UploadId(upload_id.build, upload.source or "")].value
        yield
        now_s, wrong = self.clock.now_s(), mishap(fate)
        if wrong is not None:
            self.set_upload(stored, upload_outcome.uncopied(upload, wrong, policy, now_s=now_s))
            return
        image_id = source.cloud_image or ""
        here, there = self.cloud_of(upload_id.place), self.cloud_of(source.id.place)
        if image_id not in there.glance.kept:
            return  # its owner was thought dead meanwhile, and it was given back
        if upload.method is Method.SHARE:
            there.share(image_id, here.project())
            here.accept(image_id)
        else:
            image_id = self.image(self.token(upload_id.build), upload_id)
        yield
        after = upload_outcome.copied(
            upload, WholeImage(cloud_image=image_id), now_s=self.clock.now_s()
        )
        self.set_upload(stored, after)

    def validate(self, me: ReplicaId, upload_id: UploadId, fate: Fate) -> Steps:
        """Have a candidate booted, which a launcher does, and judge it."""
        seen = self.fresh()
        stored = seen.uploads.get(upload_id)
        policy = self.world(me, seen).policies[upload_id.build.image]
        if stored is None or stored.value.owner != me or stored.value.trying is None:
            return
        provider = stored.value.trying
        yield
        ops = self.bound(self.fresh(), upload_id, provider, candidate=True)
        path = ops[-1].path if ops and self.commit(ops) else None
        yield
        now_s = self.clock.now_s()
        wanted = [name for name in self.configured if self.places[name] == upload_id.place]
        after = upload_outcome.judged(stored.value, mishap(fate), None, policy, wanted, now_s=now_s)
        self.set_upload(stored, after)
        yield
        if path is not None:
            self.commit([Delete(path=path)])

    def set_build(self, before: Stored[Build], after: Build) -> bool:
        """Write a build at the version that was read."""
        return self.commit(
            [Set(path=before.path, data=encode_build(after), version=before.version)]
        )

    def set_upload(self, before: Stored[Upload], after: Upload) -> bool:
        """Write an upload at the version that was read."""
        data = encode_upload(after)
        return self.commit([Set(path=before.path, data=data, version=before.version)])

    def cloud_of(self, place: str) -> FakeImages:
        """Return the images of a place."""
        return next(one for name, one in self.images.items() if self.places[name] == place)

    # Launchers.

    def bound(
        self, seen: Library, upload_id: UploadId, provider: str, *, candidate: bool = False
    ) -> list[Op]:
        """Return the intent of a launch that boots an upload; none: it may not be booted."""
        if upload_id not in seen.uploads or upload_id.build not in seen.builds:
            return []
        self.count += 1
        one = Launch(
            id=NodeId(f"{3_000_000_000 + self.count}"),
            pool="main",
            label="small",
            step=Step.PLANNED,
            owner=ReplicaId("l"),
            planned_s=1.0,
            asked_by_s=1.0,
            image_build=str(upload_id.build),
            image_place=upload_id.place,
        )
        both = seen.seen(upload_id)
        try:
            bind = writes.bind(both.upload, candidate=candidate)
        except NotBootableError:
            return []
        return [
            bind,
            Check(path=both.build.path, version=both.build.version),
            Create(path=paths.launch(provider, one.id), data=launches.encode(one)),
        ]

    def launched(self) -> list[str]:
        """Return the paths of all launches."""
        return [
            paths.launch(provider, NodeId(node))
            for provider in self.images
            for node in self.god.children(paths.launches(provider))
        ]

    # People.

    def word(self) -> Word:
        """Return what somebody says."""
        return Word(who="ada", why="x", at_s=self.clock.now_s())

    def move(self, provider: str, image: str, judge: Callable[[Any], Pointer | None]) -> Steps:
        """Move a pointer, as a command does."""
        seen = self.believed("ada")
        shelf = Catalogue(seen).shelf(image, provider, self.places[provider])

        def ops() -> list[Op]:
            after = judge(shelf)
            return [] if after is None else move_pointer(seen, after)

        return self.write(ops)

    def revocation(self, judge: Callable[[Any, Any], Changes]) -> Steps:
        """Revoke a build, or restore it, as the commands do."""
        seen = self.believed("ada")
        known = Catalogue(seen)
        shelves = [
            known.shelf(image, provider, pointer.place)
            for image, pointers in known.pointers.items()
            for provider, pointer in pointers.items()
        ]
        builds = {one: stored.value for one, stored in seen.builds.items()}

        def ops() -> list[Op]:
            changes = judge(builds, shelves)
            found: list[Op] = [set_build(seen, one) for one in changes.builds]
            for pointer in changes.pointers:
                found += move_pointer(seen, pointer)
            return each_once(found)

        return self.write(ops)

    def wish(self, make: Callable[[Library], Op]) -> Steps:
        """Write somebody's wish into a record."""
        seen = self.believed("ada")
        return self.write(lambda: [make(seen)])

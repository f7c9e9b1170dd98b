"""A small simulation of builders over the judgements: virtual time, one seed, crashes, old views.

Hands are generators that tell how long they take; whoever crashes leaves them where they are.
Records lie in the in-memory ZooKeeper, and every write goes through the real transactions.
"""

import random
import zlib
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field, replace
from typing import Any, Final

from builder import transactions
from builder.decide import keeping, results
from builder.decide.actions import (
    BuilderAction,
    BuilderPlan,
    CondemnUpload,
    Copy,
    EraseImage,
    Make,
    RaiseAlarm,
    RetireUpload,
    SweepImage,
    Validate,
)
from builder.decide.decide import decide
from builder.decide.policy import ImagePolicy
from builder.decide.results import Quieted, WholeImage
from builder.decide.world import BuilderWorld, ImageListing, ListedImage, ProviderFacts
from remuda.images import moves, references, revoking, writes
from remuda.images.library import Library
from remuda.images.moves import MoveRefusedError
from remuda.images.references import ReferenceKind
from remuda.images.writes import NotBootableError
from remuda.model import launch as launches
from remuda.model.build import Base, Blame, Build, BuildState, Mishap, encode_build
from remuda.model.ids import NodeId, ReplicaId
from remuda.model.image import BuildId, ImageRecord, UploadId, Word, encode_image
from remuda.model.launch import Launch, Step
from remuda.model.upload import Method, Upload, UploadState
from remuda.store import paths
from remuda.store.api import Create, Delete, Op, RejectedError, Set
from tests.fakes.store import FakeZookeeper
from tests.support.imagerecords import ImageRecords

PLACES: Final = {"pa": "a" * 12, "pa2": "a" * 12, "pb": "b" * 12}
SESSION_S: Final = 30.0
EVIDENCE_S: Final = 2000.0
Hand = Iterator[float]


@dataclass(slots=True)
class CloudImage:
    """An image in the fake clouds; the stranger's has no build."""

    name: str
    place: str
    build: BuildId | None
    active_s: float
    members: set[str] = field(default_factory=set)


@dataclass(slots=True)
class Running:
    """A hand at work."""

    builder: ReplicaId
    name: str
    hand: Hand
    wakes_s: float


class Workshop:
    """One run.

    Attributes:
        calm: Faults are off.
        plans: The last plan of each builder.
    """

    def __init__(self, seed: int) -> None:
        self.rng = random.Random(seed)  # noqa: S311 - a seed makes it repeatable
        self.now_s, self.calm, self.count = 1000.0, False, 0
        self.zookeeper = FakeZookeeper()
        self.store = self.zookeeper.connect()
        self.images: dict[str, CloudImage] = {
            "strange": CloudImage("debian.1", PLACES["pa"], None, 0.0)
        }
        self.listings: dict[str, ImageListing] = {}
        self.living: set[ReplicaId] = set()
        self.sessions: dict[ReplicaId, float] = {}
        self.running: list[Running] = []
        self.views: list[Library] = []
        self.troubles: dict[str, str] = {}
        self.plans: dict[ReplicaId, BuilderPlan] = {}
        self.realm = self.rng.choice(["", "r"])
        groups: tuple[tuple[str, ...], ...] = (("pa", "pa2", "pb"),)
        if self.rng.random() < 0.3:
            groups = (("pa", "pa2"), ("pb",))
        self.policies = {
            "base": self.policy("base", groups),
            "child": self.policy("child", groups, parent="base"),
        }
        for image in self.policies:
            self.store.ensure(paths.builds(image), paths.pointers(image))
            data = encode_image(ImageRecord(name=image))
            self.store.commit([Set(path=paths.image(image), data=data, version=0)])
        self.store.ensure(*map(paths.launches, PLACES))
        self.records = ImageRecords(self.zookeeper)
        self.known = self.records.library

    def policy(
        self, image: str, groups: tuple[tuple[str, ...], ...], parent: str | None = None
    ) -> ImagePolicy:
        """Return a recipe that is due every few minutes."""
        period_s = self.rng.choice([300.0, 900.0])
        return ImagePolicy(
            image=image,
            fingerprint="f",
            groups=groups,
            parent=parent,
            next_due_s=lambda after_s: None if self.calm else after_s + period_s,
            backoff_s=60.0,
            backoff_s_max=600.0,
            evidence_s=EVIDENCE_S,
            grace_s=20.0,
            snapshot_s_max=600.0,
            fresh_s_max=1e6,
        )

    # -- records -----------------------------------------------------------------------------

    def commit(self, ops: list[Op]) -> bool:
        """Write, and check what must hold of every write; False: the world has gone on."""
        before = self.known
        try:
            self.store.commit(ops)
        except RejectedError:
            return False
        self.known = self.records.written(ops)
        self.views = [*self.views[-8:], self.known]
        self.check(before, self.known)
        return True

    def check(self, before: Library, after: Library) -> None:
        """Fail if a write broke an invariant."""
        found = references.index(after.holders())
        for key, pointer in before.pointers.items():
            assert key in after.pointers, "1: a pointer is there for ever"
            then = after.pointers[key].value
            if then.current < pointer.value.current:
                assert str(then.moves[-1].kind) in {"rollback", "revoke"}, "3: order"
        for key, stored in after.pointers.items():
            old = before.pointers.get(key)
            new = writes.named(stored.value) - (writes.named(old.value) if old else set())
            for one in new:
                upload, build = after.uploads[one].value, after.builds[one.build].value
                assert upload.state is UploadState.USABLE, "2: usable"
                assert upload.passed(key[1]), "2: proven in this provider"
                assert build.revoked is None, "2: not revoked"
            for one in writes.named(stored.value):
                assert after.uploads[one].value.state is UploadState.USABLE, "2: and stays so"
        for upload_id, upload_ in after.uploads.items():
            if upload_.value.state is UploadState.DELETING:
                assert upload_id not in found, "5: nothing refers to what is deleted"
        under_way = [
            (one.id.image, one.value.group)
            for one in (_Named(i, s.value) for i, s in after.builds.items())
            if one.value.state in {"requested", "building", "snapshotting"}
        ]
        assert len(under_way) == len(set(under_way)), "7: one build at a time"

    # -- builders ----------------------------------------------------------------------------

    def start(self) -> None:
        """Start a builder."""
        self.count += 1
        self.living.add(ReplicaId(f"b{self.count}"))

    def crash(self) -> None:
        """Kill one; its hands stop, its session lives on for a while."""
        victim = self.rng.choice(sorted(self.living))
        self.living.discard(victim)
        self.sessions[victim] = self.now_s + SESSION_S
        left = [one for one in self.running if one.builder == victim]
        self.running = [one for one in self.running if one.builder != victim]
        for one in left:
            one.hand.close()  # type: ignore[attr-defined]

    def world(self, me: ReplicaId, seen: Library) -> BuilderWorld:
        """Return what a builder believes."""
        dying = {one for one, ends_s in self.sessions.items() if ends_s > self.now_s}
        builders = frozenset(self.living | dying)

        def mine(thing: str) -> bool:
            return max(builders, key=lambda one: (hash_of(thing, one), one)) == me

        return BuilderWorld(
            now_s=self.now_s,
            me=me,
            builders=builders,
            mine=mine,
            library=seen,
            policies=self.policies,
            providers={
                name: ProviderFacts(
                    name=name, place=place, realm=self.realm, trouble=self.troubles.get(name)
                )
                for name, place in PLACES.items()
            },
            listings=self.listings,
            bases={("base", name): Base(id="debian") for name in PLACES},
            busy=frozenset(one.name for one in self.running if one.builder == me),
        )

    def turn(self, me: ReplicaId) -> None:
        """Let a builder look, at something old perhaps, and do what it decides."""
        old = not self.calm and self.rng.random() < 0.3
        world = self.world(me, self.rng.choice(self.views or [self.known]) if old else self.known)
        plan = self.plans[me] = decide(world)
        for action in plan.actions:
            if me in self.living:
                self.do(world, action)
            if not self.calm and self.rng.random() < 0.01 and len(self.living) > 1:
                self.crash()

    def do(self, world: BuilderWorld, action: BuilderAction) -> None:
        """Do one action: start its hand, or write it; the reply may be lost."""
        hand: Hand | None = None
        match action:
            case Make(id=build_id):
                hand = self.make(world.me, build_id)
            case Copy(id=upload_id):
                hand = self.copy(world.me, upload_id)
            case Validate(id=upload_id):
                hand = self.validate(world.me, upload_id)
            case EraseImage(id=upload_id, cloud_image=image_id):
                self.erase(upload_id, image_id)
            case SweepImage(place=place, cloud_image=image_id):
                self.sweep(world, place, image_id)
            case RetireUpload() | CondemnUpload():
                self.end_reference(world, action)
            case RaiseAlarm():
                pass
            case _:
                self.write(world, action)
        if hand is not None:
            name = str(action.id)
            self.running.append(Running(builder=world.me, name=name, hand=hand, wakes_s=self.now_s))

    def write(self, world: BuilderWorld, action: BuilderAction) -> None:
        """Write what an action writes."""
        try:
            ops = transactions.write(world, action)
        except (NotBootableError, KeyError):
            return
        self.commit(ops)

    def end_reference(self, world: BuilderWorld, action: RetireUpload | CondemnUpload) -> None:
        """Read anew who refers, then write at the version that was known before."""
        some = references.index(self.known.holders()).get(action.id, ())
        if isinstance(action, RetireUpload):
            some = tuple(one for one in some if one.kind is not ReferenceKind.LAUNCH)
        if not some:
            self.write(world, action)

    # -- hands -------------------------------------------------------------------------------

    def fenced(self, me: ReplicaId, upload_id: UploadId) -> Upload | None:
        """Return an upload if it is still ours."""
        stored = self.known.uploads.get(upload_id)
        return stored.value if stored is not None and stored.value.owner == me else None

    def mine(self, me: ReplicaId, build_id: BuildId, state: BuildState) -> Build | None:
        """Return a build if it is still ours."""
        stored = self.known.builds.get(build_id)
        if stored is None or stored.value.owner != me or stored.value.state is not state:
            return None
        return stored.value

    def fault(self) -> Mishap | None:
        """Return what goes wrong now, if anything does."""
        if self.calm or self.rng.random() < 0.6:
            return None
        blame = self.rng.choice([Blame.CLOUD, Blame.CLOUD, Blame.RECIPE, Blame.MACHINE])
        return Mishap(step="x", blame=blame, message=f"{blame} broke it")

    def make(self, me: ReplicaId, build_id: BuildId) -> Hand:
        """Boot, fill, quiet, stop, snapshot."""
        world = self.world
        policy = self.policies[build_id.image]
        yield self.rng.uniform(10, 200)
        build = self.mine(me, build_id, BuildState.BUILDING)
        if build is None:
            return
        mishap = self.fault()
        if mishap is not None:
            after = results.unmade(build, mishap, policy, now_s=self.now_s)
            self.commit([transactions.set_build(world(me, self.known), after)])
            return
        self.count += 1
        order = Quieted(cloud_name=f"{build_id}.{self.count}", asked_by_s=self.now_s + 60)
        after = results.quieted(build, order, now_s=self.now_s)
        if not self.commit([transactions.set_build(world(me, self.known), after)]):
            return
        try:
            yield self.rng.uniform(0, 50)
        except GeneratorExit:
            # It died with the call on the wire.
            if self.rng.random() < 0.5:
                self.snapshot(after)
            raise
        self.snapshot(after)
        yield self.rng.uniform(50, 300)
        one = next((i for i, c in self.images.items() if c.name == after.cloud_name), None)
        build = self.mine(me, build_id, BuildState.SNAPSHOTTING)
        if build is None:
            return
        if one is None or self.images[one].active_s > self.now_s:
            gone = Mishap(step="snapshot", blame=Blame.CLOUD, message="it is not there")
            after = results.unmade(build, gone, policy, now_s=self.now_s)
            self.commit([transactions.set_build(world(me, self.known), after)])
            return
        places = tuple(sorted({PLACES[name] for name in build.group} - {build.place}))
        image = WholeImage(cloud_image=one)
        self.commit(transactions.finish(world(me, self.known), build_id, image, places))

    def snapshot(self, build: Build) -> None:
        """Let the cloud begin one; some never finish."""
        hangs = not self.calm and self.rng.random() < 0.15
        self.image(
            build.cloud_name or "", build.place or "", build.id, 1e12 if hangs else self.now_s + 40
        )

    def image(self, name: str, place: str, build: BuildId, active_s: float) -> str:
        """Let there be an image."""
        self.count += 1
        self.images[f"i{self.count}"] = CloudImage(name, place, build, active_s)
        return f"i{self.count}"

    def copy(self, me: ReplicaId, upload_id: UploadId) -> Hand:
        """Share or carry."""
        yield self.rng.uniform(5, 100)
        upload, mishap = self.fenced(me, upload_id), self.fault()
        if upload is None or upload.state is not UploadState.MAKING:
            return
        policy = self.policies[upload_id.build.image]
        source = self.known.uploads.get(UploadId(upload_id.build, upload.source or ""))
        assert source is not None, "5: a source is there while it is copied"
        image_id = source.value.cloud_image or ""
        assert image_id in self.images, "5: with its bytes"
        if upload.method is Method.SHARE:
            self.images[image_id].members.add(upload_id.place)
        else:
            name = f"{upload_id}.{self.count}"
            image_id = self.image(name, upload_id.place, upload_id.build, self.now_s)
        yield self.rng.uniform(0, 30)
        upload = self.fenced(me, upload_id)
        if upload is None or upload.state is not UploadState.MAKING:
            return
        if mishap is not None:
            after = results.uncopied(upload, mishap, policy, now_s=self.now_s)
        else:
            after = results.copied(upload, WholeImage(cloud_image=image_id), now_s=self.now_s)
        self.commit([transactions.set_upload(self.world(me, self.known), after)])

    def validate(self, me: ReplicaId, upload_id: UploadId) -> Hand:
        """Boot a candidate, which a launcher does, and judge it."""
        yield self.rng.uniform(1, 20)
        upload = self.fenced(me, upload_id)
        if upload is None or upload.trying is None:
            return
        path = self.launch(upload_id, upload.trying, candidate=True)
        yield self.rng.uniform(10, 100)
        upload, mishap = self.fenced(me, upload_id), self.fault()
        if path is not None:
            self.commit([Delete(path=path)])
        if upload is None or upload.trying is None:
            return
        assert upload.cloud_image in self.images, "5: a candidate's image is there"
        wanted = [name for name, place in PLACES.items() if place == upload_id.place]
        host = self.rng.choice(["h1", "h2", None])
        after = results.judged(
            upload, mishap, host, self.policies[upload_id.build.image], wanted, now_s=self.now_s
        )
        self.commit([transactions.set_upload(self.world(me, self.known), after)])

    def erase(self, upload_id: UploadId, image_id: str) -> None:
        """Delete an image, or leave it as a member."""
        upload = self.known.uploads.get(upload_id)
        if upload is None or upload.value.state is not UploadState.DELETING:
            return
        if not self.calm and self.rng.random() < 0.3:
            return  # the cloud says: in use
        assert upload_id not in references.index(self.known.holders()), "5"
        self.delete(upload_id.place, image_id)

    def sweep(self, world: BuilderWorld, place: str, image_id: str) -> None:
        """Delete what no record knows, as it is read anew."""
        listing = self.listings[place]
        one = listing.images.get(image_id)
        fresh = replace(world, library=self.known)
        if one is None or keeping.expected(fresh, place, one, listed_s=listing.before_s):
            return
        users = [
            one.value.id for one in self.known.uploads.values() if one.value.cloud_image == image_id
        ]
        assert place not in {one.place for one in users}, "5: what is on record is not swept"
        self.delete(place, image_id)

    def delete(self, place: str, image_id: str) -> None:
        """Let the cloud do it."""
        image = self.images.get(image_id)
        if image is None:
            return
        assert image.build is not None, "9: a stranger's image"
        if image.place == place:
            del self.images[image_id]
        else:
            image.members.discard(place)

    # -- everybody else ----------------------------------------------------------------------

    def launch(self, upload_id: UploadId, provider: str, *, candidate: bool = False) -> str | None:
        """Let a launcher bind an upload."""
        stored = self.known.uploads.get(upload_id)
        if stored is None:
            return None
        self.count += 1
        one = Launch(
            id=NodeId(f"{3_000_000_000 + self.count}"),
            pool="main",
            label="x",
            step=Step.PLANNED,
            owner=ReplicaId("l"),
            planned_s=self.now_s,
            asked_by_s=self.now_s,
            image_build=str(upload_id.build),
            image_place=upload_id.place,
        )
        path = paths.launch(provider, one.id)
        try:
            ops: list[Op] = [writes.bind(stored, candidate=candidate)]
        except NotBootableError:
            return None
        done = self.commit([*ops, Create(path=path, data=launches.encode(one))])
        return path if done else None

    def use(self) -> None:
        """Let launches come and go; each finds its image in the cloud."""
        for (image, provider), stored in sorted(self.known.pointers.items()):
            number = stored.value.served(self.now_s)
            if number is not None and self.rng.random() < 0.3:
                self.launch(UploadId(BuildId(image, number), stored.value.place), provider)
        for provider, one in list(self.known.launches):
            upload_id = UploadId(BuildId(*_split(one.image_build or "")), one.image_place or "")
            upload = self.known.uploads[upload_id].value
            assert upload.cloud_image in self.images, "5: what is booted is there"
            candidates = [run.name for run in self.running]
            if str(upload_id) not in candidates and self.rng.random() < 0.3:
                self.commit([Delete(path=paths.launch(provider, one.id))])

    def command(self) -> None:
        """Let somebody give a command."""
        word = Word(who="ada", why="y", at_s=self.now_s)
        provider = self.rng.choice(sorted(PLACES))
        image = self.rng.choice(sorted(self.policies))
        shelf = self.known.shelf(image, provider, PLACES[provider])
        number = self.rng.randint(1, 12)
        verbs: list[Callable[[], Any]] = [
            lambda: moves.rollback(shelf, word),
            lambda: moves.promote(shelf, None, word),
            lambda: moves.pin(shelf, number, word, until_s=self.now_s + 500),
            lambda: moves.unpin(shelf, word),
        ]
        verb = self.rng.randrange(len(verbs) + 3)
        try:
            if verb < len(verbs):
                after = verbs[verb]()
                seen = {one: self.known.seen(one) for one in writes.named(after)}
                self.commit(writes.move(self.known.pointers.get((image, provider)), after, seen))
            elif verb == len(verbs):
                self.revoke(BuildId(image, number), word)
            elif verb == len(verbs) + 1:
                self.wanted(image, word)
            else:
                self.unwanted(BuildId(image, number), word)
        except (MoveRefusedError, NotBootableError):
            return

    def revoke(self, build_id: BuildId, word: Word) -> None:
        """Let somebody revoke a build, or give it back."""
        builds = {one: stored.value for one, stored in self.known.builds.items()}
        shelves = [self.known.shelf(*key, PLACES[key[1]]) for key in sorted(self.known.pointers)]
        back = build_id in builds and builds[build_id].revoked is not None
        after = (revoking.restore if back else revoking.revoke)(builds, shelves, build_id, word)
        ops: list[Op] = []
        for one in after.builds:
            stored = self.known.builds[one.id]
            ops.append(Set(path=stored.path, data=encode_build(one), version=stored.version))
        for pointer in after.pointers:
            before = self.known.pointers[pointer.image, pointer.provider]
            new = writes.named(pointer) - writes.named(before.value)
            ops += writes.move(before, pointer, {one: self.known.seen(one) for one in new})
        if len({op.path for op in ops}) == len(ops):  # else somebody revokes again
            self.commit(ops)

    def wanted(self, image: str, word: Word) -> None:
        """Let somebody want a build."""
        stored = self.known.images[image]
        after = replace(stored.value, wanted=word, wanted_above=stored.value.last_build)
        self.commit([Set(path=stored.path, data=encode_image(after), version=stored.version)])

    def unwanted(self, build_id: BuildId, word: Word) -> None:
        """Let somebody delete a build."""
        stored = self.known.builds.get(build_id)
        if stored is not None:
            after = replace(stored.value, unwanted=word)
            self.commit([Set(path=stored.path, data=encode_build(after), version=stored.version)])

    def list_places(self) -> None:
        """Let the clouds be listed."""
        for place in sorted(set(PLACES.values())):
            last = self.listings.get(place, ImageListing())
            shown = {
                image_id: ListedImage(
                    id=image_id, name=one.name, build=one.build, active=one.active_s <= self.now_s
                )
                for image_id, one in self.images.items()
                if one.build is not None and place in {one.place, *one.members}
            }
            self.listings[place] = ImageListing(
                begun_s=self.now_s,
                before_s=last.begun_s,
                images=shown,
                images_before=last.images,
            )

    # -- time --------------------------------------------------------------------------------

    def tick(self) -> None:
        """Let some time pass."""
        self.now_s += self.rng.uniform(20, 90) if self.calm else self.rng.uniform(1, 40)
        if not self.calm:
            self.misfortune()
        while len(self.living) < 2:
            self.start()
        for one in [one for one in self.running if one.wakes_s <= self.now_s]:
            if one not in self.running:
                continue
            try:
                one.wakes_s = self.now_s + next(one.hand)
            except StopIteration:
                self.running.remove(one)
        if self.rng.random() < 0.5:
            self.list_places()
        self.use()
        for me in sorted(self.living):
            if me in self.living and (self.calm or self.rng.random() < 0.7):
                self.turn(me)

    def misfortune(self) -> None:
        """Let something happen."""
        if self.rng.random() < 0.04 and len(self.living) > 1:
            self.crash()
        if self.rng.random() < 0.15:
            self.command()
        if self.rng.random() < 0.05:
            name = self.rng.choice(sorted(PLACES))
            if self.troubles.pop(name, None) is None:
                self.troubles[name] = "the cloud is away"


@dataclass(frozen=True, slots=True)
class _Named:
    id: BuildId
    value: Build


def _split(text: str) -> tuple[str, int]:
    image, _, number = text.rpartition("/")
    return image, int(number)


def hash_of(thing: str, who: str) -> int:
    """Return a weight that is the same in every process."""
    return zlib.crc32(f"{thing}\0{who}".encode())


def names(plans: Collection[BuilderPlan]) -> set[str]:
    """Return everything that a plan does something for, or says why it waits."""
    found: set[str] = set()
    for plan in plans:
        found.update(plan.waits, (str(action.id) for action in plan.actions))
    return found

"""A small simulation of builders over the judgements: virtual time, one seed, crashes, old views.

Hands are generators that tell how long they take; whoever crashes leaves them where they are.
Records lie in the in-memory ZooKeeper, and every write goes through the real transactions.
"""

from collections.abc import Generator
from dataclasses import replace

from builder.actions import JudgedAction
from builder.alarm.actions import RaiseAlarm
from builder.build import outcome as build_outcome
from builder.build import same
from builder.build.actions import KeepSnapshot, Make
from builder.build.outcome import Quieted
from builder.build.writes import finish, keep_same, set_build
from builder.decide import decide
from builder.place import sweep
from builder.place.actions import SweepImage
from builder.place.view import ProviderFacts
from builder.upload import outcome as upload_outcome
from builder.upload.actions import CondemnUpload, Copy, EraseImage, RetireUpload, Validate
from builder.upload.outcome import WholeImage
from builder.upload.writes import set_upload
from builder.view import WorldView
from builder.writes import write as write_action
from remuda.images import references
from remuda.images.inventory import Inventory, MachineContents, take
from remuda.images.library import Library
from remuda.images.references import ReferenceKind
from remuda.images.writes import NotBootableError
from remuda.model.build import Base, Blame, Build, BuildState, Mishap
from remuda.model.ids import ReplicaId
from remuda.model.image import BuildId, UploadId
from remuda.model.upload import Method, Upload, UploadState
from remuda.store.api import Delete
from tests.unit.builder.people import People
from tests.unit.builder.setting import PLACES, SESSION_S, Hand, Running, hash_of


class Workshop(People):
    """One run."""

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

    def world(self, me: ReplicaId, seen: Library) -> WorldView:
        """Return what a builder believes."""
        dying = {one for one, ends_s in self.sessions.items() if ends_s > self.now_s}
        builders = frozenset(self.living | dying)

        def mine(thing: str) -> bool:
            return max(builders, key=lambda one: (hash_of(thing, one), one)) == me

        return WorldView(
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
            bases={
                (image, name): Base(id="debian") for image in ("base", "first") for name in PLACES
            },
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

    def do(self, world: WorldView, action: JudgedAction) -> None:
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
            case KeepSnapshot():
                self.adopt(world, action)
            case RaiseAlarm():
                pass
            case _:
                self.write(world, action)
        if hand is not None:
            name = str(action.id)
            self.running.append(Running(builder=world.me, name=name, hand=hand, wakes_s=self.now_s))

    def write(self, world: WorldView, action: JudgedAction) -> None:
        """Write what an action writes."""
        try:
            ops = write_action(world, action)
        except (NotBootableError, KeyError):
            return
        self.commit(ops)

    def adopt(self, world: WorldView, action: KeepSnapshot) -> None:
        """Finish a build of which only its snapshot is left, at the version that was known."""
        image = WholeImage(cloud_image=action.snapshot)
        stored = world.library.builds[action.id]
        self.commit(finish(stored, image, action.also, now_s=self.now_s))

    def end_reference(self, world: WorldView, action: RetireUpload | CondemnUpload) -> None:
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

    def fill(self, me: ReplicaId, build_id: BuildId) -> Generator[float, None, Build | None]:
        """Boot and fill a machine, or take a job's; return the build if it went well."""
        yield self.rng.uniform(10, 200)
        build = self.mine(me, build_id, BuildState.BUILDING)
        if build is None:
            return None
        mishap = self.fault()
        if not self.holds(build):
            mishap = Mishap(step="machine", blame=Blame.JOB, message="its job let it go")
        if mishap is not None:
            self.end(me, build, mishap)
            return None
        if build.captured is None:
            return build
        assert build.quieted_s is None, "a machine that was touched is not begun anew"
        touched = replace(build, quieted_s=self.now_s)
        if not self.commit([set_build(self.world(me, self.known), touched)]):
            return None
        yield self.rng.uniform(0, 30)
        return self.mine(me, build_id, BuildState.BUILDING)

    def end(self, me: ReplicaId, build: Build, mishap: Mishap) -> None:
        """Write that there is no snapshot."""
        policy = self.policies[build.id.image]
        after = build_outcome.unmade(build, mishap, policy, now_s=self.now_s)
        self.commit([set_build(self.world(me, self.known), after)])

    def make(self, me: ReplicaId, build_id: BuildId) -> Hand:
        """Boot, fill, quiet, stop, snapshot."""
        world = self.world
        build = yield from self.fill(me, build_id)
        if build is None:
            return
        # Some nights bring something new.
        found = take([("v", self.rng.choice("aaaab"))], MachineContents(measure="m"))
        if self.is_same(build, found):
            return
        self.count += 1
        order = Quieted(
            cloud_name=f"{build_id}.{self.count}",
            asked_by_s=self.now_s + 60,
            inventory=found.digest,
        )
        after = build_outcome.quieted(build, order, now_s=self.now_s)
        if not self.commit([set_build(world(me, self.known), after)]):
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
            self.end(me, build, gone)
            return
        places = tuple(sorted({PLACES[name] for name in build.group} - {build.place}))
        image = WholeImage(cloud_image=one)
        stored = self.known.builds[build_id]
        self.commit(finish(stored, image, places, now_s=self.now_s))

    def is_same(self, build: Build, found: Inventory) -> bool:
        """End a build that would be what is current already."""
        image, known = build.id.image, self.known
        pointers = {
            name: None if (one := known.pointers.get((image, name))) is None else one.value
            for name in build.group
        }
        number, _ = same.candidate(build, pointers, PLACES)
        if same.why_kept(build, found, self.policies[image]) or number is None:
            return False
        current = known.builds[BuildId(image, number)]
        uploads = {
            name: known.uploads.get(UploadId(current.value.id, PLACES[name]))
            for name in build.group
        }
        newer = [
            (one, [up for up in known.uploads.values() if up.value.id.build == one.value.id])
            for one in known.builds.values()
            if one.value.id.image == image and number < one.value.id.number < build.id.number
        ]
        judged = same.Current(
            build=current.value,
            pointers={name: one for name, one in pointers.items() if one is not None},
            uploads={name: None if one is None else one.value for name, one in uploads.items()},
            newer=tuple((one.value, tuple(up.value for up in ups)) for one, ups in newer),
        )
        if same.why_other(build, found, judged) is not None:
            return False
        seen = {one.path: one.version for one in uploads.values() if one is not None}
        seen |= {
            known.pointers[image, name].path: known.pointers[image, name].version
            for name in build.group
        }
        for one, ups in newer:
            seen |= {each.path: each.version for each in (one, *ups)}
        ops = keep_same(known.builds[build.id], current, seen, found.digest, now_s=self.now_s)
        return self.commit(ops)

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
            after = upload_outcome.uncopied(upload, mishap, policy, now_s=self.now_s)
        else:
            after = upload_outcome.copied(
                upload, WholeImage(cloud_image=image_id), now_s=self.now_s
            )
        self.commit([set_upload(self.world(me, self.known), after)])

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
        after = upload_outcome.judged(
            upload, mishap, host, self.policies[upload_id.build.image], wanted, now_s=self.now_s
        )
        self.commit([set_upload(self.world(me, self.known), after)])

    def erase(self, upload_id: UploadId, image_id: str) -> None:
        """Delete an image, or leave it as a member."""
        upload = self.known.uploads.get(upload_id)
        if upload is None or upload.value.state is not UploadState.DELETING:
            return
        if not self.calm and self.rng.random() < 0.3:
            return  # the cloud says: in use
        assert upload_id not in references.index(self.known.holders()), "5"
        self.delete(upload_id.place, image_id)

    def sweep(self, world: WorldView, place: str, image_id: str) -> None:
        """Delete what no record knows, as it is read anew."""
        listing = self.listings[place]
        one = listing.images.get(image_id)
        fresh = replace(world, library=self.known)
        if one is None or sweep.expected(fresh, place, one, listed_s=listing.before_s):
            return
        users = [
            one.value.id for one in self.known.uploads.values() if one.value.cloud_image == image_id
        ]
        assert place not in {one.place for one in users}, "5: what is on record is not swept"
        self.delete(place, image_id)

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

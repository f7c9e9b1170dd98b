"""The librarian does to the records of images what builders and people do, by the real code.

It reads everything anew before what cannot be undone (docs/adr/0018); what else it knows may be
old. It dies between two steps, and whoever comes next goes on with what is there.
"""

import contextlib
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import ClassVar, Final

from remuda.cloud.api import Image
from remuda.images import moves, revoking, writes
from remuda.images.library import Library
from remuda.images.moves import MoveRefusedError
from remuda.images.writes import NotBootableError
from remuda.model.build import Build, BuildEvent, BuildState, Why, encode_build
from remuda.model.ids import ReplicaId
from remuda.model.image import BuildId, ImageRecord, UploadId, Word, encode_image
from remuda.model.pointer import Pointer
from remuda.model.upload import (
    Method,
    Trial,
    TrialResult,
    Upload,
    UploadEvent,
    UploadState,
    encode_upload,
)
from remuda.store import paths
from remuda.store.api import Create, Op, RejectedError, Set, StoreAwayError, Stored
from tests.fakes.store import FakeStore
from tests.simulation import firstuse, nights
from tests.simulation.capturer import Capturer
from tests.simulation.firstuse import FIRST
from tests.simulation.imagerules import ImageRules
from tests.simulation.imagesetting import Images
from tests.simulation.reading import Reader
from tests.simulation.trouble import Trouble
from tests.simulation.trying import goes_on
from tests.simulation.weeder import Weeder

ME: Final = ReplicaId("librarian")
#: So many looks are at what was read of late.
OLD: Final = 0.5
#: It tries again so often, after the storm, to leave every image in order.
AGAIN_S: Final = 1.0
_REFUSALS: Final = (MoveRefusedError, NotBootableError, RejectedError, StoreAwayError, KeyError)


@dataclass(slots=True)
class Librarian(Trouble):
    """Builders and people in one.

    Attributes:
        in_order: Every image has a usable build, and every pointer names one.
        views: What was read of late.
        capturer: Makes images of jobs' machines, if any are made.
    """

    purpose: ClassVar[str] = "librarian"
    in_order: bool = False
    views: deque[Library] = field(default_factory=lambda: deque(maxlen=4))
    made: int = 0
    capturer: Capturer | None = None
    store: FakeStore = field(init=False)
    reader: Reader = field(init=False)

    def __post_init__(self) -> None:
        """Connect, and make what installations have before there is any build."""
        Trouble.__post_init__(self)
        self.store = self.simulation.zookeeper.connect()
        self.reader = Reader(self.store)
        self.simulation.zookeeper.told = self.reader.written
        self.store.ensure(*map(paths.launches, self.simulation.skies))
        for name in self.images.all_names:
            self.store.ensure(paths.builds(name), paths.pointers(name))
            record = encode_image(ImageRecord(name=name))
            self.store.commit([Set(path=paths.image(name), data=record, version=-1)])
        if self.images.stocked:
            for name in self.kept:
                self.stock(name)

    @property
    def kept(self) -> tuple[str, ...]:
        """The images that are there whoever uses them."""
        return tuple(name for name in self.images.names if name != FIRST)

    @property
    def images(self) -> Images:
        """What there is to look after."""
        assert self.simulation.setting.images is not None
        return self.simulation.setting.images

    @property
    def rules(self) -> ImageRules:
        """Who watches."""
        assert self.simulation.oracle.images is not None
        return self.simulation.oracle.images

    def kinds(self) -> Iterable[tuple[float, Callable[[], None]]]:
        """See Trouble."""
        images = self.images
        return (
            (images.build_s, lambda: self.attempt(self.build)),
            (images.prove_s, lambda: self.attempt(self.prove)),
            (images.move_s, lambda: self.attempt(self.advance)),
            (images.command_s, lambda: self.attempt(self.command)),
        )

    def begin(self) -> None:
        """Go to work."""
        Trouble.begin(self)
        weeder = Weeder(self)
        for work in (weeder.retire, weeder.condemn, weeder.erase, weeder.forget):
            self._for_ever(lambda work=work: self.attempt(work))
        if self.images.captured:
            self.capturer = Capturer(self)
            self._for_ever(self.capturer.turn)

    def _for_ever(self, work: Callable[[], None]) -> None:
        def strike() -> None:
            work()
            self._for_ever(work)

        mean_s = self.images.tidy_s
        self.simulation.timetable.after(self.rng.expovariate(1.0 / mean_s), strike)

    # How it works.

    def attempt(self, work: Callable[[], None]) -> None:
        """Do something that others may have made impossible by now."""
        if not self.simulation.calm and self.rng.random() < 0.05:
            self.store.wire.script(self.rng.choice(("before", "after")))
        with contextlib.suppress(*_REFUSALS):
            work()
        self.store.wire._script.clear()

    def then(self, most_s: float, work: Callable[[], None]) -> None:
        """Take the next step some time later, unless it dies before."""
        if self.simulation.calm or self.rng.random() < 0.9:
            delay_s = self.rng.uniform(0.0, most_s)
            self.simulation.timetable.after(delay_s, lambda: self.attempt(work))

    def fresh(self) -> Library:
        """Return what is on record."""
        self.views.append(self.reader.fresh())
        return self.views[-1]

    def look(self) -> Library:
        """Return what is on record, or what was a while ago: good enough for a choice."""
        if not self.simulation.calm and self.views and self.rng.random() < OLD:
            return self.rng.choice(self.views)
        return self.fresh()

    def note(self, event: str, what: object = None) -> None:
        """Take down what was done."""
        self.simulation.history.note("librarian", event, what=what)

    def now_s(self) -> float:
        """Return the time that goes into records."""
        return self.simulation.timetable.clock.now_s()

    def _word(self) -> Word:
        return Word(who="ada", why="she says so", at_s=self.now_s())

    # Builds.

    def build(self) -> None:
        """Begin a build of some image; then it is made, if nobody dies."""
        seen, image = self.look(), self.rng.choice(self.images.names)
        if image == FIRST and not firstuse.wanted(seen, self.now_s()):
            return
        build_id = self._begin_build(seen, image)
        self.then(5.0, lambda: self._end_build(build_id))

    def _begin_build(self, seen: Library, image: str) -> BuildId:
        """Write that it is being made, and of what."""
        now_s, stored = self.now_s(), seen.images[image]
        build_id = BuildId(image, stored.value.last_build + 1)
        provider = self.rng.choice(sorted(self.images.places))
        parent, since_full = nights.start(seen, image, provider, now_s, self.rng)
        begun = Build(
            id=build_id,
            state=BuildState.REQUESTED,
            why=Why.COMMAND,
            requested_s=now_s,
            since_s=now_s,
            fingerprint=firstuse.fingerprint() if self.rng.random() > firstuse.OLD else "old",
        ).after(
            BuildEvent.TAKEN,
            now_s=now_s,
            owner=ME,
            provider=provider,
            place=self.images.places[provider],
            parent=None if parent is None else parent.build,
            since_full=since_full,
        )
        after = replace(stored.value, last_build=build_id.number)
        self.store.commit(
            [
                Set(path=stored.path, data=encode_image(after), version=stored.version),
                Create(path=paths.build(build_id), data=encode_build(begun)),
                Create(path=paths.uploads(build_id)),
                *([] if parent is None else writes.touch(seen.seen(parent))),
            ]
        )
        self.note("begins", build_id)
        return build_id

    def _end_build(self, build_id: BuildId, *, kept: bool = False) -> None:
        """Put its image into all places, and write that it is there."""
        stored, now_s = (seen := self.fresh()).builds[build_id], self.now_s()
        same = nights.same(seen, stored, self.images.places, now_s)
        if same is not None and not kept and self.rng.random() < 0.2:
            self.store.commit(same)
            self.note("finds the same", build_id)
            return
        quiet = stored.value.after(BuildEvent.QUIETED, now_s=now_s)
        built = quiet.after(BuildEvent.KEPT, now_s=now_s, owner=None, ended_s=now_s)
        ops: list[Op] = [
            Set(path=stored.path, data=encode_build(built), version=stored.version),
            *(
                Create(path=paths.upload(one.id), data=encode_upload(one))
                for one in map(self.carry, self._all(build_id))
            ),
        ]
        self.store.commit(ops)
        self.note("has stored", build_id)

    def _all(self, build_id: BuildId) -> Iterator[UploadId]:
        for place in sorted(set(self.images.places.values())):
            yield UploadId(build_id, place)

    def carry(self, upload_id: UploadId) -> Upload:
        """Put an image into the clouds of a place; nobody has proven it yet."""
        self.made += 1
        image_id = f"20000000-0000-4000-8000-{self.made:012d}"
        self.rules.keep(image_id, upload_id)
        for provider in self.images.providers_of(upload_id.place):
            cloud = self.simulation.skies[provider].cloud
            cloud.images.append(Image(id=image_id, name=f"build of {upload_id.build.image}"))
        return Upload(
            id=upload_id,
            state=UploadState.STORED,
            since_s=self.now_s(),
            method=Method.NATIVE,
            cloud_image=image_id,
        )

    def stock(self, image: str) -> None:
        """Give an image a usable build in all providers, at once."""
        build_id = self._begin_build(self.fresh(), image)
        self._end_build(build_id, kept=True)
        for upload_id in self._all(build_id):
            for _ in (UploadEvent.TRIED, UploadEvent.PROVEN):
                seen = self.fresh()
                self._prove(seen, seen.uploads[upload_id], well=True)
        for provider in sorted(self.images.places):
            self._advance(self.fresh(), image, provider)

    # Proofs.

    def prove(self) -> None:
        """Go on with a candidate: it is tried, proven, rejected, or tried again later."""
        seen, going = self.look(), (UploadState.STORED, UploadState.VALIDATING)
        some = [one for one in seen.uploads.values() if one.value.state in going]
        if some:
            self._prove(seen, self.rng.choice(some), well=self.rng.random() < 0.6)

    def _prove(self, seen: Library, stored: Stored[Upload], *, well: bool) -> None:
        upload, now_s = stored.value, self.now_s()
        here = self.images.providers_of(upload.id.place)
        if seen.builds[upload.id.build].value.revoked is not None:
            after = upload.after(UploadEvent.REJECTED, now_s=now_s, trying=None, owner=None)
        elif upload.state is UploadState.STORED:
            trying = self.rng.choice(here)
            after = upload.after(UploadEvent.TRIED, now_s=now_s, trying=trying, owner=ME)
        else:
            ends = (UploadEvent.REJECTED, UploadEvent.AGAIN, UploadEvent.PROVEN)
            event = UploadEvent.PROVEN if well else self.rng.choice(ends)
            passed = here if well else here[:1]
            trials = {name: Trial(result=TrialResult.PASSED, at_s=now_s) for name in passed}
            after = upload.after(
                event,
                now_s=now_s,
                trying=None,
                owner=None,
                trials=trials if event is UploadEvent.PROVEN else {},
            )
        self.write(stored, after)

    def write(self, stored: Stored[Upload], after: Upload) -> None:
        """Write an upload."""
        self.store.commit(
            [Set(path=stored.path, data=encode_upload(after), version=stored.version)]
        )
        self.note(after.state, after.id)

    # Pointers.

    def advance(self) -> None:
        """Let a pointer go on to the newest build that is usable, or try it first."""
        seen, (image, provider) = self.look(), self._some_pointer()
        if image == FIRST and firstuse.over(seen, self.now_s()):
            if ops := firstuse.dropping(seen, provider, self.now_s()):
                self.store.commit(ops)
                self.note("drops the pointer of", f"{image} in {provider}")
            return
        shelf = seen.shelf(image, provider, self.images.places[provider])
        served = None if shelf.pointer is None else shelf.pointer.served(self.now_s())
        if self.images.canary is None or served is None or self.simulation.calm:
            self._advance(seen, image, provider)
        else:
            tally = seen.tally(image, provider)
            after = goes_on(shelf, self.images.canary, tally, self._word())
            if after is not None:
                self._move(seen, after)

    def _some_pointer(self) -> tuple[str, str]:
        return self.rng.choice(self.images.all_names), self.rng.choice(sorted(self.images.places))

    def _advance(self, seen: Library, image: str, provider: str) -> None:
        shelf = seen.shelf(image, provider, self.images.places[provider])
        after = moves.advance(shelf, now_s=self.now_s())
        if after is not None:
            self._move(seen, after)

    def _move(self, seen: Library, after: Pointer) -> None:
        self.store.commit(self._moving(seen, after))
        now = f"{after.build(after.chosen(self.now_s()))} in {after.provider}"
        self.note(after.moves[-1].kind, now)

    def _moving(self, seen: Library, after: Pointer) -> list[Op]:
        named = {one: seen.seen(one) for one in writes.named(after) if one in seen.uploads}
        return writes.move(seen.pointers.get((after.image, after.provider)), after, named)

    # Commands.

    def command(self) -> None:
        """Let somebody give a command."""
        seen, word = self.look(), self._word()
        image, provider = self._some_pointer()
        shelf = seen.shelf(image, provider, self.images.places[provider])
        numbers = sorted(shelf.uploads) or [1]
        number, ends_s = self.rng.choice(numbers), self.now_s() + self.rng.uniform(1.0, 40.0)
        until_s = self.rng.choice((None, ends_s))
        verbs: tuple[Callable[[], Pointer], ...] = (
            lambda: moves.rollback(shelf, word),
            lambda: moves.promote(shelf, None, word),
            lambda: moves.pin(shelf, number, word, until_s=until_s),
            lambda: moves.unpin(shelf, word),
            lambda: moves.restore_here(shelf, number, word),
        )
        verb = self.rng.randrange(len(verbs) + 3)
        if verb < len(verbs):
            self._move(seen, verbs[verb]())
        else:
            self.revoke(seen, BuildId(image, self.rng.choice(numbers[-2:])), word)

    def revoke(self, seen: Library, build_id: BuildId, word: Word) -> None:
        """Let somebody revoke a build, perhaps by force, or give it back."""
        builds = {one: stored.value for one, stored in seen.builds.items()}
        shelves = [seen.shelf(*key, self.images.places[key[1]]) for key in sorted(seen.pointers)]
        if build_id in builds and builds[build_id].revoked is not None:
            after = revoking.restore(builds, shelves, build_id, word)
        else:
            force = self.rng.random() < 0.5
            after = revoking.revoke(builds, shelves, build_id, word, force=force)
        ops: dict[str, Op] = {}
        for pointer in after.pointers:
            for op in self._moving(seen, pointer):
                ops.setdefault(op.path, op)
        for one in after.builds:
            stored = seen.builds[one.id]
            ops[stored.path] = Set(path=stored.path, data=encode_build(one), version=stored.version)
        self.store.commit(list(ops.values()))
        self.note("revokes or restores", build_id)

    # After the storm.

    def finish(self) -> None:
        """Leave every image with a usable build in every provider."""
        seen, places, now_s = self.fresh(), self.images.places, self.now_s()
        short = [name for name in self.kept if not nights.served(seen, name, places, now_s)]
        for name in short:
            self.attempt(lambda name=name: self._serve(name))
        self.in_order = not short
        if short:
            self.simulation.timetable.after(AGAIN_S, self.finish)

    def _serve(self, image: str) -> None:
        """Make a build, and let all pointers go there."""
        self.stock(image)
        seen = self.fresh()
        for provider, place in self.images.places.items():
            if seen.pointers[image, provider].value.pinned is not None:
                shelf = seen.shelf(image, provider, place)
                self._move(seen, moves.unpin(shelf, self._word()))

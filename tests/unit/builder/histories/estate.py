"""Records, clouds, and those who look at one time and write at another, or never.

Whatever anybody does is a task: it goes on by one write at a time, so that its owner can die
between any two. The judgements, the transactions and the hand that ends uploads are the real ones.
"""

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final, Self

from builder.place.sites import build_of, image_tags
from builder.place.view import ImageListing, ListedImage, ProviderFacts
from builder.policy import ImagePolicy
from builder.view import WorldView
from remuda.cloud.image_store import ImageOrder, ImageStatus, Visibility
from remuda.images import library
from remuda.images.library import Library
from remuda.model.build import Base
from remuda.model.ids import ReplicaId
from remuda.model.image import BuildId, ImageRecord, UploadId, encode_image
from remuda.store import paths
from remuda.store.api import Create, Done, Op, RejectedError, Set, Stored
from tests.fakes.clock import ManualClock
from tests.fakes.cloud import FakeCloud
from tests.fakes.glance import FakeGlance
from tests.fakes.image_store import FakeImages
from tests.fakes.store import FakeStore, FakeZookeeper
from tests.unit.builder.histories.referring import Oracle

INSTALLATION: Final = "ours"
IMAGE, CHILD = "core", "child"
#: Two on one project, one on another project of the same cloud, and one in another cloud.
PROJECTS: Final = {"pa": "one", "pa2": "one", "pb": "two", "pc": "three"}
KEPT: Final = 3
EVIDENCE_S: Final = 500.0


@dataclass(slots=True)
class Task:
    """Something that somebody has begun."""

    who: str
    name: str
    steps: Iterator[None]


class Hesitant(FakeStore):
    """A connection whose owner is slow: others act between its reads, and it has not written yet.

    Attributes:
        before: Called with the number of each reading, before it.
        taken: What it is about to write.
    """

    def __init__(self, zookeeper: FakeZookeeper) -> None:
        super().__init__(zookeeper.connect().wire)
        self.before: Callable[[int], None] = lambda _number: None
        self.taken: list[Op] = []
        self.readings = 0

    def _reads(self) -> None:
        self.readings += 1
        self.before(self.readings)

    def read_fresh(self, paths: Sequence[str]) -> tuple[Stored[bytes] | None, ...]:
        """See Store."""
        self._reads()
        return super().read_fresh(paths)

    def read_many(self, paths: Sequence[str]) -> tuple[Stored[bytes] | None, ...]:
        """See Store."""
        self._reads()
        return super().read_many(paths)

    def commit(self, ops: Sequence[Op]) -> tuple[Done, ...]:
        """Keep it for later."""
        self.taken = list(ops)
        return ()


class Estate:
    """All there is.

    Attributes:
        configured: The providers that are in the configuration.
        looks: What each actor believes.
        tasks: What is under way.
        calm: No schedule is due any more.
    """

    def __init__(self) -> None:
        self.clock = ManualClock()
        self.zookeeper = FakeZookeeper(self.clock)
        self.god = self.zookeeper.connect()
        self.hesitant = Hesitant(self.zookeeper)
        one, two = FakeGlance(), FakeGlance(region="RegionTwo")
        self.glances = (one, two)
        self.images = {
            name: FakeImages(
                FakeCloud(self.clock), two if name == "pc" else one, project=PROJECTS[name]
            )
            for name in PROJECTS
        }
        self.places = {name: one.location().place for name, one in self.images.items()}
        self.realms = {name: one.location().endpoint for name, one in self.images.items()}
        self.configured = set(PROJECTS)
        self.looks: dict[str, Library] = {}
        self.listings: dict[str, ImageListing] = {}
        self.tasks: list[Task] = []
        self.living: list[ReplicaId] = []
        self.count = 0
        self.calm = False
        self.there: set[tuple[str, str]] = set()
        for image in (IMAGE, CHILD):
            self.god.ensure(paths.builds(image), paths.pointers(image))
            data = encode_image(ImageRecord(name=image))
            self.god.commit([Set(path=paths.image(image), data=data, version=0)])
        self.god.ensure(*map(paths.launches, PROJECTS))
        self.god.commit([Create(path=paths.INSTALLATION, data=INSTALLATION.encode())])
        self.oracle = Oracle(self.zookeeper)

    def copied(self) -> Self:
        """Return the same once more, with nothing under way."""
        other = type(self)()
        other.clock.advance(self.clock.now_s() - other.clock.now_s())
        other.zookeeper.tree = self.zookeeper.tree.copy()
        for mine, its in zip(self.glances, other.glances, strict=True):
            its.kept = {image_id: replace(one) for image_id, one in mine.kept.items()}
            its.members = {image_id: dict(some) for image_id, some in mine.members.items()}
            its.numbers = mine.numbers
        other.listings, other.living = dict(self.listings), list(self.living)
        other.count, other.there = self.count, set(self.there)
        other.oracle = Oracle(other.zookeeper)
        return other

    # Records.

    def commit(self, ops: Sequence[Op]) -> bool:
        """Write, and let the oracle judge; False: the world has gone on."""
        try:
            self.god.commit(ops)
        except RejectedError:
            return False
        self.oracle.written()
        return True

    def fresh(self) -> Library:
        """Return what is on record this moment."""
        return library.read(self.god)

    def look(self, who: str, parts: str = "all") -> Library:
        """Let somebody hear of all that has changed, or of a part of it only."""
        now = self.fresh()
        before = self.looks.get(who, Library())
        self.looks[who] = {
            "all": now,
            "uploads": replace(before, uploads=now.uploads, builds=now.builds),
            "pointers": replace(before, pointers=now.pointers, images=now.images),
            "launches": replace(before, launches=now.launches),
        }[parts]
        return self.looks[who]

    def believed(self, who: str) -> Library:
        """Return what somebody believes; who is new looks first."""
        return self.looks[who] if who in self.looks else self.look(who)

    # Tasks.

    def begin(self, who: str, name: object, steps: Iterator[None]) -> None:
        """Let somebody begin something, up to its first write."""
        self.tasks.append(Task(who, str(name), steps))
        self.go_on(self.tasks[-1])

    def go_on(self, task: Task) -> None:
        """Let a task go on by one write."""
        if next(task.steps, self) is self and task in self.tasks:
            self.tasks.remove(task)
        self.count_images()

    def finish(self, who: str | None = None) -> None:
        """Let all tasks, or somebody's, go on to their end."""
        while some := [one for one in self.tasks if who in {None, one.who}]:
            self.go_on(some[0])

    def die(self, who: ReplicaId, *, late: bool) -> None:
        """Let a builder die; what it has sent last may still arrive."""
        self.living.remove(who)
        for task in [one for one in self.tasks if one.who == who]:
            if late:
                self.go_on(task)
            if task in self.tasks:
                self.tasks.remove(task)

    def start(self) -> ReplicaId:
        """Let a builder start."""
        self.count += 1
        self.living.append(ReplicaId(f"b{self.count}"))
        return self.living[-1]

    # What builders know.

    def world(self, who: ReplicaId, seen: Library) -> WorldView:
        """Return what a builder believes; each takes itself for the one on duty."""
        providers = {
            name: ProviderFacts(name=name, place=self.places[name], realm=self.realms[name])
            for name in sorted(self.configured)
        }
        return WorldView(
            now_s=self.clock.now_s(),
            me=who,
            builders=frozenset({*self.living, who}),
            mine=lambda _thing: True,
            library=seen,
            policies={
                IMAGE: self.policy(IMAGE, None, providers),
                CHILD: self.policy(CHILD, IMAGE, providers),
            },
            providers=providers,
            listings={place: one for place, one in self.listings.items() if self._at(place)},
            bases={(IMAGE, name): Base(id="debian") for name in providers},
            busy=frozenset(one.name for one in self.tasks if one.who == who),
        )

    def policy(self, image: str, parent: str | None, providers: Collection[str]) -> ImagePolicy:
        """Return a recipe that is due again soon, and of which little is kept."""
        return ImagePolicy(
            image=image,
            fingerprint="f",
            groups=(tuple(providers),),
            parent=parent,
            next_due_s=lambda after_s: None if self.calm else after_s + 100.0,
            keep=KEPT,
            backoff_s=10.0,
            backoff_s_max=40.0,
            evidence_s=EVIDENCE_S,
            grace_s=5.0,
            snapshot_s_max=600.0,
        )

    def _at(self, place: str) -> list[str]:
        return sorted(name for name in self.configured if self.places[name] == place)

    # Clouds.

    def list_places(self) -> None:
        """Let all places that are known be listed."""
        self.clock.advance(1.0)
        for place in {self.places[name] for name in self.configured}:
            last = self.listings.get(place, ImageListing())
            found = {
                one.id: ListedImage(
                    id=one.id,
                    name=one.name,
                    build=build,
                    active=one.status is ImageStatus.ACTIVE,
                )
                for one in self.images[self._at(place)[0]].list_images()
                if (build := build_of(one, INSTALLATION)) is not None
            }
            self.listings[place] = ImageListing(
                begun_s=self.clock.now_s(),
                before_s=last.begun_s,
                images=found,
                images_before=last.images,
            )
        self.clock.advance(1.0)

    def image(self, name: str, upload_id: UploadId) -> str:
        """Let there be a whole image of a build in a place."""
        provider = next(one for one, place in self.places.items() if place == upload_id.place)
        images, now_s = self.images[provider], self.clock.now_s()
        kept = images.glance.make(
            ImageOrder(
                name=name,
                disk_format="raw",
                properties=dict(image_tags(INSTALLATION, provider, upload_id.build, name)),
                visibility=Visibility.SHARED,
            ),
            images.project(),
            now_s,
        )
        images.glance.edit(kept, now_s, status=ImageStatus.ACTIVE)
        return kept.image.id

    def token(self, build_id: BuildId) -> str:
        """Return a name that no image has had."""
        self.count += 1
        return f"{build_id.image}-{build_id.number}-{self.count}"

    def count_images(self) -> None:
        """Let the oracle judge what has gone since it was counted last."""
        now = {(glance.region, one) for glance in self.glances for one in glance.kept}
        for region, image_id in self.there - now:
            cloud = {
                self.places[name]
                for name, one in self.images.items()
                if one.glance.region == region
            }
            self.oracle.erased(image_id, cloud)
        self.there = now

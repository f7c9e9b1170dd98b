"""The setting of the small simulation of builders: records, clouds, launchers, and invariants."""

import random
import zlib
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Final

from builder.actions import Plan
from builder.place.view import ImageListing, ListedImage
from builder.policy import ImagePolicy, never
from remuda.images import references, writes
from remuda.images.library import Library
from remuda.images.writes import NotBootableError
from remuda.model import launch as launches
from remuda.model.build import Build, BuildState
from remuda.model.ids import NodeId, ReplicaId
from remuda.model.image import BuildId, ImageRecord, UploadId, encode_image
from remuda.model.launch import Launch, Step
from remuda.model.upload import UploadState
from remuda.store import paths
from remuda.store.api import Create, Op, RejectedError, Set
from tests.fakes.store import FakeZookeeper
from tests.support.imagerecords import ImageRecords

PLACES: Final = {"pa": "a" * 12, "pa2": "a" * 12, "pb": "b" * 12}
SESSION_S: Final = 30.0
EVIDENCE_S: Final = 2000.0
FULL_EVERY: Final = 3
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


class Setting:
    """Records and clouds of one run.

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
        self.plans: dict[ReplicaId, Plan] = {}
        self.realm = self.rng.choice(["", "r"])
        groups: tuple[tuple[str, ...], ...] = (("pa", "pa2", "pb"),)
        if self.rng.random() < 0.3:
            groups = (("pa", "pa2"), ("pb",))
        self.policies = {
            "base": self.policy("base", groups),
            "child": self.policy("child", groups, parent="base"),
        }
        captured = {"next_due_s": never, "capture_refusal": lambda _: None}
        self.policies["left"] = replace(self.policy("left", (tuple(PLACES),)), **captured)
        ttl_s = self.rng.choice([400.0, 1200.0])
        first = {"next_due_s": never, "full_every": 1, "ttl_s": ttl_s}
        self.policies["first"] = replace(self.policy("first", groups), **first)
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
            full_every=self.rng.choice([1, FULL_EVERY]),
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
        for key, pointer in before.pointers.items():
            if key not in after.pointers:
                self.check_gone(key[0], after)
                continue
            then = after.pointers[key].value
            if then.current < pointer.value.current:
                assert str(then.moves[-1].kind) in {"rollback", "revoke"}, "3: order"
        for key, stored in after.pointers.items():
            old, named = before.pointers.get(key), writes.named(stored.value)
            new = named - (writes.named(old.value) if old else set()) if old is not stored else ()
            for one in new:
                upload, build = after.uploads[one].value, after.builds[one.build].value
                assert upload.state is UploadState.USABLE, "2: usable"
                assert upload.passed(key[1]), "2: proven in this provider"
                assert build.revoked is None, "2: not revoked"
            for one in named:
                assert after.uploads[one].value.state is UploadState.USABLE, "2: and stays so"
        deleting = {
            upload_id
            for upload_id, one in after.uploads.items()
            if one.value.state is UploadState.DELETING
        }
        if deleting:  # mostly nothing is, and who refers to what is the dearest question of all
            found = references.index(after.holders())
            assert deleting.isdisjoint(found), "5: nothing refers to what is deleted"
        for build_id, one in after.builds.items():
            assert one.value.since_full < FULL_EVERY, "each third one starts from the base"
            if one.value.state is BuildState.SAME and before.builds.get(build_id) is not one:
                kept = [each for each in after.uploads if each.build == build_id]
                assert not kept, "nothing is uploaded of what is the same"
        under_way = [
            (one.id.image, one.value.group)
            for one in (_Named(i, s.value) for i, s in after.builds.items())
            if one.value.state in {"requested", "building", "snapshotting"}
            and one.value.captured is None
        ]
        assert len(under_way) == len(set(under_way)), "7: one build at a time"
        self.check_captures(before, after)

    def check_gone(self, image: str, after: Library) -> None:
        """Fail if a pointer went for another reason than that nobody has used its image."""
        ttl_s = self.policies[image].ttl_s
        assert ttl_s is not None, "1: a pointer is there for ever"
        used = after.uses.get(image)
        used_s = 0.0 if used is None else used.value.at_s
        assert used_s is not None, "nobody knows when it was used"
        assert used_s + ttl_s <= self.now_s, "it is used"

    def check_captures(self, before: Library, after: Library) -> None:
        """Fail if a machine was captured twice, or begun anew after it was touched."""
        machines = [one.value.captured for one in after.builds.values() if one.value.captured]
        assert len(machines) == len(set(machines)), "one build for each ask"
        for build_id, stored in before.builds.items():
            found = after.builds.get(build_id)
            if stored.value.once and found is not None and found is not stored:
                assert found.value.once, "a machine stays touched"
                assert found.value.state is not BuildState.REQUESTED, "and has one attempt"

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


@dataclass(frozen=True, slots=True)
class _Named:
    id: BuildId
    value: Build


def split(text: str) -> tuple[str, int]:
    """Return image and number of a build's name."""
    image, _, number = text.rpartition("/")
    return image, int(number)


@cache
def hash_of(thing: str, who: str) -> int:
    """Return a weight that is the same in every process."""
    return zlib.crc32(f"{thing}\0{who}".encode())


def names(plans: Collection[Plan]) -> set[str]:
    """Return everything that a plan does something for, or says why it waits."""
    found: set[str] = set()
    for plan in plans:
        found.update(plan.waits, (str(action.id) for action in plan.actions))
    return found

"""The service of images that several projects of :mod:`tests.fakes.image_store` share."""

import hashlib
from collections import deque
from dataclasses import dataclass, replace
from enum import StrEnum

from remuda.cloud.image_store import ImageOrder, ImageStatus, StoredImage
from remuda.model.ids import ServerId


class Snapshot(StrEnum):
    """What becomes of one snapshot."""

    OK = "ok"
    FAILS = "fails"  # the image vanishes, as Nova lets it
    QUIESCE = "quiesce"  # refused: the guest agent does not answer
    VANISHES = "vanishes"  # it becomes active, and vanishes when its server goes
    UNHASHED = "unhashed"  # it becomes active, and the cloud has no hash of it
    HANGS = "hangs"  # it stays pending
    LOST_REPLY = "lost reply"  # it is made; the caller gets UnknownOutcomeError
    LOST_CALL = "lost call"  # nothing is made; the caller gets UnknownOutcomeError as well


class Transfer(StrEnum):
    """What becomes of one upload or download."""

    OK = "ok"
    CUT = "cut"  # the connection ends in the middle
    GARBLED = "garbled"  # one byte arrives as another


@dataclass(slots=True)
class Kept:
    """One image as the service remembers it.

    Attributes:
        ready_s: When it is active; None: never.
        source: The server that it is made of, which is busy until then.
        name: What Nova calls it, and writes back when it is active.
    """

    image: StoredImage
    ready_s: float | None
    data: bytes = b""
    source: ServerId | None = None
    fate: Snapshot = Snapshot.OK
    name: str | None = None


class FakeGlance:
    """What all projects share.

    Attributes:
        snapshot_s: Until an image of a server is active.
        next_snapshots: Fates of the coming ones, in order; likewise the others.
        next_statuses: What the coming looks at one image show instead of the truth, in order.
        images_max: Of each project; None: no limit, and the cloud tells no use.
        mib_max: Likewise, of all images of a project.
        region, endpoint: Where it is.
        begins_anywhere: Whether a download may begin in the middle.
    """

    def __init__(self, *, region: str = "RegionOne") -> None:
        self.region = region
        self.endpoint = f"http://glance.{region}.fake/v2"
        self.begins_anywhere = True
        self.mib_max: int | None = None
        self.snapshot_s = 2.0
        self.next_snapshots: deque[Snapshot] = deque()
        self.next_transfers: deque[Transfer] = deque()
        self.next_statuses: deque[ImageStatus] = deque()
        self.images_max: int | None = None
        self.kept: dict[str, Kept] = {}
        self.members: dict[str, dict[str, bool]] = {}  # by image and project: accepted?
        self.numbers = 0

    def make(self, order: ImageOrder, project: str, now_s: float) -> Kept:
        """Keep a new image that is pending."""
        self.numbers += 1
        image = StoredImage(
            id=f"20000000-0000-4000-8000-{self.numbers:012d}",
            name=order.name,
            created_s=now_s,
            updated_s=now_s,
            properties=dict(order.properties),
            status=ImageStatus.PENDING,
            disk_format=order.disk_format,
            container_format=order.container_format,
            min_disk_gib=order.min_disk_gib,
            min_ram_mib=order.min_ram_mib,
            visibility=order.visibility,
            owner=project,
            hidden=order.hidden,
        )
        kept = Kept(image=image, ready_s=None)
        self.kept[image.id] = kept
        return kept

    def all(self, now_s: float) -> list[Kept]:
        """Let happen what is due, and return what there is."""
        for each in list(self.kept.values()):
            due = each.ready_s is not None and now_s >= each.ready_s
            if due and each.image.status is ImageStatus.PENDING:
                if each.fate is Snapshot.FAILS:
                    del self.kept[each.image.id]
                    continue
                each.image = replace(each.image, updated_s=now_s, **_described(each))
        return list(self.kept.values())

    def edit(self, kept: Kept, now_s: float, **changes: object) -> None:
        """Change an image."""
        kept.image = replace(kept.image, updated_s=now_s, **changes)  # type: ignore[arg-type]


def _described(kept: Kept) -> dict[str, object]:
    """Return what the service knows of an image once its data is there."""
    hashed = kept.fate is not Snapshot.UNHASHED
    md5 = hashlib.md5(kept.data, usedforsecurity=False).hexdigest()
    return {
        "status": ImageStatus.ACTIVE,
        "name": kept.name or kept.image.name,
        "size_bytes": len(kept.data),
        "md5": md5 if hashed else None,
        "hash_algo": "sha512" if hashed else None,
        "hash_value": hashlib.sha512(kept.data).hexdigest() if hashed else None,
    }

"""The in-memory cloud on the bench."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final, TypeVar

from remuda.cloud.api import (
    Cloud,
    Flavor,
    InUseError,
    Quota,
    TryLaterError,
    UnauthorizedError,
    UnknownOutcomeError,
)
from remuda.cloud.image_store import ImageStore
from remuda.cloud.leftovers import Leftover, LeftoverKind
from remuda.cloud.objects import ObjectStore
from remuda.model.ids import ServerId
from tests.contract.cloud.bench import KEYPAIR, RETRY_AFTER_S, Bench, Fault
from tests.fakes.clock import ManualClock
from tests.fakes.cloud import FakeCloud
from tests.fakes.cloud_fates import Boot, BootEnd, Create, Delete
from tests.fakes.glance import FakeGlance, Snapshot, Transfer
from tests.fakes.image_store import FakeImages
from tests.fakes.object_store import FakeObjects, FakeSwift, Fate

T = TypeVar("T")

_TICKS_MAX = 1000
_OBJECT_FATES: Final = {
    Fault.OBJECT_LOST_REPLY: Fate.LOST_REPLY,
    Fault.OBJECT_LOST_CALL: Fate.LOST_CALL,
    Fault.OBJECT_GARBLED: Fate.GARBLED,
    Fault.OBJECT_QUOTA: Fate.NO_ROOM,
    Fault.OBJECT_FULL: Fate.NO_ROOM,
    Fault.OBJECT_BROKEN: Fate.BROKEN,
    Fault.OBJECT_CUT: Fate.CUT,
    Fault.OBJECT_SPOILT: Fate.GARBLED,
}


class FakeBench(Bench):
    """Time passes by asking for it."""

    def __init__(self) -> None:
        super().__init__()
        self.clock = ManualClock()
        self.fake = FakeCloud(self.clock)
        self.fake.networks = ("public", "private")
        self.fake.keypairs = (KEYPAIR,)
        self.fake.security_groups = ("default",)
        self.cloud: Cloud = self.fake
        glance = FakeGlance()
        self.glance = glance
        self.images: ImageStore = FakeImages(self.fake, glance)
        swift = FakeSwift(self.clock)
        self.swift = swift
        self.objects: ObjectStore = FakeObjects(swift)
        self._other_objects = FakeObjects(swift, project="p2")
        self._other = FakeCloud(self.clock, seed=1)
        self._other_images = FakeImages(self._other, glance, project="p2")
        self.image_name = "debian-12"
        self.networks = ("public",)
        self.inside = "private"
        self.diskless = "diskless"
        self.fake.flavors.append(Flavor(id="0", name="diskless", cores=1, ram_mib=1024))

    def arm(self, fault: Fault) -> bool:
        """Script the fake."""
        creates = {
            Fault.CREATE_QUOTA: Create.NO_ROOM,
            Fault.CREATE_LOST_REPLY: Create.LOST_REPLY,
            Fault.CREATE_LOST_CALL: Create.LOST_CALL,
        }
        boots = {
            Fault.BOOT_ERROR: Boot(end=BootEnd.ERROR, fault="Build of instance aborted"),
            Fault.BOOT_NO_HOST: Boot(end=BootEnd.ERROR, fault="No valid host was found."),
            Fault.BOOT_HANGS: Boot(end=BootEnd.HANG),
            Fault.SERVER_DIES: Boot(end=BootEnd.STOP),
        }
        later = TryLaterError("fake", retry_after_s=RETRY_AFTER_S)
        errors = {
            Fault.CREATE_THROTTLED: ("create_server", later),
            Fault.CREATE_BROKEN: ("create_server", UnknownOutcomeError("fake: 500")),
            Fault.LIST_BROKEN: ("list_servers", later),
            Fault.LIST_DROPPED: ("list_servers", later),
            Fault.LIST_THROTTLED: ("list_servers", later),
            Fault.DELETE_BROKEN: ("delete_server", later),
            Fault.IMAGES_BROKEN: ("list_images", later),
            Fault.IMAGE_IN_USE: ("delete_image", InUseError("fake: 409")),
        }
        snapshots = {
            Fault.SNAPSHOT_LOST_REPLY: Snapshot.LOST_REPLY,
            Fault.SNAPSHOT_LOST_CALL: Snapshot.LOST_CALL,
            Fault.SNAPSHOT_FAILS: Snapshot.FAILS,
            Fault.SNAPSHOT_HANGS: Snapshot.HANGS,
            Fault.SNAPSHOT_QUIESCE: Snapshot.QUIESCE,
            Fault.SNAPSHOT_VANISHES: Snapshot.VANISHES,
            Fault.SNAPSHOT_UNHASHED: Snapshot.UNHASHED,
        }
        transfers = {
            Fault.UPLOAD_LOST_REPLY: Transfer.CUT,
            Fault.UPLOAD_LOST_CALL: Transfer.CUT,
            Fault.UPLOAD_GARBLED: Transfer.GARBLED,
            Fault.DOWNLOAD_CUT: Transfer.CUT,
            Fault.DOWNLOAD_GARBLED: Transfer.GARBLED,
        }
        if fault in _OBJECT_FATES:
            self.swift.next_fates.append(_OBJECT_FATES[fault])
        elif fault in snapshots:
            self.glance.next_snapshots.append(snapshots[fault])
        elif fault in transfers:
            self.glance.next_transfers.append(transfers[fault])
        elif fault in creates:
            self.fake.next_creates.append(creates[fault])
        elif fault in boots:
            self.fake.next_boots.append(boots[fault])
        elif fault is Fault.DELETE_FAILS:
            self.fake.next_deletes.append(Delete.IGNORED)
        elif fault in errors:
            operation, error = errors[fault]
            self.fake.fail(operation, error)
        else:
            return False
        return True

    def neighbour(self) -> tuple[Cloud, ImageStore] | None:
        """Return another project."""
        return self._other, self._other_images

    def other_objects(self) -> ObjectStore | None:
        """Return that of another project."""
        return self._other_objects

    def fetch(self, url: str) -> tuple[int, bytes]:
        """Ask the fake."""
        return self.swift.fetch(url)

    def until(self, look: Callable[[], T], what: str) -> T:
        """Advance the clock second by second."""
        for _ in range(_TICKS_MAX):
            value = look()
            if value:
                return value
            self.clock.advance(1.0)
        raise AssertionError(f"waited {_TICKS_MAX} fake seconds for {what}")

    def calls(self) -> int:
        """Return the sum of all calls."""
        return self.fake.calls.total()

    def with_small_pages(self) -> Cloud | None:
        """Have no pages."""
        return None

    def with_wrong_password(self) -> Cloud | None:
        """Let the next call be refused."""
        self.fake.fail("list_servers", UnauthorizedError("fake: 401"))
        return self.fake

    @contextmanager
    def full(self, resource: str = "instances") -> Iterator[bool]:
        """Lower the limit to what is used."""
        if resource == "floatingips":
            floating = self.fake.floating
            usual, floating.most = floating.most, len(floating.given)
            yield True
            floating.most = usual
            return
        if resource == "images":
            self.glance.images_max = len(self.images.list_images())
            yield True
            self.glance.images_max = None
            return
        used = self.fake.quota()
        limits = {
            "instances": Quota(instances_max=used.instances_used),
            "cores": Quota(cores_max=used.cores_used),
            "ram": Quota(ram_mib_max=used.ram_mib_used),
        }
        self.fake.limits = limits[resource]
        yield True
        self.fake.limits = Quota()

    def idle_port(self, server: ServerId) -> str | None:
        """Plant one."""
        port = Leftover(id=f"port-of-{server}", kind=LeftoverKind.PORT, server=server)
        self.fake.ports.append(port)
        return port.id

    def close(self) -> None:
        """Close it."""
        self.fake.close()

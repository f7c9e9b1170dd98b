"""A sparse image of 10 GiB is carried from one cloud to another: what that takes of memory.

``python -m tests.bench.images_carrying FOLDER GIB`` is the process that carries it, as a builder's
hand does: real adapter, real HTTP, the records in a fake ZooKeeper.
"""

import contextlib
import json
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from builder.place.sites import Site, image_tags
from builder.policy import ImagePolicy
from builder.upload.hand_copy import CopyBetweenSites, CopyingHand
from remuda.cloud.account import AccountSettings
from remuda.cloud.image_store import ImageStore, StoredImage
from remuda.cloud.openstack import CloudSettings, OpenStackCloud
from remuda.model import tags
from remuda.model.ids import ProviderName, ReplicaId
from remuda.model.image import BuildId, UploadId
from remuda.model.upload import Method, Upload, UploadState, encode_upload
from remuda.runtime.clock import SystemClock
from remuda.store import paths
from remuda.store.api import Create, Stored
from tests.bench.figures import Figure
from tests.bench.images_stage import UNLIMITED
from tests.fakes.store import FakeStore, FakeZookeeper
from tests.sandbox.running import running
from tests.support.processes import ROOT

MORE_MIB: Final = 64.0
_INSTALLATION: Final = "bench"
_MIB: Final = 1 << 20
#: Between two pieces that are not zero, each of a MiB.
_EVERY_MIB: Final = 256
_LIMIT_S: Final = 1200.0


def measure(folder: Path, *, quick: bool) -> list[Figure]:
    """Carry it in a process of its own."""
    gib = 1 if quick else 10
    folder.mkdir(parents=True)
    config = {
        "machines": "none",
        "regions": ["north", "south"],
        "quota": UNLIMITED,
        "images": [_source(folder, number, mib) for number, mib in _sizes(gib).items()],
    }
    with running(folder, config, start_s=_LIMIT_S):
        done = subprocess.run(
            [sys.executable, "-m", "tests.bench.images_carrying", str(folder), str(gib)],
            cwd=ROOT,
            check=True,
            stdout=subprocess.PIPE,
            timeout=_LIMIT_S,
        )
    found = json.loads(done.stdout)
    more = found["peak_mib"] - found["before_mib"]
    return [
        Figure(
            name=f"memory to carry a sparse image of {gib} GiB, more",
            bound=f"< {MORE_MIB:g} MiB",
            measured=f"{more:.1f} MiB, {found['disk_mib']:.0f} MiB of disk",
            ok=more < MORE_MIB and found["disk_mib"] < gib * 128,
            details=found,
        )
    ]


def _sizes(gib: int) -> dict[int, int]:
    """Return the MiB of each build: a small one, so that everything is loaded, and the large."""
    return {1: 4, 2: gib * 1024}


def _source(folder: Path, number: int, mib: int) -> dict[str, Any]:
    """Return an image that the cloud has from the beginning, with our marks."""
    file = folder / f"source-{number}"
    with file.open("wb") as data:
        for at in range(0, mib, _EVERY_MIB):
            data.seek(at * _MIB)
            data.write(bytes(range(256)) * (_MIB // 256))
        data.truncate(mib * _MIB)
    name = f"remuda-bench-{number}"
    marks = image_tags(_INSTALLATION, "north", BuildId("bench", number), name)
    return {
        "name": name,
        "tar": file.name,
        "properties": dict(marks),
        "visibility": "private",
        "project": "demo",
    }


@dataclass(slots=True, kw_only=True)
class Carrying:
    """Carries images from north to south."""

    folder: Path
    north: Site
    south: Site
    store: FakeStore
    clock: SystemClock

    def carry(self, number: int, mib: int) -> float:
        """Carry an image of so many MiB; return how many MiB it takes on disk there."""
        build = BuildId("bench", number)
        image = self._image(build)
        source = self._upload(build, self.north.images, cloud_image=image.id)
        upload = self._upload(build, self.south.images, source=source.value.id.place)
        hand = CopyingHand(
            store=self.store,
            clock=self.clock,
            installation=_INSTALLATION,
            folder=self.folder / "carried",
            new_token=lambda: f"{number:012d}",
        )
        policy = ImagePolicy(image="bench", fingerprint="f", groups=(("north", "south"),))
        ended = hand.copy(
            CopyBetweenSites(
                upload=upload, source=source, here=self.south, there=self.north, policy=policy
            )
        )
        if ended.why is not None:
            raise RuntimeError(ended.why)
        blocks = [
            one.stat().st_blocks * 512
            for one in self.folder.rglob("*.data")
            if one.stat().st_size == mib * _MIB
        ]
        return sum(blocks) / max(1, len(blocks)) / _MIB

    def _image(self, build: BuildId) -> StoredImage:
        name = f"remuda-bench-{build.number}"
        listed = self.north.images.list_images()
        return next(one for one in listed if one.name == name)

    def _upload(
        self,
        build: BuildId,
        images: ImageStore,
        *,
        cloud_image: str | None = None,
        source: str | None = None,
    ) -> Stored[Upload]:
        one = Upload(
            id=UploadId(build, images.location().place),
            state=UploadState.MAKING if source else UploadState.USABLE,
            method=Method.CARRY if source else Method.NATIVE,
            since_s=self.clock.now_s(),
            owner=ReplicaId("bench") if source else None,
            source=source,
            cloud_image=cloud_image,
        )
        path = paths.upload(one.id)
        self.store.ensure(paths.uploads(build))
        (done,) = self.store.commit([Create(path=path, data=encode_upload(one))])
        return Stored(path=path, value=one, version=done.version)


def _site(folder: Path, region: str) -> Site:
    account = AccountSettings(
        cloud="sandbox", region=region, clouds_file=str(folder / "clouds.yaml")
    )
    owner = tags.Owner(installation=_INSTALLATION, provider=ProviderName(region))
    settings = CloudSettings(account=account, owner=owner, rate_per_s=1000.0)
    cloud = OpenStackCloud(settings, clock=SystemClock())
    return Site(provider=region, images=cloud.image_store())


def _memory_mib(field: str) -> float:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(f"{field}:"):
            return int(line.split()[1]) / 1024
    raise RuntimeError(f"no {field}")


def main(folder: Path, gib: int) -> None:
    """Carry a small image, and then the large one."""
    (small, large) = _sizes(gib).items()
    carrying = Carrying(
        folder=folder,
        north=_site(folder, "north"),
        south=_site(folder, "south"),
        store=FakeZookeeper().connect(),
        clock=SystemClock(),
    )
    carrying.carry(*small)
    before_mib = _memory_mib("VmRSS")
    with contextlib.suppress(OSError):  # the peak of now, where the kernel forgets the one before
        Path("/proc/self/clear_refs").write_text("5")
    begun_s = time.perf_counter()
    disk_mib = carrying.carry(*large)
    found = {
        "before_mib": before_mib,
        "peak_mib": _memory_mib("VmHWM"),
        "disk_mib": disk_mib,
        "seconds": time.perf_counter() - begun_s,
    }
    sys.stdout.write(json.dumps(found))


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))

"""Warm requests for machines that boot an image of ours, beside others and raw chains."""

import time
from pathlib import Path
from typing import Final

from remuda.cloud.api import ImageWanted
from remuda.model.build import Build, BuildState, Why, encode_build
from remuda.model.image import BuildId, ImageRecord, UploadId, encode_image
from remuda.model.pointer import Pointer, encode_pointer
from remuda.model.upload import (
    Method,
    Trial,
    TrialResult,
    Upload,
    UploadState,
    encode_upload,
)
from remuda.store import paths
from tests.bench.feeding import Feeder
from tests.bench.figures import Figure, against, median, spread
from tests.bench.looking import pause
from tests.bench.pooled import WARM_P50_TIMES, Pooled

#: That they are equal shows within the noise of a machine of two cores.
EQUAL_TIMES: Final = 1.15
_NODES: Final = 300
_REST_S: Final = 0.03
_BUILD: Final = BuildId("base", 1)


def measure(folder: Path, *, quick: bool) -> list[Figure]:
    """Ask for one and the other in turns."""
    pairs = 40 if quick else 120
    with Pooled(folder, {"ours": {"image": {"built": "base"}}}) as pooled:
        _feed(pooled)
        raw: list[float] = []
        plain: list[float] = []
        ours: list[float] = []
        for turn in range(pairs + 10):
            found = []
            for one in (pooled.chain.one, pooled.request, lambda: pooled.request("ours")):
                found.append(one())
                pause(_REST_S)
            if turn >= 10:
                for series, seconds in zip((raw, plain, ours), found, strict=True):
                    series.append(seconds)
    details = {"ours": spread(ours), "plain": spread(plain), "raw": spread(raw), "pairs": pairs}
    as_before = against(
        "warm request, image of ours, p50",
        median(ours),
        median(raw),
        times=WARM_P50_TIMES,
        details=details,
    )
    equal = median(ours) / median(plain)
    return [
        as_before,
        Figure(
            name="warm request, image of ours to any other",
            bound=f"<= {EQUAL_TIMES:g} x",
            measured=as_before.measured,
            ratio=equal,
            ok=equal <= EQUAL_TIMES,
            details=details,
        ),
    ]


def _feed(pooled: Pooled) -> None:
    feeder = pooled.feeder()
    try:
        upload = _shelve(pooled, feeder)
        feeder.feed("main", "small", _NODES)
        feeder.feed("main", "ours", _NODES, upload)
    finally:
        feeder.close()
    pooled.fed(2 * _NODES)


def _shelve(pooled: Pooled, feeder: Feeder) -> Upload:
    """Put a build on record, and point at it: its image is one that the cloud has anyway."""
    now_s, place = time.time(), feeder.images.location().place
    image = feeder.find_image(ImageWanted(name="debian-12"))
    upload = Upload(
        id=UploadId(_BUILD, place),
        state=UploadState.USABLE,
        since_s=now_s,
        method=Method.NATIVE,
        cloud_image=image.id,
        trials={"alpha": Trial(result=TrialResult.PASSED, at_s=now_s)},
    )
    build = Build(
        id=_BUILD,
        state=BuildState.BUILT,
        why=Why.SCHEDULE,
        requested_s=now_s,
        since_s=now_s,
        group=("alpha",),
        provider="alpha",
        place=place,
        snapshot=image.id,
    )
    pointer = Pointer(image="base", provider="alpha", place=place, current=1)
    for path, data in (
        (paths.image("base"), encode_image(ImageRecord(name="base", last_build=1))),
        (paths.build(_BUILD), encode_build(build)),
        (paths.upload(upload.id), encode_upload(upload)),
        (paths.pointer("base", "alpha"), encode_pointer(pointer)),
    ):
        pooled.stage.zk.ensure_path(path)
        pooled.stage.zk.set(path, data)
    return upload

"""A file whose builder lives, and one whose builder dies meanwhile, end with one record."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from builder.build.actions import KeepSnapshot
from builder.build.hand_adopt import AdoptAtSite, AdoptingHand
from builder.place.sites import Site
from remuda.cloud.image_store import StoredImage
from remuda.model.upload import Upload
from tests.unit.builder.handbench import BUILD, OTHER, OWNER, PROVIDER
from tests.unit.builder.test_file_hand import FileBench

#: As large as the cloud says that the disk in the file is.
_VIRTUAL_GIB = 3


class _DiedError(BaseException):
    """The builder is dead."""


def _bench(folder: Path) -> FileBench:
    """Return a bench whose cloud tells how large the disk in each image is."""
    folder.mkdir()
    bench = FileBench(folder)
    bench.put_build(base=None, place=bench.images.location().place)

    def telling(shown: Callable[..., StoredImage]) -> Callable[..., StoredImage]:
        def look(*args: Any, **how: Any) -> StoredImage:
            return replace(shown(*args, **how), virtual_bytes=_VIRTUAL_GIB << 30)

        return look

    for name in ("upload", "get_image"):
        setattr(bench.images, name, telling(getattr(bench.images, name)))
    return bench


def _sent(folder: Path) -> Upload:
    bench = _bench(folder)
    assert bench.make() is None
    return _record(bench)


def _adopted(folder: Path) -> Upload:
    bench = _bench(folder)
    upload = bench.images.upload

    def dies(*args: Any, **how: Any) -> StoredImage:
        upload(*args, **how)
        raise _DiedError

    bench.images.upload = dies  # type: ignore[method-assign]
    with pytest.raises(_DiedError):
        bench.make()
    (image,) = bench.images.list_images()
    task = AdoptAtSite(
        action=KeepSnapshot(id=BUILD, snapshot=image.id, also=()),
        build=bench.build(),
        policy=bench.policy,
        here=Site(provider=PROVIDER, images=bench.images),
        me=OTHER,
    )
    assert AdoptingHand(bench.others, bench.clock, OWNER.installation).adopt(task).why is None
    return _record(bench)


def _record(bench: FileBench) -> Upload:
    found = bench.upload(bench.images.location().place).value
    bench.close()
    return replace(found, since_s=0.0)


def test_a_file_that_was_sent_is_recorded_as_one_that_was_adopted(tmp_path: Path) -> None:
    """Also that no flavor with a smaller disk than the cloud says will do."""
    sent = _sent(tmp_path / "sent")
    assert sent.min_disk_gib == _VIRTUAL_GIB
    assert _adopted(tmp_path / "adopted") == sent

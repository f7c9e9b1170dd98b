"""Gigabytes pass through a builder that needs megabytes for them."""

import hashlib
import tracemalloc
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from remuda.cloud.api import Fence, TryLaterError, unfenced
from remuda.cloud.image_store import ImageOrder, ImageStatus, Received, StoredImage
from remuda.cloud.transfer import IncomingFile, OutgoingFile
from remuda.cloud.wire import PIECE_BYTES
from remuda.model.upload import Method, UploadState
from tests.unit.builder.hands.clouds import Setting
from tests.unit.builder.hands.copies import Copy

GIB = 1 << 30
MEMORY_BYTES_MAX = 64 << 20
_DATA = b"some of it is not zero".ljust(PIECE_BYTES, b"\1")


def _pieces(start: int = 0, ends: int = GIB) -> Iterator[bytes]:
    """Yield a disk that is mostly empty, as a connection would that may break."""
    zeros = bytes(PIECE_BYTES)
    for at in range(start, GIB, PIECE_BYTES):
        if at == ends:
            raise TryLaterError("the connection broke")
        yield _DATA if at % (64 * PIECE_BYTES) == 0 else zeros


@pytest.mark.slow
def test_sparse_gibibyte_is_carried_in_constant_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And as a sparse file; a break in the middle costs neither."""
    setting = Setting(tmp_path)
    image = setting.image("pa")
    hashed = hashlib.sha512()
    for piece in _pieces():
        hashed.update(piece)
    setting.one.edit(setting.one.kept[image.id], 0.0, size_bytes=GIB, hash_value=hashed.hexdigest())
    setting.upload("pa", cloud_image=image.id, method=Method.NATIVE)
    copy = Copy(setting, Method.CARRY, image)
    seen: dict[str, int] = {}
    breaks = [GIB, GIB // 4]

    def download(
        image_id: str, target: Path, *, resume: bool = False, going: Fence = unfenced
    ) -> Received:
        incoming = IncomingFile(
            setting.images["pa"].get_image(image_id), target, resume=resume, going=going
        )
        seen["start"] = incoming.size
        incoming.take(_pieces(incoming.size, breaks.pop()), start=incoming.size)
        return incoming.finish()

    def upload(order: ImageOrder, source: Path, **fences: Any) -> StoredImage:
        seen["blocks"] = source.stat().st_blocks * 512
        sent = OutgoingFile(source, going=fences["going"])
        seen["sent"] = sum(len(piece) for piece in sent)
        sent.close()
        sent.require(order.sha512)
        made = setting.two.make(order, "project-pc", 0.0)
        setting.two.edit(made, 0.0, status=ImageStatus.ACTIVE, size_bytes=seen["sent"])
        return made.image

    monkeypatch.setattr(setting.images["pa"], "download", download)
    monkeypatch.setattr(setting.images["pc"], "upload", upload)
    copy.folder.mkdir(parents=True)

    tracemalloc.start()
    try:
        broke, ended = copy.run(), copy.run()
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()

    assert broke.why == "the connection broke"
    assert ended.why is None
    assert seen["start"] == GIB // 4
    assert copy.now().state is UploadState.STORED
    assert seen["sent"] == GIB
    assert seen["blocks"] < GIB // 16
    assert peak < MEMORY_BYTES_MAX
    assert copy.files() == []

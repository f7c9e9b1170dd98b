"""The data of images: into files, and out again, piece by piece."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from starlette.requests import ClientDisconnect
from starlette.responses import FileResponse, Response, StreamingResponse

from sandbox.faults import EffectKind
from sandbox.image.access import Access
from sandbox.image.inspection import HEAD_BYTES, mismatch
from sandbox.image.limits import ImageRoom
from sandbox.image.model import Image, ImageEvent, ImageState, ImageStore, digest
from sandbox.web.call import Call, Op, empty
from sandbox.web.errors import ApiError
from sandbox.web.hangup import CutShort
from sandbox.workers import Workers

_PIECE = 2**18
_TYPE = "application/octet-stream"


class TransferApi:
    """Uploads and downloads."""

    def __init__(self, store: ImageStore, room: ImageRoom, workers: Workers) -> None:
        self._store = store
        self._room = room
        self._access = Access(store)
        self._workers = workers

    def ops(self) -> list[Op]:
        """Return the routes below ``/v2``."""
        path, about = "/images/{id}/file", self._access.about
        return [
            Op(
                name="image.upload",
                method="PUT",
                path=path,
                handler=self._upload,
                reads_body=True,
                about=about,
            ),
            Op(name="image.download", method="GET", path=path, handler=self._download, about=about),
        ]

    async def _upload(self, call: Call) -> Response:
        image = self._access.own(call, "upload_image")
        if call.request.headers.get("Content-Type") != _TYPE:
            raise ApiError(415, "The request media type is not supported by this server.")
        if not (image.disk_format and image.container_format):
            raise ApiError(
                400,
                "Properties disk_format, container_format must be set prior to saving data.",
            )
        self._room.check_size(image.project_id)
        self._store.step(image.id, ImageEvent.UPLOAD_STARTED)
        path = self._store.path(image.id)
        try:
            await _save(call, path)
        except ClientDisconnect:
            path.unlink(missing_ok=True)
            if image.id in self._store.images:
                self._store.step(image.id, ImageEvent.UPLOAD_FAILED)
            return empty(400)  # nobody will read it
        why = await self._workers.run(lambda: mismatch(image.disk_format or "", _head(path)))
        if why:
            path.unlink(missing_ok=True)
            self._store.step(image.id, ImageEvent.UPLOAD_FAILED)
            raise ApiError(415, why)
        size, md5, sha512 = await self._workers.run(lambda: digest(path))
        if image.id not in self._store.images:
            path.unlink(missing_ok=True)
            raise ApiError(410, f"Image {image.id} was deleted during the upload")
        self._store.step(
            image.id, ImageEvent.UPLOADED, file=str(path), size=size, checksum=md5, sha512=sha512
        )
        return empty()

    async def _download(self, call: Call) -> Response:
        image = self._access.seen(call)
        if image.state is ImageState.DEACTIVATED:
            raise ApiError(
                403, "The requested image has been deactivated. Image data download is forbidden."
            )
        if image.state is not ImageState.ACTIVE or not image.file:
            return empty(204)
        headers = {"Content-MD5": image.checksum or ""}
        if call.effect(EffectKind.CUT):
            half = await self._workers.run(lambda: _half(Path(image.file)))
            return CutShort(half, length=image.size or 0, request=call.request)
        if call.effect(EffectKind.GARBLE):
            headers["Content-Length"] = str(image.size)
            return StreamingResponse(_garbled(image), media_type=_TYPE, headers=headers)
        return FileResponse(image.file, media_type=_TYPE, headers=headers)


async def _save(call: Call, path: Path) -> None:
    garble = call.effect(EffectKind.GARBLE) is not None
    with path.open("wb") as file:  # piece by piece: an image may be larger than memory
        async for piece in call.request.stream():
            _put(file, _flipped(piece) if garble and piece else piece)
            garble = garble and not piece
        file.truncate(file.tell())  # a hole at the end is not there before this


def _put(file: BinaryIO, piece: bytes) -> None:
    """Write a piece; one of zeros becomes a hole: disks are mostly empty."""
    if piece.count(0) == len(piece):
        file.seek(len(piece), os.SEEK_CUR)
    else:
        file.write(piece)


def _head(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(HEAD_BYTES)


def _half(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(path.stat().st_size // 2)


def _garbled(image: Image) -> Iterator[bytes]:
    with Path(image.file).open("rb") as file:
        yield _flipped(file.read(_PIECE))
        while piece := file.read(_PIECE):
            yield piece


def _flipped(piece: bytes) -> bytes:
    """Return *piece* with another first byte."""
    return bytes([piece[0] ^ 1]) + piece[1:] if piece else piece

"""Objects of Swift: into files, out again, in segments, and gone after their time."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Iterator
from email.utils import formatdate
from pathlib import Path
from typing import Any, Final

from starlette.requests import ClientDisconnect
from starlette.responses import FileResponse, JSONResponse, Response, StreamingResponse

from sandbox.clock import Clock
from sandbox.faults import EffectKind
from sandbox.object.access import Doorman
from sandbox.object.containers import missing
from sandbox.object.store import BODY_BYTES_MAX, MIB, Bin, Blob, ObjectState, Segment
from sandbox.quota import Quotas
from sandbox.web.call import Call, Op, empty
from sandbox.web.errors import ApiError
from sandbox.web.hangup import CutShort

_PIECE: Final = 2**18
_NAME_MAX: Final = 1024
_SEGMENTS_MAX: Final = 1000
#: A manifest of that many segments is no longer.
_MANIFEST_MAX: Final = 8 * MIB
#: So much is left on the disk.
_FREE_MIN: Final = 256 * MIB
_KEPT: Final = ("content-type", "content-encoding", "content-disposition", "cache-control")
_META: Final = "x-object-meta-"
_CLIENT_GONE: Final = 499


class ObjectApi:
    """The operations on objects."""

    def __init__(self, state: ObjectState, doorman: Doorman, quotas: Quotas, clock: Clock) -> None:
        self._state = state
        self._doorman = doorman
        self._quotas = quotas
        self._clock = clock

    def ops(self) -> list[Op]:
        """Return the routes below ``/v1``; HEAD first, for GET would take it."""
        path = "/{account}/{container}/{name:path}"
        table = (
            ("object.show", "HEAD", self._get),
            ("object.get", "GET", self._get),
            ("object.put", "PUT", self._put),
            ("object.update", "POST", self._post),
            ("object.delete", "DELETE", self._delete),
        )
        return [
            Op(name=name, method=method, path=path, handler=handler, open=True, reads_body=True)
            for name, method, handler in table
        ]

    # Reading

    async def _get(self, call: Call) -> Response:
        _, blob = self._found(call, write=False)
        headers = self._headers(call, blob)
        if call.request.method == "HEAD":
            return Response(headers={**headers, "Content-Length": str(blob.size)})
        try:
            files = list(self._state.parts(call.param("account"), blob))
        except LookupError as exc:
            raise ApiError(409, "A segment of the object is missing.") from exc
        if call.effect(EffectKind.CUT):
            half = b"".join(_pieces(files))[: blob.size // 2]
            return CutShort(half, length=blob.size, request=call.request)
        garbled = call.effect(EffectKind.GARBLE) is not None
        if blob.file is not None and not garbled:
            return FileResponse(blob.file, headers=headers)
        sized = {**headers, "Content-Length": str(blob.size)}
        pieces = _garbled(_pieces(files)) if garbled else _pieces(files)
        return StreamingResponse(pieces, headers=sized)

    def _headers(self, call: Call, blob: Blob) -> dict[str, str]:
        made = {
            "content-type": "application/octet-stream",
            **blob.meta,
            "etag": f'"{blob.etag}"' if blob.segments else blob.etag,
            "last-modified": formatdate(blob.stored_s, usegmt=True),
            "x-timestamp": f"{blob.stored_s:.5f}",
            "accept-ranges": "bytes",
        }
        if blob.ends_s is not None:
            made["x-delete-at"] = str(int(blob.ends_s))
        if blob.segments:
            made["x-static-large-object"] = "True"
        if "temp_url_sig" in call.request.query_params:
            kind = "inline" if "inline" in call.request.query_params else "attachment"
            made["content-disposition"] = kind
        return made

    # Writing

    async def _put(self, call: Call) -> Response:
        bin_ = self._bin(call, write=True)
        name = call.param("name")
        if len(name.encode()) > _NAME_MAX:
            raise ApiError(400, f"Object name length of {len(name)} longer than {_NAME_MAX}")
        if call.request.headers.get("If-None-Match") == "*" and self._state.blob(bin_, name):
            raise ApiError(412, "A precondition for this request was not met.")
        ends_s = self._ends_s(call)
        if call.query("multipart-manifest") == "put":
            blob = await self._joined(call, name, ends_s)
        else:
            blob = await self._received(call, bin_, name, ends_s)
            if blob is None:
                return empty(_CLIENT_GONE)  # nobody will read it
        self._state.keep(bin_, blob)
        etag = f'"{blob.etag}"' if blob.segments else blob.etag
        modified = formatdate(blob.stored_s, usegmt=True)
        return empty(201, {"Etag": etag, "Last-Modified": modified})

    async def _received(
        self, call: Call, bin_: Bin, name: str, ends_s: float | None
    ) -> Blob | None:
        room = self._room(call, bin_, name)
        length = call.request.headers.get("Content-Length", "")
        if length.isdigit() and int(length) > room:
            raise _no_room()
        file = self._state.new_file()
        try:
            size, etag = await _save(call, file, room)
            _compare(call, etag)
            self._bin(call, write=True)  # it may have gone meanwhile
        except ClientDisconnect:
            file.unlink(missing_ok=True)
            return None
        except BaseException:
            file.unlink(missing_ok=True)
            raise
        return Blob(
            name=name,
            size=size,
            etag=etag,
            meta=_meta(call),
            stored_s=self._clock.now_s(),
            ends_s=ends_s,
            file=file,
        )

    def _room(self, call: Call, bin_: Bin, name: str) -> int:
        """Return how many bytes may come.

        Raises:
            ApiError: 507, if the disk is full.
        """
        free = shutil.disk_usage(self._state.new_file().parent).free
        if free < _FREE_MIN:
            raise ApiError(507, "There was not enough space to save the resource.")
        account = call.param("account")
        limit = self._quotas.of(account.removeprefix("AUTH_")).objects_mib
        before = self._state.blob(bin_, name)
        used = self._state.used(account) - (before.size if before is not None else 0)
        quota = BODY_BYTES_MAX if limit < 0 else max(0, limit * MIB - used)
        return min(BODY_BYTES_MAX, quota, free - _FREE_MIN)

    async def _joined(self, call: Call, name: str, ends_s: float | None) -> Blob:
        rows = await _manifest(call)
        segments = tuple(self._segment(call, row) for row in rows)
        etags = "".join(each.md5 for each in segments)
        return Blob(
            name=name,
            size=sum(each.size for each in segments),
            etag=hashlib.md5(etags.encode(), usedforsecurity=False).hexdigest(),
            meta=_meta(call),
            stored_s=self._clock.now_s(),
            ends_s=ends_s,
            segments=segments,
        )

    def _segment(self, call: Call, row: Any) -> Segment:
        path = str(row.get("path", "")) if isinstance(row, dict) else ""
        container, _, name = path.lstrip("/").partition("/")
        bin_ = self._state.bin(call.param("account"), container)
        blob = self._state.blob(bin_, name) if bin_ is not None else None
        wrong = (
            blob is None
            or blob.segments
            or not blob.size
            or row.get("etag") not in {None, blob.etag}
            or row.get("size_bytes") not in {None, blob.size}
        )
        if blob is None or wrong:
            raise ApiError(
                400, f"Errors:\n{path}, 404 Not Found, or another than it was said to be"
            )
        return Segment(container=container, name=name, size=blob.size, md5=blob.etag)

    async def _post(self, call: Call) -> Response:
        bin_, blob = self._found(call, write=True)
        meta = {"content-type": blob.meta.get("content-type", ""), **_meta(call)}
        changed = Blob(
            name=blob.name,
            size=blob.size,
            etag=blob.etag,
            meta=meta,
            stored_s=self._clock.now_s(),
            ends_s=self._ends_s(call),
            file=blob.file,
            segments=blob.segments,
        )
        self._state.keep(bin_, changed)
        return empty(202)

    async def _delete(self, call: Call) -> Response:
        if call.query("multipart-manifest") == "delete":
            return self._delete_all(call)
        bin_, blob = self._found(call, write=True)
        self._state.drop(bin_, blob)
        return empty()

    def _delete_all(self, call: Call) -> Response:
        bin_, blob = self._found(call, write=True)
        gone, account = 1, call.param("account")
        for each in blob.segments:
            other = self._state.bin(account, each.container)
            part = self._state.blob(other, each.name) if other is not None else None
            if other is not None and part is not None:
                self._state.drop(other, part)
                gone += 1
        self._state.drop(bin_, blob)
        return JSONResponse(
            {
                "Number Deleted": gone,
                "Number Not Found": 1 + len(blob.segments) - gone,
                "Response Body": "",
                "Response Status": "200 OK",
                "Errors": [],
            }
        )

    def _bin(self, call: Call, *, write: bool) -> Bin:
        bin_ = self._state.bin(call.param("account"), call.param("container"))
        self._doorman.may(call, bin_, write=write)
        if bin_ is None:
            raise missing()
        return bin_

    def _found(self, call: Call, *, write: bool) -> tuple[Bin, Blob]:
        bin_ = self._bin(call, write=write)
        blob = self._state.blob(bin_, call.param("name"))
        if blob is None:
            raise missing()
        return bin_, blob

    def _ends_s(self, call: Call) -> float | None:
        """Return when an object ends.

        Raises:
            ApiError: 400, if that is no time, or over.
        """
        after = call.request.headers.get("X-Delete-After", "")
        at = call.request.headers.get("X-Delete-At", "")
        if not after and not at:
            return None
        now_s = self._clock.now_s()
        text = after or at
        if not (text.isascii() and text.isdigit()) or len(text) > 12:  # noqa: PLR2004 - digits
            raise ApiError(400, f"Non-integer X-Delete-{'After' if after else 'At'}")
        ends_s = int(now_s) + int(after) if after else int(at)
        if ends_s <= now_s:
            raise ApiError(400, f"X-Delete-{'After' if after else 'At'} in past")
        return float(ends_s)


def _compare(call: Call, etag: str) -> None:
    expected = call.request.headers.get("Etag", "").strip('"').lower()
    if expected and expected != etag:
        raise ApiError(422, "Unable to process the contained instructions")


async def _save(call: Call, file: Path, room: int) -> tuple[int, str]:
    garble = call.effect(EffectKind.GARBLE) is not None
    size, md5 = 0, hashlib.md5(usedforsecurity=False)
    with file.open("wb") as out:
        async for piece in call.request.stream():
            size += len(piece)
            if size > room:
                raise _no_room()
            kept = bytes([piece[0] ^ 1]) + piece[1:] if garble and piece else piece
            garble = garble and not piece
            md5.update(kept)
            out.write(kept)
    return size, md5.hexdigest()


async def _manifest(call: Call) -> list[Any]:
    body = bytearray()
    async for piece in call.request.stream():
        body += piece
        if len(body) > _MANIFEST_MAX:
            raise ApiError(413, f"Manifest > {_MANIFEST_MAX} bytes")
    try:
        rows = json.loads(body)
    except (ValueError, RecursionError) as exc:
        raise ApiError(400, "Manifest must be valid JSON.") from exc
    if not isinstance(rows, list) or not 1 <= len(rows) <= _SEGMENTS_MAX:
        raise ApiError(400, f"Manifest must have 1 to {_SEGMENTS_MAX} segments")
    return rows


def _meta(call: Call) -> dict[str, str]:
    found = {
        key: value
        for key, value in call.request.headers.items()
        if key in _KEPT or (key.startswith(_META) and value)
    }
    if sum(len(key) + len(value) for key, value in found.items()) > 4096:  # noqa: PLR2004 - Swift's
        raise ApiError(400, "Total metadata too large; max 4096")
    return found


def _pieces(files: list[Path]) -> Iterator[bytes]:
    for path in files:
        with path.open("rb") as file:
            while piece := file.read(_PIECE):
                yield piece


def _garbled(pieces: Iterator[bytes]) -> Iterator[bytes]:
    first = next(pieces, b"")
    yield bytes([first[0] ^ 1]) + first[1:] if first else first
    yield from pieces


def _no_room() -> ApiError:
    return ApiError(413, "Upload exceeds quota.")

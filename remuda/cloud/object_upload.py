"""One object on its way into Swift: in one body, or in segments and a manifest of them (SLO)."""

import hashlib
import secrets
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from remuda.cloud import object_docs as docs
from remuda.cloud.api import (
    BadOrderError,
    CloudError,
    DamagedError,
    Fence,
    GoneError,
    TryLaterError,
    UnknownOutcomeError,
)
from remuda.cloud.decoding import Shape
from remuda.cloud.errors import Answer, Effect
from remuda.cloud.object_feed import Body, Feed, SizedBody, SourceError, keep_going
from remuda.cloud.objects import SEGMENTS, ObjectOrder, StoredObject, TooLargeError
from remuda.cloud.paths import UrlPath, quoted
from remuda.cloud.transfer import transfer_s_max
from remuda.cloud.wire import Wire
from remuda.runtime.clock import Clock

#: For so long Swift may be silent in the middle of a transfer, or while it flushes what it got.
STALL_S: Final = 120.0
#: Swift's own limits: segments of a manifest, and bytes of one body.
SEGMENTS_MAX: Final = 1000
BODY_BYTES_MAX: Final = 5 << 30

_SERVICE: Final = "object-store"
_MANIFEST: Final = {"multipart-manifest": "put"}
_DATA: Final = {"Content-Type": "application/octet-stream"}
_NOT_FOUND: Final = 404


@dataclass(frozen=True, slots=True, kw_only=True)
class _Segment:
    path: UrlPath
    size: int
    md5: str


class Upload:
    """See :meth:`remuda.cloud.objects.ObjectStore.put`; for one object, once.

    Every object bears a ticket, which nobody else can know: whoever does not see an answer looks
    whether what is there bears it, and never deletes what another has stored.
    """

    def __init__(
        self,
        wire: Wire,
        container: str,
        order: ObjectOrder,
        *,
        clock: Clock,
        segment_bytes: int,
        stall_s: float,
    ) -> None:
        self._wire = wire
        self._container = container
        self._order = order
        self._clock = clock
        self._stall_s = stall_s
        self._ticket = secrets.token_hex(16)
        self._segment_bytes = max(segment_bytes, -(-order.bytes_max // SEGMENTS_MAX))
        self._begun: list[UrlPath] = []  # segments that may be there
        self._path: UrlPath = (container, quoted(order.name))

    def run(self, pieces: Iterable[bytes], *, fence: Fence, going: Fence) -> StoredObject:
        """Store it, or leave nothing of it."""
        order = self._order
        if self._segment_bytes > BODY_BYTES_MAX:
            most = SEGMENTS_MAX * BODY_BYTES_MAX
            raise TooLargeError(f"object {order.name!a} may have {most} bytes at most")
        most = order.bytes_max if order.size_bytes is None else order.size_bytes
        until_s = self._clock.monotonic_s() + transfer_s_max(most)
        check = keep_going(going, until_s, self._clock.monotonic_s)
        feed = Feed(
            pieces,
            name=order.name,
            bytes_max=order.bytes_max,
            size_bytes=order.size_bytes,
            check=check,
        )
        try:
            if most <= self._segment_bytes or feed.ended():
                return self._whole(feed, min(most, self._segment_bytes), fence)
            return self._in_segments(feed, fence)
        except SourceError as exc:
            raise exc.__cause__ or exc from None

    # In one body

    def _whole(self, feed: Feed, most: int, fence: Fence) -> StoredObject:
        # What is empty and has a length is false, and left out by libraries.
        sized = bool(self._order.size_bytes)
        body = SizedBody(feed, most) if sized else Body(feed, most)
        try:
            answer = self._put(self._path, fence, data=body, headers=self._headers())
            _compare(self._order.name, body, answer)
        except UnknownOutcomeError as exc:
            answer = self._settled(exc)
            if not body.done or docs.etag_of(answer.headers) != body.md5:
                self._remove(exc)
                raise TryLaterError(f"{exc}; what had come was deleted") from exc
        except (DamagedError, SourceError) as exc:
            if self._found(exc) is not None:
                self._remove(exc)
            raise
        modified_s = docs.modified_s(answer.headers) or self._clock.now_s()
        order = self._order
        return StoredObject(
            name=order.name,
            size_bytes=body.size,
            md5=body.md5,
            content_type=order.content_type,
            content_encoding=order.content_encoding,
            modified_s=modified_s,
            ends_s=None if order.keep_s is None else modified_s + order.keep_s,
            metadata=dict(order.metadata),
        )

    def _settled(self, why: CloudError) -> Answer:
        """Return what is there of a call that nobody answered.

        Raises:
            TryLaterError: Nothing.
            BadOrderError: What another has stored.
        """
        answer = self._look(why)
        if answer is None or (not self._is_mine(answer) and self._order.replace):
            raise TryLaterError(f"{why}; nothing has been stored") from why
        if not self._is_mine(answer):
            name = self._order.name
            raise BadOrderError(f"object {name!a} is there already, and is not replaced") from why
        return answer

    # In segments

    def _in_segments(self, feed: Feed, fence: Fence) -> StoredObject:
        try:
            segments: list[_Segment] = []
            while not feed.ended():
                segments.append(self._segment(feed, len(segments), fence))
            return self._manifest(segments, fence)
        except (CloudError, SourceError) as exc:
            if isinstance(exc, UnknownOutcomeError) and self._found(exc) is not None:
                self._remove(exc)  # a manifest without its segments is no object
            self._drop_segments(exc)
            if isinstance(exc, UnknownOutcomeError):
                raise TryLaterError(f"{exc}; what had come was deleted") from exc
            raise

    def _segment(self, feed: Feed, number: int, fence: Fence) -> _Segment:
        if number >= SEGMENTS_MAX:
            raise TooLargeError(f"object {self._order.name!a} has too many segments")
        size = self._order.size_bytes
        body = (
            Body(feed, self._segment_bytes)
            if size is None
            else SizedBody(feed, min(self._segment_bytes, size - feed.given))
        )
        path: UrlPath = (self._container, quoted(f"{SEGMENTS}{self._ticket}/{number:05d}"))
        self._begun.append(path)
        keep_s = self._order.keep_s
        headers = {} if keep_s is None else {"X-Delete-After": str(keep_s)}
        answer = self._put(path, fence, data=body, headers={**_DATA, **headers})
        _compare(self._order.name, body, answer)
        return _Segment(path=path, size=body.size, md5=body.md5)

    def _manifest(self, segments: list[_Segment], fence: Fence) -> StoredObject:
        name, why = self._order.name, CloudError("the store did not keep the manifest")
        rows = [
            {"path": "/" + "/".join(each.path), "etag": each.md5, "size_bytes": each.size}
            for each in segments
        ]
        try:
            self._put(self._path, fence, rows=rows, headers=self._headers())
        except UnknownOutcomeError as exc:
            why = exc
        answer = self._settled(why)
        found = docs.read_object(name, answer.headers)
        etag = hashlib.md5("".join(each.md5 for each in segments).encode(), usedforsecurity=False)
        size = sum(each.size for each in segments)
        told = (found.segmented, found.size_bytes, docs.etag_of(answer.headers))
        if told != (True, size, etag.hexdigest()):
            self._remove(why)
            raise DamagedError(f"object {name!a}: the store did not put its segments together")
        return found

    def _drop_segments(self, why: Exception) -> None:
        for path in self._begun:
            try:
                self._delete(path)
            except CloudError as exc:
                raise self._left(exc, why) from why

    # One call each

    def _headers(self) -> dict[str, str]:
        return docs.order_headers(self._order, self._ticket)

    def _put(
        self,
        path: UrlPath,
        fence: Fence,
        *,
        headers: Mapping[str, str],
        data: Body | None = None,
        rows: Sequence[Mapping[str, Any]] | None = None,
    ) -> Answer:
        answer = self._wire.call(
            _SERVICE,
            "PUT",
            path,
            effect=Effect.CREATE,
            data=None if data is None else lambda: data,
            body=rows,
            params=None if rows is None else _MANIFEST,
            headers=headers,
            timeout_s=self._stall_s,
            accept=docs.REFUSALS,
            shape=Shape.WORDS,
            fence=fence,
        )
        if (error := docs.refused(answer, f"object {self._order.name!a}")) is not None:
            raise error
        return answer

    def _look(self, why: Exception) -> Answer | None:
        """Return what has the object's name, whoever stored it."""
        try:
            return self._wire.call(
                _SERVICE, "HEAD", self._path, effect=Effect.REPEATABLE, shape=Shape.WORDS
            )
        except GoneError:
            return None
        except CloudError as exc:
            raise self._left(exc, why) from why

    def _found(self, why: Exception) -> Answer | None:
        answer = self._look(why)
        return answer if answer is not None and self._is_mine(answer) else None

    def _is_mine(self, answer: Answer) -> bool:
        return answer.headers.get(docs.TICKET) == self._ticket

    def _remove(self, why: Exception) -> None:
        try:
            self._delete(self._path)
        except CloudError as exc:
            raise self._left(exc, why) from why

    def _delete(self, path: UrlPath) -> None:
        self._wire.call(
            _SERVICE,
            "DELETE",
            path,
            effect=Effect.REPEATABLE,
            accept={_NOT_FOUND},
            shape=Shape.WORDS,
        )

    def _left(self, exc: CloudError, why: Exception) -> UnknownOutcomeError:
        return UnknownOutcomeError(
            f"object {self._order.name!a} may be left in part, for the store does not answer"
            f" ({exc}) after: {why.__cause__ or why}"
        )


def _compare(name: str, body: Body, answer: Answer) -> None:
    told = docs.etag_of(answer.headers)
    if not body.done:
        raise DamagedError(f"object {name!a}: the store had enough before it had all")
    if told != body.md5:
        raise DamagedError(f"object {name!a} was sent with the MD5 {body.md5}, came with {told}")

"""Containers and objects as Swift writes them: in headers, and in listings of JSON."""

import email.utils
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

from remuda.cloud import errors
from remuda.cloud.api import (
    BadOrderError,
    CloudError,
    DamagedError,
    GoneError,
    NoRoomError,
    TryLaterError,
)
from remuda.cloud.errors import Answer
from remuda.cloud.objects import SEGMENTS, Container, ObjectOrder, StoredObject
from remuda.model.fields import COUNT_MAX, NAME_CHARS_MAX, PROSE_CHARS_MAX, Fields

#: Our mark on a container, and the key that signs its temporary URLs.
MARK: Final = "X-Container-Meta-Remuda"
READERS: Final = "X-Container-Read"
URL_KEY: Final = "X-Container-Meta-Temp-URL-Key"
#: Everybody, by the name of an object.
ANYBODY: Final = ".r:*"
#: Which attempt has stored an object: whoever does not see an answer looks for it.
TICKET: Final = "X-Object-Meta-Remuda-Put"

_META: Final = "x-object-meta-"
_SEGMENTED: Final = ("X-Static-Large-Object", "X-Object-Manifest")
_NUMBER: Final = re.compile(r"[0-9]{1,19}", re.ASCII)
_TIME: Final = re.compile(r"[0-9]{1,12}(\.[0-9]{1,6})?", re.ASCII)
_MD5: Final = re.compile(r"[0-9a-f]{32}", re.ASCII)
#: Statuses that :func:`refused` knows.
REFUSALS: Final = frozenset({404, 409, 412, 413, 422, 498, 507})


def refused(answer: Answer, what: str) -> CloudError | None:
    """Return what a refusal in Swift's own words has to raise, or None if it is none of them."""
    why = f"{what}: HTTP {answer.status}: {errors.message_of(answer)}"
    match answer.status:
        case 404:
            return GoneError(why)
        case 412:
            return BadOrderError(f"{what} is there already, and is not replaced")
        case 413 | 507:
            return NoRoomError(why)
        case 422:
            return DamagedError(why)
        case 409 | 498:
            return TryLaterError(why)
        case _:
            return None


def read_container(name: str, headers: Mapping[str, str], mark: str) -> Container:
    """Return a container of the headers of its HEAD."""
    return Container(
        name=name,
        ours=headers.get(MARK) == mark,
        public=is_public(headers.get(READERS, "")),
        objects=_number(headers, "X-Container-Object-Count") or 0,
        used_bytes=_number(headers, "X-Container-Bytes-Used") or 0,
    )


def is_public(readers: str) -> bool:
    """Return whether everybody may read the objects of a container with this list."""
    return ANYBODY in readers_of(readers)


def readers_of(text: str) -> list[str]:
    """Return who may read, one by one, as Swift parses it."""
    return [each.strip().replace(": ", ":") for each in text.split(",") if each.strip()]


def order_headers(order: ObjectOrder, ticket: str) -> dict[str, str]:
    """Return the headers of an object that is to be stored."""
    return {
        "Content-Type": order.content_type,
        TICKET: ticket,
        **({"Content-Encoding": order.content_encoding} if order.content_encoding else {}),
        **({} if order.replace else {"If-None-Match": "*"}),
        **({} if order.keep_s is None else {"X-Delete-After": str(order.keep_s)}),
        **{f"X-Object-Meta-{key}": value for key, value in order.metadata.items()},
    }


def read_object(name: str, headers: Mapping[str, str]) -> StoredObject:
    """Return an object of the headers of its HEAD.

    Raises:
        TryLaterError: It is none that we understand.
    """
    size = _number(headers, "Content-Length")
    if size is None:
        raise TryLaterError(f"the store does not say how large object {name!a} is")
    segmented = any(headers.get(each, "").lower() not in {"", "false"} for each in _SEGMENTED)
    return StoredObject(
        name=name,
        size_bytes=size,
        md5=None if segmented else etag_of(headers),
        content_type=_line(headers, "Content-Type"),
        content_encoding=_line(headers, "Content-Encoding"),
        modified_s=modified_s(headers),
        ends_s=_ends_s(headers),
        segmented=segmented,
        metadata={
            key.lower().removeprefix(_META): value[:NAME_CHARS_MAX]
            for key, value in list(headers.items())[:200]
            if key.lower().startswith(_META) and key.lower() != TICKET.lower()
        },
    )


def modified_s(headers: Mapping[str, str]) -> float:
    """Return when an object was stored, by the store's clock; 0: it does not say."""
    stamp = headers.get("X-Timestamp", "").strip()
    if _TIME.fullmatch(stamp):
        return float(stamp)
    try:
        date = email.utils.parsedate_to_datetime(headers.get("Last-Modified", "")[:100])
        return max(0.0, date.timestamp())
    except (ValueError, OverflowError, OSError, TypeError):
        return 0.0


def etag_of(headers: Mapping[str, str]) -> str | None:
    """Return the MD5 that a store tells, or None if it tells none."""
    etag = headers.get("Etag", "").strip().strip('"').lower()
    return etag if _MD5.fullmatch(etag) else None


def read_row(doc: object) -> StoredObject | None:
    """Return an object of a listing; None for a segment, and for a folder of names.

    Raises:
        ValueError: If it is no such thing.
    """
    if not isinstance(doc, Mapping):
        raise ValueError(f"{type(doc).__name__} is no object")  # noqa: TRY004 - foreign data
    if "subdir" in doc:
        return None
    fields = Fields("object", doc)
    name = fields.text("name", PROSE_CHARS_MAX)
    segmented = isinstance(doc.get("slo_etag"), str)
    hashed = str(doc.get("hash") or "")
    found = StoredObject(
        name=name,
        size_bytes=fields.count("bytes", 0),
        md5=hashed if _MD5.fullmatch(hashed) and not segmented else None,
        content_type=fields.prose("content_type", NAME_CHARS_MAX),
        modified_s=_iso_s(doc.get("last_modified")),
        segmented=segmented,
    )
    return None if name.startswith(SEGMENTS) else found


def _number(headers: Mapping[str, str], key: str) -> int | None:
    value = headers.get(key, "").strip()
    return min(int(value), COUNT_MAX) if _NUMBER.fullmatch(value) else None


def _line(headers: Mapping[str, str], key: str) -> str | None:
    return headers[key][:NAME_CHARS_MAX] if headers.get(key) else None


def _ends_s(headers: Mapping[str, str]) -> float | None:
    ends = _number(headers, "X-Delete-At")
    return None if ends is None else float(ends)


def _iso_s(value: Any) -> float:
    """Return a time of a listing, which is in UTC and does not say so; 0 if it is none."""
    try:
        return max(0.0, datetime.fromisoformat(value).replace(tzinfo=UTC).timestamp())
    except (ValueError, OverflowError, OSError, TypeError):
        return 0.0

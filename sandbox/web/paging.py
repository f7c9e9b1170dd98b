"""Lists: filters, order, marker and limit."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar
from urllib.parse import urlencode

from sandbox.web.errors import ApiError

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """A part of a list; ``next_marker`` is the id to go on after, None at the end."""

    items: tuple[T, ...]
    next_marker: str | None


def read_limit(text: str | None, most: int) -> int:
    """Return the page size that *text* asks for, at most *most*.

    Raises:
        ApiError: 400, if it is not a number ≥ 0.
    """
    if text is None or not text:
        return most
    if not text.isdecimal():
        raise ApiError(
            400,
            f"Invalid input for query parameters limit. Value: {text}. "
            f"'{text}' does not match '^[0-9]*$'",
        )
    # Nova treats limit=0 as "as many as I may give".
    return min(int(text) or most, most)


def cut(
    items: Sequence[T], *, marker: str | None, limit: int, id_of: Callable[[T], str]
) -> Page[T]:
    """Return at most *limit* items after the one with the id *marker*.

    Raises:
        ApiError: 400, if no item has that id.
    """
    start = 0
    if marker:
        start = next((i + 1 for i, item in enumerate(items) if id_of(item) == marker), 0)
        if not start:
            raise ApiError(400, f"marker [{marker}] not found")
    part = tuple(items[start : start + limit])
    more = start + limit < len(items) and part
    return Page(part, id_of(part[-1]) if more else None)


def next_query(query: Iterable[tuple[str, str]], marker: str) -> str:
    """Return the query of the next page: the one of this page with another marker."""
    return urlencode([(k, v) for k, v in query if k != "marker"] + [("marker", marker)])


def order(
    items: Iterable[Mapping[str, Any]], keys: Sequence[str], directions: Sequence[str]
) -> list[Mapping[str, Any]]:
    """Sort documents by several keys; a missing direction is ``asc``, a missing value first."""
    result = list(items)
    pairs = [(key, directions[i] if i < len(directions) else "asc") for i, key in enumerate(keys)]
    for key, direction in reversed(pairs):  # stable sorts, least important first
        result.sort(
            key=lambda doc, k=key: _sortable(doc.get(k)),  # type: ignore[misc]
            reverse=direction == "desc",
        )
    return result


def _sortable(value: object) -> tuple[int, float, str]:
    if value is None:
        return (0, 0.0, "")
    if isinstance(value, bool | int | float):
        return (1, float(value), "")
    return (2, 0.0, str(value))


def same(value: object, asked: str) -> bool:
    """Compare a document's value with one of a query, as Neutron does."""
    if isinstance(value, bool):
        return asked.lower() in (("true", "1", "yes") if value else ("false", "0", "no"))
    if isinstance(value, list):
        return asked in value
    return asked == ("" if value is None else str(value))

"""The body of a cloud's answer, as the value that it is."""

import json
from enum import StrEnum
from typing import Any, Final

import requests

from remuda.cloud import errors
from remuda.cloud.api import CloudError, TryLaterError, UnknownOutcomeError
from remuda.cloud.errors import Answer, Effect

#: Under this name a list stands in :attr:`Answer.doc`.
ROWS: Final = "rows"


class Shape(StrEnum):
    """What the body of a success is."""

    OBJECT = "object"  # of JSON, or empty
    ROWS = "rows"  # a list of JSON, or empty: Swift's listings
    WORDS = "words"  # for people: Swift says in HTML that it has accepted something


def unheard(why: str, effect: Effect) -> CloudError:
    """Return what a call has to raise whose answer cannot be understood."""
    return UnknownOutcomeError(why) if effect is Effect.CREATE else TryLaterError(why)


def decode(response: requests.Response, body: bytes, effect: Effect, shape: Shape) -> Answer:
    """Return an answer whose body has been read.

    Raises:
        CloudError: It is a success, but its body is not what it must be.
    """
    doc: Any = {}
    text = ""
    if body:
        try:
            doc = json.loads(body, parse_constant=_no_number)
        except (ValueError, RecursionError):
            doc, text = {}, body[: 4 * errors.TEXT_MAX].decode(errors="replace")
    if shape is Shape.ROWS and isinstance(doc, list):
        doc = {ROWS: doc}
    if (
        errors.succeeded(response.status_code)
        and shape is not Shape.WORDS
        and (text or not isinstance(doc, dict))
    ):
        why = f"HTTP {response.status_code}, but the body is no JSON {shape}: {text[:80]!r}"
        raise unheard(why, effect)
    return Answer(
        status=response.status_code,
        headers=response.headers,
        doc=doc if isinstance(doc, dict) else {},
        text=text,
    )


def _no_number(word: str) -> None:
    """Refuse what Python reads as a number and JSON does not know: NaN, Infinity."""
    raise ValueError(f"{word} is no number")

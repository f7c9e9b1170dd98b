"""Reading single fields of a record: every value is typed, bounded and finite, or refused.

The one place for this: no codec looks into a document of its own accord. What is refused makes
the record corrupt. Where other programs are known to be sloppy a reader is as tolerant as they
are; its docstring says so.
"""

import math
import re
from collections.abc import Iterator, Mapping
from enum import StrEnum
from typing import Any, Final, TypeGuard, TypeVar

from remuda.model.codec import CorruptRecordError, UnknownSchemaError, quote

WordT = TypeVar("WordT", bound=StrEnum)

#: Names of pools, labels, providers, replicas, requests; znode names are as short.
NAME_CHARS_MAX: Final = 255
#: Who asks, for whom, host names: a line.
LINE_CHARS_MAX: Final = 1024
#: What people read: reasons, faults.
PROSE_CHARS_MAX: Final = 4096
#: Public keys; one of RSA with 16,384 bits has 2,800 characters.
KEY_CHARS_MAX: Final = 8192
#: Labels of an installation, pools of a provider.
NAMES_MAX: Final = 10_000
#: Nodes of a request, so the labels that it names: it is fulfilled, and they are taken, in one
#: transaction that writes all of them, and ZooKeeper's packets end at 1 MiB. A node has fewer.
LABELS_MAX: Final = 250
#: Largest count: exact in a float as well. Nothing that is counted here comes near it.
COUNT_MAX: Final = 2**53
#: Priorities; what other programs keep in a signed integer.
RANK_MAX: Final = 2**31 - 1
#: Latest point in time, seconds since the epoch; some writers mean milliseconds.
SECONDS_MAX: Final = 1e13

#: Ids that clouds and ZooKeeper give to things. They become parts of paths and of URLs, so that
#: they have no slash, and do not begin with a dot.
IDENTIFIER: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:-]{0,254}", re.ASCII)


def is_text(value: object, chars_max: int) -> TypeGuard[str]:
    """Whether *value* is a text of at most *chars_max* characters that can be encoded."""
    return isinstance(value, str) and len(value) <= chars_max and _encodable(value)


def _encodable(text: str) -> bool:
    if text.isascii():
        return True
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def safe(text: str, chars_max: int = PROSE_CHARS_MAX) -> str:
    """Return *text* cut, and with lone surrogates replaced: what can be encoded and shown."""
    text = text[:chars_max]
    return text if _encodable(text) else text.encode(errors="replace").decode()


def one_line(text: str, chars_max: int) -> str:
    """Return *text* on one line, cut, and such that it can be encoded and shown."""
    return safe(" ".join(text[:chars_max].split()), chars_max)


class Fields:
    """The fields of one record.

    Absent and null are the same everywhere. Every method raises CorruptRecordError for a value
    that it does not take.
    """

    __slots__ = ("doc", "name")

    def __init__(self, name: str, doc: Mapping[str, Any]) -> None:
        """Read from *doc*, the record called *name*."""
        self.name = name
        self.doc = doc

    def refuse(self, key: str, wanted: str) -> CorruptRecordError:
        """Return the error for a field that is not what was *wanted*."""
        return CorruptRecordError(self.name, f"{key} is {quote(self.doc.get(key))}, not {wanted}")

    def check_schema(self, *known: int) -> None:
        """Refuse a record of a schema that we do not know; fields that are new in it we ignore."""
        schema = self.doc.get("schema")
        if type(schema) is not int or schema not in known:
            wanted = " or ".join(map(str, known))
            raise UnknownSchemaError(self.name, f"schema {quote(schema)}, not {wanted}")

    def number(
        self, key: str, default: float | None = None, *, low: float = 0.0, high: float = SECONDS_MAX
    ) -> float:
        """Return a finite number, seconds for example; without *default* it must be there."""
        value = self.doc.get(key)
        if value is None and default is not None:
            return default
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise self.refuse(key, "a number")
        # Compared before it is converted: an integer may be too large for a float.
        if not low <= value <= high:
            raise self.refuse(key, f"a number from {low:.15g} to {high:.15g}")
        return float(value)

    def maybe_number(
        self, key: str, *, low: float = 0.0, high: float = SECONDS_MAX
    ) -> float | None:
        """Return a finite number, or None if there is none."""
        return None if self.doc.get(key) is None else self.number(key, low=low, high=high)

    def count(
        self, key: str, default: int | None = None, *, low: int = 0, high: int = COUNT_MAX
    ) -> int:
        """Return a whole number; one that is written as a float will do (Jenkins does that)."""
        return math.trunc(self.number(key, default, low=low, high=high))

    def maybe_count(self, key: str) -> int | None:
        """Return a whole number from zero, or None if there is none."""
        return None if self.doc.get(key) is None else self.count(key)

    def rank(self, key: str, default: int | None = None) -> int:
        """Return a priority: a whole number of either sign."""
        return self.count(key, default, low=-RANK_MAX, high=RANK_MAX)

    def text(self, key: str, chars_max: int = NAME_CHARS_MAX) -> str:
        """Return a text that must be there, and not empty."""
        value = self.maybe_text(key, chars_max)
        if not value:
            raise self.refuse(key, "a text")
        return value

    def maybe_text(self, key: str, chars_max: int = NAME_CHARS_MAX) -> str | None:
        """Return a text, or None if there is none."""
        value = self.doc.get(key)
        if value is None:
            return None
        if not isinstance(value, str):
            raise self.refuse(key, "a text")
        if len(value) > chars_max:
            raise CorruptRecordError(
                self.name, f"{key} has {len(value)} characters, more than {chars_max}"
            )
        if not _encodable(value):
            raise self.refuse(key, "a text that can be encoded")
        return value

    def sloppy_text(self, key: str, chars_max: int = NAME_CHARS_MAX) -> str | None:
        """Return a text, or None if there is none or it is of another type.

        For the shared format, where other programs put what they like into such fields.
        """
        return self.maybe_text(key, chars_max) if isinstance(self.doc.get(key), str) else None

    def identifier(self, key: str) -> str | None:
        """Return an id that a cloud or ZooKeeper gave to something, or None if there is none."""
        value = self.maybe_text(key)
        if value is not None and not IDENTIFIER.fullmatch(value):
            raise self.refuse(key, "an id")
        return value

    def texts(self, key: str, count_max: int, chars_max: int = NAME_CHARS_MAX) -> tuple[str, ...]:
        """Return a list of texts; absent or null reads as empty."""
        value = self.doc.get(key)
        if value is None:
            return ()
        if not isinstance(value, list):
            raise self.refuse(key, "a list of texts")
        if len(value) > count_max:
            raise CorruptRecordError(
                self.name, f"{key} has {len(value)} entries, more than {count_max}"
            )
        for one in value:
            if not is_text(one, chars_max):
                raise CorruptRecordError(
                    self.name,
                    f"{key} holds {quote(one)}, not a text of at most {chars_max} characters",
                )
        return tuple(value)

    def identifiers(self, key: str, count_max: int) -> tuple[str, ...]:
        """Return a list of ids; absent or null reads as empty."""
        found = self.texts(key, count_max)
        for one in found:
            if not IDENTIFIER.fullmatch(one):
                raise CorruptRecordError(self.name, f"{key} holds {quote(one)}, not an id")
        return found

    def word(self, key: str, words: type[WordT]) -> WordT:
        """Return one of the words of an enumeration."""
        value = self.doc.get(key)
        try:
            return words(value if isinstance(value, str) else "")
        except ValueError:
            raise CorruptRecordError(self.name, f"{key} {quote(value)}") from None

    def prose(self, key: str, chars_max: int = PROSE_CHARS_MAX) -> str | None:
        """Return what only people read, made safe; None if there is no text."""
        value = self.doc.get(key)
        return safe(value, chars_max) if isinstance(value, str) else None

    def mapping(self, key: str, count_max: int = NAMES_MAX) -> Mapping[str, Any]:
        """Return an object with names as its keys; absent or null reads as empty."""
        value = self.doc.get(key)
        if value is None:
            return {}
        if not isinstance(value, Mapping):
            raise self.refuse(key, "an object")
        if len(value) > count_max:
            raise CorruptRecordError(
                self.name, f"{key} has {len(value)} entries, more than {count_max}"
            )
        for name in value:
            if not is_text(name, NAME_CHARS_MAX):
                raise CorruptRecordError(self.name, f"{key} holds {quote(name)}, not a name")
        return value

    def parts(self, key: str, count_max: int = NAMES_MAX) -> Iterator[tuple[str, "Fields"]]:
        """Yield the named objects in an object, as fields in their turn."""
        for name, one in self.mapping(key, count_max).items():
            if not isinstance(one, Mapping):
                raise CorruptRecordError(self.name, f"{key} holds {quote(one)}, not an object")
            yield name, Fields(f"{self.name}: {key} {name}", one)

    def part(self, key: str) -> "Fields | None":
        """Return an object as fields in their turn, or None if there is none."""
        value = self.doc.get(key)
        if value is None:
            return None
        if not isinstance(value, Mapping):
            raise self.refuse(key, "an object")
        return Fields(f"{self.name}: {key}", value)

    def listed(self, key: str, count_max: int) -> "Iterator[Fields]":
        """Yield the objects in a list, as fields in their turn; absent or null reads as empty."""
        value = self.doc.get(key)
        if value is None:
            return
        if not isinstance(value, list) or len(value) > count_max:
            raise self.refuse(key, f"a list of at most {count_max} objects")
        for one in value:
            if not isinstance(one, Mapping):
                raise self.refuse(key, "a list of objects")
            yield Fields(f"{self.name}: {key}", one)

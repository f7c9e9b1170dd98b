"""Reading mappings that people wrote: all problems at once, each with its path."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from typing import Any, Final

#: Seconds, for most of them: 68 years, which points in time can still be reckoned with.
NUMBER_MAX: Final = 2**31
_TELLABLE_MAX: Final = 1e15


class BadInputError(ValueError):
    """What somebody wrote cannot be used; ``problems`` has one sentence per mistake."""

    def __init__(self, problems: Iterable[str]) -> None:
        self.problems = tuple(problems)
        super().__init__("; ".join(self.problems))


class Reader:
    """One mapping under *path*; every mistake is appended to *problems*, none is raised.

    Call :meth:`close` last: it complains about keys nobody asked for.
    """

    def __init__(self, value: object, path: str, problems: list[str]) -> None:
        self.path = path
        self.problems = problems
        self._known: list[str] = []
        self._map: Mapping[Any, Any] = {}
        if isinstance(value, Mapping):
            self._map = value
        elif value is not None:
            self.wrong("", f"must be a mapping, not {_kind(value)}")

    def wrong(self, key: str, sentence: str) -> None:
        """Note that *key* (empty: the mapping itself) is wrong."""
        where = ".".join(part for part in (self.path, key) if part)
        self.problems.append(f"{where or 'the document'}: {sentence}")

    def has(self, key: str) -> bool:
        """Say whether *key* was given (and not null)."""
        return self.raw(key) is not None

    def raw(self, key: str) -> Any:
        """Return whatever stands under *key*, or None."""
        if key not in self._known:
            self._known.append(key)
        return self._map.get(key)

    def text(self, key: str, default: str | None = None) -> str:
        """Return a string; without *default* the key is required."""
        value = self.raw(key)
        if value is None:
            if default is None:
                self.wrong(key, "is required")
            return default or ""
        # YAML reads an unquoted 12 or 1.10 as a number; as a name that is a trap worth telling.
        if not isinstance(value, str):
            self.wrong(key, f"must be text, not {_kind(value)} (quote it)")
            return default or ""
        return value

    def number(
        self, key: str, default: float, *, least: float = 0.0, most: float = NUMBER_MAX
    ) -> float:
        """Return a finite number between *least* and *most*."""
        value = self.raw(key)
        if value is None:
            return default
        if isinstance(value, bool) or not isinstance(value, int | float):
            self.wrong(key, f"must be a number, not {_kind(value)}")
            return default
        if not least <= value <= most:
            # A whole number may be too large for a float, and for the eye.
            told = "so large a number" if abs(value) > _TELLABLE_MAX else f"{value:g}"
            top = "" if most == NUMBER_MAX and value < least else f" and at most {most:.15g}"
            self.wrong(key, f"must be at least {least:.15g}{top}, not {told}")
            return default
        return float(value)

    def whole(self, key: str, default: int, *, least: int = 0, most: int = NUMBER_MAX) -> int:
        """Return a whole number between *least* and *most*."""
        value = self.raw(key)
        if value is not None and (isinstance(value, bool) or not isinstance(value, int)):
            self.wrong(key, f"must be a whole number, not {_kind(value)}")
            return default
        return int(self.number(key, default, least=least, most=most))

    def flag(self, key: str, *, default: bool) -> bool:
        """Return true or false."""
        value = self.raw(key)
        if value is None:
            return default
        if not isinstance(value, bool):
            self.wrong(key, f"must be true or false, not {_kind(value)}")
            return default
        return value

    def choice(self, key: str, options: Iterable[str], default: str) -> str:
        """Return one of *options*."""
        value, known = self.text(key, default), list(options)
        if value not in known:
            self.wrong(key, f"{value!r} is not known; known are {', '.join(known)}")
            return default
        return value

    def texts(self, key: str, default: Iterable[str] = ()) -> tuple[str, ...]:
        """Return a list of strings."""
        value = self.raw(key)
        if value is None:
            return tuple(default)
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            self.wrong(key, "must be a list of texts")
            return tuple(default)
        return tuple(value)

    def pairs(self, key: str) -> dict[str, str]:
        """Return a mapping of strings; numbers and truth values are turned into text."""
        value = self.raw(key)
        if value is None:
            return {}
        if not isinstance(value, Mapping):
            self.wrong(key, f"must be a mapping, not {_kind(value)}")
            return {}
        return {
            str(k): v if isinstance(v, str) else str(v).lower() if isinstance(v, bool) else str(v)
            for k, v in value.items()
        }

    def inner(self, key: str) -> Reader:
        """Return the reader of the mapping under *key* (an empty one if it is missing)."""
        return Reader(self.raw(key), ".".join(p for p in (self.path, key) if p), self.problems)

    def each(self, key: str) -> list[Reader]:
        """Return one reader per mapping of the list under *key*."""
        value = self.raw(key)
        if value is None:
            return []
        if not isinstance(value, list):
            self.wrong(key, f"must be a list, not {_kind(value)}")
            return []
        prefix = ".".join(p for p in (self.path, key) if p)
        return [Reader(item, f"{prefix}[{i}]", self.problems) for i, item in enumerate(value)]

    def close(self) -> None:
        """Complain about every key that nobody asked for, naming the known ones."""
        for key in self._map:
            if key in self._known:
                continue
            close = difflib.get_close_matches(str(key), self._known, n=1)
            hint = f" (did you mean {close[0]}?)" if close else ""
            self.wrong(str(key), f"is not a known key{hint}; known are {', '.join(self._known)}")


def _kind(value: object) -> str:
    names = {
        dict: "a mapping",
        list: "a list",
        str: "text",
        bool: "true/false",
        int: "a number",
        float: "a number",
        type(None): "nothing",
    }
    return names.get(type(value), type(value).__name__)

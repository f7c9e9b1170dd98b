"""Reading what people wrote into dataclasses, by pydantic: all problems at once, in sentences.

What is read is a :class:`Section`: the annotations of its fields say what may stand there. What is
null counts as not given.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Mapping
from enum import StrEnum
from pathlib import Path
from typing import (
    Annotated,
    Any,
    ClassVar,
    Final,
    Literal,
    TypeVar,
    get_args,
    get_origin,
    get_type_hints,
)

from pydantic import (
    BeforeValidator,
    ConfigDict,
    Field,
    PlainValidator,
    Strict,
    TypeAdapter,
    ValidationError,
)
from pydantic.fields import FieldInfo

T = TypeVar("T")

#: Seconds, for most of them: 68 years, which points in time can still be reckoned with.
NUMBER_MAX: Final = 2**31
_TELLABLE_MAX: Final = 1e15

#: What else pydantic may have to say. YAML reads an unquoted 12 or 1.10 as a number; as a name
#: that is a trap worth telling.
_WANTED: Final = {
    "bool_type": "must be true or false, not {}",
    "dataclass_type": "must be a mapping, not {}",
    "float_type": "must be a number, not {}",
    "int_type": "must be a whole number, not {}",
    "tuple_type": "must be a list, not {}",
}


class BadInputError(ValueError):
    """What somebody wrote cannot be used; ``problems`` has one sentence per mistake."""

    def __init__(self, problems: Iterable[str]) -> None:
        self.problems = tuple(problems)
        super().__init__("; ".join(self.problems))


class WrongKeyError(ValueError):
    """What is wrong with a mapping is wrong with one *key* of it."""

    def __init__(self, key: str, sentence: str) -> None:
        self.key = key
        super().__init__(sentence)


class Section:
    """What is read from a mapping; other keys than its fields are mistakes."""

    __slots__ = ()
    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="forbid")


def given(value: object) -> object:
    """Return a mapping without what is null; nothing at all is an empty one."""
    if isinstance(value, Mapping):
        return {key: one for key, one in value.items() if one is not None}
    return {} if value is None else value


def key(name: str) -> Any:
    """Return what says that a field is called *name* in the file."""
    return Field(validation_alias=name)


def number(least: float = 0.0, most: float = NUMBER_MAX) -> Any:
    """Return what takes a finite number between *least* and *most*."""
    return Field(strict=True, ge=least, le=most, allow_inf_nan=False)


def whole(least: int = 0, most: int = NUMBER_MAX) -> Any:
    """Return what takes a whole number between *least* and *most*."""
    return Field(strict=True, ge=least, le=most)


def _pairs(value: object) -> tuple[tuple[str, str], ...]:
    if not isinstance(value, Mapping):
        raise ValueError(f"must be a mapping, not {_kind(value)}")  # noqa: TRY004 - pydantic's
    return tuple(
        (str(k), v if isinstance(v, str) else str(v).lower() if isinstance(v, bool) else str(v))
        for k, v in value.items()
    )


Text = Annotated[str, Strict()]
Texts = tuple[Text, ...]
Flag = Annotated[bool, Strict()]
Number = Annotated[float, number()]
#: A mapping of texts; numbers and truth values are turned into text.
Pairs = Annotated[tuple[tuple[str, str], ...], PlainValidator(_pairs)]
SECTION: Final = BeforeValidator(given)


def read(kind: type[T], doc: object, *, path: str = "", base: Path = Path()) -> T:
    """Read a *kind* of section that stands at *path*; relative paths are below *base*.

    Raises:
        BadInputError: With all mistakes in it.
    """
    try:
        return TypeAdapter(kind).validate_python(given(doc), context=base)
    except ValidationError as exc:
        raise BadInputError(_problems(kind, exc, path)) from None


def _problems(kind: type, exc: ValidationError, path: str) -> Iterator[str]:
    for error in exc.errors(include_url=False):
        place, wrong = list(error["loc"]), error.get("ctx", {}).get("error")
        if isinstance(wrong, WrongKeyError):
            place.append(wrong.key)
        section = _at(kind, place[:-1])
        told = str(wrong) if wrong else _told(error["type"], error["input"], section, place)
        yield f"{joined(path, *place) or 'the document'}: {told}"


def joined(path: str, *place: int | str) -> str:
    """Return the place below *path* as it is told, such as ``flavors[0].name``."""
    for part in place:
        path += f"[{part}]" if isinstance(part, int) and path else f".{part}" if path else str(part)
    return path


def _told(error: str, value: object, section: Any, place: list[int | str]) -> str:
    keys = {} if section is None else _keys(section)
    hint = keys.get(str(place[-1])) if place else None
    known = ", ".join(_words(hint))
    match error:
        case "missing":
            return "is required" + (f"; known are {known}" if known else "")
        case "unexpected_keyword_argument" | "invalid_key":
            return _unknown(str(place[-1]), list(keys))
        case "enum" | "literal_error" if isinstance(value, str):
            return f"{value!r} is not known; known are {known}"
        case "greater_than_equal" | "less_than_equal" | "finite_number":
            return _beyond(value, hint)
        case "float_type" if isinstance(value, int) and not isinstance(value, bool):
            return _beyond(value, hint)  # too large for a float
    return _WANTED.get(error, "must be text, not {} (quote it)").format(_kind(value))


def _beyond(value: Any, hint: Any) -> str:
    least, most = (
        next(getattr(one, name) for one in _marks(hint) if hasattr(one, name))
        for name in ("ge", "le")
    )
    # A whole number may be too large for a float, and for the eye.
    told = "so large a number" if abs(value) > _TELLABLE_MAX else f"{value:g}"
    top = "" if most == NUMBER_MAX and value < least else f" and at most {most:.15g}"
    return f"must be at least {least:.15g}{top}, not {told}"


def _unknown(name: str, known: list[str]) -> str:
    close = difflib.get_close_matches(name, known, n=1)
    hint = f" (did you mean {close[0]}?)" if close else ""
    return f"is not a known key{hint}; known are {', '.join(known)}"


def _at(kind: Any, place: Iterable[int | str]) -> Any:
    """Return the section that stands at *place* in one."""
    for part in place:
        if isinstance(part, str):
            inner = (one for one in _marks(_keys(kind)[part]) if isinstance(one, type))
            kind = next((one for one in inner if issubclass(one, Section)), None)
    return kind


def _keys(section: Any) -> dict[str, Any]:
    """Return what may stand in a section, by the file's keys."""
    keys = {}
    for name, hint in get_type_hints(section, include_extras=True).items():
        names = [mark.validation_alias for mark in _marks(hint) if isinstance(mark, FieldInfo)]
        keys[str(next(filter(None, names), name))] = hint
    del keys["__pydantic_config__"]
    return keys


def _marks(hint: Any) -> list[Any]:
    """Return all that the annotations of a field say, and what they are made of."""
    inner = [mark for one in get_args(hint) for mark in _marks(one)]
    return [hint, *inner, *(hint.metadata if isinstance(hint, FieldInfo) else ())]


def _words(hint: Any) -> list[str]:
    """Return the words that may stand in a field, if only some may."""
    for one in _marks(hint):
        if isinstance(one, type) and issubclass(one, StrEnum):
            return list(one)
        if get_origin(one) is Literal:
            return list(get_args(one))
    return []


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

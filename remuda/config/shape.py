"""The models' keys as data: what kind of value each takes, and which marks it bears.

The loader, the JSON Schema and the reference ask here instead of taking pydantic apart themselves.
"""

import functools
import types
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Any, Final, Literal, Union, get_args, get_origin

from pydantic.fields import FieldInfo

from remuda.config.base import AsWritten, HostFile, Section, Unit, dashed
from remuda.config.document import Path


class ShapeKind(StrEnum):
    """What is written at a key; the text is for people."""

    TEXT = "text"
    WHOLE = "whole number"
    NUMBER = "number"
    SWITCH = "true or false"
    DURATION = "duration"
    SIZE = "size"
    SHARE = "share"
    WORD = "one word"
    SECTION = "section"


_PLAIN_KINDS: Final[Mapping[Any, ShapeKind]] = {
    str: ShapeKind.TEXT,
    bool: ShapeKind.SWITCH,
    int: ShapeKind.WHOLE,
    float: ShapeKind.NUMBER,
}


class Many(StrEnum):
    """How many values a key takes."""

    ONE = "one"
    LIST = "list"
    NAMED = "named"  # a mapping from names that the file chooses


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """One key of a section.

    Attributes:
        section: The model of the value, or of each value; None for plain values.
        shorthand: What may be written instead of a section; None: only the section itself.
        words: The allowed words of ShapeKind.WORD.
        least: Smallest number allowed; None: no limit.
        above: The number must be larger than this; None: no limit.
        most: Largest number allowed; None: no limit.
        default: What holds if the key is left out; None also if it is required.
    """

    key: str
    kind: ShapeKind
    many: Many
    section: type[Section] | None
    shorthand: ShapeKind | None
    words: tuple[str, ...]
    required: bool
    nullable: bool
    default: object
    description: str
    least: float | None
    above: float | None
    most: float | None
    host_file: HostFile | None
    as_written: bool


@dataclass(frozen=True, slots=True)
class Found:
    """One section as written in a file: its model and its mapping."""

    path: Path
    model: type[Section]
    raw: dict[str, object]


@functools.cache  # a model never changes: the answer is as constant as the model
def shapes(model: type[Section]) -> Mapping[str, Shape]:
    """Return the keys of *model*, as written in the file, in order."""
    made = (_shape(name, field) for name, field in model.model_fields.items())
    return types.MappingProxyType({shape.key: shape for shape in made})


def sections(model: type[Section], raw: object, path: Path = ()) -> Iterator[Found]:
    """Yield every section that *raw* holds, outermost first; skip what has the wrong type.

    A section with nothing behind its key counts as an empty one, as it does for the models.
    """
    if raw is None:
        raw = {}
    if not isinstance(raw, dict):
        return
    yield Found(path, model, raw)
    for shape in shapes(model).values():
        if shape.section is None or shape.key not in raw:
            continue
        for spot, value in _children(shape, raw[shape.key], (*path, shape.key)):
            if not (value is None and shape.nullable):
                yield from sections(shape.section, value, spot)


def shape_at(model: type[Section], path: Path) -> Shape | None:
    """Return the key that *path* leads to, or None if it is no key of ours.

    A path to a list's item or to a chosen name leads to the key of the list or mapping.
    """
    shape: Shape | None = None
    steps = iter(path)
    for step in steps:
        shape = shapes(model).get(str(step))
        if shape is None:
            return None
        if shape.many is not Many.ONE:
            next(steps, None)
        if shape.section is None:
            return shape
        model = shape.section
    return shape


def model_at(model: type[Section], path: Path) -> type[Section] | None:
    """Return the model of the section at *path*, or None if there is none."""
    steps = iter(path)
    for step in steps:
        shape = shapes(model).get(str(step))
        if shape is None or shape.section is None:
            return None
        model = shape.section
        if shape.many is not Many.ONE and next(steps, None) is None:
            return None
    return model


def _children(shape: Shape, value: object, path: Path) -> Iterator[tuple[Path, object]]:
    if shape.many is Many.ONE:
        yield path, value
    elif shape.many is Many.LIST and isinstance(value, list):
        for index, item in enumerate(value):
            yield (*path, index), item
    elif shape.many is Many.NAMED and isinstance(value, dict):
        for name, item in value.items():
            yield (*path, name), item


def _shape(name: str, field: FieldInfo) -> Shape:
    annotation, marks = _unwrapped(field.annotation, list(field.metadata))
    nullable = _is_nullable(field.annotation)
    many, inner = _many(annotation)
    inner, marks = _unwrapped(inner, marks)
    section = inner if isinstance(inner, type) and issubclass(inner, Section) else None
    return Shape(
        key=field.alias or dashed(name),
        kind=_kind(inner, marks),
        many=many,
        section=section,
        shorthand=_shorthand(marks) if section else None,
        words=get_args(inner) if get_origin(inner) is Literal else (),
        required=field.is_required(),
        nullable=nullable,
        default=None if field.is_required() else field.get_default(call_default_factory=True),
        description=field.description or "",
        least=_bound(marks, "ge"),
        above=_bound(marks, "gt"),
        most=_bound(marks, "le"),
        host_file=next((mark for mark in marks if isinstance(mark, HostFile)), None),
        as_written=any(isinstance(mark, AsWritten) for mark in marks),
    )


def _unwrapped(annotation: Any, marks: list[Any]) -> tuple[Any, list[Any]]:
    """Strip ``| None`` and ``Annotated``, collecting what the latter says."""
    while True:
        origin = get_origin(annotation)
        if origin is Annotated:
            annotation, *more = get_args(annotation)
            marks = [*marks, *more]
        elif origin in (Union, types.UnionType):
            annotation = next(arm for arm in get_args(annotation) if arm is not types.NoneType)
        else:
            return annotation, marks


def _is_nullable(annotation: Any) -> bool:
    if get_origin(annotation) is Annotated:
        return _is_nullable(get_args(annotation)[0])
    return types.NoneType in get_args(annotation)


def _many(annotation: Any) -> tuple[Many, Any]:
    origin = get_origin(annotation)
    if origin is tuple:
        return Many.LIST, get_args(annotation)[0]
    if origin is dict:
        return Many.NAMED, get_args(annotation)[1]
    return Many.ONE, annotation


def _shorthand(marks: list[Any]) -> ShapeKind | None:
    """Return the plain kind that a validator of one of *marks* says it takes as well."""
    for mark in marks:
        for arm in get_args(getattr(mark, "json_schema_input_type", None)):
            if arm in _PLAIN_KINDS:
                return _PLAIN_KINDS[arm]
    return None


def _bound(marks: list[Any], name: str) -> float | None:
    """Return the limit that pydantic keeps as attribute *name* of one of its own marks."""
    limits = (getattr(mark, name, None) for mark in marks)
    return next((limit for limit in limits if isinstance(limit, int | float)), None)


def _kind(inner: Any, marks: list[Any]) -> ShapeKind:
    for mark in marks:
        if isinstance(mark, Unit):
            return ShapeKind(mark.value)
    if get_origin(inner) is Literal:
        return ShapeKind.WORD
    return _PLAIN_KINDS.get(inner, ShapeKind.SECTION)

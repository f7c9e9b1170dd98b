"""The configuration as JSON Schema (draft 2020-12), for editors and other checkers."""

from collections.abc import Iterator
from typing import Any, Final

from remuda.config.base import Section
from remuda.config.loader import SCRATCH_PREFIX
from remuda.config.model import Config
from remuda.config.shape import Shape, ShapeKind, shapes
from remuda.config.units import show_duration, show_share, show_size

_DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"
_ABOUT: Final = (
    "Configuration of Remuda. Text may hold ${NAME}, replaced from the environment; where a"
    " number or a switch is written so, only `remuda config check` can judge it."
)


def schema(top: type[Config] = Config) -> dict[str, Any]:
    """Return the JSON Schema of the whole file; another *top* than commands show is for tests."""
    made = top.model_json_schema(by_alias=True, mode="validation")
    definitions = made["$defs"]
    for model in models(top):
        target = made if model is top else definitions[model.__name__]
        _refine(target, model)
    return {
        "$schema": _DIALECT,
        **made,
        "title": "Remuda configuration",
        "description": _ABOUT,
        "patternProperties": {f"^{SCRATCH_PREFIX}": {"description": "A place for YAML anchors."}},
    }


def show_default(shape: Shape) -> object:
    """Return the default of *shape* as one would write it in the file; None: there is none."""
    if isinstance(shape.default, int | float):
        return show_number(shape.default, shape)
    if isinstance(shape.default, Section):
        return {}
    return list(shape.default) if isinstance(shape.default, tuple) else shape.default


def show_number(number: float, shape: Shape) -> float | str:
    """Return *number* as one would write it at *shape*: with a unit, if it has one."""
    match shape.kind:
        case ShapeKind.DURATION:
            return show_duration(number)
        case ShapeKind.SHARE:
            return show_share(number)
        case ShapeKind.SIZE:
            return show_size(int(number))
        case _:
            return number


def models(model: type[Section]) -> Iterator[type[Section]]:
    """Yield *model* and all below it, each once."""
    seen: dict[type[Section], None] = {}
    queue = [model]
    while queue:
        current = queue.pop(0)
        if current not in seen:
            seen[current] = None
            queue.extend(s.section for s in shapes(current).values() if s.section is not None)
    yield from seen


def _refine(target: dict[str, Any], model: type[Section]) -> None:
    """Say what pydantic's own schema of *model* leaves out or words for programmers."""
    target.pop("title", None)
    required = any(shape.required for shape in shapes(model).values())
    if not required and not any(choice.least for choice in model.choices):
        target["type"] = ["object", "null"]  # `small:` with nothing behind it
    for shape in shapes(model).values():
        entry = target["properties"][shape.key]
        entry.pop("title", None)
        if "default" in entry:
            entry["default"] = show_default(shape)
        if "patternProperties" in entry:
            entry["additionalProperties"] = False  # a key that is no name is wrong, not unknown
        entry["description"] = shape.description
        _bound(entry, shape)


def _bound(entry: dict[str, Any], shape: Shape) -> None:
    """Limit the number; pydantic loses its limits, or leaves their own names, behind validators."""
    limits = {"minimum": shape.least, "exclusiveMinimum": shape.above, "maximum": shape.most}
    for arm in _arms(entry):
        for name in ("ge", "gt", "le"):
            arm.pop(name, None)
        if arm.get("type") in ("number", "integer"):
            arm.update({key: limit for key, limit in limits.items() if limit is not None})


def _arms(entry: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield entry
    for arm in entry.get("anyOf", ()):
        yield from _arms(arm)

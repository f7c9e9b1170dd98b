"""Pydantic's complaints in plain words, each at its path."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from pydantic import ValidationError

from remuda.config.base import Section
from remuda.config.document import Path
from remuda.config.misspellings import misspelled
from remuda.config.name_guesses import listed, nearest_of
from remuda.config.raw import mapping
from remuda.config.report import Report
from remuda.config.shape import Many, Shape, ShapeKind, model_at, shape_at, shapes
from remuda.config.units import WrongValueError, show_duration, show_share, show_size

#: As much of a wrong value as helps to recognise it.
_SHOWN_MAX: Final = 60
#: Pydantic puts this behind the path when the key itself is wrong.
_KEY_STEP: Final = "[key]"
#: Keys of sections that take a text as it is, which people write in place of the section.
_TEXT_KEYS: Final = ("inline", "run")


@dataclass(frozen=True, slots=True)
class _Wrong:
    """One error, with what is needed to word it."""

    model: type[Section]
    path: Path
    shape: Shape | None
    shown: str
    value: object
    context: Mapping[str, Any]


_Worder = Callable[[_Wrong], tuple[str, str]]


def translate(
    error: ValidationError,
    model: type[Section],
    data: object,
    report: Report,
    hidden: frozenset[Path],
) -> None:
    """Report every problem of *error*, which came from validating *data* as a *model*.

    The values at the paths of *hidden* came from the environment: maybe secrets, so not shown.
    """
    for item in error.errors(include_url=False):
        steps = item["loc"]
        at_key = bool(steps) and steps[-1] == _KEY_STEP
        path = steps[:-1] if at_key else steps
        if at_key:
            report.problem(path, *_bad_key(str(path[-1]), item.get("ctx", {})), at_key=True)
            continue
        # What was written, not what units and short forms have made of it.
        value = _at(data, path, item["input"])
        if item["type"] == "missing" and _is_misspelled(model, data, path):
            continue
        if item["type"] == "too_short" and value:
            continue  # its items are wrong, not too few, and told one by one
        wrong = _Wrong(
            model=model,
            path=path,
            shape=shape_at(model, path),
            shown="the value from the environment" if path in hidden else _shown(value),
            value=None if path in hidden else value,
            context=item.get("ctx", {}),
        )
        message, hint = _WORDS.get(item["type"], _other)(wrong)
        report.problem(path, message, hint, at_key=item["type"] == "extra_forbidden")


def _is_misspelled(model: type[Section], data: object, path: Path) -> bool:
    """Whether the key at *path* is there after all, under a wrong name."""
    section = model_at(model, path[:-1]) if len(path) > 1 else model
    raw = mapping(_at(data, path[:-1], None))
    return section is not None and str(path[-1]) in misspelled(section, raw)


def _bad_key(name: str, context: Mapping[str, Any]) -> tuple[str, str]:
    own = context.get("error")
    return (str(own), own.hint) if isinstance(own, WrongValueError) else _bad_name(name)


def _bad_name(name: str) -> tuple[str, str]:
    return (
        f"{name[:_SHOWN_MAX]!r} is not a name",
        "names have 1 to 63 letters, digits, '.', '_' and '-', a letter or digit first",
    )


def _missing(wrong: _Wrong) -> tuple[str, str]:
    text = wrong.shape.description if wrong.shape else ""
    lowered = text[:1].lower() + text[1:].rstrip(".")
    return "is missing", f"add {wrong.path[-1]}: {lowered}"


def _unknown_key(wrong: _Wrong) -> tuple[str, str]:
    section = model_at(wrong.model, wrong.path[:-1])
    known = shapes(section) if section else {}
    return "no such key", nearest_of(str(wrong.path[-1]), known)


def _not_text(wrong: _Wrong) -> tuple[str, str]:
    if isinstance(wrong.value, bool | int | float):
        return f"must be text, not {wrong.shown}", f'write it in quotes: "{wrong.value}"'
    return f"must be text, not {wrong.shown}", ""


def _not_mapping(wrong: _Wrong) -> tuple[str, str]:
    section = model_at(wrong.model, wrong.path)
    hint = listed(shapes(section)) if section else "write names and their values below it"
    if section and isinstance(wrong.value, str):
        key = next((one for one in _TEXT_KEYS if one in shapes(section)), None)
        hint = hint if key is None else f"write {{{key}: …}}; {hint}"
    short = wrong.shape.shorthand if wrong.shape else None
    what = f"{short} or a mapping" if short else "a mapping"
    return f"must be {what}, not {wrong.shown}", hint


def _not_list(wrong: _Wrong) -> tuple[str, str]:
    plain = isinstance(wrong.value, str | int | float) and not isinstance(wrong.value, bool)
    return f"must be a list, not {wrong.shown}", f"write [{wrong.value}]" if plain else ""


def _not_whole(wrong: _Wrong) -> tuple[str, str]:
    return f"{wrong.shown} is not a whole number", "write digits only"


def _not_number(wrong: _Wrong) -> tuple[str, str]:
    return f"{wrong.shown} is not a number", "write for example 10 or 0.5"


def _not_switch(wrong: _Wrong) -> tuple[str, str]:
    return f"{wrong.shown} is neither true nor false", "write true or false"


def _not_word(wrong: _Wrong) -> tuple[str, str]:
    words = wrong.shape.words if wrong.shape else ()
    return f"{wrong.shown} is not one of the known words", nearest_of(str(wrong.value), words)


def _too_few(wrong: _Wrong) -> tuple[str, str]:
    named = wrong.shape is not None and wrong.shape.many is Many.NAMED
    return "is empty", f"at least one {'entry' if named else 'item'} is needed"


def _no_text(_wrong: _Wrong) -> tuple[str, str]:
    return "is empty", "write something, or leave the key out"


def _too_long(wrong: _Wrong) -> tuple[str, str]:
    return f"is longer than {wrong.context['max_length']:,} characters", ""


def _pattern(wrong: _Wrong) -> tuple[str, str]:
    return _bad_name(str(wrong.value))  # the only pattern that a value must match


def _own_words(wrong: _Wrong) -> tuple[str, str]:
    error = wrong.context.get("error")
    hint = error.hint if isinstance(error, WrongValueError) else ""
    private = isinstance(error, WrongValueError) and error.private
    subject = "" if private or isinstance(wrong.value, dict | list) else f"{wrong.shown} "
    return f"{subject}{error}", hint


def _limit(key: str, words: str) -> _Worder:
    def worder(wrong: _Wrong) -> tuple[str, str]:
        limit = _quantity(wrong.context[key], wrong.shape)
        return f"{wrong.shown} is out of range", f"must be {words} {limit}"

    return worder


def _other(wrong: _Wrong) -> tuple[str, str]:
    return f"{wrong.shown} is not allowed here", wrong.shape.description if wrong.shape else ""


def _quantity(number: float, shape: Shape | None) -> str:
    if shape is not None and shape.kind is ShapeKind.DURATION:
        return show_duration(number)
    if shape is not None and shape.kind is ShapeKind.SHARE:
        return show_share(number)
    if shape is not None and shape.kind is ShapeKind.SIZE:
        return show_size(int(number))
    return f"{number:,g}" if isinstance(number, float) else f"{number:,}"


def _at(data: object, path: Path, otherwise: object) -> object:
    for step in path:
        inner: Any = data if isinstance(data, dict | list) else {}
        try:
            data = inner[step]
        except (LookupError, TypeError):  # TypeError: a name where a list is
            return otherwise
    return data


def _shown(value: object) -> str:
    match value:
        case None:
            return "nothing"
        case bool():
            return "true" if value else "false"
        case dict():
            return "a mapping"
        case list():
            return "a list"
        case _:
            text = repr(value)
            return text if len(text) <= _SHOWN_MAX else f"{text[:_SHOWN_MAX]}…"


_WORDS: Final[Mapping[str, _Worder]] = {
    "missing": _missing,
    "extra_forbidden": _unknown_key,
    "string_type": _not_text,
    "model_type": _not_mapping,
    "model_attributes_type": _not_mapping,
    "dict_type": _not_mapping,
    "tuple_type": _not_list,
    "int_type": _not_whole,
    "int_parsing": _not_whole,
    "int_parsing_size": _not_whole,
    "int_from_float": _not_whole,
    "float_type": _not_number,
    "float_parsing": _not_number,
    "finite_number": _not_number,
    "bool_type": _not_switch,
    "bool_parsing": _not_switch,
    "literal_error": _not_word,
    "too_short": _too_few,
    "string_too_short": _no_text,
    "string_too_long": _too_long,
    "string_pattern_mismatch": _pattern,
    "value_error": _own_words,
    "greater_than": _limit("gt", "more than"),
    "greater_than_equal": _limit("ge", "at least"),
    "less_than": _limit("lt", "less than"),
    "less_than_equal": _limit("le", "at most"),
}

"""Keys that choose between kinds: sections with too many or too few of them."""

from collections.abc import Sequence

from remuda.config.base import Choice, Section
from remuda.config.misspellings import misspelled
from remuda.config.report import Report
from remuda.config.shape import sections


def check_choices(model: type[Section], data: object, report: Report) -> None:
    """Report sections with too many or too few of the keys that choose between kinds."""
    for found in sections(model, data):
        for choice in found.model.choices:
            present = [key for key in choice.keys if found.raw.get(key) is not None]
            if not misspelled(found.model, found.raw).isdisjoint(choice.keys):
                continue
            message = _wrong_choice(choice, present)
            if message:
                report.problem(found.path, message)


def _wrong_choice(choice: Choice, present: Sequence[str]) -> str:
    names = ", ".join(choice.keys)
    if len(present) < choice.least:
        how = "at least one" if choice.most is None else "exactly one"
        return f"needs {how} of {names}"
    if choice.most is not None and len(present) > choice.most:
        return f"has {' and '.join(present)}, which exclude each other: keep one"
    return ""

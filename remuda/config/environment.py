"""``${NAME}`` in the file's values, replaced from the environment."""

import re
from collections.abc import Iterator, Mapping
from typing import Final

from remuda.config.base import Section
from remuda.config.document import NO_TEXT, Path
from remuda.config.report import Report
from remuda.config.shape import sections, shapes
from remuda.known_secrets import KNOWN
from remuda.redaction import is_secret_name

_REFERENCE: Final = re.compile(r"\$\$\{|\$\{([A-Za-z_][A-Za-z0-9_]*)\}|\$\{")


def substitute(
    model: type[Section], data: object, environ: Mapping[str, str], report: Report
) -> frozenset[Path]:
    """Replace ``${NAME}`` in all texts of *data*, in place, and ``$${`` by ``${``.

    Keys marked as written (scripts, user data) are left alone: there it means the shell's.

    Returns:
        The paths whose value now holds something of the environment: complaints must not show it.
    """
    free = {
        (*found.path, shape.key)
        for found in sections(model, data)
        for shape in shapes(found.model).values()
        if shape.as_written
    }
    changed: set[Path] = set()
    for container, key, text, path in _texts(data, ()):
        if "${" in text and path not in free:
            container[key], known = _replaced(text, path, environ, report)
            changed.add(path)
            if not known:
                report.unread(path)
    return frozenset(changed)


def _replaced(
    text: str, path: Path, environ: Mapping[str, str], report: Report
) -> tuple[str, bool]:
    """Return the text with what is known filled in, and whether that is all."""
    known = True

    def value(match: re.Match[str]) -> str:
        nonlocal known
        if match.group(0) == "$${":
            return "${"
        name = match.group(1)
        if name is None:
            report.problem(path, "has a ${ without a name", "write ${NAME}, or $${ for a plain ${")
        elif name in environ and NO_TEXT.search(environ[name]):
            report.problem(path, f"the environment's {name} is no text in UTF-8", "set it to one")
        elif name in environ:
            if is_secret_name(name):
                KNOWN.hold(f"environment {name}", [environ[name]])
            return environ[name]
        else:
            report.problem(
                path,
                f"the environment has no {name}",
                f"set it, or write $${{{name}}} for a plain ${{{name}}}",
            )
        known = False
        return match.group(0)

    return _REFERENCE.sub(value, text), known


def _texts(value: object, path: Path) -> Iterator[tuple[dict[object, object], object, str, Path]]:
    """Yield (container, key, text, path) of every text, deep."""
    entries: list[tuple[object, object]] = []
    if isinstance(value, dict):
        entries = list(value.items())
    elif isinstance(value, list):
        entries = list(enumerate(value))
    for key, item in entries:
        spot = (*path, key if isinstance(key, int) else str(key))
        if isinstance(item, str):
            yield value, key, item, spot  # type: ignore[misc] # a list takes an index the same way
        else:
            yield from _texts(item, spot)

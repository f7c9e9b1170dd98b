"""Writes ``docs/configuration.md`` from the models.

Run it as ``python -m remuda.config.reference > docs/configuration.md``; a test compares.
"""

import json
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from remuda.config.base import Choice, Section
from remuda.config.model import Config
from remuda.config.reference_text import FROM_NODEPOOL, INTRO, NODEPOOL, NOTHING
from remuda.config.schema import show_default, show_number
from remuda.config.shape import Many, Shape, ShapeKind, shapes

_EXAMPLES: Final = Path(__file__).parents[2] / "docs" / "examples"
_QUOTE: Final = '"'


@dataclass(frozen=True, slots=True)
class _Chapter:
    """One section of the file, which may be written at several paths."""

    model: type[Section]
    paths: tuple[str, ...]

    @property
    def title(self) -> str:
        return f"`{self.paths[0]}`" if self.paths[0] else "The whole file"


def reference() -> str:
    """Return the text of ``docs/configuration.md``.

    Raises:
        OSError: If the examples of the source tree are not there.
    """
    chapters = _chapters(Config)
    parts = [
        INTRO,
        "\n## Examples\n\nTo begin with:\n",
        _example("first-config.yaml"),
        "\nWith everything that two clouds may need:\n",
        _example("full.yaml"),
        "\n## All keys\n\nA key without a default must be written.\n",
        *(_chapter_text(chapter, chapters) for chapter in chapters.values()),
        "\n",
        FROM_NODEPOOL,
        *_nodepool_rows(),
    ]
    return "".join(parts)


def _chapters(top: type[Config]) -> Mapping[type[Section], _Chapter]:
    """Return the sections outermost first, each once, with all paths that lead to it."""
    paths: dict[type[Section], list[str]] = {}
    stack: list[tuple[type[Section], str]] = [(top, "")]
    while stack:
        model, path = stack.pop()
        first = model not in paths
        paths.setdefault(model, []).append(path)
        if first:
            stack.extend(reversed(list(_below(model, path))))
    return {model: _Chapter(model, tuple(found)) for model, found in paths.items()}


def _below(model: type[Section], path: str) -> Iterator[tuple[type[Section], str]]:
    for shape in shapes(model).values():
        if shape.section is not None:
            suffix = {Many.ONE: "", Many.LIST: "[]", Many.NAMED: ".NAME"}[shape.many]
            yield shape.section, f"{path}.{shape.key}{suffix}".removeprefix(".")


def _chapter_text(chapter: _Chapter, chapters: Mapping[type[Section], _Chapter]) -> str:
    doc = (chapter.model.__doc__ or "").strip()
    lines = ["", f"### {chapter.title}", "", " ".join(doc.split("\n\n")[0].split())]
    if len(chapter.paths) > 1:
        others = ", ".join(f"`{path}`" for path in chapter.paths[1:])
        lines += ["", f"Also at {others}."]
    lines += [line for choice in chapter.model.choices for line in ("", _choice(choice))]
    lines += ["", "| key | type | default | meaning |", "|---|---|---|---|"]
    lines += [_row(shape, chapters) for shape in shapes(chapter.model).values()]
    return "\n".join(lines) + "\n"


def _choice(choice: Choice) -> str:
    names = ", ".join(f"`{key}`" for key in choice.keys)
    if choice.most is None:
        return f"At least one of {names} is needed."
    if choice.least:
        return f"Exactly one of {names} is needed."
    return f"Of {names} only one may be written."


def _row(shape: Shape, chapters: Mapping[type[Section], _Chapter]) -> str:
    cells = (f"`{shape.key}`", _type(shape, chapters), _default(shape), shape.description)
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _type(shape: Shape, chapters: Mapping[type[Section], _Chapter]) -> str:
    match shape.many:
        case Many.LIST:
            return f"list of {_one(shape, chapters, 's')}"
        case Many.NAMED:
            return f"names to {_one(shape, chapters, 's')}"
        case _:
            return _one(shape, chapters, "")


def _one(shape: Shape, chapters: Mapping[type[Section], _Chapter], plural: str) -> str:
    if shape.section is not None:
        short = f"{shape.shorthand}, or " if shape.shorthand else ""
        return f"{short}[section{plural}](#{_anchor(chapters[shape.section])})"
    if shape.kind is ShapeKind.WORD:
        return " or ".join(f"`{word}`" for word in shape.words)
    if shape.host_file is not None:
        return "file or folder" if shape.host_file.tree else "file"
    return f"{shape.kind}{_range(shape)}"


def _range(shape: Shape) -> str:
    least = show_number(shape.least, shape) if shape.least else None
    most = show_number(shape.most, shape) if shape.most is not None else None
    if least is not None:
        return f" (at least {least})" if most is None else f" ({least} to {most})"
    return "" if most is None else f" (up to {most})"


def _default(shape: Shape) -> str:
    if shape.required:
        return "**required**"
    default = show_default(shape)
    if shape.many is not Many.ONE and not default:
        return "null" if default is None else "empty"
    match default:
        case None:
            return "null"
        case {}:
            return "its defaults"
        case list() as items:
            return ", ".join(f"`{item}`" for item in items)
        case value:
            return f"`{json.dumps(value).strip(_QUOTE)}`"


def _anchor(chapter: _Chapter) -> str:
    # As GitHub and MkDocs make anchors of titles: lower case, punctuation gone.
    return "".join(c for c in chapter.title.lower() if c.isalnum() or c in "-_")


def _example(name: str) -> str:
    text = (_EXAMPLES / name).read_text(encoding="utf-8")
    return f"\n```yaml\n{text}```\n"


def _nodepool_rows() -> Iterator[str]:
    for theirs, ours, remark in NODEPOOL:
        here = ours if ours == NOTHING else f"`{ours}`"
        yield f"| `{theirs}` | {here} | {remark} |\n"


if __name__ == "__main__":
    sys.stdout.write(reference())

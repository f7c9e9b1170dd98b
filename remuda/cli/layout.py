"""Tables in the width of a terminal: cells are broken at blanks only, so that ids stay whole.

If not all columns fit side by side, those that say nothing are left out, and each row takes several
lines.
"""

import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

GAP: Final = 2
_INDENT: Final = 2
#: A column of sentences is not made narrower than this as long as there is another way.
_PROSE_MIN: Final = 24
#: A column in which nothing else stands is left out where room is scarce.
_NOTHING: Final = frozenset({"", "-"})
#: No terminal is narrower; one that says so is not believed.
WIDTH_MIN: Final = 20


@dataclass(frozen=True, slots=True)
class CellPart:
    """A part of one cell, in its place on a line.

    Attributes:
        column: Of which column.
        before: Blanks in front of it.
    """

    column: int
    before: int
    text: str


Line = Sequence[CellPart]


def text_width(text: str) -> int:
    """Return how many columns of a terminal *text* takes."""
    if text.isascii():
        return len(text)
    wide = sum(unicodedata.east_asian_width(one) in "WF" for one in text)
    return len(text) + wide - sum(unicodedata.combining(one) > 0 for one in text)


def lay_out(
    columns: Sequence[str], rows: Sequence[Sequence[str]], width: int
) -> list[Sequence[Line]]:
    """Return the lines of the header and of each row.

    Args:
        columns: Headers.
        rows: Cells, one per column; each a line without control characters.
        width: Of the terminal, in columns.
    """
    places = _places(columns, rows, max(WIDTH_MIN, width))
    return [[*_lines(row, places)] for row in (columns, *rows)]


def _places(
    columns: Sequence[str], rows: Sequence[Sequence[str]], width: int
) -> list[list[tuple[int, int]]]:
    """Return the lines of a row, each as columns with their widths."""
    grid = (columns, *rows)
    whole = [max(text_width(row[i]) for row in grid) for i in range(len(columns))]
    if sum(whole) + GAP * (len(whole) - 1) <= width:
        return [[*enumerate(whole)]]
    said = [i for i in range(len(columns)) if i == 0 or any(row[i] not in _NOTHING for row in rows)]
    least = [
        min(wide, max(_PROSE_MIN if wide > _PROSE_MIN else 0, _longest_word(grid, i)))
        for i, wide in enumerate(whole)
    ]
    lines: list[list[int]] = [[]]
    for column in said:
        taken = _taken([*lines[-1], column], least, first=len(lines) == 1)
        if lines[-1] and taken > width:
            lines.append([])
        lines[-1].append(column)
    return [
        _widened(line, whole, least, width - (0 if i == 0 else _INDENT))
        for i, line in enumerate(lines)
    ]


def _taken(line: Sequence[int], least: Sequence[int], *, first: bool) -> int:
    return sum(least[one] for one in line) + GAP * (len(line) - 1) + (0 if first else _INDENT)


def _widened(
    line: Sequence[int], whole: Sequence[int], least: Sequence[int], width: int
) -> list[tuple[int, int]]:
    """Give the columns of a line what is left, the first ones first."""
    left = max(0, width - sum(least[one] for one in line) - GAP * (len(line) - 1))
    placed = []
    for one in line:
        more = min(left, whole[one] - least[one])
        left -= more
        placed.append((one, min(width, least[one] + more)))
    return placed


def _longest_word(grid: Sequence[Sequence[str]], column: int) -> int:
    return max((text_width(word) for row in grid for word in row[column].split()), default=0)


def _lines(row: Sequence[str], places: Sequence[Sequence[tuple[int, int]]]) -> Iterator[Line]:
    for number, line in enumerate(places):
        folded = [(column, wide, [*fold(row[column], wide)]) for column, wide in line]
        for height in range(max(len(parts) for _, _, parts in folded)):
            pieces, before = [], 0 if number == 0 else _INDENT
            for column, wide, parts in folded:
                text = parts[height] if height < len(parts) else ""
                if text:
                    pieces.append(CellPart(column, before, text))
                    before = 0
                before += wide - text_width(text) + GAP
            # A line of a row that says nothing is left out, but for the first.
            if pieces or (number == 0 and height == 0):
                yield pieces


def fold(text: str, width: int) -> Iterator[str]:
    """Yield the lines of a cell; a word is broken only if it is longer than any line."""
    line = ""
    for word in text.split(" "):
        joined = f"{line} {word}" if line else word
        if text_width(joined) <= width:
            line = joined
            continue
        if line:
            yield line
        line = word
        while text_width(line) > width:
            yield line[:width]
            line = line[width:]
    yield line

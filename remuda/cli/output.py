"""What commands print: JSON with stable keys, and tables for people and for grep."""

import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from remuda.cli.layout import Line, fold, lay_out
from remuda.cli.terminal import say
from remuda.jsontext import to_json
from remuda.model.codec import ZNODE_CHARS_MAX
from remuda.model.fields import safe
from remuda.moments import lasting
from remuda.visible import visible

if TYPE_CHECKING:
    from rich.live import Live
    from rich.text import Text

#: Colours of states, wherever a table has one.
STYLES: Final[Mapping[str, str]] = {
    "ready": "green",
    "running": "green",
    "fulfilled": "green",
    "serving": "green",
    "ok": "green",
    "warning": "yellow",
    "problem": "red",
    "untested": "dim",
    "in-use": "cyan",
    "building": "yellow",
    "init": "yellow",
    "pending": "yellow",
    "waiting": "yellow",
    "paused": "yellow",
    "hold": "magenta",
    "failed": "red",
    "declined": "red",
    "deleting": "dim",
    "used": "dim",
}
#: Whoever has more broken records than this has one trouble, not so many.
BROKEN_MAX: Final = 20
#: No honest name or sentence is longer; a record may hold a quarter of a million characters.
CELL_CHARS_MAX: Final = 2_000
#: A wider cell pushes aside what follows in its own row, and makes no other row as wide.
COLUMN_CHARS_MAX: Final = 120
#: Nobody reads more on a terminal; what goes into a pipe or a file is complete.
SCREEN_ROWS_MAX: Final = 1_000
_GAP: Final = "  "


@dataclass(frozen=True, slots=True, kw_only=True)
class Sheet:
    """One table and the same as data.

    Attributes:
        columns: Headers.
        rows: Cells as text, one per column.
        data: What ``--json`` prints.
        notes: Sentences below the table.
        title: Above it, where several stand together.
    """

    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    data: Any
    notes: Sequence[str] = field(default=())
    title: str | None = None


def broken_notes(corrupt: Mapping[str, str]) -> list[str]:
    """Return sentences about records that cannot be read, by the names of their znodes."""
    shown = list(corrupt.items())[:BROKEN_MAX]
    notes = [f"broken record: {safe(name, ZNODE_CHARS_MAX)}: {why}" for name, why in shown]
    more = len(corrupt) - len(shown)
    return [*notes, f"and {more} more broken records"] if more else notes


def closed_notes(closed: Sequence[str]) -> list[str]:
    """Return a sentence about records that are closed to us, by their paths, if there are any."""
    if not closed:
        return []
    which = f"{len(closed)} of them, such as {visible(min(closed))}"
    return [f"records are closed to us and not shown: {which}"]


def emit_json(data: Any) -> None:
    """Print one JSON document."""
    say(to_json(data, indent=2))


def emit_line(data: Mapping[str, Any]) -> None:
    """Print one JSON object on one line, at once: for streams of events."""
    say(to_json(data, separators=(",", ":")))
    sys.stdout.flush()


def show(sheets: Sequence[Sheet]) -> None:
    """Print tables: with colours on a terminal, else plain columns that are not cut."""
    if sys.stdout.isatty():
        from rich.console import Console  # noqa: PLC0415 - slow, and only for terminals

        console = Console()
        for sheet in sheets:
            for line in _rendered(sheet, console.width):
                console.print(line, soft_wrap=True)
        return
    for sheet in sheets:
        if text := plain(sheet):
            say(text)


def plain(sheet: Sheet) -> str:
    """Return a table as aligned text without colours."""
    lines = [] if sheet.title is None else [visible(sheet.title)]
    grid = [sheet.columns, *([_cell(cell) for cell in row] for row in sheet.rows)]
    widths = [
        min(COLUMN_CHARS_MAX, max(len(row[i]) for row in grid)) for i in range(len(sheet.columns))
    ]
    if sheet.rows:
        for row in grid:
            cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
            lines.append(_GAP.join(cells).rstrip())
    lines += [_cell(note) for note in sheet.notes]
    return "\n".join(lines)


def _cell(text: str) -> str:
    """Return what a record says as one bounded line."""
    shown = visible(text[:CELL_CHARS_MAX])
    return shown if len(text) <= CELL_CHARS_MAX else f"{shown}…"


def _rendered(sheet: Sheet, width: int) -> "list[Text]":
    """Return a sheet as lines of a terminal, with colours."""
    from rich.text import Text  # noqa: PLC0415 - slow, and only for terminals

    # Text, not str: rich would read [red] and [link=…] in a str as orders.
    told = [] if sheet.title is None else [Text(visible(sheet.title), style="italic")]
    if sheet.rows:
        rows = [[_cell(cell) for cell in row] for row in sheet.rows[:SCREEN_ROWS_MAX]]
        head, *body = lay_out(sheet.columns, rows, width)
        told += [_line(one, "bold") for one in head]
        told += [_line(one) for row in body for one in row]
    more = len(sheet.rows) - SCREEN_ROWS_MAX
    rest = [f"and {more} more rows; all with --json, or through a pipe"] if more > 0 else []
    for note in [*rest, *sheet.notes]:
        told += [Text(line) for line in fold(_cell(note), width)]
    return told


def _line(pieces: Line, style: str | None = None) -> "Text":
    from rich.text import Text  # noqa: PLC0415 - as above

    line = Text(no_wrap=True, overflow="ignore")
    for one in pieces:
        line.append(" " * one.before)
        line.append(one.text, style=STYLES.get(one.text, "") if style is None else style)
    return line


class Screen:
    """A terminal that shows sheets, each time anew; plain text when it is none."""

    def __init__(self, live: "Live | None") -> None:
        self._live = live

    def draw(self, sheets: Sequence[Sheet]) -> None:
        """Replace what is shown."""
        if self._live is None:
            show(sheets)
            return
        from rich.console import Group  # noqa: PLC0415 - slow, and only for terminals

        width = self._live.console.width
        lines = [line for sheet in sheets for line in _rendered(sheet, width)]
        self._live.update(Group(*lines), refresh=True)


@contextmanager
def screen() -> Iterator[Screen]:
    """Open the terminal for :class:`Screen`."""
    if not sys.stdout.isatty():
        yield Screen(None)
        return
    from rich.console import Console  # noqa: PLC0415 - slow, and only for terminals
    from rich.live import Live  # noqa: PLC0415

    with Live(console=Console(), auto_refresh=False, screen=False) as live:
        yield Screen(live)


def age(seconds: float | None) -> str:
    """Return a duration as people read it, or ``-`` if there is none."""
    return "-" if seconds is None else lasting(seconds)


def limit(used: int, most: int | None) -> str:
    """Return ``3/10``, or ``3`` when there is no limit."""
    return str(used) if most is None else f"{used}/{most}"

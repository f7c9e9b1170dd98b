"""What was measured, what it had to be, and the table of it."""

import json
import os
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

_HEADER = ("figure", "bound", "measured", "raw", "ratio", "ok")


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One line of the table.

    Attributes:
        name: What was measured.
        bound: What it must not exceed (or fall below), in words.
        measured: With its unit.
        raw: The same of the raw chain in the same run, if that is what it is held against.
        ratio: *measured* over *raw*.
        ok: Whether the bound holds; None: there is no bound.
        details: Everything else that is worth keeping.
    """

    name: str
    bound: str
    measured: str
    raw: str = ""
    ratio: float | None = None
    ok: bool | None = None
    details: Mapping[str, Any] = field(default_factory=dict)

    def row(self) -> tuple[str, ...]:
        """Return it as texts."""
        ratio = "" if self.ratio is None else f"{self.ratio:.2f}"
        verdict = {None: "-", True: "ok", False: "NO"}[self.ok]
        return (self.name, self.bound, self.measured, self.raw, ratio, verdict)


def table(figures: Sequence[Figure]) -> str:
    """Return the figures as text in columns."""
    rows = [_HEADER, *(figure.row() for figure in figures)]
    widths = [max(len(row[i]) for row in rows) for i in range(len(_HEADER))]
    lines = [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]
    return "\n".join([lines[0], "-" * sum((*widths, 2 * len(widths) - 2)), *lines[1:]])


def write_json(figures: Sequence[Figure], path: Path, *, seconds: float) -> None:
    """Keep the figures with what a reader needs to judge them."""
    path.parent.mkdir(parents=True, exist_ok=True)
    doc = {
        "seconds": round(seconds, 1),
        "cores": os.cpu_count(),
        "load": [round(one, 2) for one in os.getloadavg()],
        "figures": [asdict(figure) for figure in figures],
    }
    path.write_text(json.dumps(doc, indent=2, default=str) + "\n")


def quantile(values: Sequence[float], part: float) -> float:
    """Return the value below which *part* of all values lie."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, round(part * (len(ordered) - 1)))]


def median(values: Sequence[float]) -> float:
    """Return the middle one."""
    return statistics.median(values)


def spread(values: Sequence[float]) -> dict[str, float]:
    """Return what is kept of a series of seconds, in milliseconds."""
    parts = {"min": 0.0, "p50": 0.5, "p95": 0.95, "max": 1.0}
    return {name: round(quantile(values, part) * 1000, 3) for name, part in parts.items()}


def ms(seconds: float) -> str:
    """Return seconds as milliseconds in words."""
    return f"{seconds * 1000:.2f} ms"


def against(
    name: str,
    ours: float,
    raw: float,
    *,
    times: float,
    details: Mapping[str, Any] | None = None,
) -> Figure:
    """Return the figure of a latency that may be *times* the raw one's."""
    ratio = ours / raw
    return Figure(
        name=name,
        bound=f"<= {times:g} x raw",
        measured=ms(ours),
        raw=ms(raw),
        ratio=ratio,
        ok=ratio <= times,
        details=details or {},
    )

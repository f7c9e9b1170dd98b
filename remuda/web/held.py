"""Held machines as a part of the page that a person opens first; text of strangers in, HTML out."""

import html
from collections.abc import Mapping
from typing import Any, Final

from remuda.moments import when
from remuda.visible import visible

#: Longer texts are cut: a page is no place to read a record.
_CHARS_MAX: Final = 300
_COLUMNS: Final = ("node", "label", "pool", "held for", "why", "job", "until", "who is in", "notes")
_NOTES: Final = (("lost", "LOST"), ("bounded", "bounded"), ("take_home", "to take home"))
_STYLE: Final = (
    "<style>body{font-family:sans-serif}table{border-collapse:collapse}"
    "td,th{border:1px solid #ccc;padding:.3em .6em;text-align:left;vertical-align:top;"
    "max-width:24em;overflow-wrap:anywhere}th,td:nth-child(-n+3){white-space:nowrap}</style>"
)


def held_part(told: object) -> str:
    """Return the part of a page about held machines, for ``holds`` of a process's status.

    Empty if the process says nothing of holds.
    """
    if not isinstance(told, Mapping) or not isinstance(told.get("first"), list):
        return ""
    first = [one for one in told["first"] if isinstance(one, Mapping)]
    if not first:
        return "<h2>Held machines</h2><p>none</p>"
    head = "".join(f"<th>{name}</th>" for name in _COLUMNS)
    rows = "".join(f"<tr>{_row(one)}</tr>" for one in first)
    count = told.get("count")
    more = count - len(first) if isinstance(count, int) else 0
    rest = f"<p>and {more} more: <code>remuda holds</code></p>" if more > 0 else ""
    return (
        f"{_STYLE}<h2>Held machines</h2><table><tr>{head}</tr>{rows}</table>{rest}"
        "<p>Owners are unproven: ZooKeeper does not tell who wrote a name.</p>"
    )


def _row(one: Mapping[str, Any]) -> str:
    notes = [f"by {one['by']}" if one.get("by") else ""]
    notes += [f"{word}: {one[key]}" for key, word in _NOTES if one.get(key)]
    logins = one.get("logins")
    seen_s = one.get("seen_at_s")
    who = ", ".join(str(name) for name in logins) if isinstance(logins, list) else ""
    if not who and seen_s:
        who = f"nobody, {_when(seen_s)}"
    until = _when(one.get("ends_at_s")) if one.get("begun") else "its job still has it"
    cells = (one.get("node"), one.get("label"), one.get("pool"), one.get("owner"))
    more = (one.get("reason"), one.get("job"), until, who, "; ".join(filter(None, notes)))
    return "".join(f"<td>{_cell(text)}</td>" for text in (*cells, *more))


def _cell(text: object) -> str:
    return "" if text is None else html.escape(visible(str(text))[:_CHARS_MAX])


def _when(at_s: object) -> str:
    return when(float(at_s)) if isinstance(at_s, int | float) and not isinstance(at_s, bool) else ""

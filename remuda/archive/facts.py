"""Of which job an archive tells: what its index says of that, from what its manifest has."""

from collections.abc import Iterator, Mapping
from html import escape
from typing import Any, Final

from remuda.model.fields import COUNT_MAX, one_line
from remuda.model.job import Job, find_job

#: A value is cut after so many characters, and so many nodes are named.
_CHARS_MAX: Final = 200
_NODES_MAX: Final = 20


def facts_table(about: Mapping[str, Any], made: str | None) -> str:
    """Return a table of what is known of a job: empty if that is nothing.

    Args:
        about: As in the manifest, without secrets; what is no text and no number is left out.
        made: When.
    """
    rows = [*_facts(about), *([("archived", made)] if made else [])]
    cells = (f"<tr><th>{name}</th><td>{escape(value)}</td></tr>" for name, value in rows)
    return f'<table class="f">{"".join(cells)}</table>\n' if rows else ""


def _facts(about: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    told = about.get("job")
    job = Job(job=_text(told)) if not isinstance(told, Mapping) else find_job(dict(told)) or Job()
    yield from ((name, value) for name, value in job.as_json().items() if value is not None)
    if (label := _text(about.get("label"))) is not None:
        yield "label", label
    nodes = about.get("nodes")
    if isinstance(nodes, list | tuple) and nodes:
        named = [text for one in nodes[:_NODES_MAX] if (text := _text(one)) is not None]
        more = len(nodes) - _NODES_MAX
        yield "node", ", ".join(named) + (f" and {more} more" if more > 0 else "")
    if (code := _text(about.get("code"))) is not None:
        yield "exit code", code


def _text(value: object) -> str | None:
    if isinstance(value, str):
        return one_line(value, _CHARS_MAX) or None
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) <= COUNT_MAX:
        return str(value)
    return None

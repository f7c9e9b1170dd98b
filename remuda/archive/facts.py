"""Of which job an archive tells: what its index says of that, from what its manifest has."""

from collections.abc import Iterator, Mapping
from html import escape
from typing import Any, Final

from remuda.model.job import Job, find_job, plain_text
from remuda.visible import visible

#: So many nodes are named.
_NODES_MAX: Final = 20


def facts_table(about: Mapping[str, Any], made: str | None) -> str:
    """Return a table of what is known of a job: empty if that is nothing.

    Args:
        about: As in the manifest, without secrets; what is no text and no number is left out.
        made: When.
    """
    rows = [*_facts(about), *([("archived", made)] if made else [])]
    cells = (f"<tr><th>{name}</th><td>{escape(visible(value))}</td></tr>" for name, value in rows)
    return f'<table class="f">{"".join(cells)}</table>\n' if rows else ""


def _facts(about: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    told = about.get("job")
    job = find_job(dict(told)) if isinstance(told, Mapping) else Job(job=plain_text(told))
    known = {} if job is None else job.as_json()
    yield from ((name, value) for name, value in known.items() if value is not None)
    if (label := plain_text(about.get("label"))) is not None:
        yield "label", label
    nodes = about.get("nodes")
    if isinstance(nodes, list | tuple) and nodes:
        named = [text for one in nodes[:_NODES_MAX] if (text := plain_text(one)) is not None]
        more = len(nodes) - _NODES_MAX
        yield "node", ", ".join(named) + (f" and {more} more" if more > 0 else "")
    if (code := plain_text(about.get("code"))) is not None:
        yield "exit code", code

"""What the status endpoint answers: a path in, a reply out, no sockets."""

import html
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Final

from remuda import __version__
from remuda.jsontext import to_json
from remuda.metrics.prometheus import CONTENT_TYPE
from remuda.redaction import redact, redact_text
from remuda.visible import visible
from remuda.web.held import held_part

_JSON: Final = "application/json"
_HTML: Final = "text/html; charset=utf-8"

_INDEX: Final = """\
<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{title}</title></head>
<body><h1>{title}</h1><p>version {version}</p><ul>
<li><a href="live">live</a>: the process answers</li>
<li><a href="ready">ready</a>: it can do its work, or why not</li>
<li><a href="status">status</a>: what it sees and does, as JSON</li>
<li><a href="metrics">metrics</a>: for Prometheus</li>
</ul>{held}</body></html>
"""


@dataclass(frozen=True, slots=True)
class Readiness:
    """Whether a process can do its work, and one sentence why (not)."""

    ok: bool
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PageSources:
    """Where a process's pages come from; called in the server's threads, so must be quick.

    Attributes:
        title: What the process is, such as ``launcher of east``.
        metrics: The text for Prometheus.
        ready: Its own verdict.
        status: Anything that JSON can hold; other values are shown as text.
    """

    title: str
    metrics: Callable[[], bytes]
    ready: Callable[[], Readiness]
    status: Callable[[], Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer, before HTTP."""

    status: HTTPStatus
    content_type: str
    body: bytes


def answer(target: str, sources: PageSources) -> Reply:
    """Return the reply to a GET of *target* (a path, maybe with a query, which is ignored)."""
    path = target.partition("?")[0].rstrip("/") or "/"
    match path:
        case "/":
            held = held_part(redact("holds", sources.status().get("holds")))
            title = html.escape(visible(sources.title))
            page = _INDEX.format(title=title, version=__version__, held=held)
            return Reply(HTTPStatus.OK, _HTML, page.encode())
        case "/live":
            return _json(HTTPStatus.OK, {"live": True})
        case "/ready":
            verdict = sources.ready()
            status = HTTPStatus.OK if verdict.ok else HTTPStatus.SERVICE_UNAVAILABLE
            return _json(status, {"ready": verdict.ok, "reason": redact_text(verdict.reason)})
        case "/metrics":
            return Reply(HTTPStatus.OK, CONTENT_TYPE, sources.metrics())
        case "/status":
            return _json(HTTPStatus.OK, redact("status", sources.status()))
        case _:
            return _json(HTTPStatus.NOT_FOUND, {"error": "no such page; see /"})


def _json(status: HTTPStatus, doc: object) -> Reply:
    return Reply(status, _JSON, to_json(doc, indent=1).encode() + b"\n")

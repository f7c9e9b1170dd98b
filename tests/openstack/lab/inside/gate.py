"""What stands between the HTTP server and a service: faults on request, and a count of calls."""

import errno
import json
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from rules import Rule, Rules, is_internal
from spoil import GarbledBody, cut, garbled, shifted

Start = Callable[..., Any]
_INJECTED = "Injected fault"


class Body:
    """A request body that the application cannot close.

    Glance closes it, and cheroot would then drop the connection that the client keeps for its
    next request.
    """

    def __init__(self, file: Any) -> None:
        self._file = file

    def __getattr__(self, name: str) -> Any:
        """Be the file in all else."""
        return getattr(self._file, name)

    def __iter__(self) -> Iterator[bytes]:
        """Be the file in this, too."""
        return iter(self._file)

    def close(self) -> None:
        """Stay open."""


class Gate:
    """WSGI middleware of one service."""

    def __init__(self, app: Callable[..., Iterable[bytes]], service: str, state: Path) -> None:
        self._app = app
        self._service = service
        self._rules = Rules(state)
        self._calls = (state / "calls" / f"{service}.tsv").open("a", buffering=1)

    def __call__(self, environ: dict[str, Any], start_response: Start) -> Iterable[bytes]:
        """Handle one request as the rules say; note when, who, what, the answer, and how long."""
        environ["wsgi.input"] = Body(environ["wsgi.input"])
        begun_s, status = time.time(), ["-"]
        # Now, for applications mounted below a path take their part off.
        path = f"{environ.get('PATH_INFO', '')}?{environ.get('QUERY_STRING', '')}"

        def start(line: str, *rest: Any) -> Any:
            status[0] = line[:3]
            return start_response(line, *rest)

        try:
            rule = self._rules.for_request(self._service, environ)
            return self._app(environ, start) if rule is None else self._fail(rule, environ, start)
        finally:
            who = "service" if is_internal(environ) else "user"
            agent = environ.get("HTTP_USER_AGENT", "-").replace("\t", " ")
            took_ms = (time.time() - begun_s) * 1000
            self._calls.write(
                f"{begun_s:.3f}\t{who}\t{environ['REQUEST_METHOD']}\t{path}\t{status[0]}"
                f"\t{took_ms:.0f}\t{environ.get('REMOTE_PORT', '-')}\t{agent}\n"
            )

    def _fail(self, rule: Rule, environ: dict[str, Any], start: Start) -> Iterable[bytes]:
        threading.Event().wait(rule.get("delay", 0))
        if not (rule.get("status") or rule.get("drop")):
            return self._spoil(rule, environ, start)
        if rule.get("late"):
            answer = self._app(environ, lambda *_args: lambda _data: None)
            list(answer)
            getattr(answer, "close", lambda: None)()
        if rule.get("drop"):
            raise ConnectionResetError(errno.ECONNRESET, _INJECTED)  # cheroot just closes
        error = {"code": rule["status"], "title": _INJECTED, "message": _INJECTED}
        body = rule.get("body", {"error": error})
        data = (body if isinstance(body, str) else json.dumps(body)).encode()
        headers = [("Content-Type", "application/json"), ("Content-Length", str(len(data)))]
        start(f"{rule['status']} {_INJECTED}", [*headers, *rule.get("headers", {}).items()])
        return [data]

    def _spoil(self, rule: Rule, environ: dict[str, Any], start: Start) -> Iterable[bytes]:
        if "shift" in rule:
            return shifted(self._app, environ, start, rule["shift"])
        if rule.get("garble") == "request":
            environ["wsgi.input"] = GarbledBody(environ["wsgi.input"])
        answer = self._app(environ, start)
        if rule.get("garble") == "answer":
            return garbled(answer)
        return cut(answer, rule["cut"]) if "cut" in rule else answer

"""An HTTP server on loopback that answers as OpenStack would, word for word as a test says.

It is there for what no well-behaved server does: dropped connections, half bodies, HTML from
proxies, endless pages, tokens revoked in the middle.
"""

import json
import threading
from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from enum import StrEnum
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, BinaryIO
from urllib.parse import parse_qs, urlsplit

import yaml

ISSUED = "2020-01-01T00:00:00.000000Z"
#: Between two bytes: much less than any time-out of a test.
_DRIBBLE_S = 0.05
EXPIRES = "2099-01-01T00:00:00.000000Z"
#: RFC 9110: these never have a body. One sent all the same stays in the connection, and whether
#: the next call meets it there is chance.
_BODILESS = frozenset({HTTPStatus.NO_CONTENT, HTTPStatus.NOT_MODIFIED})


class Manner(StrEnum):
    """How an answer is given."""

    WHOLE = "whole"
    DROP = "drop"  # the connection is closed without a word
    HALF = "half"  # the body ends in the middle
    HANG = "hang"  # no answer before the server is closed
    DRIBBLE = "dribble"  # byte by byte, from the first header on, and never to its end
    DRIBBLE_BODY = "dribble body"  # the same, after the headers


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """One answer; a body of bytes is given as it is, all else as JSON."""

    status: int = 200
    body: Any = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    manner: Manner = Manner.WHOLE


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """One call that arrived; its body is bytes if it was no JSON."""

    method: str
    path: str
    query: Mapping[str, list[str]]
    headers: Mapping[str, str]
    body: Any


class ScriptedApi:
    """Keystone, and whatever else a test scripts.

    Attributes:
        seen: All calls but those to Keystone, in order.
        logins: How many tokens were asked for.
        login_reply: Instead of a token.
        revoked: Tokens that are refused with 401.
        deaf: Of calls to these paths no body is read: the connection ends in the middle of it.
        life: When tokens are issued and when they end, in Keystone's words; None: it says nothing.
    """

    def __init__(self) -> None:
        self.seen: list[Seen] = []
        self.logins = 0
        self.login_reply: Reply | None = None
        self.revoked: set[str] = set()
        self.deaf: set[str] = set()
        self.life: tuple[str | None, str | None] = (ISSUED, EXPIRES)
        self.catalog_paths = {"compute": "/compute/v2.1", "image": "/image", "network": "/network"}
        self._scripts: dict[tuple[str, str], deque[Reply]] = {}
        self._lock = threading.Lock()
        self._released = threading.Event()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def on(self, method: str, path: str, *replies: Reply) -> None:
        """Script the answers to a call; the last one is repeated for ever."""
        with self._lock:
            self._scripts[method, path] = deque(replies)

    def paths(self) -> list[str]:
        """Return the calls that arrived as ``METHOD /path``."""
        return [f"{each.method} {each.path}" for each in self.seen]

    def clouds_yaml(self, folder: Path) -> Path:
        """Write a clouds.yaml with the cloud ``test``."""
        auth = {
            "auth_url": f"{self.url}/v3",
            "username": "u",
            "password": "secret",
            "project_name": "p",
            "user_domain_name": "Default",
            "project_domain_name": "Default",
        }
        path = folder / "clouds.yaml"
        doc = {"clouds": {"test": {"auth_type": "v3password", "auth": auth}}}
        path.write_text(yaml.safe_dump(doc))
        return path

    @contextmanager
    def running(self) -> Iterator["ScriptedApi"]:
        """Serve until the block ends."""
        self._thread.start()
        try:
            yield self
        finally:
            self.stop()

    def stop(self) -> None:
        """Refuse connections from now on; harmless when repeated."""
        self._released.set()
        if self._thread.is_alive():
            self._server.shutdown()
            self._thread.join(60.0)
        self._server.server_close()

    def answer(self, seen: Seen) -> Reply:
        """Return what the script says."""
        with self._lock:
            if seen.path == "/v3/auth/tokens":
                self.logins += 1
                return self.login_reply or self._token()
            self.seen.append(seen)
            if seen.headers.get("X-Auth-Token") in self.revoked:
                return Reply(status=401, body={"error": {"message": "The token is refused"}})
            script = self._scripts.get((seen.method, seen.path))
            if not script:
                return Reply(status=404, body={"itemNotFound": {"message": f"no {seen.path}"}})
            return script.popleft() if len(script) > 1 else script[0]

    def _token(self) -> Reply:
        catalog = [
            {
                "type": service,
                "name": service,
                "endpoints": [
                    {
                        "interface": "public",
                        "region": "R1",
                        "region_id": "R1",
                        "id": service,
                        "url": self.url + path,
                    },
                ],
            }
            for service, path in self.catalog_paths.items()
        ]
        token = {
            "methods": ["password"],
            "project": {"id": "p1", "name": "p", "domain": {"id": "default", "name": "Default"}},
            "user": {"id": "u1", "name": "u", "domain": {"id": "default", "name": "Default"}},
            "catalog": catalog,
        }
        times = zip(("issued_at", "expires_at"), self.life, strict=True)
        token |= {name: time for name, time in times if time is not None}
        headers = {"X-Subject-Token": f"token-{self.logins}"}
        return Reply(status=201, body={"token": token}, headers=headers)

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        api = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True  # head and body are two writes

            def _serve(self) -> None:
                if self.command == "PUT" and urlsplit(self.path).path in api.deaf:
                    self.rfile.read(1)
                    self.close_connection = True
                    return
                raw = _received(self.rfile, self.headers)
                parts = urlsplit(self.path)
                seen = Seen(
                    method=self.command,
                    path=parts.path,
                    query=parse_qs(parts.query),
                    headers=dict(self.headers),
                    body=_parsed(raw),
                )
                self._give(api.answer(seen))

            # The base class's names.
            do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = _serve  # noqa: N815

            def _give(self, reply: Reply) -> None:
                api._released.wait(30.0 if reply.manner is Manner.HANG else 0.0)
                self.close_connection = reply.manner is not Manner.WHOLE
                if reply.manner in {Manner.DROP, Manner.HANG}:
                    return
                if reply.manner is Manner.DRIBBLE:
                    _dribble(self.wfile, api._released, b"HTTP/1.1 200 OK\r\nX-Slow: ")
                    return
                raw = b"" if reply.status in _BODILESS else _raw(reply.body)
                self.send_response(reply.status)
                for key, value in reply.headers.items():
                    self.send_header(key, value)
                _end_headers(self, raw, told="Content-Length" in reply.headers)
                raw = b"" if self.command == "HEAD" else raw
                if reply.manner is Manner.DRIBBLE_BODY:
                    _dribble(self.wfile, api._released, b"{")
                    return
                if reply.manner is Manner.HALF:
                    raw = raw[: len(raw) // 2]
                self.wfile.write(raw)

            def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
                """Say nothing."""

        return Handler


def _end_headers(handler: BaseHTTPRequestHandler, raw: bytes, *, told: bool) -> None:
    if not told:
        handler.send_header("Content-Length", str(len(raw)))
    handler.end_headers()


def _received(source: BinaryIO, headers: Mapping[str, str]) -> bytes:
    """Return a body, whole or in chunks; what of it came, where its sender broke off."""
    if headers.get("Transfer-Encoding") != "chunked":
        return source.read(int(headers.get("Content-Length") or 0))
    body = b""
    while size := int(source.readline() or b"0", 16):
        body += source.read(size)
        source.readline()
    source.readline()
    return body


def _dribble(out: BinaryIO, stop: threading.Event, begin: bytes) -> None:
    with suppress(OSError):  # the caller goes away
        out.write(begin)
        while not stop.wait(_DRIBBLE_S):
            out.write(b" ")


def _parsed(raw: bytes) -> Any:
    try:
        return json.loads(raw) if raw else None
    except ValueError:
        return raw


def _raw(body: Any) -> bytes:
    if isinstance(body, bytes):
        return body
    return (body if isinstance(body, str) else json.dumps(body)).encode()

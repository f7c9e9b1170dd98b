"""Closing a client's connection on purpose."""

from __future__ import annotations

import asyncio

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol


class HangUpProtocol(H11Protocol):
    """Uvicorn's HTTP/1.1, which lets the application find the connection a request came on.

    ASGI has no way to close a connection without an answer; the transport travels in the
    request's state, which uvicorn copies from ``app_state``.
    """

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Remember the transport for the requests that come on it."""
        super().connection_made(transport)
        self.app_state = {**self.app_state, "transport": transport}


def hang_up(request: Request) -> Response:
    """Close the connection of *request* with no answer; the result is never sent.

    Under another server than ours there is no transport to close: the client then gets an
    empty 500.
    """
    transport = getattr(request.state, "transport", None)
    if transport is not None:
        transport.close()
    return Response(status_code=500)


class CutShort(Response):
    """An answer whose connection ends before its body does.

    Args:
        part: What is sent of the body.
        length: What the headers promise.
        request: The request that is answered.
    """

    def __init__(self, part: bytes, *, length: int, request: Request) -> None:
        super().__init__(part, headers={"Content-Length": str(length)})
        self._request = request

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002
        """Send the part, close, and wait until the server has noticed."""
        start = {
            "type": "http.response.start",
            "status": self.status_code,
            "headers": self.raw_headers,
        }
        await send(start)
        await send({"type": "http.response.body", "body": self.body, "more_body": True})
        hang_up(self._request)
        while (await receive())["type"] != "http.disconnect":
            pass

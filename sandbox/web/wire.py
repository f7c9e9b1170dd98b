"""Closing a client's connection on purpose."""

from __future__ import annotations

import asyncio

from starlette.requests import Request
from starlette.responses import Response
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

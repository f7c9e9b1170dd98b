"""As much of HTTP/1.0 as read-only pages need: a head in, a method and a target out; pure."""

from dataclasses import dataclass
from http import HTTPStatus
from typing import Final

from remuda.web.pages import Reply

#: Of a request: its line and its headers.
HEAD_BYTES_MAX: Final = 8 * 1024

_METHODS: Final = frozenset({"GET", "HEAD"})
_WORDS: Final = 3  # method, target, version


@dataclass(frozen=True, slots=True)
class HttpRequest:
    """What is asked for."""

    method: str
    target: str


def is_whole(data: bytes | bytearray) -> bool:
    """Return whether *data* holds a head to its end."""
    return b"\r\n\r\n" in data or b"\n\n" in data


def read_request(head: bytes) -> HttpRequest | HTTPStatus:
    """Return the request of a whole head, or the status that refuses it."""
    words = head.split(b"\n", 1)[0].decode("latin-1").split()
    if len(words) != _WORDS or not words[2].startswith("HTTP/1."):
        return HTTPStatus.BAD_REQUEST
    if words[0] not in _METHODS:
        return HTTPStatus.NOT_IMPLEMENTED
    return HttpRequest(words[0], words[1])


def write_reply(reply: Reply, *, with_body: bool) -> bytes:
    """Return what goes to the caller; the connection is to be closed after it."""
    head = (
        f"HTTP/1.0 {reply.status.value} {reply.status.phrase}\r\n"
        "Server: remuda\r\n"
        f"Content-Type: {reply.content_type}\r\n"
        f"Content-Length: {len(reply.body)}\r\n"
        "Cache-Control: no-store\r\n"
        "Connection: close\r\n\r\n"
    )
    return head.encode() + (reply.body if with_body else b"")


def write_refusal(status: HTTPStatus) -> bytes:
    """Return the answer to a request that we do not take."""
    reply = Reply(status, "text/plain; charset=utf-8", f"{status.phrase}\n".encode())
    return write_reply(reply, with_body=True)

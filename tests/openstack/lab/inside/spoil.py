"""What a rule may do to a request or an answer on its way, besides refusing or dropping it."""

import errno
import json
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime, timedelta
from typing import Any

Start = Callable[..., Any]
_TIMES = ("issued_at", "expires_at")
#: As Keystone writes times.
_FORM = "%Y-%m-%dT%H:%M:%S.%fZ"


class GarbledBody:
    """A request body whose first byte is another one."""

    def __init__(self, file: Any) -> None:
        self._file = file
        self._begun = False

    def __getattr__(self, name: str) -> Any:
        """Be the file in all else."""
        return getattr(self._file, name)

    def __iter__(self) -> Iterator[bytes]:
        """Yield lines, as WSGI wants it."""
        return iter(self.readline, b"")

    def read(self, *size: int) -> bytes:
        """Read on."""
        return self._spoilt(self._file.read(*size))

    def readline(self, *size: int) -> bytes:
        """Read on."""
        return self._spoilt(self._file.readline(*size))

    def _spoilt(self, data: bytes) -> bytes:
        if data and not self._begun:
            self._begun = True
            return _flipped(data)
        return data


def garbled(answer: Iterable[bytes]) -> Iterator[bytes]:
    """Yield an answer's body with another first byte."""
    begun = False
    for piece in answer:
        yield piece if begun or not piece else _flipped(piece)
        begun = begun or bool(piece)


def cut(answer: Iterable[bytes], size: int) -> Iterator[bytes]:
    """Yield so many bytes of an answer's body, then end the connection."""
    for piece in answer:
        yield piece[:size]
        size -= len(piece)
        if size <= 0:
            break
    raise ConnectionResetError(errno.ECONNRESET, "Injected fault")  # cheroot just closes


def shifted(
    app: Callable[..., Iterable[bytes]], environ: dict[str, Any], start: Start, seconds: float
) -> Iterable[bytes]:
    """Let a client see a token's times as a Keystone whose clock is wrong would tell them."""
    said: list[Any] = []
    body = b"".join(app(environ, lambda *args: said.append(args)))
    line, headers, *rest = said[0]
    try:
        doc = json.loads(body)
        for name in _TIMES:
            time = datetime.strptime(doc["token"][name], _FORM)  # noqa: DTZ007 - stays as it is
            doc["token"][name] = (time + timedelta(seconds=seconds)).strftime(_FORM)
        body = json.dumps(doc).encode()
    except (KeyError, ValueError):
        pass  # a refusal has no times
    kept = [(name, value) for name, value in headers if name.lower() != "content-length"]
    start(line, [*kept, ("Content-Length", str(len(body)))], *rest)
    return [body]


def _flipped(data: bytes) -> bytes:
    return bytes([data[0] ^ 1]) + data[1:]

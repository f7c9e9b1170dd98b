"""Ports for servers that are told theirs before they listen on it."""

import random
import socket
from pathlib import Path
from typing import Final

_OUTGOING: Final = Path("/proc/sys/net/ipv4/ip_local_port_range")
_LOWEST: Final = 10_000
_TRIES_MAX: Final = 200


def free_port(dice: random.Random | None = None) -> int:
    """Return a TCP port of the loopback that nobody has at the moment.

    Not one of those that the kernel gives to outgoing connections: anybody's connection could have
    it before the server listens, or between two starts of one; and whoever tries to reach a
    stopped server on such a port can reach himself (RFC 9293, 3.5: simultaneous open).

    Raises:
        OSError: If none is free.
    """
    low = _outgoing_from()
    numbers = range(_LOWEST, low) if low > 2 * _LOWEST else (0,)
    dice = dice or random.Random()  # noqa: S311 - not a secret
    failure: OSError | None = None
    for _ in range(_TRIES_MAX):
        with socket.socket() as sock:
            try:
                sock.bind(("127.0.0.1", dice.choice(numbers)))
            except OSError as error:
                failure = error
                continue
            port: int = sock.getsockname()[1]
            return port
    raise failure or OSError("no port is free")


def _outgoing_from() -> int:
    """Return the lowest port of outgoing connections; 0: nobody knows."""
    try:
        return int(_OUTGOING.read_text(encoding="ascii").split()[0])
    except (OSError, ValueError, IndexError):
        return 0

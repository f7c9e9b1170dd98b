"""How addresses of servers are written."""

import re
from typing import Final

from remuda.config.units import WrongValueError

_PORT_MAX: Final = 65535
#: ``host:port``; of the port only the number of its digits is bounded.
HOST_PORT: Final = re.compile(r"(?:[A-Za-z0-9_.-]{1,255}|\[[0-9A-Fa-f:.]{1,64}\]):([0-9]{1,5})")


def host_port(value: str) -> str:
    """Return *value* if it is ``host:port``.

    Raises:
        WrongValueError: If it is not.
    """
    match = HOST_PORT.fullmatch(value)
    if match is None or not 1 <= int(match.group(1)) <= _PORT_MAX:
        raise WrongValueError(
            "is not host:port", hint="write for example zk1.example.org:2181 or [2001:db8::1]:2181"
        )
    return value

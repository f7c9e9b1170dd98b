"""How addresses of servers are written."""

import re
from collections.abc import Callable
from typing import Final

from remuda.config.units import WrongValueError

_PORT_MAX: Final = 65535
#: Where ZooKeeper listens if nobody says otherwise.
_ZOOKEEPER_PORT: Final = 2181
#: ``host:port``; of the port only the number of its digits is bounded.
HOST_PORT: Final = re.compile(r"(?:[A-Za-z0-9_.-]{1,255}|\[[0-9A-Fa-f:.]{1,64}\]):([0-9]{1,5})")

#: A path in ZooKeeper. It takes commas, but behind one there would be the next server.
CHROOT: Final = re.compile(r"(?:/[^/\s,]{1,255}){1,16}")
#: What ZooKeeper takes in no path (PathUtils.validatePath).
_IN_NO_PATH: Final = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\uf8ff\ufff0-\uffff]")


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


def chroot_path(value: str) -> str:
    """Return *value* if it is a path below which everything may lie.

    Raises:
        WrongValueError: If it is not.
    """
    good = CHROOT.fullmatch(value) is not None and _IN_NO_PATH.search(value) is None
    if not good or not {".", ".."}.isdisjoint(value.split("/")):
        raise WrongValueError(
            "is not a path in ZooKeeper",
            hint="write for example /ci or /ci/one: no slash at the end, no blank, no comma, "
            "no . or .. between slashes",
        )
    return value


def connection_string(text: str) -> tuple[tuple[str, ...], str]:
    """Return the servers and the chroot (empty: none) of ``host[:port],…[/chroot]``.

    Raises:
        WrongValueError: If one of them is none; it names which.
    """
    listed, slash, rest = text.partition("/")
    if slash and "," in rest:
        raise WrongValueError(
            f"{text!r} has a server after the chroot",
            hint="the chroot stands once, after the last server: zk1:2181,zk2:2181/ci",
        )
    hosts = []
    for name in listed.split(","):
        host = name.strip(" ")
        if not host:
            raise WrongValueError(
                f"{text!r} names no server where one should be", hint="write HOST:PORT,…[/CHROOT]"
            )
        hosts.append(_checked(host_port, host if ":" in host else f"{host}:{_ZOOKEEPER_PORT}"))
    return tuple(hosts), _checked(chroot_path, f"/{rest}") if slash else ""


def _checked(rule: Callable[[str], str], value: str) -> str:
    try:
        return rule(value)
    except WrongValueError as error:
        raise WrongValueError(f"{value!r} {error}", hint=error.hint) from None

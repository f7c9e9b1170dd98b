"""Setting the access control lists of znodes that are there already: of an older installation.

Facts, from ZooKeeper's ``zookeeper.jute``: getACL is request type 6, setACL type 7; neither can be
part of a transaction, and the list has a version of its own, which -1 does not ask for.
"""

import struct
from collections.abc import Callable, Sequence
from functools import partial
from typing import Final, Protocol, TypeVar

from remuda.store.access import Access, Acl, Entry
from remuda.store.api import MissingError, NotPermittedError, StoreError
from remuda.store.packets import Packet, acl_vector, take_text, text
from remuda.store.paths import shared
from remuda.store.wire import Children

A = TypeVar("A")

_INT: Final = struct.Struct("!i")
#: So many requests are under way at once; a tree has any number of znodes.
_BATCH: Final = 1000


class GetAcl(Packet):
    """getACL: the list; its stat is left."""

    __slots__ = ()

    def __init__(self, path: str) -> None:
        super().__init__(6, text(path))

    def deserialize(self, raw: bytes, at: int, _zxid: int) -> Acl:
        """Return the list."""
        (count,) = _INT.unpack_from(raw, at)
        at += _INT.size
        entries = []
        for _ in range(count):
            (rights,) = _INT.unpack_from(raw, at)
            scheme, at = take_text(raw, at + _INT.size)
            name, at = take_text(raw, at)
            entries.append(Entry(rights, scheme, name))
        return tuple(entries)


class SetAcl(Packet):
    """setACL, whatever the list was."""

    __slots__ = ()

    def __init__(self, path: str, acl: Acl) -> None:
        super().__init__(7, text(path) + acl_vector(acl) + _INT.pack(-1))

    def deserialize(self, _raw: bytes, _at: int, _zxid: int) -> None:
        """Return nothing: an error comes in the reply's header."""


class AclWire(Protocol):
    """What is needed of the wire."""

    def ask(self, start: Callable[[Callable[[A], None]], None]) -> A:
        """See Wire."""

    def children(self, path: str, done: Callable[[Children | StoreError | None], None]) -> None:
        """See Wire."""

    def get_acl(self, path: str, done: Callable[[Acl | StoreError], None]) -> None:
        """Read the list of a znode."""

    def set_acl(self, path: str, acl: Acl, done: Callable[[StoreError | None], None]) -> None:
        """Write the list of a znode."""


def secure(wire: AclWire, access: Access) -> int:
    """Give every znode that is ours to secure the list that it would be made with today.

    A parent goes before its children are listed: nobody can then make one that is missed. What
    others have made in their part of the tree, and closed to us, is left.

    Returns:
        How many were otherwise.

    Raises:
        StoreRefusedError: If one of our own part is not ours to change.
        StoreAwayError: If the connection goes; what is done is done, and it may be tried again.
    """
    changed = 0
    level: list[str] = list(access.roots)
    while level:
        found = _ask_all(level, wire.get_acl, wire)
        wrong = [path for path, acl in found.items() if set(acl) != set(access.acl(path))]
        changed += len(_ask_all(wrong, partial(_set_right, wire, access), wire))
        below = _ask_all(list(found), wire.children, wire)
        level = [
            f"{path}/{name}"
            for path, children in below.items()
            if children is not None
            for name in children.names
        ]
    return changed


def _set_right(
    wire: AclWire, access: Access, path: str, done: Callable[[StoreError | None], None]
) -> None:
    wire.set_acl(path, access.acl(path), done)


def _ask_all(
    paths: Sequence[str],
    request: Callable[[str, Callable[[A | StoreError], None]], None],
    wire: AclWire,
) -> dict[str, A]:
    """Return the answer about each path that is there and not closed to us by others."""
    answers: dict[str, A | StoreError] = {}
    for begin in range(0, len(paths), _BATCH):
        batch = paths[begin : begin + _BATCH]
        answers.update(wire.ask(partial(_together, batch, request)))
    usable: dict[str, A] = {}
    for path, answer in answers.items():
        if not isinstance(answer, StoreError):
            usable[path] = answer
        elif not isinstance(answer, MissingError) and not (
            isinstance(answer, NotPermittedError) and shared(path)
        ):
            raise answer
    return usable


def _together(
    batch: Sequence[str],
    request: Callable[[str, Callable[[A | StoreError], None]], None],
    done: Callable[[dict[str, A | StoreError]], None],
) -> None:
    """Send the requests of a batch without waiting between them."""
    answers: dict[str, A | StoreError] = {}

    def answered(path: str, answer: A | StoreError) -> None:
        answers[path] = answer
        if len(answers) == len(batch):
            done(answers)

    for path in batch:
        request(path, partial(answered, path))

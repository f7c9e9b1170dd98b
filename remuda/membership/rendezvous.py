"""Who is on duty: which living replica takes what nobody has taken.

Replicas have no leader. Each computes the same answer from the list of the living; should two
lists differ for a moment, compare-and-set lets only one of the two act.
"""

import hashlib
from collections.abc import Collection
from typing import Final, TypeGuard

from remuda.model.ids import ReplicaId
from remuda.store.api import Stored

#: Weights lie below this, evenly.
WEIGHT_MAX: Final = 2**64


def weight(thing: str, who: str) -> int:
    """Return the rendezvous weight of *who* for *thing*; the highest weight wins.

    Rendezvous hashing: when a replica leaves, only the things it had move.
    """
    digest = hashlib.blake2b(f"{thing}\0{who}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big")


def lives(stored: Stored[bytes] | None) -> TypeGuard[Stored[bytes]]:
    """Whether a replica lives: as long as its znode is there, whatever that says.

    One that goes with nobody's session was written by somebody, or came from a backup.
    """
    return stored is not None and bool(stored.owner)


def assignee(thing: str, living: Collection[ReplicaId]) -> ReplicaId | None:
    """Return the living replica that takes *thing*, or None if none lives."""
    if len(living) == 1:
        return next(iter(living))
    return max(living, key=lambda replica: (weight(thing, replica), replica), default=None)

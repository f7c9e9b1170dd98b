"""An operator's permission to sweep, in ``/remuda/providers/<provider>/sweep``.

It names servers, and says of no server that it is a leak: whoever sweeps has to find that out.
"""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Final

from remuda.model import codec
from remuda.model.fields import Fields
from remuda.model.ids import ServerId

SCHEMA: Final = 1
#: A permission is for what its giver has just seen.
LIFE_S: Final = 900.0
SERVERS_MAX: Final = 5000


@dataclass(frozen=True, slots=True, kw_only=True)
class Permit:
    """The servers that may be deleted, until when (seconds since the epoch)."""

    servers: frozenset[ServerId]
    until_s: float


def new_permit(servers: Collection[ServerId], *, now_s: float) -> Permit:
    """Return a permission from now on."""
    return Permit(servers=frozenset(servers), until_s=now_s + LIFE_S)


def encode_permit(permit: Permit) -> bytes:
    """Serialise a permission."""
    return codec.dump(
        {"schema": SCHEMA, "servers": sorted(permit.servers), "until_s": permit.until_s}
    )


def decode_permit(path: str, raw: bytes) -> Permit:
    """Rebuild a permission; the pair of :func:`encode_permit`.

    Raises:
        CorruptRecordError: If it is none.
    """
    fields = Fields(path, codec.parse(path, raw))
    fields.check_schema(SCHEMA)
    servers = fields.identifiers("servers", SERVERS_MAX)
    return Permit(servers=frozenset(map(ServerId, servers)), until_s=fields.number("until_s", 0.0))

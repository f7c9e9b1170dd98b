"""An operator's permission to sweep, in ``/remuda/providers/<provider>/sweep``.

It names servers, and says of no server that it is a leak: whoever sweeps has to find that out.
"""

import math
import re
from collections.abc import Collection
from dataclasses import dataclass
from typing import Final

from remuda.model import codec
from remuda.model.ids import ServerId

SCHEMA: Final = 1
#: A permission is for what its giver has just seen.
LIFE_S: Final = 900.0
SERVERS_MAX: Final = 5000
_SERVER: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._~-]{0,127}", re.ASCII)


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
    doc = codec.parse(path, raw)
    servers = codec.texts(path, doc, "servers")
    until_s = codec.number(path, doc, "until_s", 0.0)
    if doc.get("schema") != SCHEMA or len(servers) > SERVERS_MAX or not math.isfinite(until_s):
        raise codec.CorruptRecordError(f"{path}: no permission of a schema we know")
    if wrong := [one for one in servers if _SERVER.fullmatch(one) is None]:
        raise codec.CorruptRecordError(f"{path}: {wrong[0][:40]!a} is no server's id")
    return Permit(servers=frozenset(map(ServerId, servers)), until_s=until_s)

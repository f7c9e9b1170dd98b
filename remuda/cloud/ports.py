"""Ports that Nova forgot when their server went away."""

from collections.abc import Iterator
from typing import Final

from remuda.cloud.api import Leftover, LeftoverKind
from remuda.cloud.errors import Effect
from remuda.cloud.wire import Wire
from remuda.model.ids import ServerId

_FIELDS: Final = ("id", "device_id", "device_owner", "status", "revision_number")
_COMPUTE: Final = "compute:"
_NOT_FOUND, _CHANGED = 404, 412


def list_idle_ports(wire: Wire) -> Iterator[Leftover]:
    """Yield ports that are down and were made for a server.

    Nova sets ``device_id`` when it makes a port and ``device_owner`` in a second call, so both
    kinds can be left behind. A port without a device is somebody's, made in advance: not ours.
    """
    query = {"status": "DOWN", "fields": _FIELDS}
    for doc in wire.pages("network", "/ports", "ports", query):
        owner = doc.get("device_owner") or ""
        if doc.get("status") != "DOWN" or not doc.get("device_id"):
            continue
        if not owner or owner.startswith(_COMPUTE):
            yield Leftover(
                id=doc["id"],
                kind=LeftoverKind.PORT,
                server=ServerId(doc["device_id"]),
                revision=doc.get("revision_number"),
            )


def delete_port(wire: Wire, leftover: Leftover) -> None:
    """Delete a port; left alone if its revision number has changed since it was listed."""
    match = f"revision_number={leftover.revision}"
    wire.call(
        "network",
        "DELETE",
        f"/ports/{leftover.id}",
        effect=Effect.REPEATABLE,
        headers={} if leftover.revision is None else {"If-Match": match},
        accept={_NOT_FOUND, _CHANGED},
    )

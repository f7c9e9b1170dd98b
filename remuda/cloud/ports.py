"""Ports that Nova forgot when their server went away."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from remuda.cloud import errors
from remuda.cloud.api import BadOrderError, Leftover, LeftoverKind
from remuda.cloud.errors import Answer, Effect
from remuda.cloud.wire import Wire
from remuda.model.ids import ServerId

_FIELDS: Final = ("id", "device_id", "device_owner", "status", "revision_number")
_COMPUTE: Final = "compute:"
_FAILURES, _FORBIDDEN, _NOT_FOUND, _CHANGED = 400, 403, 404, 412


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
    """Delete a port, unless its revision number has changed since it was listed.

    Neutron of 2025 and later lets a plain member delete no port that belongs to a compute
    service (policy ``delete_port``, "not rule:compute_device"), but lets them say that it belongs
    to nobody; so there it takes three calls. Died in between, the next sweep finds it again.
    """
    revision = leftover.revision
    status = _change(wire, "DELETE", leftover.id, revision).status
    if status != _FORBIDDEN:
        return
    body = {"port": {"device_owner": ""}}
    answer = _change(wire, "PUT", leftover.id, revision, body)
    if answer.status == _FORBIDDEN:
        raise BadOrderError(f"port {leftover.id}: {errors.message_of(answer)}")
    if answer.status < _FAILURES:
        revision = answer.doc["port"].get("revision_number")
        _change(wire, "DELETE", leftover.id, revision)


def _change(
    wire: Wire,
    method: str,
    port_id: str,
    revision: int | None,
    body: Mapping[str, Any] | None = None,
) -> Answer:
    return wire.call(
        "network",
        method,
        f"/ports/{port_id}",
        effect=Effect.REPEATABLE,
        body=body,
        headers={} if revision is None else {"If-Match": f"revision_number={revision}"},
        accept={_FORBIDDEN, _NOT_FOUND, _CHANGED},
    )

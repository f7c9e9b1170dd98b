"""Ports: those of servers, and those that Nova forgot when their server went away."""

from collections.abc import Collection, Iterator, Mapping
from typing import Any, Final

from remuda.cloud import errors
from remuda.cloud.api import BadOrderError, Fence, Port, unfenced
from remuda.cloud.errors import Answer, Effect
from remuda.cloud.leftovers import Leftover, LeftoverKind
from remuda.cloud.networks import Networks
from remuda.cloud.rate import Traffic
from remuda.cloud.wire import Wire
from remuda.model.ids import ServerId

_FIELDS: Final = ("id", "device_id", "device_owner", "status", "revision_number")
_OF_SERVER: Final = ("id", "device_id", "network_id", "fixed_ips")
#: So many servers are named in one look: their ids make a URL of 2.4 KiB, and 8 KiB are allowed.
SERVERS_MAX: Final = 50
_COMPUTE: Final = "compute:"
_FAILURES, _FORBIDDEN, _NOT_FOUND, _CHANGED = 400, 403, 404, 412


def find_ports(
    wire: Wire, networks: Networks, servers: Collection[ServerId]
) -> dict[ServerId, Port]:
    """Return each server's port with a private IPv4 address, of several the first.

    A port on an external network only if the server has no other. Neutron takes a filter that is
    given several times as "any of these".
    """
    outside = {each.id for each in networks.external()}
    found: dict[ServerId, Port] = {}
    wanted = sorted(servers)
    for start in range(0, len(wanted), SERVERS_MAX):
        query = {"device_id": wanted[start : start + SERVERS_MAX], "fields": _OF_SERVER}
        for doc in wire.pages("network", ("ports",), "ports", query, Traffic.LIST):
            port = _read_port(doc, outside)
            known = None if port is None else found.get(port.server)
            if port is not None and (known is None or known.external > port.external):
                found[port.server] = port
    return found


def _read_port(doc: Mapping[str, Any], outside: Collection[str]) -> Port | None:
    addresses = (str(each["ip_address"]) for each in doc.get("fixed_ips") or ())
    ipv4 = next((each for each in addresses if "." in each), None)
    if ipv4 is None:
        return None
    network = doc.get("network_id") or ""
    return Port(
        id=doc["id"],
        server=ServerId(doc["device_id"]),
        ipv4=ipv4,
        network=network,
        external=network in outside,
    )


def list_idle_ports(wire: Wire) -> Iterator[Leftover]:
    """Yield ports that are down and were made for a server.

    Nova sets ``device_id`` when it makes a port and ``device_owner`` in a second call, so both
    kinds can be left behind. A port without a device is somebody's, made in advance: not ours.
    """
    query = {"status": "DOWN", "fields": _FIELDS}
    for doc in wire.pages("network", ("ports",), "ports", query):
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


def delete_port(wire: Wire, leftover: Leftover, *, fence: Fence = unfenced) -> None:
    """Delete a port, unless its revision number has changed since it was listed.

    Neutron of 2025 and later lets a plain member delete no port that belongs to a compute
    service (policy ``delete_port``, "not rule:compute_device"), but lets them say that it belongs
    to nobody; so there it takes three calls. Died in between, the next sweep finds it again.
    """
    revision = leftover.revision
    status = _change(wire, "DELETE", leftover.id, revision, fence=fence).status
    if status != _FORBIDDEN:
        return
    body = {"port": {"device_owner": ""}}
    answer = _change(wire, "PUT", leftover.id, revision, fence=fence, body=body)
    if answer.status == _FORBIDDEN:
        raise BadOrderError(f"port {leftover.id}: {errors.message_of(answer)}")
    if answer.status < _FAILURES:
        revision = answer.doc["port"].get("revision_number")
        _change(wire, "DELETE", leftover.id, revision, fence=fence)


def _change(
    wire: Wire,
    method: str,
    port_id: str,
    revision: int | None,
    *,
    fence: Fence,
    body: Mapping[str, Any] | None = None,
) -> Answer:
    return wire.call(
        "network",
        method,
        ("ports", port_id),
        effect=Effect.REPEATABLE,
        body=body,
        headers={} if revision is None else {"If-Match": f"revision_number={revision}"},
        accept={_FORBIDDEN, _NOT_FOUND, _CHANGED},
        fence=fence,
    )

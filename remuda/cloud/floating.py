"""Floating IPs, through Neutron.

Every one that we make names its owner and server in its description, so that it can be found
again after a crash, given to the next server, and swept by nobody but us.
"""

import threading
from collections.abc import Collection, Iterator, Mapping
from typing import Any, Final

from remuda.cloud import errors
from remuda.cloud.api import (
    BadOrderError,
    CloudError,
    Leftover,
    LeftoverKind,
    NoRoomError,
    TryLaterError,
    UnknownOutcomeError,
)
from remuda.cloud.errors import Effect
from remuda.cloud.networks import Network, Networks
from remuda.cloud.wire import Wire
from remuda.model import tags
from remuda.model.ids import ServerId

_FIELDS: Final = ("id", "description", "port_id", "floating_ip_address", "revision_number")
_PORT_FIELDS: Final = ("id", "network_id", "fixed_ips")
_NOT_FOUND, _CONFLICT, _CHANGED = 404, 409, 412


class FloatingIps:
    """Gives floating IPs to servers and takes them back.

    One thread at a time: two that reuse the same free address would steal it from each other.
    Against other processes Neutron's revision numbers guard (header ``If-Match``); on clouds
    without them nothing is reused.
    """

    def __init__(
        self, wire: Wire, networks: Networks, owner: tags.Owner, external: Collection[str]
    ) -> None:
        self._wire = wire
        self._networks = networks
        self._owner = owner
        self._external = external
        self._lock = threading.Lock()

    def add(self, server: ServerId) -> str:
        """Return the server's floating IP, which it gets if it has none; three calls.

        One more call asks for the networks unless they are remembered.
        """
        with self._lock:
            port = self._port_of(server)
            ours = list(self._ours())
            for doc in ours:
                if doc.get("port_id") == port["id"]:
                    return str(doc["floating_ip_address"])
            for doc in ours:
                if doc.get("port_id") is None and self._reuse(doc, port, server):
                    return str(doc["floating_ip_address"])
            return self._make(port, server)

    def remove(self, server: ServerId) -> None:
        """Delete those that we gave to the server; works when the server is gone, too."""
        with self._lock:
            for doc in list(self._ours()):
                if tags.noted(doc["description"], self._owner) == server:
                    self._delete(doc["id"], doc.get("revision_number"))

    def idle(self) -> Iterator[Leftover]:
        """Yield those of ours that belong to no port."""
        for doc in self._ours():
            if doc.get("port_id") is None:
                yield Leftover(
                    id=doc["id"],
                    kind=LeftoverKind.FLOATING_IP,
                    server=tags.noted(doc["description"], self._owner),
                    address=doc.get("floating_ip_address"),
                    revision=doc.get("revision_number"),
                )

    def delete(self, leftover: Leftover) -> None:
        """Delete an idle one, unless it has been given away since."""
        with self._lock:
            for doc in list(self._ours()):
                if doc["id"] == leftover.id and doc.get("port_id") is None:
                    self._delete(doc["id"], doc.get("revision_number"))

    def _ours(self) -> Iterator[Mapping[str, Any]]:
        docs = self._wire.pages("network", "/floatingips", "floatingips", {"fields": _FIELDS})
        return (doc for doc in docs if tags.noted(doc.get("description") or "", self._owner))

    def _port_of(self, server: ServerId) -> Mapping[str, Any]:
        query = {"device_id": str(server), "fields": _PORT_FIELDS}
        ports = list(self._wire.pages("network", "/ports", "ports", query))
        outside = {each.id for each in self._networks.external()}
        for port in ports:
            if port.get("network_id") not in outside and _ipv4s(port):
                return port
        if any(_ipv4s(port) for port in ports):
            raise BadOrderError(
                f"server {server} is only on external networks: its addresses need no floating IP"
            )
        raise TryLaterError(f"server {server} has no port with a private IPv4 address yet")

    def _reuse(self, doc: Mapping[str, Any], port: Mapping[str, Any], server: ServerId) -> bool:
        if doc.get("revision_number") is None:
            return False
        body = {**_attachment(port), "description": tags.note(self._owner, server)}
        answer = self._wire.call(
            "network",
            "PUT",
            f"/floatingips/{doc['id']}",
            effect=Effect.REPEATABLE,
            body={"floatingip": body},
            headers=_if_match(doc["revision_number"]),
            # Somebody was faster, or its network cannot be reached from this port: take another.
            accept={400, _NOT_FOUND, _CONFLICT, _CHANGED},
        )
        return answer.status < 400  # noqa: PLR2004 — the border between success and failure

    def _make(self, port: Mapping[str, Any], server: ServerId) -> str:
        refusal: CloudError = BadOrderError("the cloud has no external network for floating IPs")
        for network in self._candidates():
            body = {
                **_attachment(port),
                "floating_network_id": network.id,
                "description": tags.note(self._owner, server),
            }
            try:
                return self._post(body)
            except BadOrderError as exc:
                refusal = exc  # "External network … is not reachable from subnet …": try the next
        raise refusal

    def _post(self, body: Mapping[str, Any]) -> str:
        try:
            answer = self._wire.call(
                "network",
                "POST",
                "/floatingips",
                effect=Effect.CREATE,
                body={"floatingip": body},
                accept={_CONFLICT},
            )
        except UnknownOutcomeError as exc:
            # Not unknown for long: a second call finds it at the port.
            raise TryLaterError(str(exc)) from exc
        if answer.status == _CONFLICT:
            why = errors.message_of(answer)
            # Else the port has got one from another process meanwhile: look again.
            raise NoRoomError(why) if errors.fault_means_no_room(why) else TryLaterError(why)
        return str(answer.doc["floatingip"]["floating_ip_address"])

    def _candidates(self) -> list[Network]:
        found = self._networks.external()
        return sorted(found, key=lambda each: each.name not in self._external)

    def _delete(self, ip_id: str, revision: int | None) -> None:
        self._wire.call(
            "network",
            "DELETE",
            f"/floatingips/{ip_id}",
            effect=Effect.REPEATABLE,
            headers=_if_match(revision),
            accept={_NOT_FOUND, _CHANGED},
        )


def _attachment(port: Mapping[str, Any]) -> dict[str, Any]:
    return {"port_id": port["id"], "fixed_ip_address": _ipv4s(port)[0]}


def _ipv4s(port: Mapping[str, Any]) -> list[str]:
    return [each["ip_address"] for each in port.get("fixed_ips") or () if "." in each["ip_address"]]


def _if_match(revision: int | None) -> dict[str, str]:
    return {} if revision is None else {"If-Match": f"revision_number={revision}"}

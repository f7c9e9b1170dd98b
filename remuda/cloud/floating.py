"""Floating IPs, through Neutron.

Every one that we make names its owner and server in its description, so that it can be found
again after a crash, and is swept by nobody but us. It belongs to that server for all its life and
is never given to another: whoever made it may delete it without a look, and whoever has only read
its id somewhere looks at its description first (docs/adr/0009-a-floating-ip-for-life.md).
"""

from collections.abc import Collection, Iterator, Mapping
from typing import Any, Final

from remuda.cloud import errors
from remuda.cloud.api import (
    BadOrderError,
    CloudError,
    Fence,
    FloatingIp,
    GoneError,
    NoRoomError,
    Port,
    TryLaterError,
    UnknownOutcomeError,
    unfenced,
)
from remuda.cloud.errors import Answer, Effect
from remuda.cloud.leftovers import Leftover, LeftoverKind
from remuda.cloud.networks import Network, Networks
from remuda.cloud.rate import Traffic
from remuda.cloud.wire import Wire
from remuda.model import tags
from remuda.model.ids import ServerId

_FIELDS: Final = ("id", "description", "port_id", "floating_ip_address", "revision_number")
#: Neutron's word for a port that is not there.
_NO_PORT: Final = "PortNotFound"
_FAILURES, _NOT_FOUND, _CONFLICT, _CHANGED = 400, 404, 409, 412


class FloatingIps:
    """Gives floating IPs to servers and takes them back; for several threads at once.

    That a server never gets two is Neutron's promise, too: of one external network an address of
    a port can have one floating IP (unique constraint of its table; a second gets 409).
    """

    def __init__(
        self, wire: Wire, networks: Networks, owner: tags.Owner, external: Collection[str]
    ) -> None:
        self._wire = wire
        self._networks = networks
        self._owner = owner
        self._external = external
        #: By network: the external network that could be reached from it last.
        self._reached: dict[str, str] = {}

    def add(self, port: Port, *, untried: bool, fence: Fence = unfenced) -> FloatingIp:
        """Return the floating IP of a port, which it gets if it has none.

        One call; unless *untried*, one more looks first whether it has one. Without room the first
        idle one of ours is given up for it. The networks are asked for, too, unless remembered.
        """
        if port.external:
            raise BadOrderError(
                f"server {port.server} is only on external networks:"
                " its addresses need no floating IP"
            )
        known = None if untried else self._at(port)
        if known is not None:
            return known
        try:
            return self._make(port, fence)
        except NoRoomError:
            if not any(self._delete(each, fence).status < _FAILURES for each in self.idle()):
                raise
            return self._make(port, fence)

    def remove(
        self,
        server: ServerId,
        *,
        known: str | None,
        hint: str | None = None,
        fence: Fence = unfenced,
    ) -> None:
        """Delete the one that is known, or all that name the server, which may be gone.

        Whoever deletes a server that a check of this provider has left finds its address, too.
        A hint saves the look at all of them, if it is right.
        """
        if known is not None:
            self._delete_one(known, fence)
            return
        if hint is not None and self._is_for(self._one(hint), server):
            self._delete_one(hint, fence)
            return
        for doc in self._listed(Traffic.DELETE):
            if self._is_for(doc, server):
                self._delete_one(doc["id"], fence)

    def _is_for(self, doc: Mapping[str, Any], server: ServerId) -> bool:
        """Whether the cloud says that we made it for this server."""
        owners = (self._owner, tags.trial_owner(self._owner.provider))
        description = doc.get("description") or ""
        return any(tags.noted(description, owner) == server for owner in owners)

    def _one(self, ip_id: str) -> Mapping[str, Any]:
        """Return a floating IP; empty if there is none, or that is no id of one."""
        try:
            answer = self._wire.call("network", "GET", ("floatingips", ip_id), effect=Effect.READ)
        except (BadOrderError, GoneError):
            return {}
        found = answer.doc.get("floatingip")
        return found if isinstance(found, Mapping) else {}

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

    def delete(self, leftover: Leftover, *, fence: Fence = unfenced) -> None:
        """Delete an idle one, unless somebody has put it to use since."""
        for one in self.idle():
            if one.id == leftover.id:
                self._delete(one, fence)

    def _ours(self, traffic: Traffic = Traffic.OTHER) -> Iterator[Mapping[str, Any]]:
        docs = self._listed(traffic)
        return (doc for doc in docs if tags.noted(doc.get("description") or "", self._owner))

    def _listed(self, traffic: Traffic) -> list[Mapping[str, Any]]:
        """Return all that there are: none in a cloud that knows no floating IPs."""
        query = {"fields": _FIELDS}
        docs = self._wire.pages("network", ("floatingips",), "floatingips", query, traffic)
        try:
            return list(docs)
        except GoneError:  # Neutron without its L3 extension
            return []

    def _at(self, port: Port) -> FloatingIp | None:
        found = (doc for doc in self._ours(Traffic.CREATE) if doc.get("port_id") == port.id)
        return next(map(_read, found), None)

    def _make(self, port: Port, fence: Fence) -> FloatingIp:
        refusal: CloudError = BadOrderError("the cloud has no external network for floating IPs")
        for network in self._candidates(port):
            body = {
                "port_id": port.id,
                "fixed_ip_address": port.ipv4,
                "floating_network_id": network.id,
                "description": tags.note(self._owner, port.server),
            }
            try:
                made = self._post(body, fence)
            except BadOrderError as exc:
                refusal = exc  # "External network … is not reachable from subnet …": try the next
                continue
            self._reached[port.network] = network.id
            return made
        raise refusal

    def _post(self, body: Mapping[str, Any], fence: Fence) -> FloatingIp:
        try:
            answer = self._wire.call(
                "network",
                "POST",
                ("floatingips",),
                effect=Effect.CREATE,
                body={"floatingip": body},
                accept={_CONFLICT, _NOT_FOUND},
                traffic=Traffic.CREATE,
                fence=fence,
            )
        except UnknownOutcomeError as exc:
            # Not unknown for long: a second call finds it at the port.
            raise TryLaterError(str(exc)) from exc
        why = errors.message_of(answer)
        if answer.status == _NOT_FOUND:
            # Neutron says the same of a network that cannot be reached from the port's subnet.
            gone = errors.kind_of(answer) == _NO_PORT
            raise GoneError(why) if gone else BadOrderError(f"HTTP {_NOT_FOUND}: {why}")
        if answer.status == _CONFLICT:
            # Else the port has got one from another process meanwhile: look again.
            raise NoRoomError(why) if errors.fault_means_no_room(why) else TryLaterError(why)
        return _read(answer.doc["floatingip"])

    def _candidates(self, port: Port) -> list[Network]:
        found = self._networks.external()
        reached = self._reached.get(port.network)
        return sorted(found, key=lambda each: (each.id != reached, each.name not in self._external))

    def _delete(self, idle: Leftover, fence: Fence) -> Answer:
        """Delete an idle one; a failure if it has changed since."""
        guard = {} if idle.revision is None else {"If-Match": f"revision_number={idle.revision}"}
        return self._delete_one(idle.id, fence, guard)

    def _delete_one(
        self, ip_id: str, fence: Fence, headers: Mapping[str, str] | None = None
    ) -> Answer:
        return self._wire.call(
            "network",
            "DELETE",
            ("floatingips", ip_id),
            effect=Effect.REPEATABLE,
            headers=headers,
            accept={_NOT_FOUND, _CHANGED},
            traffic=Traffic.DELETE,
            fence=fence,
        )


def _read(doc: Mapping[str, Any]) -> FloatingIp:
    return FloatingIp(id=str(doc["id"]), address=str(doc["floating_ip_address"]))

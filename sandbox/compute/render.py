"""How servers and flavors look in Nova's answers.

Source: compute API reference, "Servers" and "Flavors", with the microversions that changed
their shapes.
"""

from __future__ import annotations

import hashlib
from typing import Any, Final

from sandbox.clock import iso, iso_micro
from sandbox.compute.model import Server
from sandbox.compute.states import POWER_STATES, VM_STATES, ServerState
from sandbox.config import FlavorConfig

Version = tuple[int, int]
_EMBEDDED_FLAVOR: Final = (2, 47)


def links(root: str, kind: str, item_id: str) -> list[dict[str, str]]:
    """Return the two links every resource of Nova has."""
    return [
        {"rel": "self", "href": f"{root}/v2.1/{kind}/{item_id}"},
        {"rel": "bookmark", "href": f"{root}/{kind}/{item_id}"},
    ]


def brief(server: Server, root: str) -> dict[str, Any]:
    """Show a server as in ``GET /servers``."""
    return {"id": server.id, "name": server.name, "links": links(root, "servers", server.id)}


def flavor_doc(flavor: FlavorConfig, root: str, version: Version) -> dict[str, Any]:
    """Show a flavor in full."""
    doc: dict[str, Any] = {
        "id": flavor.id,
        "name": flavor.name,
        "ram": flavor.ram,
        "disk": flavor.disk,
        "vcpus": flavor.vcpus,
        "swap": "" if version < (2, 75) else 0,
        "rxtx_factor": 1.0,
        "OS-FLV-EXT-DATA:ephemeral": 0,
        "OS-FLV-DISABLED:disabled": False,
        "os-flavor-access:is_public": True,
        "links": links(root, "flavors", flavor.id),
    }
    if version >= (2, 55):
        doc["description"] = None
    if version >= (2, 61):
        doc["extra_specs"] = dict(flavor.extra_specs)
    return doc


def _flavor_of(server: Server, root: str, version: Version) -> dict[str, Any]:
    flavor = server.flavor
    if version < _EMBEDDED_FLAVOR:
        return {"id": flavor.id, "links": links(root, "flavors", flavor.id)[1:]}
    return {
        "original_name": flavor.name,
        "vcpus": flavor.vcpus,
        "ram": flavor.ram,
        "disk": flavor.disk,
        "ephemeral": 0,
        "swap": 0,
        "extra_specs": dict(flavor.extra_specs),
    }


def addresses(server: Server) -> dict[str, list[dict[str, Any]]]:
    """Show a server's addresses by network."""
    doc: dict[str, list[dict[str, Any]]] = {}
    for nic in server.nics:
        entries = doc.setdefault(nic.network, [])
        for kind, each in (("fixed", nic.address), *(("floating", ip) for ip in nic.floating)):
            entries.append(
                {
                    "version": 4,
                    "addr": each,
                    "OS-EXT-IPS:type": kind,
                    "OS-EXT-IPS-MAC:mac_addr": nic.mac,
                }
            )
    return doc


class Renderer:
    """Shows servers; remembers what it showed last, as values never change."""

    def __init__(self, root: str) -> None:
        self._root = root
        self._last: dict[tuple[str, Version], tuple[Server, dict[str, Any]]] = {}

    def forget(self, server_id: str) -> None:
        """Drop what is remembered about a server."""
        for key in [key for key in self._last if key[0] == server_id]:
            del self._last[key]

    def full(self, server: Server, version: Version) -> dict[str, Any]:
        """Show a server as in ``GET /servers/detail``."""
        last = self._last.get((server.id, version))
        if last is not None and last[0] is server:
            return last[1]
        doc = self._basic(server, version) | self._states(server) | _newer(server, version)
        if server.fault is not None and server.state in (ServerState.ERROR, ServerState.DELETED):
            doc["fault"] = {
                "code": server.fault.code,
                "message": server.fault.message,
                "created": iso(server.fault.created_s),
            }
        if server.state is not ServerState.DELETED:
            self._last[server.id, version] = (server, doc)
        return doc

    def _basic(self, server: Server, version: Version) -> dict[str, Any]:
        root = self._root
        image: Any = ""
        if server.image_id:
            image = {"id": server.image_id, "links": links(root, "images", server.image_id)[1:]}
        host_id = hashlib.sha224((server.project_id + server.host).encode()).hexdigest()
        return {
            **brief(server, root),
            "tenant_id": server.project_id,
            "user_id": server.user_id,
            "metadata": dict(server.metadata),
            "image": image,
            "flavor": _flavor_of(server, root, version),
            "created": iso(server.created_s),
            "updated": iso(server.updated_s),
            "addresses": addresses(server),
            "accessIPv4": "",
            "accessIPv6": "",
            "hostId": host_id if server.host else "",
            "OS-DCF:diskConfig": "MANUAL",
            "OS-EXT-AZ:availability_zone": server.zone,
            "key_name": server.key_name,
            "config_drive": "True" if server.config_drive else "",
            "security_groups": [{"name": name} for name in server.security_groups],
            "os-extended-volumes:volumes_attached": [
                {"id": each} | ({"delete_on_termination": False} if version >= (2, 3) else {})
                for each in server.volumes
            ],
        }

    @staticmethod
    def _states(server: Server) -> dict[str, Any]:
        launched = iso_micro(server.launched_s) if server.launched_s is not None else None
        ended = iso_micro(server.deleted_s) if server.deleted_s is not None else None
        doc: dict[str, Any] = {
            "status": server.state,
            "OS-EXT-STS:vm_state": VM_STATES[server.state],
            "OS-EXT-STS:task_state": server.task,
            "OS-EXT-STS:power_state": POWER_STATES[server.state],
            "OS-SRV-USG:launched_at": launched,
            "OS-SRV-USG:terminated_at": ended,
        }
        if server.state in (ServerState.BUILD, ServerState.ACTIVE):
            doc["progress"] = 100 if server.state is ServerState.ACTIVE else 0
        return doc


def _newer(server: Server, version: Version) -> dict[str, Any]:
    doc: dict[str, Any] = {}
    if version >= (2, 9):
        doc["locked"] = server.locked
    if version >= (2, 19):
        doc["description"] = server.description
    if version >= (2, 26):
        doc["tags"] = list(server.tags)
    if version >= (2, 63):
        doc["trusted_image_certificates"] = None
    if version >= (2, 71):
        doc["server_groups"] = []
    if version >= (2, 73):
        doc["locked_reason"] = None
    if version >= (2, 96):
        doc["pinned_availability_zone"] = server.zone
    return doc

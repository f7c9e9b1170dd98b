"""Servers as Nova writes them (microversion 2.1), and orders as it wants them."""

import base64
from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any, Final

from remuda.cloud import addresses
from remuda.cloud.api import BadOrderError, Server, ServerSpec, ServerStatus
from remuda.cloud.paths import UrlPath, require_id
from remuda.model.fields import LINE_CHARS_MAX, Fields
from remuda.model.ids import ServerId
from remuda.model.packed import shared

#: What Nova has below ``/servers`` beside servers.
_WORDS: Final = frozenset({"detail"})
_VOLUMES: Final = "os-extended-volumes:volumes_attached"
#: More are not told apart.
_VOLUMES_MAX: Final = 32
_S: Final = ServerStatus
#: Nova's ``vm_states`` as the API shows them. A server that reboots, resizes or migrates runs in
#: the sense that matters: whoever uses it may have asked for it, and it comes back.
_STATUSES: Final[Mapping[str, ServerStatus]] = {
    "BUILD": _S.BUILDING,
    "REBUILD": _S.BUILDING,
    "ACTIVE": _S.ACTIVE,
    "PASSWORD": _S.ACTIVE,
    "REBOOT": _S.ACTIVE,
    "HARD_REBOOT": _S.ACTIVE,
    "MIGRATING": _S.ACTIVE,
    "RESIZE": _S.ACTIVE,
    "VERIFY_RESIZE": _S.ACTIVE,
    "REVERT_RESIZE": _S.ACTIVE,
    "ERROR": _S.ERROR,
    "SHUTOFF": _S.STOPPED,
    "STOPPED": _S.STOPPED,
    "SUSPENDED": _S.STOPPED,
    "PAUSED": _S.STOPPED,
    "RESCUE": _S.STOPPED,
    "SHELVED": _S.STOPPED,
    "SHELVED_OFFLOADED": _S.STOPPED,
    "DELETED": _S.DELETING,
    "SOFT_DELETED": _S.DELETING,
}


def path(server: ServerId, *rest: str) -> UrlPath:
    """Return the path of one server, or of what lies below it.

    Raises:
        BadOrderError: If it is no id, or a word of Nova's, which no server can have as its id:
            ``GET /servers/detail`` is the listing of all.
    """
    require_id(server)
    if server in _WORDS:
        raise BadOrderError(f"{server!a} is no id of a server")
    return ("servers", server, *rest)


def read_server(doc: Mapping[str, Any], external: Collection[str] = ()) -> Server:
    """Return one server of ``GET /servers/detail``.

    What is not as it should be reads as none: a single odd server, perhaps a stranger's, must not
    hide all others.

    Raises:
        KeyError, ValueError: If it has no id, or no status at all: callers treat the whole listing
            as unreadable then.
    """
    fields = Fields("server", doc)
    metadata, image, flavor = (
        Fields(f"server: {key}", _mapping(doc, key)) for key in ("metadata", "image", "flavor")
    )
    if (server_id := fields.identifier("id")) is None:
        raise KeyError("id")
    chosen = addresses.choose(_mapping(doc, "addresses"), external)
    status = _STATUSES.get(str(doc["status"]).upper(), ServerStatus.UNKNOWN)
    if doc.get("OS-EXT-STS:task_state") == "deleting":
        status = ServerStatus.DELETING
    fault = _mapping(doc, "fault")
    return Server(
        id=ServerId(shared(server_id)),
        name=fields.prose("name", LINE_CHARS_MAX) or "",
        status=status,
        tags={
            shared(key): shared(metadata.prose(key, LINE_CHARS_MAX) or "") for key in metadata.doc
        },
        public_ipv4=shared(chosen.public_ipv4),
        private_ipv4=shared(chosen.private_ipv4),
        public_ipv6=shared(chosen.public_ipv6),
        floating_ipv4=shared(chosen.floating_ipv4),
        az=shared(fields.prose("OS-EXT-AZ:availability_zone", LINE_CHARS_MAX) or None),
        host_id=shared(fields.prose("hostId", LINE_CHARS_MAX) or None),
        image_id=shared(image.prose("id", LINE_CHARS_MAX)),  # none if it booted from a volume
        flavor_id=shared(flavor.prose("id", LINE_CHARS_MAX)),
        fault=str(fault.get("message") or "") if fault else None,
        created_s=read_time(doc.get("created")),
        vm_state=shared(fields.prose("OS-EXT-STS:vm_state", LINE_CHARS_MAX) or None),
        task=shared(fields.prose("OS-EXT-STS:task_state", LINE_CHARS_MAX) or None),
        volumes=_volumes(doc.get(_VOLUMES)),
    )


def _volumes(listed: object) -> tuple[str, ...]:
    """Return the ids of attached volumes; one that is odd is one all the same."""
    if not isinstance(listed, list):
        return ()
    docs = (one if isinstance(one, Mapping) else {} for one in listed[:_VOLUMES_MAX])
    return tuple(Fields("volume", one).prose("id", LINE_CHARS_MAX) or "?" for one in docs)


def _mapping(doc: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    """Return what is at *key*, or nothing if it is no mapping."""
    found = doc.get(key)
    return found if isinstance(found, Mapping) else {}


def read_time(text: object) -> float:
    """Return an ISO time of the cloud as seconds since the epoch; 0 if it is none."""
    if not isinstance(text, str) or not text:
        return 0.0
    try:
        return datetime.fromisoformat(text).timestamp()
    except (ValueError, OverflowError, OSError):
        return 0.0


def order_body(order: ServerSpec, network_ids: Collection[str]) -> dict[str, Any]:
    """Return the body of ``POST /servers``; what the order leaves open is left out.

    Security groups, keypair and zone go by name, as Nova itself resolves them (a security
    group's id does, too), so they cost no look-up.
    """
    server: dict[str, Any] = {
        "name": order.name,
        "flavorRef": order.flavor.id,
        "metadata": dict(order.tags),
        **_boot_source(order),
    }
    optional: dict[str, Any] = {
        "networks": [{"uuid": each} for each in network_ids],
        "security_groups": [{"name": each} for each in order.security_groups],
        "availability_zone": order.az,
        "key_name": order.key_name,
        "user_data": base64.b64encode((order.user_data or "").encode()).decode(),
    }
    server |= {key: value for key, value in optional.items() if value}
    if order.config_drive is not None:
        server["config_drive"] = order.config_drive
    return {"server": server}


def _boot_source(order: ServerSpec) -> dict[str, Any]:
    if order.volume_gib is None:
        return {"imageRef": order.image.id}
    volume = {
        "boot_index": 0,
        "uuid": order.image.id,
        "source_type": "image",
        "destination_type": "volume",
        "volume_size": order.volume_gib,
        "delete_on_termination": True,
    }
    return {"imageRef": "", "block_device_mapping_v2": [volume]}

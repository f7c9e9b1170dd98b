"""``POST /servers``: from a request to servers that begin to boot, with Nova's refusals."""

from __future__ import annotations

import base64
import re
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sandbox.compute.connect import Connector
from sandbox.compute.lifecycle import Boot, Lifecycle, boot_effects
from sandbox.compute.model import Server
from sandbox.compute.refusals import check_image_fits, check_quota, fitting, injected_refusal
from sandbox.compute.schema import check_create, check_metadata
from sandbox.config import FlavorConfig, Timing
from sandbox.faults import EffectKind
from sandbox.image.model import Image, ImageState
from sandbox.machines.bootplan import plan_boot
from sandbox.network.tables import Row
from sandbox.stores import Stores
from sandbox.web.call import Call
from sandbox.web.errors import ApiError


@dataclass(frozen=True, slots=True, kw_only=True)
class _Asked:
    """What all servers of one request have in common."""

    name: str
    flavor: FlavorConfig
    image: Image | None
    volumes: tuple[str, ...]
    metadata: Mapping[str, str]
    key_name: str | None
    public_key: str
    groups: tuple[Row, ...]
    user_data: bytes
    zone: str
    config_drive: bool
    tags: tuple[str, ...]
    description: str | None
    reservation: str


class ServerMaker:
    """Makes servers in one region."""

    def __init__(self, stores: Stores, lifecycle: Lifecycle) -> None:
        self._region = stores.region
        self._config = stores.config
        self._store = stores.servers
        self._images = stores.images
        self._groups = stores.groups
        self._quotas = stores.quotas
        self._keypairs = stores.keypairs
        self._lifecycle = lifecycle
        self._connector = Connector(stores.network)

    def flavor(self, ref: object) -> FlavorConfig:
        """Return the flavor a request means: an id, or the end of an old-style URL.

        Raises:
            ApiError: 400, in Nova's words.
        """
        flavor_id = str(ref).rsplit("/", 1)[-1]
        for flavor in self._config.flavors:
            if flavor.id == flavor_id:
                return flavor
        raise ApiError(400, f"Flavor {flavor_id} could not be found.")

    def create(self, call: Call) -> tuple[list[Server], str]:
        """Make the servers a call asks for; return them and their reservation.

        Raises:
            ApiError: 400, 403, 404 or 409, as Nova.
        """
        doc = call.inner("server")
        check_create(doc)
        least, most = _counts(doc)
        asked = self._asked(call, doc)
        quota = self._quotas.of(call.who.project_id)
        usage = self._store.usage(call.who.project_id)
        refusal = call.effect(EffectKind.QUOTA)
        if refusal:
            raise injected_refusal(refusal.resource, quota, usage, asked.flavor)
        check_quota(quota, usage, asked.flavor, least)
        count = fitting(quota, usage, asked.flavor, most)
        names = [asked.name] if most == 1 else [f"{asked.name}-{i + 1}" for i in range(count)]
        networks = doc.get("networks")
        return [self._one(call, asked, name, networks) for name in names], asked.reservation

    def _asked(self, call: Call, doc: Mapping[str, Any]) -> _Asked:
        flavor = self.flavor(doc.get("flavorRef"))
        image, volumes = self._source(call, doc, flavor)
        key_name = doc.get("key_name")
        return _Asked(
            name=str(doc["name"]),
            flavor=flavor,
            image=image,
            volumes=volumes,
            metadata=read_metadata(
                doc.get("metadata"), self._quotas.of(call.who.project_id).metadata_items
            ),
            key_name=str(key_name) if key_name else None,
            public_key=self._public_key(call, key_name),
            user_data=_user_data(doc),
            groups=self._security_groups(call, doc),
            zone=self._zone(doc),
            config_drive=bool(doc.get("config_drive")),
            tags=tuple(doc.get("tags") or ()),
            description=doc.get("description"),
            reservation=f"r-{uuid.uuid4().hex[:8]}",
        )

    def _public_key(self, call: Call, name: object) -> str:
        if not name:
            return ""
        try:
            return self._keypairs.get(call.who.user_id, str(name)).public
        except ApiError as exc:
            raise ApiError(400, "Invalid key_name provided.") from exc

    def _zone(self, doc: Mapping[str, Any]) -> str:
        zone = str(doc.get("availability_zone") or self._config.zones[0]).split(":")[0]
        if zone not in self._config.zones:
            raise ApiError(400, "The requested availability zone is not available")
        return zone

    def _security_groups(self, call: Call, doc: Mapping[str, Any]) -> tuple[Row, ...]:
        names = [
            str(each.get("name", ""))
            for each in doc.get("security_groups") or []
            if isinstance(each, dict)
        ] or ["default"]
        try:
            return tuple(self._groups.find(call.who.project_id, name) for name in names)
        except ApiError as exc:
            raise ApiError(
                400, f"Unable to find security_group with name or id '{', '.join(names)}'"
            ) from exc

    # ---------------------------------------------------------------- what to boot from

    def _source(
        self, call: Call, doc: Mapping[str, Any], flavor: FlavorConfig
    ) -> tuple[Image | None, tuple[str, ...]]:
        """Return the image to boot from, and made-up ids of the volumes asked for."""
        ref = str(doc.get("imageRef") or "").rsplit("/", 1)[-1]
        devices = [
            each for each in doc.get("block_device_mapping_v2") or [] if isinstance(each, dict)
        ]
        boot = next((each for each in devices if str(each.get("boot_index")) == "0"), None)
        if not ref and boot is None:
            raise ApiError(400, "Invalid imageRef provided.")
        if not ref and boot is not None and boot.get("source_type") == "image":
            ref = str(boot.get("uuid", ""))
        volumes = tuple(
            str(each.get("uuid") if each.get("source_type") == "volume" else uuid.uuid4())
            for each in devices
            if each.get("destination_type", "volume") == "volume"
        )
        if not ref:
            return None, volumes
        image = self._image(call, ref)
        on_volume = boot is not None and boot.get("destination_type", "volume") == "volume"
        size = int(boot.get("volume_size") or 0) if boot is not None and on_volume else None
        check_image_fits(image, flavor, volume_gib=size, is_admin=call.who.is_admin)
        return image, volumes

    def _image(self, call: Call, image_id: str) -> Image:
        image = self._images.images.get(image_id)
        if image is None or not (
            call.who.is_admin or self._images.usable_by(image, call.who.project_id)
        ):
            raise ApiError(
                400,
                "Invalid imageRef provided."
                if not image_id
                else f"Image {image_id} could not be found.",
            )
        if image.state is not ImageState.ACTIVE:
            raise ApiError(400, f"Image {image_id} is not active.")
        return image

    # ---------------------------------------------------------------- one server

    def _one(self, call: Call, asked: _Asked, name: str, networks: Any) -> Server:
        server_id, now_s = str(uuid.uuid4()), self._store.clock.now_s()
        boots_volume = bool(asked.volumes) and not call.inner("server").get("imageRef")
        server = Server(
            id=server_id,
            name=name,
            project_id=call.who.project_id,
            user_id=call.who.user_id,
            flavor=asked.flavor,
            created_s=now_s,
            updated_s=now_s,
            task="scheduling",
            image_id=asked.image.id if asked.image and not boots_volume else "",
            image_name=asked.image.name if asked.image else "",
            metadata=asked.metadata,
            key_name=asked.key_name,
            zone=asked.zone,
            security_groups=tuple(dict.fromkeys(str(row["name"]) for row in asked.groups)),
            config_drive=asked.config_drive,
            tags=asked.tags,
            volumes=asked.volumes,
            description=asked.description,
            reservation=asked.reservation,
        )
        plan = plan_boot(
            asked.user_data,
            hostname=_hostname(name),
            user=self._config.ssh_user,
            keys=(asked.public_key,) if asked.public_key else (),
        )
        boot = Boot(
            plan=plan,
            image_timing=asked.image.timing if asked.image else Timing(),
            image_file=asked.image.file if asked.image else "",
            effects=boot_effects(call.faults, server, self._region, call.who.project),
        )
        server = self._connector.connected(call, server, asked.groups, networks, boot.ssh_mode)
        self._store.add(server)
        self._lifecycle.launch(server, boot)
        return server


def _counts(doc: Mapping[str, Any]) -> tuple[int, int]:
    try:
        least = int(doc.get("min_count") or 1)
        most = int(doc.get("max_count") or least)
    except (TypeError, ValueError) as exc:
        raise ApiError(400, "min_count and max_count must be whole numbers") from exc
    if least < 1 or most < least:
        raise ApiError(400, "min_count must be <= max_count")
    return least, most


def _hostname(name: str) -> str:
    return re.sub(r"[^a-z0-9-]+", "-", name.lower()).strip("-.")[:63] or "server"


def read_metadata(value: object, most: int) -> dict[str, str]:
    """Return what a call gives as metadata, of which *most* items are allowed; -1: any number.

    Raises:
        ApiError: 400 or 403, in Nova's words.
    """
    if value is None:
        return {}
    check_metadata("metadata", value)
    assert isinstance(value, dict)  # noqa: S101 - that was looked at
    if 0 <= most < len(value):
        raise ApiError(403, f"Maximum number of metadata items exceeds {most}")
    return dict(value)


def _user_data(doc: Mapping[str, Any]) -> bytes:
    return base64.b64decode("".join(str(doc.get("user_data") or "").split()), validate=True)

"""One region: a Nova, a Glance and a Neutron that know each other, and a Swift."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass, replace
from ipaddress import IPv4Network
from pathlib import Path

from sandbox.clock import Clock
from sandbox.compute.actions import ServerActionsApi
from sandbox.compute.create import ServerMaker
from sandbox.compute.extras import ExtrasApi
from sandbox.compute.keypairs import KeyPairs
from sandbox.compute.lifecycle import Lifecycle
from sandbox.compute.model import ServerStore
from sandbox.compute.servers import ServersApi
from sandbox.config import Config
from sandbox.identity.accounts import Accounts
from sandbox.identity.catalog import Endpoints
from sandbox.image.api import ImageApi
from sandbox.image.limits import ImageRoom
from sandbox.image.members import MemberApi
from sandbox.image.model import ImageStore
from sandbox.image.transfer import TransferApi
from sandbox.machines.base import Machines
from sandbox.network.api import NetworkApi
from sandbox.network.groups import SecurityGroups
from sandbox.network.state import NetworkState
from sandbox.network.tables import Row
from sandbox.object.access import Doorman
from sandbox.object.containers import ContainerApi
from sandbox.object.data import ObjectApi
from sandbox.object.store import ObjectState
from sandbox.quota import Quotas
from sandbox.stores import Stores
from sandbox.web.call import Op
from sandbox.web.errors import Service
from sandbox.workers import Workers


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What all regions of a sandbox share."""

    config: Config
    clock: Clock
    accounts: Accounts
    endpoints: Endpoints
    machines: Machines
    workers: Workers
    image_folder: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Region:
    """A region's stores and the operations on them."""

    stores: Stores
    lifecycle: Lifecycle
    ops: Mapping[Service, list[Op]]

    @property
    def name(self) -> str:
        """The region's name."""
        return self.stores.region


def build_region(name: str, around: Surroundings, networks: Mapping[str, IPv4Network]) -> Region:
    """Put a region together; *networks* are the addresses of each configured network."""
    stores = _stores(name, around, networks)
    seed = f"{around.config.seed}:{name}"
    lifecycle = Lifecycle(stores, random.Random(seed))  # noqa: S311 - repeatable on purpose
    stores.network.floating_changed.append(
        lambda row, before: _show_floating(stores.servers, stores.network, row, before)
    )
    api = ServersApi(stores, ServerMaker(stores, lifecycle), lifecycle)
    actions = ServerActionsApi(stores, api, lifecycle)
    room = ImageRoom(stores.images, stores.quotas)
    images = ImageApi(stores.images, room, around.config.page_size_max)
    transfer = TransferApi(stores.images, room, around.workers)
    return Region(
        stores=stores,
        lifecycle=lifecycle,
        ops={
            Service.COMPUTE: [*api.ops(), *actions.ops(), *ExtrasApi(stores).ops()],
            Service.IMAGE: [*images.ops(), *transfer.ops(), *MemberApi(stores.images).ops()],
            Service.NETWORK: NetworkApi(stores.network, stores.groups).ops(),
            Service.OBJECT: _object_ops(name, around, stores.quotas),
        },
    )


def _object_ops(name: str, around: Surroundings, quotas: Quotas) -> list[Op]:
    state = ObjectState(around.image_folder / f"{name}-objects", around.clock)
    doorman = Doorman(state, around.clock)
    objects = ObjectApi(state, doorman, quotas, around.clock)
    return [*ContainerApi(state, doorman).ops(), *objects.ops()]


def _stores(name: str, around: Surroundings, networks: Mapping[str, IPv4Network]) -> Stores:
    config, clock, projects = around.config, around.clock, around.accounts.projects

    def owner(project: str) -> str:
        return projects[project].id if project else ""

    folder = around.image_folder / name
    folder.mkdir(parents=True, exist_ok=True)
    quotas = Quotas(config.quota)
    configured = [(each, owner(each.project), networks[each.name]) for each in config.networks]
    network = NetworkState(name, configured, quotas, clock)
    images = [(each, owner(each.project)) for each in config.images]
    return Stores(
        region=name,
        root=around.endpoints.root(Service.COMPUTE, name),
        glance=around.endpoints.root(Service.IMAGE, name),
        config=config,
        servers=ServerStore(clock),
        images=ImageStore(images, folder, clock),
        network=network,
        groups=SecurityGroups(network),
        quotas=quotas,
        keypairs=KeyPairs(clock),
        machines=around.machines,
        workers=around.workers,
    )


def _show_floating(
    servers: ServerStore, network: NetworkState, floating: Row, before: str | None
) -> None:
    """Let the servers show that a floating IP came or went."""
    for port_id in {floating["port_id"], before} - {None}:
        port = network.ports.rows.get(str(port_id))
        server = servers.servers.get(port["device_id"]) if port else None
        if server is not None:
            servers.change(
                server.id,
                nics=tuple(
                    replace(nic, floating=network.floating_of(nic.port_id)) for nic in server.nics
                ),
            )

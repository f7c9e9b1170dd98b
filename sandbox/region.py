"""
One region: a Nova, a Glance and a Neutron that know each other.
"""

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
from sandbox.image.model import ImageStore
from sandbox.machines.base import Machines
from sandbox.network.api import NetworkApi
from sandbox.network.groups import SecurityGroups
from sandbox.network.state import NetworkState
from sandbox.network.tables import Row
from sandbox.quota import Quotas
from sandbox.web.call import Op
from sandbox.web.errors import Service
from sandbox.workers import Workers


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """
    What all regions of a sandbox share.
    """

    config: Config
    clock: Clock
    accounts: Accounts
    endpoints: Endpoints
    machines: Machines
    workers: Workers
    image_folder: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Region:
    """
    A region's stores and the operations on them.
    """

    name: str
    servers: ServerStore
    images: ImageStore
    network: NetworkState
    quotas: Quotas
    lifecycle: Lifecycle
    ops: Mapping[Service, list[Op]]


def build_region(name: str, around: Surroundings,
                 networks: Mapping[str, IPv4Network]) -> Region:
    """
    Put a region together; *networks* are the addresses of each configured network.
    """
    config, clock, projects = around.config, around.clock, around.accounts.projects

    def owner(project: str) -> str:
        return projects[project].id if project else ""

    quotas = Quotas(config.quota)
    folder = around.image_folder / name
    folder.mkdir(parents=True, exist_ok=True)
    images = ImageStore(((each, owner(each.project)) for each in config.images), folder, clock)
    network = NetworkState(name, ((each, owner(each.project), networks[each.name])
                                  for each in config.networks), quotas, clock)
    groups = SecurityGroups(network)
    servers, keypairs = ServerStore(clock), KeyPairs(clock)
    lifecycle = Lifecycle(config, servers, images, network, around.machines, around.workers,
                          random.Random(f"{config.seed}:{name}"))  # noqa: S311
    network.floating_changed.append(lambda row, before: _show_floating(
        servers, network, row, before))
    root = around.endpoints.root(Service.COMPUTE, name)
    maker = ServerMaker(region=name, config=config, store=servers, images=images,
                        network=network, groups=groups, quotas=quotas, keypairs=keypairs,
                        lifecycle=lifecycle)
    api = ServersApi(root=root, store=servers, maker=maker, lifecycle=lifecycle, images=images,
                     groups=groups, page_size_max=config.page_size_max)
    actions = ServerActionsApi(servers=api, store=servers, lifecycle=lifecycle, images=images,
                               machines=around.machines, workers=around.workers)
    extras = ExtrasApi(root=root, config=config, store=servers, quotas=quotas,
                       keypairs=keypairs, network=network, groups=groups,
                       workers=around.workers)
    return Region(
        name=name, servers=servers, images=images, network=network, quotas=quotas,
        lifecycle=lifecycle, ops={
            Service.COMPUTE: [*api.ops(), *actions.ops(), *extras.ops()],
            Service.IMAGE: ImageApi(images, around.workers, config.page_size_max).ops(),
            Service.NETWORK: NetworkApi(network, groups).ops()})


def _show_floating(servers: ServerStore, network: NetworkState, floating: Row,
                   before: str | None) -> None:
    """
    Let the servers show that a floating IP came or went.
    """
    for port_id in {floating["port_id"], before} - {None}:
        port = network.ports.rows.get(str(port_id))
        server = servers.servers.get(port["device_id"]) if port else None
        if server is not None:
            servers.change(server.id, nics=tuple(
                replace(nic, floating=network.floating_of(nic.port_id)) for nic in server.nics))

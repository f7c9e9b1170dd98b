"""What there is in one region, for those who work with it."""

from __future__ import annotations

from dataclasses import dataclass

from sandbox.compute.keypairs import KeyPairs
from sandbox.compute.model import ServerStore
from sandbox.config import Config
from sandbox.image.model import ImageStore
from sandbox.machines.base import Machines
from sandbox.network.groups import SecurityGroups
from sandbox.network.state import NetworkState
from sandbox.quota import Quotas
from sandbox.workers import Workers


@dataclass(frozen=True, slots=True, kw_only=True)
class Stores:
    """The stores of one region, and the means to fill them.

    Attributes:
        region: Its name.
        root: The URL of its Nova.
        glance: The URL of its Glance.
    """

    region: str
    root: str
    glance: str
    config: Config
    servers: ServerStore
    images: ImageStore
    network: NetworkState
    groups: SecurityGroups
    quotas: Quotas
    keypairs: KeyPairs
    machines: Machines
    workers: Workers

"""The whole cloud, from its configuration."""

from __future__ import annotations

from dataclasses import dataclass

from sandbox.calls import CallCounts
from sandbox.clock import Clock, SkewedClock
from sandbox.config import Config
from sandbox.faults import FaultPlan
from sandbox.host import Host
from sandbox.identity.accounts import Accounts
from sandbox.identity.api import IdentityApi
from sandbox.identity.catalog import Endpoints
from sandbox.identity.tokens import Tokens
from sandbox.journal import Journal
from sandbox.network.addresses import share_out
from sandbox.network.forward import Forwarder
from sandbox.region import Region, Surroundings, build_region
from sandbox.workers import Workers


@dataclass(frozen=True, slots=True, kw_only=True)
class Cloud:
    """Everything there is."""

    config: Config
    clock: SkewedClock
    host: Host
    endpoints: Endpoints
    accounts: Accounts
    tokens: Tokens
    identity: IdentityApi
    regions: tuple[Region, ...]
    faults: FaultPlan
    calls: CallCounts
    workers: Workers
    forwarder: Forwarder
    journal: Journal | None = None

    async def close(self) -> None:
        """Stop everything: no process, mount or listener is left."""
        for region in self.regions:
            await region.lifecycle.close()
        await self.forwarder.close()
        await self.workers.run(self.host.machines.close)
        self.workers.close()
        if self.journal is not None:
            self.journal.close()


def build_cloud(
    config: Config, host: Host, base_url: str, clock: Clock, journal: Journal | None = None
) -> Cloud:
    """Build the cloud that answers at *base_url*.

    Raises:
        NoAddressesError: If the address range is too small for all networks.
    """
    skewed = SkewedClock(clock, config.clock_offset_s)
    endpoints = Endpoints(base_url, config.regions)
    accounts, workers = Accounts(config), Workers(config.workers)
    tokens = Tokens(skewed, config.token_lifetime_s)
    forwarder = Forwarder(host.ssh_port)
    shares = share_out(host.claim.network, config.regions, config.networks)
    around = Surroundings(
        config=config,
        clock=skewed,
        accounts=accounts,
        endpoints=endpoints,
        machines=host.machines,
        workers=workers,
        image_folder=host.image_folder,
    )
    regions = tuple(
        build_region(
            name,
            around,
            {network: cidr for (region, network), cidr in shares.items() if region == name},
        )
        for name in config.regions
    )
    for region in regions:
        if host.kind != "none":
            region.stores.network.floating_changed.append(forwarder.changed)
        if journal is not None:
            region.stores.servers.told.append(journal.of(region.name))
    return Cloud(
        config=config,
        clock=skewed,
        host=host,
        endpoints=endpoints,
        accounts=accounts,
        tokens=tokens,
        identity=IdentityApi(accounts, tokens, endpoints),
        regions=regions,
        faults=FaultPlan(config.faults, seed=config.seed),
        calls=CallCounts(),
        workers=workers,
        forwarder=forwarder,
        journal=journal,
    )

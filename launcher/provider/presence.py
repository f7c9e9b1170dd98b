"""What a launcher shows of itself: that it lives, and which pools it runs."""

import socket
import uuid
from dataclasses import dataclass, field

from launcher.policy import Policy
from launcher.provider import writes as provider_writes
from remuda import __version__
from remuda.membership.installation import find_installation
from remuda.membership.registration import Member, Presence
from remuda.model.component import PoolComponent, pool_component_id
from remuda.model.imageask import labelled_image
from remuda.store import paths
from remuda.store.api import Create, Store


def tree(provider: str) -> tuple[str, ...]:
    """Return everything that a launcher takes for granted, but for the counter of nodes."""
    return (
        paths.REQUESTS,
        paths.REQUEST_LOCKS,
        paths.NODES,
        paths.POOL_COMPONENTS,
        paths.STATUSES,
        paths.launches(provider),
        paths.claims(provider),
        paths.ledger(provider),
        paths.hold_ledger(provider),
        paths.replicas(provider),
        paths.verdicts(provider),
        paths.failures(provider),
        paths.capsules(provider),
        paths.status(provider),
        paths.IMAGES,
        paths.TAKE_HOME,
        paths.TAKE_HOME_ENDS,
        paths.FAILED_REQUESTS,
        paths.AUTOHOLDS,
    )


def prepare(store: Store, provider: str, pinned: str | None = None) -> str:
    """Make what must be there, and return the id of the installation.

    Args:
        store: Where.
        provider: Whose tree.
        pinned: The id that the configuration demands.

    Raises:
        StoreError: If ZooKeeper does not let us.
        InstallationError: If the id there is none, or another than is demanded.
    """
    installation = find_installation(store, pinned)
    store.ensure(*tree(provider), paths.NODE_COUNTER)
    return installation


@dataclass(slots=True)
class Registry:
    """Says which launcher runs which pools.

    Attributes:
        pool_ids: Component id of each pool: new at every start of the process.
    """

    member: Member
    pool_ids: dict[str, str] = field(default_factory=dict)
    _fqdn: str = field(default_factory=socket.getfqdn)

    def presence(self, policy: Policy) -> Presence:
        """Return what is to be seen of us, as *policy* has us."""
        for name in policy.pools:
            self.pool_ids.setdefault(
                name, pool_component_id(self._fqdn, policy.provider, name, uuid.uuid4().hex)
            )
        return Presence(
            replica=self.member.ephemeral(paths.replicas(policy.provider)),
            offers=tuple(self._offer(policy, name) for name in policy.pools),
        )

    def _offer(self, policy: Policy, name: str) -> Create:
        pool = policy.pools[name]
        component = PoolComponent(
            id=self.pool_ids[name],
            hostname=socket.gethostname(),
            provider=policy.provider,
            pool=name,
            labels=tuple(sorted(one for one in pool.labels if labelled_image(one) is None)),
            priority=pool.priority,
            version=__version__,
        )
        return provider_writes.offer(socket.gethostname(), component)

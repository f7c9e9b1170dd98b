"""What ZooKeeper has to do with cloud calls: may they still be made, and what is kept of them."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Protocol

from launcher.provider import writes as provider_writes
from remuda.frame.fence import Deadline, SessionFence, TimeFence
from remuda.model import tags
from remuda.model.capsule import Capsule, CapsuleKind, encode_capsule
from remuda.model.ids import NodeId, is_node_id
from remuda.runtime.clock import Clock
from remuda.store import paths
from remuda.store.api import ExistsError, MissingError, Store, StoreError

#: Evidence of so many failed launches is kept per provider, and so many other capsules.
FAILURES_MAX: Final = 100


class Records(Protocol):
    """What cloud hands ask of those who keep the records of their nodes."""

    def fence(self, until: Deadline | None) -> TimeFence:
        """Return what holds back a call that is decided now; None: it is never too late."""

    def spared(self, node: NodeId) -> str | None:
        """Return what speaks against the deletion of a leaked server of *node*, or None."""

    def keep(self, report: Capsule) -> None:
        """Keep the evidence of a failed launch, if that is possible."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreRecords:
    """The records of a launcher: they are in ZooKeeper."""

    store: Store
    clock: Clock
    owner: tags.Owner

    def fence(self, until: Deadline | None) -> SessionFence:
        """Hold back what was decided in another session as well."""
        return SessionFence(
            store=self.store, clock=self.clock, session_id=self.store.session_id, until=until
        )

    def spared(self, node: NodeId) -> str | None:
        """Ask ZooKeeper anew: what we have seen of it may be old by any length of time."""
        if not is_node_id(node):
            return f"its tags name no node: {node[:40]!a}"
        provider = self.owner.provider
        try:
            launch, record, installation = self.store.read_fresh(
                [paths.launch(provider, node), paths.node(node), paths.INSTALLATION]
            )
        except StoreError as exc:
            return f"ZooKeeper gave no fresh answer: {exc}"
        if launch is not None:
            return "it has a launch record"
        if record is not None and record.value:
            return "there is a record of its node"
        if installation is None or installation.value != self.owner.installation.encode():
            return "the id of the installation has changed"
        return None

    def keep(self, report: Capsule) -> None:
        """Write the record and drop the oldest ones over the limit; evidence is best effort."""
        provider, node, record = self.owner.provider, NodeId(report.node), encode_capsule(report)
        launch = report.kind is CapsuleKind.LAUNCH
        place = paths.failure if launch else paths.capsule
        try:
            try:
                self.store.commit(provider_writes.keep_evidence(place(provider, node), record))
            except ExistsError:
                self.store.commit(provider_writes.renew_evidence(place(provider, node), record))
            names = self.store.children((paths.failures if launch else paths.capsules)(provider))
            for name in names[: max(0, len(names) - FAILURES_MAX)]:
                path = place(provider, NodeId(name))
                _try(lambda path=path: self.store.commit(provider_writes.forget(path)))  # type: ignore[misc]
        except StoreError:
            return


def _try(work: Callable[[], object]) -> None:
    try:
        work()
    except MissingError:
        return

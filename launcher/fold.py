"""Folding changes of ZooKeeper into the world; corrupt records are set aside with one warning."""

from collections.abc import Callable
from dataclasses import dataclass, field

from launcher.facts import take_fact
from launcher.views import ClaimView, RequestView
from launcher.world import World
from remuda.model import component, launch, node, request, status
from remuda.model.codec import CorruptRecordError, dump, parse
from remuda.model.ids import NodeId, ReplicaId, RequestId
from remuda.runtime.log import Log
from remuda.store import paths
from remuda.store.api import Change, Dirty, Gone, Put, Stored, Synced


def encode_claim(owner: str, pool: str, contender: str) -> bytes:
    """Return a claim record: who took the request, for which pool, under which lock."""
    return dump({"owner": owner, "pool": pool, "contender": contender})


@dataclass(slots=True)
class Fold:
    """Folds changes into *world*.

    Attributes:
        mine: Ids of our nodes, shared with the mirror of ``/nodepool/nodes``, which reads the
            data of no other nodes. Only added to and removed from, so threads may look.
        read_node: Has a node's record read that the mirror passed over.
    """

    world: World
    log: Log
    mine: set[NodeId]
    read_node: Callable[[NodeId], None]
    warned: set[str] = field(default_factory=set)

    def fold(self, change: Change, *, now_s: float) -> None:
        """Take in one change; *now_s* is monotonic."""
        if isinstance(change, Synced):
            self.world.synced.add(change.root)
            self.world.agenda.everything = True
            if change.root == paths.NODES:
                self._look_for_nodes()
            return
        parent, _, name = change.path.rpartition("/")
        try:
            if take_fact(self.world, change):
                return
            self._by_place(parent, name, change, now_s)
        except CorruptRecordError as exc:
            self._set_aside(change.path, exc)

    def _look_for_nodes(self) -> None:
        """Read the records that we have not heard of: that there is none, no mirror tells."""
        for view in self.world.herd.views.values():
            if view.node_version < 0 and not view.node_gone:
                self.read_node(view.id)

    def _set_aside(self, path: str, exc: CorruptRecordError) -> None:
        # One warning for each record and complaint: a client may rewrite it again and again.
        text = str(exc)
        if text not in self.warned and len(self.warned) < 10_000:  # noqa: PLR2004 - bounded memory
            self.warned.add(text)
            self.log.warning("record.set-aside", path=path, why=text)

    def _by_place(self, parent: str, name: str, change: Put | Dirty | Gone, now_s: float) -> None:
        provider = self.world.policy.provider
        if parent == paths.REQUESTS:
            self._request(RequestId(name), change, now_s)
        elif parent == paths.NODES:
            self._node(NodeId(name), change)
        elif parent.startswith(paths.NODES):
            self._node_lock(change)
        elif parent == paths.launches(provider):
            self._launch(NodeId(name), change)
        elif parent == paths.claims(provider):
            self._claim(RequestId(name), change, now_s)
        elif change.path == paths.ledger(provider):
            if isinstance(change, Put) and change.stored is not None:
                self.world.ledger_version = change.stored.version
                self.world.agenda.supply = True
        else:
            self._neighbour(parent, name, change)

    def _request(self, request_id: RequestId, change: Put | Dirty | Gone, now_s: float) -> None:
        queue = self.world.queue
        view = queue.views.get(request_id)
        if isinstance(change, Gone):
            queue.unread.discard(request_id)
            queue.forget(request_id)
            self.world.agenda.requests.add(request_id)
            self.world.agenda.nodes.update(self.world.herd.allocated.get(request_id, ()))
            if view is not None and request_id in queue.claims:
                self._balance_changed(view.request.labels)
            return
        if isinstance(change, Dirty):
            # A replica of ours may fulfil it before we have read it for the first time.
            if view is None:
                queue.unread.add(request_id)
            else:
                view.stale = True
            return
        if change.stored is None:
            return
        try:
            record = request.decode(request_id, change.stored.value)
        except CorruptRecordError:
            queue.forget(request_id)
            queue.unread.add(request_id)
            raise
        queue.unread.discard(request_id)
        if view is None:
            view = queue.views[request_id] = RequestView(
                id=request_id, request=record, version=change.stored.version, seen_s=now_s
            )
        view.request, view.version, view.stale = record, change.stored.version, False
        self.world.touch_request(view)

    def _node(self, node_id: NodeId, change: Put | Dirty | Gone) -> None:
        view = self.world.herd.views.get(node_id)
        if view is None:
            if node_id in self.mine and isinstance(change, Put) and change.stored is not None:
                # Ours, after a lost reply: its launch is being read, too.
                self._node_put(node_id, change.stored)
            return
        if isinstance(change, Gone):
            view.node, view.stale, view.node_version, view.node_gone = None, False, -1, True
        elif isinstance(change, Dirty):
            view.stale = True
        elif change.stored is not None:
            self._node_put(node_id, change.stored)
            return
        self.world.touch_node(view)

    def _node_put(self, node_id: NodeId, stored: Stored[bytes]) -> None:
        view = self.world.herd.view(node_id)
        view.stale, view.node, view.node_gone = False, None, False
        view.node_version = stored.version
        try:
            view.node = node.decode(node_id, stored.value)
        finally:
            self.world.touch_node(view)

    def _node_lock(self, change: Put | Dirty | Gone) -> None:
        # /nodepool/nodes/<id>/lock[/<contender>]
        parts = change.path[len(paths.NODES) + 1 :].split("/")
        view = self.world.herd.views.get(NodeId(parts[0]))
        if view is None or parts[1] != paths.LOCK_SUFFIX:
            return
        there = not isinstance(change, Gone)
        if len(parts) == 2:  # noqa: PLR2004 - the directory itself
            view.lock_exists = there
            if not there:
                view.contenders = frozenset()
        elif there:
            view.contenders |= {parts[2]}
        else:
            view.contenders -= {parts[2]}
        self.world.touch_node(view)

    def _launch(self, node_id: NodeId, change: Put | Dirty | Gone) -> None:
        if isinstance(change, Dirty):
            if node_id not in self.world.herd.views:
                self.world.unborn.add(node_id)
            return
        if node_id in self.world.unborn:
            self.world.unborn.discard(node_id)
            self.world.agenda.supply = True
        if isinstance(change, Gone):
            self.mine.discard(node_id)
            self.world.herd.unreadable.discard(node_id)
            self.world.drop_node(node_id)
            return
        if not isinstance(change, Put) or change.stored is None:
            return
        try:
            record = launch.decode(node_id, change.stored.value)
        except CorruptRecordError:
            # A newer version's, perhaps: its machine is somebody's business, only not ours.
            self.world.herd.unreadable.add(node_id)
            raise
        self.world.herd.unreadable.discard(node_id)
        view = self.world.herd.view(node_id)
        if view.launch is None or view.launch.step is not record.step:
            view.tries, view.retry_s = 0, 0.0
        view.launch, view.launch_version = record, change.stored.version
        if not view.confirmed:
            view.server_id = record.server or view.server_id
        view.dying = view.dying or record.step is launch.Step.CONDEMNED
        view.why = record.why or view.why
        self._charge(record)
        if node_id not in self.mine:
            self.mine.add(node_id)
            self.read_node(node_id)
        self.world.touch_node(view)

    def _charge(self, record: launch.Launch) -> None:
        """Charge a failed launch to the request whose need it was made for."""
        charged = record.on_account_of
        if charged is None or record.failed is None:
            return
        if self.world.queue.charges.add(charged, record.id, record.why or record.failed):
            self.world.agenda.requests.add(charged)

    def _claim(self, request_id: RequestId, change: Put | Dirty | Gone, now_s: float) -> None:
        claims, provider = self.world.queue.claims, self.world.policy.provider
        if isinstance(change, Dirty) or (isinstance(change, Put) and change.stored is None):
            return
        if isinstance(change, Put) and change.stored is not None:
            doc = parse(change.path, change.stored.value)
            known = claims.get(request_id)
            # While the mirror loads for the first time, launches may be told before claims.
            loading = known is None and paths.provider(provider) not in self.world.synced
            same = known is not None and known.made_s == change.stored.created_s
            if not loading and not same:
                self.world.queue.charges.forget(request_id)
            claims[request_id] = ClaimView(
                pool=str(doc.get("pool", "")),
                owner=str(doc.get("owner", "")),
                contender=str(doc.get("contender", "")),
                version=change.stored.version,
                made_s=change.stored.created_s,
                since_s=known.since_s if known is not None and same else now_s,
            )
        else:
            claims.pop(request_id, None)
            self.world.queue.charges.forget(request_id)
        self.world.agenda.requests.add(request_id)
        view = self.world.queue.views.get(request_id)
        if view is not None:
            self.world.touch_request(view)
            self._balance_changed(view.request.labels)

    def _balance_changed(self, labels: tuple[str, ...]) -> None:
        self.world.agenda.labels.update(labels)
        self.world.agenda.supply = True

    def _neighbour(self, parent: str, name: str, change: Put | Dirty | Gone) -> None:
        if isinstance(change, Dirty):
            return
        stored = change.stored if isinstance(change, Put) else None
        grandparent, _, provider = parent.rpartition("/")
        if grandparent == paths.REPLICAS:
            self._replica(provider, ReplicaId(name), stored)
        elif parent == paths.STATUSES:
            if stored is None or not stored.value:
                self.world.neighbours.statuses.pop(name, None)
            elif name != self.world.policy.provider:
                told = status.decode_status(name, stored.value)
                if self.world.neighbours.statuses.get(name) != told:
                    self.world.neighbours.statuses[name] = told
                    self.world.agenda.supply = True
        elif parent == paths.POOL_COMPONENTS:
            self.world.agenda.everything = True
            if stored is None:
                self.world.neighbours.pools.pop(change.path, None)
            else:
                pool = component.decode_pool(change.path, stored.value)
                self.world.neighbours.pools[change.path] = pool

    def _replica(self, provider: str, replica: ReplicaId, stored: Stored[bytes] | None) -> None:
        living = self.world.neighbours.replicas.setdefault(provider, {})
        if provider == self.world.policy.provider:
            self.world.doubt_status()
        if stored is None:
            living.pop(replica, None)
            if not living and provider != self.world.policy.provider:
                self.world.rescues.add(provider)
        else:
            living[replica] = component.decode_replica(replica, stored.value)
            self.world.rescues.discard(provider)
        self.world.agenda.everything = True

"""Folding changes of ZooKeeper into the world; corrupt records are set aside with one warning."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from launcher.facts import take_fact
from launcher.node.steps import take_launch
from launcher.views import ENDED_STATES, ClaimView, RequestView, unreadable_claim
from launcher.world import World
from remuda.frame.set_aside import SetAside
from remuda.membership.duty import lives
from remuda.model import claim, component, launch, node, request, status
from remuda.model.codec import CorruptRecordError, UnknownSchemaError
from remuda.model.ids import NodeId, ReplicaId, RequestId
from remuda.store import paths
from remuda.store.api import Change, Dirty, Gone, Put, Stored, Synced

#: Records that tell which builds are booted, and how large they are.
_SIZED: Final = re.compile("/(?:pointers|uploads)/")


@dataclass(slots=True)
class Fold:
    """Folds changes into *world*.

    Attributes:
        aside: Told of records that cannot be used.
        mine: Ids of our nodes, shared with the mirror of ``/nodepool/nodes``, which reads the
            data of no other nodes. Only added to and removed from, so threads may look.
        read_node: Has a node's record read that the mirror passed over.
    """

    world: World
    aside: SetAside
    mine: set[NodeId]
    read_node: Callable[[NodeId], None]

    def fold(self, change: Change, *, now_s: float) -> None:
        """Take in one change; *now_s* is monotonic.

        Never raises. Codecs refuse what others may not write; if a record gets past them and meets
        a bug of ours here, it must not end every launcher, again after each restart. So that bug
        is reported, with its traceback, and the record counts as not read
        (docs/adr/0011-records-of-others.md).
        """
        if isinstance(change, Synced):
            self.world.agenda.everything = True
            if change.root == paths.NODES:
                self.look_for_nodes()
            return
        parent, _, name = change.path.rpartition("/")
        try:
            if isinstance(change, Put) and change.closed:
                self.aside.closed(change.path)
                self._closed(parent, name)
                return
            if take_fact(self.world, change):
                return
            self._by_place(parent, name, change, now_s)
        except CorruptRecordError as exc:
            self.aside.corrupt(change.path, exc)
        except Exception:  # noqa: BLE001 - the boundary: see above
            self.aside.unforeseen(change.path)
            self.world.agenda.everything = True

    def look_for_nodes(self) -> None:
        """Read the records that we have not heard of: that there is none, no mirror tells.

        Nor does it tell that one is open to us again: access control lists wake nobody.
        """
        for view in self.world.herd.views.values():
            if view.unread:
                self.read_node(view.id)

    def _closed(self, parent: str, name: str) -> None:
        """Know no more of a record than that it is there: nothing is done to it, nor waited for."""
        if parent == paths.REQUESTS:
            self._request_unread(RequestId(name))
            self.world.agenda.supply = True
            return
        if parent.startswith(paths.IMAGES):
            self._image(Gone(path=f"{parent}/{name}"))  # nothing new boots by what we cannot read
            return
        if parent == paths.launches(self.world.policy.provider):
            # Its machine is somebody's business, and what is known of it stays.
            self._born(NodeId(name))
            self.world.herd.unreadable.add(NodeId(name))
            return
        view = self.world.herd.views.get(NodeId(name)) if parent == paths.NODES else None
        if view is None:
            return
        self._born(view.id)
        view.stale = False
        # What was condemned, with proof that nobody wants it, stays so.
        if not (view.dying and view.node is not None and view.node.state in ENDED_STATES):
            view.node, view.node_version, view.node_gone = None, -1, False
        self.world.touch_node(view)

    def _request_unread(self, request_id: RequestId) -> None:
        self.world.queue.forget(request_id)
        self.world.queue.unread.add(request_id)

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
        elif change.path.startswith(paths.IMAGES):
            self._image(change)
        else:
            self._neighbour(parent, name, change)

    def _image(self, change: Put | Dirty | Gone) -> None:
        """Take in what became of an image; machines that boot it are judged again."""
        try:
            image = self.world.images.take(change)
        except CorruptRecordError:
            self.world.agenda.everything = True
            raise
        if image is None:
            return
        self.world.agenda.supply = True
        if image in self.world.policy.built.values() and _SIZED.search(change.path):
            self.world.cloud.survey_due_s = 0.0  # what is booted now may need another flavor
        begins = f"{image}/"
        for view in self.world.herd.views.values():
            build = None if view.launch is None else view.launch.image_build
            if build is not None and build.startswith(begins):
                self.world.touch_node(view)

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
            self._request_unread(request_id)
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
            self._born(node_id)
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
        if view.launch is not None:
            self._born(node_id)
        try:
            view.node = node.decode(node_id, stored.value)
        finally:
            self.world.touch_node(view)

    def _node_lock(self, change: Put | Dirty | Gone) -> None:
        # /nodepool/nodes/<id>/lock[/<contender>]
        parts = change.path[len(paths.NODES) + 1 :].split("/")
        if parts[1] != paths.LOCK_SUFFIX:
            return
        self._remember_lock(NodeId(parts[0]), *parts[2:3], there=not isinstance(change, Gone))
        view = self.world.herd.views.get(NodeId(parts[0]))
        if view is not None:
            self.world.herd.learn_lock(view)
            self.world.touch_node(view)

    def _remember_lock(self, node_id: NodeId, *contender: str, there: bool) -> None:
        """Note that a lock directory is there or gone, or one *contender* in it."""
        locks = self.world.herd.locks
        if there:
            locks[node_id] = locks.get(node_id, frozenset()) | {*contender}
        elif not contender:
            locks.pop(node_id, None)
        elif node_id in locks:
            locks[node_id] -= {*contender}

    def _launch(self, node_id: NodeId, change: Put | Dirty | Gone) -> None:
        if isinstance(change, Dirty):
            if node_id not in self.world.herd.views:
                self.world.unborn.add(node_id)
            return
        if isinstance(change, Gone):
            self._born(node_id)
            self.mine.discard(node_id)
            self.world.herd.unreadable.discard(node_id)
            self.world.drop_node(node_id)
            return
        if not isinstance(change, Put) or change.stored is None:
            return
        try:
            record = launch.decode(node_id, change.stored.value)
        except CorruptRecordError as exc:
            self._born(node_id)
            self._launch_unreadable(node_id, change.stored.version, exc)
            raise
        self.world.herd.unreadable.discard(node_id)
        view = self.world.herd.view(node_id)
        take_launch(view, record, latest_listing=self.world.cloud.latest_listing())
        view.launch_version = change.stored.version
        self._charge(record, made_s=change.stored.created_s)
        if not view.unread:
            self._born(node_id)
        if node_id not in self.mine:
            if view.unread:
                self.world.unborn.add(node_id)
            self.mine.add(node_id)
            self.read_node(node_id)
        self.world.touch_node(view)

    def _born(self, node_id: NodeId) -> None:
        """Wait no longer for the records of another replica's node: growth is held up by that."""
        if node_id in self.world.unborn:
            self.world.unborn.discard(node_id)
            self.world.agenda.supply = True

    def _launch_unreadable(self, node_id: NodeId, version: int, exc: CorruptRecordError) -> None:
        # A newer version's, perhaps: its machine is somebody's business, only not ours.
        self.world.herd.unreadable.add(node_id)
        known = self.world.herd.views.get(node_id)
        if known is not None and not isinstance(exc, UnknownSchemaError):
            # Rubbish over what we know: our next write mends it.
            known.launch_version = version

    def _charge(self, record: launch.Launch, *, made_s: float) -> None:
        """Charge a failed launch to the request whose need it was made for."""
        charged = record.on_account_of
        if charged is None or record.failed is None:
            return
        held, charges = self.world.queue.claims.get(charged), self.world.queue.charges
        if held is not None and made_s < held.made_s:
            return
        why = record.why or record.failed
        if charges.add(charged, record.id, why, label=record.label, made_s=made_s):
            self.world.agenda.requests.add(charged)

    def _claim(self, request_id: RequestId, change: Put | Dirty | Gone, now_s: float) -> None:
        claims = self.world.queue.claims
        if isinstance(change, Dirty) or (isinstance(change, Put) and change.stored is None):
            return
        try:
            if isinstance(change, Put) and change.stored is not None:
                self._claim_put(request_id, change.stored, now_s)
            else:
                claims.pop(request_id, None)
                self.world.queue.charges.forget(request_id)
        finally:
            self.world.agenda.requests.add(request_id)
            view = self.world.queue.views.get(request_id)
            if view is not None:
                self.world.touch_request(view)
                self._balance_changed(view.request.labels)

    def _claim_put(self, request_id: RequestId, stored: Stored[bytes], now_s: float) -> None:
        claims = self.world.queue.claims
        known, directory = claims.get(request_id), paths.request_lock(request_id)
        same = known is not None and known.made_s == stored.created_s
        self.world.queue.charges.begin(request_id, stored.created_s)
        try:
            record = claim.decode_claim(request_id, stored.value, directory=directory)
        except CorruptRecordError:
            if known is None or not same:
                claims[request_id] = unreadable_claim(stored, now_s)
            else:
                # Unreadable, but we know what was there: our next write replaces it.
                known.version = stored.version
            raise
        claims[request_id] = ClaimView(
            pool=record.pool,
            owner=record.owner,
            contender=record.contender,
            version=stored.version,
            made_s=stored.created_s,
            since_s=known.since_s if known is not None and same else now_s,
        )

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
            if name != self.world.policy.provider:
                self._status(name, stored)
        elif parent == paths.POOL_COMPONENTS:
            self.world.agenda.everything = True
            self._pool(change.path, stored)

    def _pool(self, path: str, stored: Stored[bytes] | None) -> None:
        neighbours = self.world.neighbours
        neighbours.pools.pop(path, None)
        neighbours.broken_pools.pop(path, None)
        if stored is None or not stored.owner:
            return  # what goes with nobody's session tells of nobody
        neighbours.broken_pools[path] = stored.owner
        neighbours.pools[path] = component.decode_pool(path, stored.value)
        del neighbours.broken_pools[path]

    def _status(self, provider: str, stored: Stored[bytes] | None) -> None:
        # What cannot be read any more must not stand for what was told long ago.
        known, told = self.world.neighbours.statuses.pop(provider, None), None
        try:
            if stored is not None and stored.value:
                told = status.decode_status(provider, stored.value)
                self.world.neighbours.statuses[provider] = told
        finally:
            if told != known:
                self.world.agenda.supply = True

    def _replica(self, provider: str, replica: ReplicaId, stored: Stored[bytes] | None) -> None:
        living = self.world.neighbours.replicas.setdefault(provider, {})
        if provider == self.world.policy.provider:
            self.world.doubt_status()
        self.world.agenda.everything = True
        if not lives(stored):
            living.pop(replica, None)
            if not living and provider != self.world.policy.provider:
                self.world.rescues.add(provider)
            return
        self.world.rescues.discard(provider)
        living[replica] = component.unreadable_replica(replica)
        living[replica] = component.decode_replica(replica, stored.value)

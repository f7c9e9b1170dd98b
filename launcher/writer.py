"""The writing hand: turns actions into transactions and sends them without waiting."""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field

from launcher.actions import Action
from launcher.claim import writes as claim_writes
from launcher.claim.actions import Claim
from launcher.node import writes as node_writes
from launcher.node.actions import Grow, Intent
from launcher.node.birth import NewNode, born, takes_host_key
from launcher.node.events import IdsDrawn
from launcher.node.view import NodeView
from launcher.provider import writes as provider_writes
from launcher.request import writes as request_writes
from launcher.request.actions import Allocate
from launcher.world import World
from remuda.frame.sender import Sender
from remuda.membership.tree import whatever
from remuda.model.failedrequest import KEPT_MAX
from remuda.model.ids import NODE_ID_BLOCK, NodeId, RequestId, node_ids_of_block
from remuda.model.launch import INJECT
from remuda.runtime.now import Now
from remuda.ssh.hostkeys import HostKey, make_host_key
from remuda.store import paths
from remuda.store.api import Done, Op, StoreError

#: More ids are drawn when fewer than this are left: enough for the largest plan.
IDS_LOW = 250
IDS_BLOCKS = 3
#: Host keys that are made ahead: enough for what comes at once, most of the time.
SPARE_KEYS = 16


@dataclass(slots=True)
class Writer:
    """Sends transactions; their outcome comes back as ``Written`` through the inbox.

    Attributes:
        mine: Ids of our nodes, shared with the mirror of the nodes (see ``launcher.node.fold``).
        host_keys: Private halves of the host keys of machines that were not asked for yet. They
            live here only, never in ZooKeeper.
    """

    sender: Sender[Action]
    world: World
    mine: set[NodeId]
    host_keys: dict[NodeId, HostKey] = field(default_factory=dict)
    _ids: list[NodeId] = field(default_factory=list)
    _spare_keys: list[HostKey] = field(default_factory=list)
    _drawing: bool = False
    _failed: deque[str] = field(default_factory=deque)

    def send(self, action: Action, ops: Sequence[Op], nodes: Sequence[NodeId] = ()) -> None:
        """Commit *ops*; the event names *action* and the *nodes* that it made.

        That nodes were handed out is no reason to wake the brain: what follows is for nobody who
        waits, and would take the processor from those who carry the news to the requestor.
        """
        self.sender.send(action, ops, made=nodes, wakes=not isinstance(action, Allocate))

    def has_ids(self, action: Action) -> bool:
        """Whether there are ids for the nodes of *action*; if not, more are on their way."""
        count = len(action.intents) if isinstance(action, Claim | Grow) else 0
        self.refill(count)
        return count <= len(self._ids)

    def refill(self, needed: int = 0) -> None:
        """Keep ids in stock, *needed* at least: one write to the counter gives a hundred."""
        if self._drawing or len(self._ids) >= max(IDS_LOW, needed):
            return
        self._drawing = True

        def done(result: tuple[Done, ...] | StoreError) -> None:
            self.sender.ground.inbox.event(IdsDrawn(result=result))

        blocks = max(IDS_BLOCKS, -(-needed // NODE_ID_BLOCK))
        self.sender.ground.store.commit_later(provider_writes.draw_ids(blocks), done)

    def drawn(self, result: tuple[Done, ...] | StoreError) -> None:
        """Take in the blocks that were drawn."""
        self._drawing = False
        if isinstance(result, StoreError):
            return
        for one in result:
            self._ids.extend(reversed(node_ids_of_block(one.version)))

    def make_keys(self) -> None:
        """Keep host keys in stock, made while nobody waits for them."""
        if len(self._spare_keys) == SPARE_KEYS:
            return  # every turn ends here, and mostly at once
        if any(making.host_keys == INJECT for making in self.world.policy.making.values()):
            while len(self._spare_keys) < SPARE_KEYS:
                self._spare_keys.append(make_host_key())

    def forget_keys(self) -> None:
        """Drop the host keys of intents that were never written, as we know by now."""
        if not self.world.growing:
            known = self.world.nodes.views
            for one in self.host_keys.keys() - known.keys():
                del self.host_keys[one]

    def claim(self, action: Claim, now: Now) -> None:
        """Take a request and write its intents."""
        view = self.world.queue.views[action.request]
        new = self._new_nodes(action.intents, now)
        ops = claim_writes.claim(
            self.world,
            view,
            action.pool,
            new,
            pending=request_writes.pending(view, now_s=now.wall_s),
            contender=self.contender(action.request),
            ledger_version=self._ledger(),
        )
        self._send_growth(action, ops, new)

    def grow(self, action: Grow, now: Now) -> None:
        """Write intents."""
        new = self._new_nodes(action.intents, now)
        ops = node_writes.grow(self.world, new, ledger_version=self._ledger())
        self._send_growth(action, ops, new)

    def _ledger(self) -> int:
        # Transactions are carried out in the order they are sent, so each of a burst may name
        # the version that the one before it will leave.
        return self.world.ledger_version + self.world.growing

    def _send_growth(self, action: Action, ops: Sequence[Op], new: Sequence[NewNode]) -> None:
        self.send(action, ops, [one.launch.id for one in new])
        self.world.growing += 1  # what could not be sent brings no answer

    def _new_nodes(self, intents: Sequence[Intent], now: Now) -> list[NewNode]:
        return [self._new_node(intent, now) for intent in intents]

    def _new_node(self, intent: Intent, now: Now) -> NewNode:
        node_id = self._ids.pop()
        public = None
        if takes_host_key(self.world.policy, (intent.pool, intent.label)):
            key = self._spare_keys.pop() if self._spare_keys else make_host_key()
            self.host_keys[node_id] = key
            public = key.public
        self.mine.add(node_id)
        self.world.fresh.add(node_id)
        return born(
            self.world.policy,
            intent,
            node_id=node_id,
            owner=self.world.peers.me,
            host_key=public,
            launcher=self.world.pool_ids.get(intent.pool),
            now=now,
        )

    def contender(self, request_id: RequestId) -> str:
        """Return the path of our contender for the lock of a request that has none yet."""
        directory = paths.request_lock(request_id)
        return claim_writes.first_contender(directory, self.world.stem)

    def keep_failed(self, result: tuple[Done, ...] | StoreError) -> None:
        """Note the record of a failed request, if one was written, and remove the oldest of many.

        However fast requests fail, between two rounds of tidying there are not many more.
        """
        folder = f"{paths.FAILED_REQUESTS}/"
        written = () if isinstance(result, StoreError) else result
        self._failed.extend(one.path for one in written if one.path.startswith(folder))
        while len(self._failed) > KEPT_MAX:
            self.sender.ground.store.commit_later(
                provider_writes.forget(self._failed.popleft()), whatever
            )

    def adopt(self, view: NodeView) -> Sequence[Op]:
        """Return the operations that make a launch ours."""
        assert view.launch is not None  # noqa: S101 - only known launches are adopted
        return node_writes.advance(self.world, view, node_writes.adopted(self.world, view.launch))

"""The writing hand: turns actions into transactions and sends them without waiting."""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field

from launcher import transactions
from launcher.actions import (
    Action,
    AdoptClaim,
    Claim,
    DropClaim,
    Grow,
    Intent,
    Lend,
    Publish,
    Rule,
)
from launcher.events import IdsDrawn
from launcher.node.birth import NewNode, born, takes_host_key
from launcher.views import NodeView
from launcher.world import World
from remuda.frame.sender import Sender
from remuda.membership.tree import whatever
from remuda.model.failedrequest import KEPT_MAX
from remuda.model.ids import NODE_ID_BLOCK, NodeId, node_ids_of_block
from remuda.model.status import Verdict, encode_verdict
from remuda.runtime.now import Now
from remuda.ssh.hostkeys import HostKey, make_host_key
from remuda.store import paths
from remuda.store.api import Create, Delete, Done, Op, Set, StoreError

#: More ids are drawn when fewer than this are left: enough for the largest plan.
IDS_LOW = 250
IDS_BLOCKS = 3
#: Host keys that are made ahead: enough for what comes at once, most of the time.
SPARE_KEYS = 16


@dataclass(slots=True)
class Writer:
    """Sends transactions; their outcome comes back as ``Written`` through the inbox.

    Attributes:
        mine: Ids of our nodes, shared with the mirror of the nodes (see ``launcher.fold``).
        host_keys: Private halves of the host keys of machines that were not asked for yet. They
            live here only, never in ZooKeeper; whoever gives the orders reads them.
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
        self.sender.send(action, ops, made=nodes, wakes=not isinstance(action, Lend))

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
        draw = Set(path=paths.NODE_COUNTER, data=b"", version=-1)

        def done(result: tuple[Done, ...] | StoreError) -> None:
            self.sender.ground.inbox.event(IdsDrawn(result=result))

        blocks = max(IDS_BLOCKS, -(-needed // NODE_ID_BLOCK))
        self.sender.ground.store.commit_later([draw] * blocks, done)

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
        policy = self.world.policy
        if any(takes_host_key(policy, key) for key in policy.making):
            while len(self._spare_keys) < SPARE_KEYS:
                self._spare_keys.append(make_host_key())

    def forget_keys(self) -> None:
        """Drop the host keys of intents that were never written, as we know by now."""
        if not self.world.growing:
            known = self.world.herd.views
            for one in self.host_keys.keys() - known.keys():
                del self.host_keys[one]

    def claim(self, action: Claim, now: Now) -> None:
        """Take a request and write its intents."""
        view = self.world.queue.views[action.request]
        new = self._new_nodes(action.intents, now)
        ops = transactions.claim(
            self.world,
            view,
            action.pool,
            new,
            contender=self._contender(action),
            ledger_version=self._ledger(),
            now_s=now.wall_s,
        )
        self._send_growth(action, ops, new)

    def grow(self, action: Grow, now: Now) -> None:
        """Write intents."""
        new = self._new_nodes(action.intents, now)
        ops = transactions.grow(self.world, new, ledger_version=self._ledger())
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
            owner=self.world.neighbours.me,
            host_key=public,
            launcher=self.world.pool_ids.get(intent.pool),
            now=now,
        )

    def _contender(self, action: Claim | AdoptClaim) -> str:
        directory = paths.request_lock(action.request)
        return transactions.first_contender(directory, self.world.stem)

    def adopt_claim(self, action: AdoptClaim) -> None:
        """Take over a claim."""
        view = self.world.queue.views[action.request]
        ops = transactions.adopt_claim(self.world, view, contender=self._contender(action))
        self.send(action, ops)

    def drop_claim(self, action: DropClaim) -> None:
        """Forget a claim; its lock, if it is still there, goes with it.

        Whether the lock still exists depends on a session that may be gone; a rejected attempt
        tells (see ClaimView).
        """
        held = self.world.queue.claims[action.request]
        ops: list[Op] = []
        if not held.contender_gone:
            ops.append(Delete(path=held.contender))
        if not held.directory_gone:
            ops.append(Delete(path=paths.request_lock(action.request)))
        record = paths.claim(self.world.policy.provider, action.request)
        self.send(action, [*ops, Delete(path=record, version=held.version)])

    def publish(self, action: Publish) -> None:
        """Write our status."""
        path = paths.status(self.world.policy.provider)
        self.send(action, [Set(path=path, data=action.status, version=-1)])

    def keep_failed(self, result: tuple[Done, ...] | StoreError) -> None:
        """Note the record of a failed request, if one was written, and remove the oldest of many.

        However fast requests fail, between two rounds of tidying there are not many more.
        """
        folder = f"{paths.FAILED_REQUESTS}/"
        written = () if isinstance(result, StoreError) else result
        self._failed.extend(one.path for one in written if one.path.startswith(folder))
        while len(self._failed) > KEPT_MAX:
            self.sender.ground.store.commit_later([Delete(path=self._failed.popleft())], whatever)

    def rule(self, action: Rule) -> None:
        """Write or remove a verdict; last writer wins, for only one replica is on duty."""
        path = paths.verdict(self.world.policy.provider, action.request)
        self.send(action, [_verdict_op(self.world, action.verdict, action, path)])

    def adopt(self, view: NodeView) -> Sequence[Op]:
        """Return the operations that make a launch ours."""
        assert view.launch is not None  # noqa: S101 - only known launches are adopted
        return transactions.advance(self.world, view, transactions.adopted(self.world, view.launch))


def _verdict_op(world: World, verdict: Verdict | None, action: Rule, path: str) -> Op:
    if verdict is None:
        return Delete(path=path)
    if action.request in world.ruled:
        return Set(path=path, data=encode_verdict(verdict), version=-1)
    return Create(path=path, data=encode_verdict(verdict))

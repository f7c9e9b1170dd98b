"""Starting actions: mark what is busy, then give the work to the right hand."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from launcher import transactions
from launcher.actions import (
    Action,
    Address,
    Adopt,
    AdoptClaim,
    Advance,
    Autopsy,
    Bury,
    Claim,
    Condemn,
    Create,
    Decline,
    Delete,
    DeleteLeak,
    DropClaim,
    DropPermit,
    FindPorts,
    Free,
    Grow,
    Knock,
    Lend,
    ListServers,
    MakeReady,
    Normalise,
    Note,
    Prove,
    Publish,
    Release,
    Rescue,
    Rule,
    Survey,
    Tidy,
)
from launcher.decide.publishing import PUBLISH_PERIOD_S
from launcher.decide.rulings import gist
from launcher.decide.taken import TAKEN_PERIOD_S
from launcher.events import Event
from launcher.hands.clouding import CloudHands
from launcher.hands.rescuing import rescue
from launcher.hands.tidying import tidy
from launcher.hands.writing import Writer
from launcher.lanes import Lane, machine, node_of
from launcher.node.hands import NodeHands
from launcher.node.steps import failed_word
from launcher.ready import ready_node
from launcher.usage import stray_usage
from launcher.views import ADOPT, LEND_CLAIMED, NodeView, RequestView
from launcher.world import World
from remuda.cloud.api import Fence
from remuda.frame.crew import Crew
from remuda.frame.dispatch import Dispatch
from remuda.frame.work import word
from remuda.model.ids import RequestId
from remuda.model.imageask import proves
from remuda.runtime.now import Now
from remuda.store import paths
from remuda.store.api import Delete as DeleteRecord
from remuda.store.api import Op, Store


@dataclass(slots=True)
class Starter:
    """Starts actions; none of its methods waits."""

    world: World
    writer: Writer
    dispatch: Dispatch[Action, Lane]
    crew: Crew[Action, Event, Lane]
    store: Store
    cloud: CloudHands
    nodes: NodeHands
    _starters: dict[type, Callable[[Any, Now], None]] = field(init=False)

    def __post_init__(self) -> None:
        """Make the table of starters: every kind of action has one."""
        self._starters = {
            Lend: self._lend,
            Claim: self._claim,
            Grow: self._grow,
            Decline: self._decline,
            Release: self._release,
            Normalise: self._normalise,
            DropClaim: self._claim_action,
            AdoptClaim: self._claim_action,
            Adopt: self._adopt,
            Create: self._submit,
            Advance: self._advance,
            Note: self._note,
            Address: self._submit,
            Prove: self._submit,
            Knock: self._submit,
            MakeReady: self._make_ready,
            Free: self._free,
            Condemn: self._condemn,
            Autopsy: self._submit,
            Delete: self._submit,
            Bury: self._bury,
            DeleteLeak: self._delete_leak,
            DropPermit: self._drop_permit,
            ListServers: self._submit,
            FindPorts: self._submit,
            Survey: self._survey,
            Rescue: self._rescue,
            Publish: self._publish,
            Tidy: self._tidy,
            Rule: self._rule,
        }

    def start(self, action: Action, now: Now) -> None:
        """Start one action, or let its node wait for a place in the action's lane."""
        begin, node = self._starters[type(action)], node_of(action)
        waited_s = self.dispatch.start(action, lambda: begin(action, now), now.mono_s)
        if waited_s is None:
            return
        self.world.stories.begun(action, now)
        if node is not None:
            self.world.herd.views[node].waited_s += waited_s

    # Requests

    def _hold_request(self, request_id: RequestId, what: str) -> RequestView:
        view = self.world.queue.views[request_id]
        view.busy = what
        claim = self.world.queue.claims.get(request_id)
        if claim is not None:
            claim.busy = True
        return view

    def _lend(self, action: Lend, now: Now) -> None:
        view = self._hold_request(action.request, "lend")
        what = LEND_CLAIMED if action.request in self.world.queue.claims else "lend"
        chosen = [self.nodes.hold(node_id, what) for node_id in action.nodes]
        ops = transactions.lend(self.world, view, chosen, now_s=now.wall_s)
        self.writer.send(action, ops)
        self.world.lending[view.id] = view  # what could not be sent brings no answer

    def _claim(self, action: Claim, now: Now) -> None:
        if self.writer.has_ids(action):
            self._hold_request(action.request, "claim")
            self.writer.claim(action, now)

    def _grow(self, action: Grow, now: Now) -> None:
        if self.writer.has_ids(action):
            self.writer.grow(action, now)

    def _decline(self, action: Decline, now: Now) -> None:
        view = self._hold_request(action.request, "decline")
        ops = transactions.decline(self.world, view, action.cause, now_s=now.wall_s)
        self.writer.send(action, ops)

    def _release(self, action: Release, now: Now) -> None:
        view = self._hold_request(action.request, "release")
        self.writer.send(action, transactions.release(self.world, view, now_s=now.wall_s))

    def _normalise(self, action: Normalise, _now: Now) -> None:
        view = self._hold_request(action.request, "normalise")
        self.writer.send(action, transactions.normalise(view))

    def _claim_action(self, action: DropClaim | AdoptClaim, _now: Now) -> None:
        self.world.queue.claims[action.request].busy = True
        if isinstance(action, DropClaim):
            self.writer.drop_claim(action)
        else:
            self._hold_request(action.request, "adopt")
            self.writer.adopt_claim(action)

    def _rule(self, action: Rule, now: Now) -> None:
        self.writer.rule(action)
        if action.taken:
            self.world.rule_taken_s = now.mono_s + TAKEN_PERIOD_S
        if action.verdict is not None:
            self.world.ruled[action.request] = gist(action.verdict)
        else:
            self.world.ruled.pop(action.request, None)

    # Nodes

    def _write_node(
        self, action: Action, view: NodeView, ops: list[Op], what: str | None = None
    ) -> None:
        view.busy = what or word(action)
        self.world.busy.give_up(machine(view.id))  # a hand that hangs, if there is one
        self.world.herd.reindex(view)
        self.writer.send(action, ops)

    def _adopt(self, action: Adopt, _now: Now) -> None:
        view = self.world.herd.views[action.node]
        view.ip_untried = False  # by us; what its owner did meanwhile we cannot know
        self._write_node(action, view, list(self.writer.adopt(view)), ADOPT)

    def _advance(self, action: Advance, _now: Now) -> None:
        view = self.world.herd.views[action.node]
        ops = transactions.advance(self.world, view, action.launch)
        self._write_node(action, view, ops)

    def _note(self, action: Note, now: Now) -> None:
        view = self.world.herd.views[action.node]
        view.noted_s = now.mono_s
        self.writer.send(action, transactions.advance(self.world, view, action.launch))

    def _make_ready(self, action: MakeReady, now: Now) -> None:
        view = self.world.herd.views[action.node]
        node = ready_node(view, self.world.policy)
        ops = transactions.ready(self.world, view, node, now_s=now.wall_s)
        self._write_node(action, view, ops)

    def _free(self, action: Free, now: Now) -> None:
        view = self.world.herd.views[action.node]
        self._write_node(action, view, transactions.free(view, now_s=now.wall_s))

    def _condemn(self, action: Condemn, now: Now) -> None:
        view = self.world.herd.views[action.node]
        failed = failed_word(action)
        ops = transactions.condemn(self.world, view, action.cause, failed=failed, now_s=now.wall_s)
        self._write_node(action, view, ops)

    def _bury(self, action: Bury, _now: Now) -> None:
        view = self.world.herd.views[action.node]
        if action.server is not None:
            self.world.cloud.buried.append(action.server)
        self._write_node(action, view, transactions.bury(self.world, view))

    # Hands in threads

    def _submit(self, action: Action, now: Now) -> None:
        self.crew.submit(action, self.nodes.prepare(action, now))

    def _fence(self) -> Fence:
        return self.cloud.fence(self.world.policy.config.api_timeout)

    def _drop_permit(self, action: DropPermit, _now: Now) -> None:
        self.world.cloud.permit = None  # if it could not be dropped, the mirror tells
        path = paths.sweep_permit(self.world.policy.provider)
        self.writer.send(action, [DeleteRecord(path=path, version=action.version)])

    def _delete_leak(self, action: DeleteLeak, _now: Now) -> None:
        fence = self._fence()
        self.crew.submit(action, lambda: self.cloud.delete_leak(action, fence))

    def _survey(self, action: Survey, now: Now) -> None:
        policy, ours = self.world.policy, _in_cloud(self.world)
        needs = {
            key: self.world.images.needs(image, now.wall_s, candidate=proves(key[1]))
            for key, image in policy.built.items()
        }
        self.crew.submit(action, lambda: self.cloud.survey(policy, ours, needs, action.only))

    def _rescue(self, action: Rescue, _now: Now) -> None:
        self.world.rescues.discard(action.provider)
        clock, store, provider = self.cloud.clock, self.store, action.provider
        self.crew.submit(action, lambda: rescue(store, provider, now_s=clock.now_s()))

    def _tidy(self, action: Tidy, now: Now) -> None:
        view, policy = self.world.cloud, self.world.policy
        store, cloud, provider = self.store, self.cloud.cloud, policy.provider
        mine, buried = frozenset(self.world.herd.views), frozenset(view.buried)
        seen, pending = view.leftovers, self.world.queue.taken_elsewhere()
        fence = self.cloud.fence(None)
        ports = policy.config.port_cleanup_interval is not None
        floating_ips = policy.config.clean_floating_ips and self.world.may_have_floating_ips()
        self.crew.submit(
            action,
            lambda: tidy(
                store,
                cloud,
                provider,
                mine=mine,
                buried=buried,
                seen=seen,
                pending=pending,
                ports=ports,
                floating_ips=floating_ips,
                now_s=now.wall_s,
                fence=fence,
            ),
        )

    def _publish(self, action: Publish, now: Now) -> None:
        self.world.publish_due_s = now.mono_s + PUBLISH_PERIOD_S
        self.writer.publish(action)


def _in_cloud(world: World) -> tuple[int, int, int]:
    """Return instances, cores and RAM of ours that the cloud counts already."""
    instances = cores = ram_mib = 0
    for view in world.herd.views.values():
        if view.server_id is not None and view.launch is not None:
            instances += 1
            cores += view.launch.cores
            ram_mib += view.launch.ram_mib
    for one in stray_usage(world).values():
        instances, cores, ram_mib = (
            instances + one.instances,
            cores + one.cores,
            ram_mib + one.ram_mib,
        )
    return instances, cores, ram_mib

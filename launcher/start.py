"""Starting actions: mark what is busy, then give the work to the right hand."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from launcher.actions import Action
from launcher.claim.actions import AdoptClaim, Claim, DropClaim
from launcher.events import Event
from launcher.image.index import upload_of
from launcher.image.outdated import unbootable
from launcher.lanes import Lane, machine, node_of
from launcher.node import writes as node_writes
from launcher.node.actions import (
    Adopt,
    Advance,
    CollectEvidence,
    Condemn,
    Free,
    Grow,
    MakeReady,
    Note,
    Probe,
    Prove,
    RemoveRecords,
)
from launcher.node.blame import says_something
from launcher.node.deadlines import ask_ends_s, attempt_ends_s, launch_ends_s, mono_s
from launcher.node.doors import door
from launcher.node.hand_proving import ProvingHands
from launcher.node.ready import ready_node
from launcher.node.view import ADOPT, ALLOCATE_CLAIMED, EVIDENCE, PROBE, NodeView
from launcher.provider.actions import Publish, Rescue, Survey, Tidy
from launcher.provider.cloud import Recipe
from launcher.provider.hand_rescuing import rescue
from launcher.provider.hand_tidying import tidy
from launcher.provider.publishing import PUBLISH_PERIOD_S
from launcher.request import writes as request_writes
from launcher.request.actions import Allocate, Decline, Normalise, Release, WriteVerdict
from launcher.request.taken import TAKEN_PERIOD_S
from launcher.request.verdicts import gist
from launcher.request.view import RequestView
from launcher.server.actions import (
    Address,
    Create,
    Delete,
    DeleteLeak,
    DropPermit,
    FindPorts,
    ListServers,
)
from launcher.server.addressing import address
from launcher.server.hand_cloud import CloudHands
from launcher.server.specs import ServerSpecs
from launcher.server.usage import stray_usage
from launcher.world import World
from launcher.writer import Writer
from remuda.cloud.api import Fence
from remuda.frame.crew import Crew
from remuda.frame.dispatch import Dispatch
from remuda.frame.work import word
from remuda.model.ids import NodeId, RequestId
from remuda.model.imageask import proves
from remuda.model.launch import Launch
from remuda.runtime.now import Now
from remuda.store import paths
from remuda.store.api import Delete as DeleteRecord
from remuda.store.api import Op


@dataclass(slots=True)
class Starter:
    """Starts actions; none of its methods waits."""

    world: World
    writer: Writer
    dispatch: Dispatch[Action, Lane]
    crew: Crew[Action, Event, Lane]
    cloud: CloudHands
    proving: ProvingHands
    orders: ServerSpecs
    _starters: dict[type, Callable[[Any, Now], None]] = field(init=False)

    def __post_init__(self) -> None:
        """Make the table of starters: every kind of action has one."""
        self._starters = {
            Allocate: self._lend,
            Claim: self._claim,
            Grow: self._grow,
            Decline: self._decline,
            Release: self._release,
            Normalise: self._normalise,
            DropClaim: self._claim_action,
            AdoptClaim: self._claim_action,
            Adopt: self._adopt,
            Create: self._create,
            Advance: self._advance,
            Note: self._note,
            Address: self._address,
            Prove: self._prove,
            Probe: self._knock,
            MakeReady: self._make_ready,
            Free: self._free,
            Condemn: self._condemn,
            CollectEvidence: self._autopsy,
            Delete: self._delete,
            RemoveRecords: self._bury,
            DeleteLeak: self._delete_leak,
            DropPermit: self._drop_permit,
            ListServers: self._list,
            FindPorts: self._find_ports,
            Survey: self._survey,
            Rescue: self._rescue,
            Publish: self._publish,
            Tidy: self._tidy,
            WriteVerdict: self._rule,
        }

    def start(self, action: Action, now: Now) -> None:
        """Start one action, or let its node wait for a place in the action's lane."""
        begin, node = self._starters[type(action)], node_of(action)
        waited_s = self.dispatch.start(action, lambda: begin(action, now), now.mono_s)
        if waited_s is None:
            return
        self.world.stories.begun(action, now)
        if node is not None:
            self.world.nodes.views[node].waited_s += waited_s

    # Requests

    def _hold_request(self, request_id: RequestId, what: str) -> RequestView:
        view = self.world.queue.views[request_id]
        view.busy = what
        claim = self.world.queue.claims.get(request_id)
        if claim is not None:
            claim.busy = True
        return view

    def _lend(self, action: Allocate, now: Now) -> None:
        view = self._hold_request(action.request, "allocate")
        what = ALLOCATE_CLAIMED if action.request in self.world.queue.claims else "allocate"
        chosen = [self._hold_node(node_id, what) for node_id in action.nodes]
        ops = request_writes.allocate(self.world, view, chosen, now_s=now.wall_s)
        self.writer.send(action, ops)
        self.world.allocating[view.id] = view  # what could not be sent brings no answer

    def _claim(self, action: Claim, now: Now) -> None:
        if self.writer.has_ids(action):
            self._hold_request(action.request, "claim")
            self.writer.claim(action, now)

    def _grow(self, action: Grow, now: Now) -> None:
        if self.writer.has_ids(action):
            self.writer.grow(action, now)

    def _decline(self, action: Decline, now: Now) -> None:
        view = self._hold_request(action.request, "decline")
        ops = request_writes.decline(self.world, view, action.cause, now_s=now.wall_s)
        self.writer.send(action, ops)

    def _release(self, action: Release, now: Now) -> None:
        view = self._hold_request(action.request, "release")
        self.writer.send(action, request_writes.release(self.world, view, now_s=now.wall_s))

    def _normalise(self, action: Normalise, _now: Now) -> None:
        view = self._hold_request(action.request, "normalise")
        self.writer.send(action, request_writes.normalise(view))

    def _claim_action(self, action: DropClaim | AdoptClaim, _now: Now) -> None:
        self.world.queue.claims[action.request].busy = True
        if isinstance(action, DropClaim):
            self.writer.drop_claim(action)
        else:
            self._hold_request(action.request, "adopt")
            self.writer.adopt_claim(action)

    def _rule(self, action: WriteVerdict, now: Now) -> None:
        self.writer.rule(action)
        if action.taken:
            self.world.rule_taken_s = now.mono_s + TAKEN_PERIOD_S
        if action.verdict is not None:
            self.world.told_verdicts[action.request] = gist(action.verdict)
        else:
            self.world.told_verdicts.pop(action.request, None)

    # Nodes

    def _hold_node(self, node_id: NodeId, what: str) -> NodeView:
        view = self.world.nodes.views[node_id]
        view.busy = what
        self.world.nodes.reindex(view)
        return view

    def _write_node(
        self, action: Action, view: NodeView, ops: list[Op], what: str | None = None
    ) -> None:
        view.busy = what or word(action)
        self.world.busy.give_up(machine(view.id))  # a hand that hangs, if there is one
        self.world.nodes.reindex(view)
        self.writer.send(action, ops)

    def _adopt(self, action: Adopt, _now: Now) -> None:
        view = self.world.nodes.views[action.node]
        view.ip_untried = False  # by us; what its owner did meanwhile we cannot know
        self._write_node(action, view, list(self.writer.adopt(view)), ADOPT)

    def _advance(self, action: Advance, _now: Now) -> None:
        view = self.world.nodes.views[action.node]
        ops = node_writes.advance(self.world, view, action.launch)
        self._write_node(action, view, ops)

    def _note(self, action: Note, now: Now) -> None:
        view = self.world.nodes.views[action.node]
        view.noted_s = now.mono_s
        self.writer.send(action, node_writes.advance(self.world, view, action.launch))

    def _make_ready(self, action: MakeReady, now: Now) -> None:
        view = self.world.nodes.views[action.node]
        node = ready_node(view, self.world.policy)
        ops = node_writes.ready(self.world, view, node, now_s=now.wall_s)
        self._write_node(action, view, ops)

    def _free(self, action: Free, now: Now) -> None:
        view = self.world.nodes.views[action.node]
        self._write_node(action, view, node_writes.free(view, now_s=now.wall_s))

    def _condemn(self, action: Condemn, now: Now) -> None:
        view = self.world.nodes.views[action.node]
        failed = str(action.result) if says_something(action.result) else None
        ops = node_writes.condemn(self.world, view, action.cause, failed=failed, now_s=now.wall_s)
        self._write_node(action, view, ops)

    def _bury(self, action: RemoveRecords, _now: Now) -> None:
        view = self.world.nodes.views[action.node]
        if action.server is not None:
            self.world.cloud.ended_servers.append(action.server)
        self._write_node(action, view, node_writes.remove_records(self.world, view))

    # Hands in threads

    def _fence(self) -> Fence:
        return self.cloud.fence(self.world.policy.config.api_timeout)

    def _create(self, action: Create, now: Now) -> None:
        view = self._hold_node(action.node, "create")
        launch = view.launch
        assert launch is not None  # noqa: S101 - decided on a known launch
        view.create_sent = view.ip_untried = True
        recipe = self._recipe(view, launch)
        key = self.writer.host_keys.get(action.node)
        orders, world = self.orders, self.world
        fence = replace(
            self.cloud.fence(ask_ends_s(world, launch) - now.wall_s),
            besides=lambda: unbootable(world, launch),
        )
        self.crew.submit(
            action,
            lambda: self.cloud.create(launch, orders, recipe, key, fence=fence),
        )

    def _recipe(self, view: NodeView, launch: Launch) -> Recipe:
        upload_id, recipe = upload_of(launch), self.world.cloud.recipes[view.key]
        if upload_id is None:
            return recipe
        return replace(recipe, image=self.world.images.image(upload_id))

    def _delete(self, action: Delete, _now: Now) -> None:
        self._hold_node(action.node, "delete")
        fence = self._fence()
        self.crew.submit(action, lambda: self.cloud.delete(action, fence))

    def _drop_permit(self, action: DropPermit, _now: Now) -> None:
        self.world.cloud.permit = None  # if it could not be dropped, the mirror tells
        path = paths.sweep_permit(self.world.policy.provider)
        self.writer.send(action, [DeleteRecord(path=path, version=action.version)])

    def _delete_leak(self, action: DeleteLeak, _now: Now) -> None:
        fence = self._fence()
        self.crew.submit(action, lambda: self.cloud.delete_leak(action, fence))

    def _address(self, action: Address, _now: Now) -> None:
        self._hold_node(action.node, "address").ip_untried = False
        fence = self._fence()
        self.crew.submit(action, lambda: self.cloud.address(action, fence))

    def _prove(self, action: Prove, now: Now) -> None:
        view = self._hold_node(action.node, "prove")
        launch, where, orders = view.launch, address(view), self.orders
        assert launch is not None  # noqa: S101 - decided on a known launch
        assert where is not None  # noqa: S101 - decided on a known address
        until_s = mono_s(launch_ends_s(self.world, view, launch, now), now)
        login_by_s = mono_s(attempt_ends_s(self.world, view, launch, now), now)
        self.crew.submit(
            action,
            lambda: self.proving.prove(
                launch, orders, where, until_s=until_s, login_by_s=login_by_s
            ),
        )

    def _knock(self, action: Probe, now: Now) -> None:
        view, begun_s = self._hold_node(action.node, PROBE), now.mono_s
        view.wanted_by = action.request
        wanting = self.world.queue.views.get(action.request or RequestId(""))
        if wanting is not None:
            wanting.wanted_s = min(wanting.wanted_s, begun_s)
        where = door(view, self.world.policy)
        self.crew.submit(action, lambda: self.proving.probe(action.node, where, begun_s=begun_s))

    def _autopsy(self, action: CollectEvidence, _now: Now) -> None:
        view = self._hold_node(action.node, EVIDENCE)
        making = self.world.policy.making.get(view.key)
        console, provider = making is None or making.console_log, self.world.policy.provider
        self.crew.submit(
            action, lambda: self.cloud.collect_evidence(action, view, provider, console=console)
        )

    def _list(self, action: ListServers, _now: Now) -> None:
        self.crew.submit(action, lambda: self.cloud.list_servers(action.number))

    def _find_ports(self, action: FindPorts, _now: Now) -> None:
        self.crew.submit(action, lambda: self.cloud.find_ports(action))

    def _survey(self, action: Survey, now: Now) -> None:
        policy, ours = self.world.policy, _in_cloud(self.world)
        needs = {
            key: self.world.images.needs(image, now.wall_s, candidate=proves(key[1]))
            for key, image in policy.built.items()
        }
        self.crew.submit(action, lambda: self.cloud.survey(policy, ours, needs, action.only))

    def _rescue(self, action: Rescue, _now: Now) -> None:
        self.world.rescues.discard(action.provider)
        clock, store, provider = self.cloud.clock, self.cloud.store, action.provider
        self.crew.submit(action, lambda: rescue(store, provider, now_s=clock.now_s()))

    def _tidy(self, action: Tidy, now: Now) -> None:
        view, policy = self.world.cloud, self.world.policy
        store, cloud, provider = self.cloud.store, self.cloud.cloud, policy.provider
        mine, ended_servers = frozenset(self.world.nodes.views), frozenset(view.ended_servers)
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
                ended_servers=ended_servers,
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
    for view in world.nodes.views.values():
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

"""Giving work on nodes to hands: what is marked in the world before, and the call itself.

The call is made by a thread of the launcher's crew, or at once by ``remuda cloud check --boot``.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from launcher.actions import (
    Action,
    Address,
    Autopsy,
    Create,
    Delete,
    FindPorts,
    Knock,
    ListServers,
    Prove,
)
from launcher.cloudview import Recipe
from launcher.decide.addressing import address
from launcher.decide.deadlines import ask_ends_s, attempt_ends_s, launch_ends_s, mono_s
from launcher.decide.doors import door
from launcher.decide.outdated import unbootable
from launcher.events import Event
from launcher.hands.clouding import CloudHands
from launcher.hands.proving import ProvingHands
from launcher.images import upload_of
from launcher.orders import ServerOrders
from launcher.views import AUTOPSY, KNOCK, NodeView
from launcher.world import World
from remuda.frame.fence import TimeFence
from remuda.model.ids import NodeId, RequestId
from remuda.model.launch import Launch
from remuda.runtime.now import Now
from remuda.ssh.hostkeys import HostKey

#: What a hand does; it returns the event of its action.
Work = Callable[[], Event]


@dataclass(slots=True, kw_only=True)
class NodeHands:
    """Prepares what is done with the machines of nodes, in the cloud and over SSH.

    Attributes:
        host_keys: Private halves of the host keys of machines that were not asked for yet.
    """

    world: World
    cloud: CloudHands
    proving: ProvingHands
    orders: ServerOrders
    host_keys: Mapping[NodeId, HostKey]
    _makers: dict[type, Callable[[Any, Now], Work]] = field(init=False)

    def __post_init__(self) -> None:
        """Make the table of what prepares each kind of action."""
        self._makers = {
            Create: self._create,
            Address: self._address,
            Prove: self._prove,
            Knock: self._knock,
            Autopsy: self._autopsy,
            Delete: self._delete,
            ListServers: lambda action, _now: lambda: self.cloud.list_servers(action.number),
            FindPorts: lambda action, _now: lambda: self.cloud.find_ports(action),
        }

    def prepare(self, action: Action, now: Now) -> Work:
        """Mark what *action* keeps busy, and return the call that carries it out."""
        return self._makers[type(action)](action, now)

    def hold(self, node_id: NodeId, what: str) -> NodeView:
        """Note what is done to a node: nothing else may start meanwhile."""
        view = self.world.herd.views[node_id]
        view.busy = what
        self.world.herd.reindex(view)
        return view

    def _fence(self) -> TimeFence:
        return self.cloud.fence(self.world.policy.config.api_timeout)

    def _create(self, action: Create, now: Now) -> Work:
        view = self.hold(action.node, "create")
        launch = view.launch
        assert launch is not None  # noqa: S101 - decided on a known launch
        view.create_sent = view.ip_untried = True
        recipe = self._recipe(view, launch)
        key = self.host_keys.get(action.node)
        orders, world = self.orders, self.world
        fence = replace(
            self.cloud.fence(ask_ends_s(world, launch) - now.wall_s),
            besides=lambda: unbootable(world, launch),
        )
        return lambda: self.cloud.create(launch, orders, recipe, key, fence=fence)

    def _recipe(self, view: NodeView, launch: Launch) -> Recipe:
        upload_id, recipe = upload_of(launch), self.world.cloud.recipes[view.key]
        if upload_id is None:
            return recipe
        return replace(recipe, image=self.world.images.image(upload_id))

    def _delete(self, action: Delete, _now: Now) -> Work:
        self.hold(action.node, "delete")
        fence = self._fence()
        return lambda: self.cloud.delete(action, fence)

    def _address(self, action: Address, _now: Now) -> Work:
        self.hold(action.node, "address").ip_untried = False
        fence = self._fence()
        return lambda: self.cloud.address(action, fence)

    def _prove(self, action: Prove, now: Now) -> Work:
        view = self.hold(action.node, "prove")
        launch, where, orders = view.launch, address(view), self.orders
        assert launch is not None  # noqa: S101 - decided on a known launch
        assert where is not None  # noqa: S101 - decided on a known address
        until_s = mono_s(launch_ends_s(self.world, view, launch, now), now)
        login_by_s = mono_s(attempt_ends_s(self.world, view, launch, now), now)
        return lambda: self.proving.prove(
            launch, orders, where, until_s=until_s, login_by_s=login_by_s
        )

    def _knock(self, action: Knock, now: Now) -> Work:
        view, begun_s = self.hold(action.node, KNOCK), now.mono_s
        view.wanted_by = action.request
        wanting = self.world.queue.views.get(action.request or RequestId(""))
        if wanting is not None:
            wanting.wanted_s = min(wanting.wanted_s, begun_s)
        where = door(view, self.world.policy)
        return lambda: self.proving.knock(action.node, where, begun_s=begun_s)

    def _autopsy(self, action: Autopsy, _now: Now) -> Work:
        view = self.hold(action.node, AUTOPSY)
        making = self.world.policy.making.get(view.key)
        console = making is None or making.console_log
        return lambda: self.cloud.autopsy(action, view, console=console)

"""Starting actions on servers: mark what is busy, then give the work to the hand of the cloud."""

from dataclasses import dataclass, replace

from launcher.actions import Action
from launcher.events import Event
from launcher.image.index import upload_of
from launcher.image.outdated import unbootable
from launcher.lanes import Lane
from launcher.node.deadlines import ask_ends_s
from launcher.node.start import hold_node
from launcher.node.view import NodeView
from launcher.provider.cloud import Recipe
from launcher.server import writes as server_writes
from launcher.server.actions import (
    Address,
    Create,
    Delete,
    DeleteLeak,
    DropPermit,
    FindPorts,
    ListServers,
)
from launcher.server.hand_cloud import CloudHands
from launcher.server.specs import ServerSpecs
from launcher.world import World
from launcher.writer import Writer
from remuda.cloud.api import Fence
from remuda.frame.crew import Crew
from remuda.frame.work import ByKind
from remuda.model.launch import Launch
from remuda.runtime.now import Now


@dataclass(slots=True)
class ServerStarts:
    """ByKind actions on servers; none of its methods waits."""

    world: World
    writer: Writer
    workers: Crew[Action, Event, Lane]
    cloud: CloudHands

    def table(self) -> ByKind:
        """Return what starts each kind of action."""
        return {
            Create: self._create,
            Delete: self._delete,
            Address: self._address,
            DeleteLeak: self._delete_leak,
            DropPermit: self._drop_permit,
            ListServers: self._list,
            FindPorts: self._find_ports,
        }

    def _create(self, action: Create, now: Now) -> None:
        view = hold_node(self.world, action.node, "create")
        launch = view.launch
        assert launch is not None  # noqa: S101 - decided on a known launch
        view.server.send_create()
        view.address = replace(view.address, untried=True)
        recipe = self._recipe(view, launch)
        key = self.writer.host_keys.get(action.node)
        specs, world = ServerSpecs(policy=self.world.policy, owner=self.cloud.owner), self.world
        fence = replace(
            self.cloud.fence(ask_ends_s(world, launch) - now.wall_s),
            besides=lambda: unbootable(world, launch),
        )
        self.workers.submit(
            action,
            lambda: self.cloud.create(launch, specs, recipe, key, fence=fence),
        )

    def _recipe(self, view: NodeView, launch: Launch) -> Recipe:
        upload_id, recipe = upload_of(launch), self.world.cloud.recipes[view.key]
        if upload_id is None:
            return recipe
        return replace(recipe, image=self.world.images.image(upload_id))

    def _delete(self, action: Delete, _now: Now) -> None:
        hold_node(self.world, action.node, "delete")
        fence = self._fence()
        self.workers.submit(action, lambda: self.cloud.delete(action, fence))

    def _drop_permit(self, action: DropPermit, _now: Now) -> None:
        self.world.cloud.permit = None  # if it could not be dropped, the mirror tells
        ops = server_writes.drop_permit(self.world.policy.provider, action.version)
        self.writer.send(action, ops)

    def _delete_leak(self, action: DeleteLeak, _now: Now) -> None:
        fence = self._fence()
        self.workers.submit(action, lambda: self.cloud.delete_leak(action, fence))

    def _address(self, action: Address, _now: Now) -> None:
        view = hold_node(self.world, action.node, "address")
        view.address = replace(view.address, untried=False)
        fence = self._fence()
        self.workers.submit(action, lambda: self.cloud.address(action, fence))

    def _list(self, action: ListServers, _now: Now) -> None:
        self.workers.submit(action, lambda: self.cloud.list_servers(action.number))

    def _find_ports(self, action: FindPorts, _now: Now) -> None:
        self.workers.submit(action, lambda: self.cloud.find_ports(action))

    def _fence(self) -> Fence:
        return self.cloud.fence(self.world.policy.config.api_timeout)

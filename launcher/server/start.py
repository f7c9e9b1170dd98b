"""Starting actions on servers: mark what is busy, then give the work to the hand of the cloud."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from launcher.events import Submit
from launcher.image.outdated import unbootable
from launcher.node.deadlines import ask_ends_s
from launcher.node.view import NodeView
from launcher.provider.cloud import Recipe
from launcher.server.actions import (
    Address,
    CreateServer,
    DeleteLeak,
    DeleteServer,
    FindPorts,
    ListServers,
)
from launcher.server.hand_cloud import CloudHands
from launcher.server.specs import ServerSpecs
from launcher.takehome.reopening import image_of
from launcher.world import World
from remuda.cloud.api import Fence
from remuda.frame.work import ByKind
from remuda.images.references import upload_of
from remuda.model.ids import NodeId
from remuda.model.launch import Launch
from remuda.runtime.now import Now
from remuda.ssh.hostkeys import HostKey


@dataclass(slots=True)
class ServerStarts:
    """Starts actions on servers; none of its methods waits."""

    world: World
    submit: Submit
    cloud: CloudHands
    host_keys: Mapping[NodeId, HostKey]

    def table(self) -> ByKind:
        """Return what starts each kind of action."""
        return {
            CreateServer: self._create,
            DeleteServer: self._delete,
            Address: self._address,
            DeleteLeak: self._delete_leak,
            ListServers: self._list,
            FindPorts: self._find_ports,
        }

    def _create(self, action: CreateServer, now: Now) -> None:
        view = self.world.nodes.views[action.node]
        launch = view.launch
        assert launch is not None  # noqa: S101 - decided on a known launch
        view.server.send_create()
        view.address = replace(view.address, untried=True)
        recipe = self._recipe(view, launch)
        key = self.host_keys.get(action.node)
        specs, world = ServerSpecs(policy=self.world.policy, owner=self.cloud.owner), self.world
        fence = replace(
            self.cloud.fence(ask_ends_s(world, launch) - now.wall_s),
            besides=lambda: unbootable(world, launch),
        )
        self.submit(
            action,
            lambda: self.cloud.create(launch, specs, recipe, key, fence=fence),
        )

    def _recipe(self, view: NodeView, launch: Launch) -> Recipe:
        upload_id, recipe = upload_of(launch), self.world.cloud.recipes[view.looked_up]
        opened = image_of(self.world, launch)
        if opened is not None:
            return replace(recipe, image=opened)
        if upload_id is None:
            return recipe
        return replace(recipe, image=self.world.images.image(upload_id))

    def _delete(self, action: DeleteServer, _now: Now) -> None:
        fence = self._fence()
        self.submit(action, lambda: self.cloud.delete(action, fence))

    def _delete_leak(self, action: DeleteLeak, _now: Now) -> None:
        fence = self._fence()
        self.submit(action, lambda: self.cloud.delete_leak(action, fence))

    def _address(self, action: Address, _now: Now) -> None:
        view = self.world.nodes.views[action.node]
        view.address = replace(view.address, untried=False)
        fence = self._fence()
        self.submit(action, lambda: self.cloud.address(action, fence))

    def _list(self, action: ListServers, _now: Now) -> None:
        self.submit(action, lambda: self.cloud.list_servers(action.number))

    def _find_ports(self, action: FindPorts, _now: Now) -> None:
        self.submit(action, lambda: self.cloud.find_ports(action))

    def _fence(self) -> Fence:
        return self.cloud.fence(self.world.policy.config.api_timeout)

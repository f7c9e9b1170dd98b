"""The cloud hands: one cloud call each, errors returned as events."""

from collections.abc import Mapping
from dataclasses import dataclass

from launcher.policy import Key, Policy
from launcher.provider.cloud import Recipe
from launcher.provider.events import Surveyed
from launcher.server.actions import Address, DeleteLeak, DeleteServer, FindPorts
from launcher.server.events import (
    Addressed,
    Created,
    Deleted,
    LeakDeleted,
    LeakSpared,
    Listed,
    PortsFound,
)
from launcher.server.hand_records import Records
from launcher.server.specs import ServerSpecs, look_up
from remuda.cloud.api import (
    BadOrderError,
    Cloud,
    CloudError,
    Fence,
    GoneError,
    Quota,
    Server,
    unfenced,
)
from remuda.cloud.sizes import NO_NEEDS, ImageNeeds
from remuda.frame.fence import Deadline, TimeFence
from remuda.model import tags
from remuda.model.ids import ServerId
from remuda.model.launch import Launch
from remuda.runtime.clock import Clock
from remuda.ssh.errors import KeyFileError
from remuda.ssh.hostkeys import HostKey
from remuda.ssh.userdata import UserDataError


@dataclass(slots=True)
class CloudHands:
    """What is done with the cloud; every method returns the event of one action."""

    cloud: Cloud
    clock: Clock
    owner: tags.Owner
    records: Records

    def fence(self, seconds: float | None) -> TimeFence:
        """Return what holds back a call that is decided now: it is made within so many seconds."""
        now_s, mono_s = self.clock.now_s(), self.clock.monotonic_s()
        until = None
        if seconds is not None:
            until = Deadline(wall_s=now_s + seconds, mono_s=mono_s + seconds)
        return self.records.fence(until)

    def create(
        self,
        launch: Launch,
        specs: ServerSpecs,
        recipe: Recipe,
        host_key: HostKey | None,
        *,
        fence: Fence = unfenced,
    ) -> Created:
        """Ask for the server of a planned node, unless *fence* has closed by then.

        The other arguments are those of :meth:`launcher.server.specs.ServerSpecs.server`.
        """
        begun_s = self.clock.monotonic_s()
        result: ServerId | CloudError
        try:
            order = specs.server(launch, recipe, host_key)
            result = self.cloud.create_server(order, fence=fence)
        except CloudError as exc:
            result = exc
        except (UserDataError, KeyFileError) as exc:
            result = BadOrderError(str(exc))
        return Created(node=launch.id, result=result, seconds=self.clock.monotonic_s() - begun_s)

    def list_servers(self, number: int) -> Listed:
        """List all servers once for all nodes."""
        begun_s, begun_wall_s = self.clock.monotonic_s(), self.clock.now_s()
        result: tuple[Server, ...] | CloudError
        try:
            result = self.cloud.list_servers()
        except CloudError as exc:
            result = exc
        return Listed(number=number, result=result, begun_s=begun_s, begun_wall_s=begun_wall_s)

    def find_ports(self, action: FindPorts) -> PortsFound:
        """Look for ports once for all nodes that need one."""
        begun_s = self.clock.monotonic_s()
        try:
            return PortsFound(result=self.cloud.find_ports(action.servers), begun_s=begun_s)
        except CloudError as exc:
            return PortsFound(result=exc, begun_s=begun_s)

    def delete(self, action: DeleteServer, fence: Fence = unfenced) -> Deleted:
        """Ask for the deletion of a dying node's server, once its floating IP is gone.

        A server that only the record names is looked at first: the cloud says whose it is.
        """
        node, server, released = action.node, action.server, False
        try:
            whose = node if action.confirmed else self._whose(server)
            if whose not in (node, None):
                return Deleted(node=node, server=server, error=None, mistaken=True)
            if action.floating_ip or action.hinted_ip or action.search:
                self.cloud.remove_floating_ips(
                    server, known=action.floating_ip, hint=action.hinted_ip, fence=fence
                )
            released = True
            if whose is not None:
                self.cloud.delete_server(server, fence=fence)
        except CloudError as exc:
            return Deleted(node=node, server=server, error=exc, released=released)
        return Deleted(node=node, server=server, error=None, released=released)

    def _whose(self, server: ServerId) -> str | None:
        """Return the node of ours that the server was made for, or "" for others; None: gone."""
        try:
            return tags.owned_node(self.cloud.get_server(server).tags, self.owner) or ""
        except GoneError:
            return None
        except BadOrderError:
            return ""

    def delete_leak(self, action: DeleteLeak, fence: Fence = unfenced) -> LeakDeleted | LeakSpared:
        """Ask for the deletion of a server without a record, if there is none to this day.

        What we have seen of ZooKeeper may be old by any length of time, so it is asked anew, after
        the listing that showed the server and right before the call.
        """
        if action.node is not None and (why := self.records.spared(action.node)) is not None:
            return LeakSpared(server=action.server, why=why)
        try:
            if action.search:
                self.cloud.remove_floating_ips(action.server, fence=fence)
            self.cloud.delete_server(action.server, fence=fence)
        except CloudError as exc:
            return LeakDeleted(server=action.server, error=exc)
        return LeakDeleted(server=action.server, error=None)

    def address(self, action: Address, fence: Fence = unfenced) -> Addressed:
        """Give the server a floating IP."""
        try:
            made = self.cloud.add_floating_ip(action.port, untried=action.untried, fence=fence)
        except CloudError as exc:
            return Addressed(node=action.node, result=exc)
        return Addressed(node=action.node, result=made)

    def survey(
        self,
        policy: Policy,
        ours: tuple[int, int, int],
        needs: Mapping[Key, ImageNeeds],
        only: frozenset[Key] | None = None,
    ) -> Surveyed:
        """Look up what can be made, and the quota.

        Args:
            policy: Of which labels.
            ours: What we use, see ``CloudView.quota_ours``.
            needs: What the images of ours need, by pool and label.
            only: Look up nothing but these; None: all, and the quota.
        """
        recipes: dict[Key, Recipe] = {}
        broken: dict[Key, str] = {}
        begun_s = self.clock.monotonic_s()
        try:
            for key, making in {**policy.making, **policy.plain}.items():
                if only is not None and key not in only:
                    continue
                try:
                    recipes[key] = look_up(self.cloud, making, needs.get(key, NO_NEEDS))
                except BadOrderError as exc:
                    broken[key] = str(exc)
        except CloudError as exc:
            return Surveyed(begun_s=begun_s, error=exc, policy=policy, only=only)
        quota, quota_why = (None, None) if only is not None else self._quota()
        return Surveyed(
            begun_s=begun_s,
            recipes=recipes,
            broken=broken,
            quota=quota,
            quota_why=quota_why,
            ours=ours,
            policy=policy,
            only=only,
        )

    def _quota(self) -> tuple[Quota | None, str | None]:
        """Return the account's quota, or why it is not known: machines can be made without it."""
        try:
            return self.cloud.quota(), None
        except CloudError as exc:
            return None, str(exc)

"""Starting what is done for the provider as a whole."""

from dataclasses import dataclass

from launcher.events import Submit
from launcher.provider import writes as provider_writes
from launcher.provider.actions import DropPermit, Publish, Rescue, Survey, Tidy
from launcher.provider.hand_rescuing import rescue
from launcher.provider.hand_tidying import tidy
from launcher.provider.publishing import PUBLISH_PERIOD_S
from launcher.server.hand_cloud import CloudHands
from launcher.server.usage import stray_usage
from launcher.world import World
from launcher.writer import Writer
from remuda.frame.work import ByKind
from remuda.model.imageask import proves
from remuda.runtime.now import Now
from remuda.store.api import Store


@dataclass(slots=True)
class ProviderStarts:
    """Starts what is done for the provider as a whole; none of its methods waits."""

    world: World
    writer: Writer
    submit: Submit
    cloud: CloudHands
    store: Store

    def table(self) -> ByKind:
        """Return what starts each kind of action."""
        return {
            Survey: self._survey,
            Rescue: self._rescue,
            Tidy: self._tidy,
            Publish: self._publish,
            DropPermit: self._drop_permit,
        }

    def _survey(self, action: Survey, now: Now) -> None:
        policy, ours = self.world.policy, _in_cloud(self.world)
        needs = {
            key: self.world.images.needs(image, now.wall_s, candidate=proves(key[1]))
            for key, image in policy.built.items()
        } | {
            key: self.world.images.needs(making.image.built, now.wall_s)
            for key, making in policy.plain.items()
            if making.image.built is not None
        }
        self.submit(action, lambda: self.cloud.survey(policy, ours, needs, action.only))

    def _rescue(self, action: Rescue, _now: Now) -> None:
        self.world.rescues.discard(action.provider)
        clock, store, provider = self.cloud.clock, self.store, action.provider
        self.submit(action, lambda: rescue(store, provider, now_s=clock.now_s()))

    def _tidy(self, action: Tidy, now: Now) -> None:
        view, policy = self.world.cloud, self.world.policy
        store, cloud, provider = self.store, self.cloud.cloud, policy.provider
        mine, ended_servers = frozenset(self.world.nodes.views), frozenset(view.ended_servers)
        seen, pending = view.leftovers, self.world.queue.taken_elsewhere()
        fence = self.cloud.fence(None)
        ports = policy.config.port_cleanup_interval is not None
        floating_ips = policy.config.clean_floating_ips and self.world.may_have_floating_ips()
        self.submit(
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

    def _drop_permit(self, action: DropPermit, _now: Now) -> None:
        self.world.cloud.permit = None  # if it could not be dropped, the mirror tells
        ops = provider_writes.drop_permit(self.world.policy.provider, action.version)
        self.writer.send(action, ops)

    def _publish(self, action: Publish, now: Now) -> None:
        self.world.publish_due_s = now.mono_s + PUBLISH_PERIOD_S
        self.writer.send(action, provider_writes.publish(self.world.policy.provider, action.status))


def _in_cloud(world: World) -> tuple[int, int, int]:
    """Return instances, cores and RAM of ours that the cloud counts already."""
    instances = cores = ram_mib = 0
    for view in world.nodes.views.values():
        if view.server.id is not None and view.launch is not None:
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

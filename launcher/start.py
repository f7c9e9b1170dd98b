"""Starting actions: what may begin now is given to its noun, which knows the hand for it."""

from dataclasses import dataclass, field

from launcher.actions import Action, node_of
from launcher.claim.start import ClaimStarts
from launcher.events import Event
from launcher.lanes import Lane
from launcher.node.hand_proving import ProvingHands
from launcher.node.start import NodeStarts
from launcher.provider.start import ProviderStarts
from launcher.request.start import RequestStarts
from launcher.server.hand_cloud import CloudHands
from launcher.server.start import ServerStarts
from launcher.world import World
from launcher.writer import Writer
from remuda.frame.crew import Crew
from remuda.frame.dispatch import Dispatch
from remuda.frame.work import ByKind
from remuda.runtime.now import Now


@dataclass(slots=True)
class Starter:
    """ByKind actions; none of its methods waits."""

    world: World
    writer: Writer
    dispatch: Dispatch[Action, Lane]
    workers: Crew[Action, Event, Lane]
    cloud: CloudHands
    proving: ProvingHands
    table: ByKind = field(init=False)

    def __post_init__(self) -> None:
        """Gather what starts each kind of action: every kind has one."""
        world, writer, workers, cloud = self.world, self.writer, self.workers, self.cloud
        self.table = {
            **RequestStarts(world, writer).table(),
            **ClaimStarts(world, writer).table(),
            **NodeStarts(world, writer, workers, cloud, self.proving).table(),
            **ServerStarts(world, writer, workers, cloud).table(),
            **ProviderStarts(world, writer, workers, cloud).table(),
        }

    def start(self, action: Action, now: Now) -> None:
        """Start one action, or let its node wait for a place in the action's lane."""
        begin, node = self.table[type(action)], node_of(action)
        waited_s = self.dispatch.start(action, lambda: begin(action, now), now.mono_s)
        if waited_s is None:
            return
        self.world.stories.begun(action, now)
        if node is not None:
            self.world.nodes.views[node].patience.waited_s += waited_s

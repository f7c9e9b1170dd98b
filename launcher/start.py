"""Starting actions: what may begin now is given to its noun, which knows the hand for it."""

from dataclasses import dataclass, field

from launcher.actions import Action, node_of
from launcher.capsule.hand_gather import GatherHands
from launcher.capsule.hand_store import StoreHands
from launcher.capsule.start import CapsuleStarts
from launcher.capture.start import CaptureStarts
from launcher.claim.start import ClaimStarts
from launcher.events import Event
from launcher.guest.hand_guest import GuestHands
from launcher.guest.start import GuestStarts
from launcher.hold.hand_look import LookHands
from launcher.hold.start import HoldStarts
from launcher.hostkey.hand_change import HostKeyHands
from launcher.hostkey.start import HostKeyStarts
from launcher.image.start import ImageStarts
from launcher.lanes import Lane
from launcher.node.hand_proving import ProvingHands
from launcher.node.start import NodeStarts
from launcher.node.start_hands import HandStarts
from launcher.provider.start import ProviderStarts
from launcher.request.start import RequestStarts
from launcher.server.hand_cloud import CloudHands
from launcher.server.start import ServerStarts
from launcher.takehome.start import TakeHomeStarts
from launcher.world import World
from launcher.writer import Writer
from remuda.frame.dispatch import Dispatch
from remuda.frame.work import ByKind
from remuda.frame.workers import Workers
from remuda.runtime.now import Now
from remuda.store.api import Store


@dataclass(slots=True)
class Starter:
    """Starts actions; none of its methods waits."""

    world: World
    writer: Writer
    dispatch: Dispatch[Action, Lane]
    workers: Workers[Action, Event, Lane]
    store: Store
    cloud: CloudHands
    proving: ProvingHands
    stores: StoreHands
    table: ByKind = field(init=False)

    def __post_init__(self) -> None:
        """Gather what starts each kind of action: every kind has one."""
        world, writer, submit = self.world, self.writer, self.workers.submit
        self.table = {
            **RequestStarts(world, writer).table(),
            **ClaimStarts(world, writer).table(),
            **NodeStarts(world, writer).table(),
            **HandStarts(world, submit, self.cloud, self.proving).table(),
            **CaptureStarts(world, writer).table(),
            **GuestStarts(world, writer, submit, self._guests()).table(),
            **HostKeyStarts(world, writer, submit, self._host_keys()).table(),
            **CapsuleStarts(world, submit, self._gathering(), self.stores).table(),
            **TakeHomeStarts(world, writer).table(),
            **HoldStarts(world, writer, submit, self._looks()).table(),
            **ImageStarts(world, writer).table(),
            **ServerStarts(world, submit, self.cloud, writer.host_keys).table(),
            **ProviderStarts(world, writer, submit, self.cloud, self.store).table(),
        }

    def _guests(self) -> GuestHands:
        proving = self.proving
        return GuestHands(proving.prover, proving.stopped, proving.clock)

    def _host_keys(self) -> HostKeyHands:
        proving = self.proving
        return HostKeyHands(proving.prover, proving.stopped, proving.clock)

    def _gathering(self) -> GatherHands:
        return GatherHands(self.cloud, self.proving.prover, self.proving.stopped)

    def _looks(self) -> LookHands:
        proving = self.proving
        return LookHands(proving.prover, proving.stopped, proving.clock)

    def start(self, action: Action, now: Now) -> None:
        """Start one action, or let its node wait for a place in the action's lane."""
        begin, node = self.table[type(action)], node_of(action)
        waited_s = self.dispatch.start(action, lambda: begin(action, now), now.mono_s)
        if waited_s is None:
            return
        self.world.stories.begun(action, now)
        if node is not None:
            self.world.nodes.views[node].patience.waited_s += waited_s

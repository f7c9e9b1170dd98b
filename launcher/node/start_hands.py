"""Starting what is done to nodes over SSH, and to keep evidence of them."""

from dataclasses import dataclass

from launcher.capsule.hand_gather import GatherHands
from launcher.capsule.start import GatherStarts
from launcher.events import Submit
from launcher.node.actions import (
    Probe,
    Prove,
)
from launcher.node.deadlines import attempt_ends_s, launch_ends_s, mono_s
from launcher.node.hand_proving import ProvingHands
from launcher.node.probing import probe_target
from launcher.server.addressing import address
from launcher.server.hand_cloud import CloudHands
from launcher.server.specs import ServerSpecs
from launcher.world import World
from remuda.frame.work import ByKind
from remuda.model.ids import RequestId
from remuda.runtime.now import Now


@dataclass(slots=True)
class HandStarts:
    """Starts what hands do to nodes, but for their servers; none of its methods waits.

    Attributes:
        submit: Has the work of an action done, in a thread of its lane or at once.
    """

    world: World
    submit: Submit
    cloud: CloudHands
    proving: ProvingHands

    def table(self) -> ByKind:
        """Return what starts each kind of action."""
        return {
            Prove: self._prove,
            Probe: self._probe,
            **GatherStarts(self.world, self.submit, self._gathering()).table(),
        }

    def _gathering(self) -> GatherHands:
        return GatherHands(self.cloud, self.proving.prover, self.proving.stopped)

    def _prove(self, action: Prove, now: Now) -> None:
        view = self.world.nodes.views[action.node]
        launch, where = view.launch, address(view)
        specs = ServerSpecs(policy=self.world.policy, owner=self.cloud.owner)
        assert launch is not None  # noqa: S101 - decided on a known launch
        assert where is not None  # noqa: S101 - decided on a known address
        until_s = mono_s(launch_ends_s(self.world, view, launch, now), now)
        login_by_s = mono_s(attempt_ends_s(self.world, view, launch, now), now)
        self.submit(
            action,
            lambda: self.proving.prove(
                launch, specs, where, until_s=until_s, login_by_s=login_by_s
            ),
        )

    def _probe(self, action: Probe, now: Now) -> None:
        view, begun_s = self.world.nodes.views[action.node], now.mono_s
        view.look.wanted_by = action.request
        wanting = self.world.queue.views.get(action.request or RequestId(""))
        if wanting is not None:
            wanting.wanted_s = min(wanting.wanted_s, begun_s)
        where = probe_target(view, self.world.policy)
        self.submit(action, lambda: self.proving.probe(action.node, where, begun_s=begun_s))

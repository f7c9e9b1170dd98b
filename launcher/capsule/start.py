"""Starting what gathers, stores and tells capsules."""

from dataclasses import dataclass

from launcher.capsule.actions import StoreCapsule, TellCapsule
from launcher.capsule.describing import describe
from launcher.capsule.gathering import gather_order
from launcher.capsule.hand_gather import GatherHands, new_mark
from launcher.capsule.hand_store import StoreHands
from launcher.events import Submit
from launcher.node.actions import CollectEvidence
from launcher.node.view import AnsweredWish, NodeView
from launcher.world import World
from remuda.frame.work import ByKind
from remuda.model.capsule import ASKED, CapsuleKind
from remuda.runtime.now import Now


@dataclass(slots=True)
class GatherStarts:
    """Starts the gathering of evidence; none of its methods waits."""

    world: World
    submit: Submit
    hands: GatherHands

    def table(self) -> ByKind:
        """Return what starts each kind of action."""
        return {CollectEvidence: self._collect}

    def _collect(self, action: CollectEvidence, now: Now) -> None:
        world, view = self.world, self.world.nodes.views[action.node]
        found = describe(world, view, now, kind=action.kind, result=action.result, why=action.cause)
        order = gather_order(world.policy, view, action.kind, new_mark())
        policy = world.policy.capsules
        whole = policy.folder is not None or policy.swift is not None
        asked = self.hands
        seen = console_allowed(world, view)
        self.submit(action, lambda: asked.collect(action, found, order, console=seen, whole=whole))


@dataclass(slots=True)
class CapsuleStarts:
    """Starts the storing and telling of capsules; none of its methods waits."""

    world: World
    submit: Submit
    hands: GatherHands
    stores: StoreHands

    def table(self) -> ByKind:
        """Return what starts each kind of action."""
        return {StoreCapsule: self._store, TellCapsule: self._tell}

    def _store(self, action: StoreCapsule, _now: Now) -> None:
        self.world.capsules.pop(action.node, None)
        self.submit(action, lambda: self.stores.store(action))

    def _tell(self, action: TellCapsule, now: Now) -> None:
        view = self.world.nodes.views[action.node]
        view.told = AnsweredWish(token=action.token, at_s=now.mono_s)
        why = f"its launch is {view.launch.step if view.launch else 'unknown'}"
        found = describe(self.world, view, now, kind=CapsuleKind.ASKED, result=ASKED, why=why)
        seen = console_allowed(self.world, view)
        self.submit(action, lambda: self.hands.tell(action, found, console=seen))


def console_allowed(world: World, view: NodeView) -> bool:
    """Whether a console may be asked for: the machine is surely ours, and its label lets us."""
    making = world.policy.making.get(view.key)
    return view.server.surely_ours and (making is None or making.console_log)

"""What becomes of capsules; no I/O."""

from dataclasses import dataclass, replace

from launcher.capsule.actions import TellCapsule
from launcher.capsule.events import CapsuleStored, CapsuleTold
from launcher.capsule.storing import tried
from launcher.node.view import UNANSWERED
from launcher.world import World
from remuda.frame.work import ByKind
from remuda.metrics.sink import Metrics
from remuda.model.capsule import Kept
from remuda.runtime.log import Log
from remuda.runtime.now import Now


@dataclass(slots=True)
class CapsuleResults:
    """Takes in what becomes of capsules."""

    world: World
    log: Log
    metrics: Metrics

    def events(self) -> ByKind:
        """Return what takes in each kind of event."""
        return {CapsuleStored: self._stored, CapsuleTold: self._told}

    def crashes(self) -> ByKind:
        """Return what each kind of action that a bug of ours interrupted held, to be freed."""
        return {TellCapsule: self._tell_crashed}

    def _stored(self, event: CapsuleStored, now: Now) -> None:
        again = tried(event.capsule, event.tries, now)
        if again is not None:
            self.world.capsules.setdefault(event.node, again)
            self.world.alarms.set("supply", f"capsule {event.node}", again.due_s)
        for one in event.asked:
            if one.why is None:
                self._count(event, one)
                self.log.info("capsule.stored", node=event.node, store=one.store)
            elif again is not None:
                wait_s = again.due_s - now.mono_s
                self.log.info(
                    "capsule.waits", node=event.node, store=one.store, why=one.why, wait_s=wait_s
                )
            else:
                self._count(event, one)
                self.log.warning(
                    "capsule.not-stored",
                    node=event.node,
                    store=one.store,
                    why=one.why,
                    tries=event.tries,
                )

    def _count(self, event: CapsuleStored, kept: Kept) -> None:
        self.metrics.count_capsule(
            self.world.policy.provider,
            str(event.capsule.kind),
            kept.store,
            size_bytes=None if kept.why is not None else kept.size_bytes,
        )

    def _told(self, event: CapsuleTold, _now: Now) -> None:
        self.log.info("capsule.told", node=event.node)

    def _tell_crashed(self, action: TellCapsule, now: Now) -> None:
        """Forget that it was answered: whoever waits may get it yet, after a moment."""
        view = self.world.nodes.views.get(action.node)
        if view is not None:
            view.told = replace(UNANSWERED, at_s=now.mono_s)
            self.world.touch_node(view)

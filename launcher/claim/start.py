"""Starting actions on claims: mark what is busy, then send the transaction."""

from dataclasses import dataclass

from launcher.claim import writes as claim_writes
from launcher.claim.actions import AdoptClaim, Claim, DropClaim
from launcher.world import World
from launcher.writer import Writer
from remuda.frame.work import ByKind
from remuda.runtime.now import Now


@dataclass(slots=True)
class ClaimStarts:
    """Starts actions on claims; none of its methods waits."""

    world: World
    writer: Writer

    def table(self) -> ByKind:
        """Return what starts each kind of action."""
        return {
            Claim: self._claim,
            DropClaim: self._drop,
            AdoptClaim: self._adopt,
        }

    def _claim(self, action: Claim, now: Now) -> bool:
        ready = self.writer.has_ids(action)
        if ready:
            self.writer.claim(action, now)
        return ready

    def _drop(self, action: DropClaim, _now: Now) -> None:
        held = self.world.queue.claims[action.request]
        ops = claim_writes.drop(self.world.policy.provider, action.request, held)
        self.writer.send(action, ops)

    def _adopt(self, action: AdoptClaim, _now: Now) -> None:
        view = self.world.queue.views[action.request]
        contender = self.writer.contender(action.request)
        ops = claim_writes.adopt_claim(self.world, view, contender=contender)
        self.writer.send(action, ops)

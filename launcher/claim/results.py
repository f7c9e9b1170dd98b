"""What becomes of actions on claims: the answers to their transactions; no I/O."""

from collections.abc import Callable
from dataclasses import dataclass

from launcher.actions import Action
from launcher.claim.actions import AdoptClaim, Claim, DropClaim
from launcher.claim.view import ClaimView, learn_contender, learn_lock
from launcher.node.results import grown
from launcher.request.results import RequestResults
from launcher.retries import LOCKED_RETRY_S
from launcher.world import World
from launcher.writer import Writer
from remuda.frame.work import Answers, ByKind, Written
from remuda.model.ids import RequestId
from remuda.runtime.log import Log
from remuda.runtime.now import Now
from remuda.store.api import StoreError


@dataclass(slots=True)
class ClaimResults:
    """Takes in the answers to transactions on claims."""

    world: World
    writer: Writer
    requests: RequestResults
    log: Log

    def answers(self) -> Answers:
        """Return what takes in the answer to the transaction of each kind of action."""
        return {
            Claim: self._claimed,
            AdoptClaim: self._adopted,
            DropClaim: self._dropped,
        }

    def crashes(self) -> ByKind:
        """Return what each kind of action that a bug of ours interrupted held, to be freed."""
        return {
            Claim: self.requests.crashed,
            AdoptClaim: self.requests.crashed,
            DropClaim: self.requests.crashed,
        }

    def _claimed(self, action: Claim, event: Written[Action], now: Now) -> None:
        grown(self.world, self.writer, event)
        view = self.requests.written(action.request, event, now)
        if view is None:
            return
        nodes = len(event.made) or None
        self.log.info("request.claimed", request=view.id, cause=action.cause, nodes=nodes)
        view.lock_exists = True
        self.world.touch_request(view)

    def _adopted(self, action: AdoptClaim, event: Written[Action], now: Now) -> None:
        self._written(action.request, event, now, learn_contender)

    def _dropped(self, action: DropClaim, event: Written[Action], now: Now) -> None:
        self._written(action.request, event, now, learn_lock)

    def _written(
        self,
        request_id: RequestId,
        event: Written[Action],
        now: Now,
        learn: Callable[[ClaimView, StoreError], bool],
    ) -> None:
        claim = self.world.queue.claims.get(request_id)
        view = self.world.queue.views.get(request_id)
        if claim is not None and isinstance(event.result, StoreError):
            learnt = learn(claim, event.result)
            claim.retry_s = now.mono_s + (0.0 if learnt else LOCKED_RETRY_S)
            self.world.alarms.set("request", request_id, claim.retry_s)
        if view is not None:
            if isinstance(event.result, StoreError):
                self.requests.rejected(view, event.result, now)
            self.world.touch_request(view)

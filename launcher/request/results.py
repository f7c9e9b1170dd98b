"""What becomes of actions on requests: the answers to their transactions; no I/O."""

from dataclasses import dataclass
from typing import Any, Final

from launcher.actions import Action
from launcher.claim.view import learn_contender
from launcher.image.using import remember_served
from launcher.request.actions import Allocate, Decline, Normalise, Release, WriteVerdict
from launcher.request.verdicts import gist
from launcher.request.view import RequestView
from launcher.retries import CRASH_RETRY_S, pause_s
from launcher.world import World
from launcher.writer import Writer
from remuda.frame.work import Answers, ByKind, Written
from remuda.metrics.sink import Metrics
from remuda.model.ids import RequestId
from remuda.runtime.log import Log
from remuda.runtime.now import Now
from remuda.store import paths
from remuda.store.api import (
    ExistsError,
    MissingError,
    NotEmptyError,
    NotPermittedError,
    RejectedError,
    StoreError,
)

#: A request that we gave back is left to the others for so long.
RELEASED_S: Final = 2.0
#: Rejected writes to a request that are tried again at once, before we become patient.
TRIES_AT_ONCE: Final = 3


@dataclass(slots=True)
class RequestResults:
    """Takes in the answers to transactions on requests."""

    world: World
    writer: Writer
    log: Log
    metrics: Metrics

    def answers(self) -> Answers:
        """Return what takes in the answer to the transaction of each kind of action."""
        return {
            Allocate: self._allocated,
            Decline: self._declined,
            Release: self._released,
            Normalise: self._normalised,
            WriteVerdict: self._verdict_written,
        }

    def crashes(self) -> ByKind:
        """Return what each kind of action that a bug of ours interrupted held, to be freed."""
        return {
            Allocate: self._allocation_crashed,
            Decline: self.crashed,
            Release: self.crashed,
            Normalise: self.crashed,
            WriteVerdict: self._verdict_crashed,
        }

    def _allocated(self, action: Allocate, event: Written[Action], now: Now) -> None:
        self._tell_fulfilled(action, event, now)
        view = self.written(action.request, event, now)
        if view is not None:
            view.lock_exists = False
            self.world.touch_request(view)

    def _declined(self, action: Decline, event: Written[Action], now: Now) -> None:
        view = self.written(action.request, event, now)
        if view is None:
            return
        self.log.info("request.declined", request=view.id, cause=action.cause, nodes=None)
        view.lock_exists = False
        for pool in self.world.policy.pools_for(view.request.labels):
            self.metrics.count_declined(self.world.policy.provider, pool.name)
        self.world.touch_request(view)

    def _released(self, action: Release, event: Written[Action], now: Now) -> None:
        view = self.written(action.request, event, now)
        if view is None:
            return
        self.log.info("request.released", request=view.id, cause=action.cause, nodes=None)
        view.lock_exists = False
        # Others first: we have had our chance.
        view.retry_s, view.wanted_s = now.mono_s + RELEASED_S, float("inf")
        view.returned_s = now.mono_s
        self.world.alarms.set("request", view.id, view.retry_s)
        self.world.touch_request(view)

    def _normalised(self, action: Normalise, event: Written[Action], now: Now) -> None:
        view = self.written(action.request, event, now)
        if view is None:
            return
        self.log.info("request.normalised", request=view.id, cause=None, nodes=None)
        view.lock_exists = False
        self.world.touch_request(view)

    def written(
        self, request_id: RequestId, event: Written[Action], now: Now
    ) -> RequestView | None:
        """Return the view of a request if it is there and was written."""
        view, claim = (
            self.world.queue.views.get(request_id),
            self.world.queue.claims.get(request_id),
        )
        self.writer.keep_failed(event.result)
        if view is None:
            return None
        if isinstance(event.result, StoreError):
            if claim is not None:
                learn_contender(claim, event.result)
            self.rejected(view, event.result, now)
            self.world.touch_request(view)
            return None
        view.tries = 0
        return view

    def rejected(self, view: RequestView, error: StoreError, now: Now) -> None:
        """Note that a request was not written, and when it may be tried again."""
        self.metrics.count_lost_write(self.world.policy.provider, "request")
        lock = paths.request_lock(view.id)
        if isinstance(error, ExistsError) and error.path == lock:
            view.lock_exists = True
        elif isinstance(error, MissingError) and error.path == lock:
            view.lock_exists = False
        elif isinstance(error, NotPermittedError):
            # What was to be written after it in the same burst is rejected, too.
            view.retry_s = now.mono_s + pause_s(view.tries, error)
            view.tries += 1
        elif not isinstance(error, RejectedError):
            view.retry_s = now.mono_s + pause_s(view.tries, error)
        else:
            # Somebody holds the request's lock, for a moment only (Zuul revising its priority);
            # or somebody else wrote, and the mirror will tell: then the next try may come soon.
            if isinstance(error, NotEmptyError) or view.tries >= TRIES_AT_ONCE:
                view.retry_s = now.mono_s + pause_s(view.tries, error)
            view.tries += 1
        self.world.agenda.labels.update(view.request.labels)

    def _tell_fulfilled(self, action: Allocate, event: Written[Action], now: Now) -> None:
        """Tell when a request was fulfilled, and of what; it may have ended since."""
        view = self.world.allocating.pop(action.request, None)
        if view is None or isinstance(event.result, StoreError):
            return
        provider, ago_s = self.world.policy.provider, max(0.0, now.mono_s - event.answered_s)
        at = Now(wall_s=now.wall_s - ago_s, mono_s=now.mono_s - ago_s)
        nodes = (self.world.nodes.views.get(node_id) for node_id in action.nodes)
        remember_served(self.world, [one.key for one in nodes if one is not None], at)
        waited_s = at.mono_s - view.seen_s
        self.metrics.observe_handout(provider, waited_s)
        submitted_s = view.request.created_s
        for label in set(view.request.labels):
            since_s = waited_s if submitted_s is None else max(0.0, at.wall_s - submitted_s)
            self.metrics.observe_request_wait(provider, label, since_s)
        self.log.info(
            "request.fulfilled",
            request=view.id,
            nodes=",".join(action.nodes),
            seconds=round(waited_s, 4),
        )

    def _verdict_written(self, action: WriteVerdict, event: Written[Action], _now: Now) -> None:
        error = event.result if isinstance(event.result, StoreError) else None
        if isinstance(error, ExistsError):
            # A process before us wrote one: the next verdict replaces it.
            self.world.told_verdicts[action.request] = ""
            self.world.agenda.requests.add(action.request)
        elif action.verdict is None or (error is not None and not isinstance(error, RejectedError)):
            self.world.told_verdicts.pop(action.request, None)
        else:
            self.world.told_verdicts[action.request] = gist(action.verdict)

    def _allocation_crashed(self, action: Allocate, now: Now) -> None:
        self.crashed(action, now)

    def crashed(self, action: Any, now: Now) -> None:
        """Free the request and the claim that an action of any kind wrote to, after a pause."""
        claim = self.world.queue.claims.get(action.request)
        if claim is not None:
            claim.retry_s = now.mono_s + CRASH_RETRY_S
        view = self.world.queue.views.get(action.request)
        if view is not None:
            view.retry_s = now.mono_s + CRASH_RETRY_S
            self.world.touch_request(view)
            self.world.alarms.set("request", action.request, view.retry_s)

    def _verdict_crashed(self, action: WriteVerdict, _now: Now) -> None:
        """Free nothing: what another action does with the request goes on.

        The verdict counts as written, or it would crash again and again; the next one, in other
        words, is tried.
        """
        if action.verdict is None:
            self.world.told_verdicts.pop(action.request, None)
        else:
            self.world.told_verdicts[action.request] = gist(action.verdict)

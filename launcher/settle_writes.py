"""What results of transactions do to the world; no I/O.

A rejected transaction changed nothing, and neither did one that an access control list forbids: the
mirror brings the news, and the node or request is judged again. When the outcome is unknown (no
connection), the mirror settles that, too.
"""

from dataclasses import dataclass
from typing import Final

from launcher.actions import (
    Action,
    Adopt,
    AdoptClaim,
    Advance,
    Bury,
    Claim,
    Condemn,
    Decline,
    DropClaim,
    Free,
    Grow,
    Lend,
    MakeReady,
    Normalise,
    Note,
    Publish,
    Release,
    Rule,
)
from launcher.decide.rulings import gist
from launcher.events import IdsDrawn
from launcher.hands.writing import Writer
from launcher.node.written import NodeAction, NodeWritten
from launcher.views import ClaimView, NodeView, RequestView
from launcher.world import World
from remuda.frame.work import Written
from remuda.metrics.sink import Metrics
from remuda.model.ids import NodeId
from remuda.runtime.log import Log
from remuda.runtime.now import Now
from remuda.store import paths
from remuda.store.api import (
    NOTHING_WRITTEN,
    ExistsError,
    MissingError,
    NotEmptyError,
    NotPermittedError,
    RejectedError,
    StoreError,
)

#: When we do not know what happened, look again after this.
AWAY_RETRY_S: Final = 1.0
#: Whoever made the request has closed it to us, perhaps for ever: doubling.
CLOSED_RETRY_S: Final = 60.0
CLOSED_RETRY_MAX_S: Final = 300.0
#: Somebody holds a lock: try again after this, doubling.
LOCKED_RETRY_S: Final = 0.1
LOCKED_RETRY_MAX_S: Final = 5.0
#: A request that we gave back is left to the others for so long.
RELEASED_S: Final = 2.0
#: Rejected writes to a request that are tried again at once, before we become patient.
TRIES_AT_ONCE: Final = 3
#: Names of log events.
_WORDS: Final[dict[type, str]] = {
    Claim: "request.claimed",
    Decline: "request.declined",
    Release: "request.released",
    Normalise: "request.normalised",
}

RequestAction = Lend | Claim | Decline | Release | Normalise


@dataclass(slots=True)
class SettleWrites:
    """Takes in the results of transactions."""

    world: World
    writer: Writer
    nodes: NodeWritten
    log: Log
    metrics: Metrics

    def written(self, event: Written[Action], now: Now) -> None:
        """Take in the outcome of one transaction."""
        action, error = event.action, event.result
        if event.uprooted:
            self.writer.sender.tree.restore(error, now.mono_s)
        if isinstance(action, Lend):
            self._lent(action, event, now)
        if isinstance(action, Claim | Grow):
            self._grown(event)
        if isinstance(action, Lend | Claim | Decline | Release | Normalise):
            self._request_written(action, event, now)
        elif isinstance(action, Note):
            self._noted(action)
        elif isinstance(action, Adopt | Advance | Bury | Condemn | Free | MakeReady):
            self._node_written(action, event, now)
        elif isinstance(action, AdoptClaim | DropClaim):
            self._claim_written(action, event, now)
        elif isinstance(action, Publish):
            self._published(action, event)
        elif isinstance(action, Rule):
            self._ruled(action, event)

    def _grown(self, event: Written[Action]) -> None:
        self.world.growing -= 1
        self.world.agenda.supply = True
        if isinstance(event.result, NOTHING_WRITTEN):
            # If only the reply was lost, the mirror shows the records, and they are ours.
            for node_id in map(NodeId, event.made):
                self.writer.host_keys.pop(node_id, None)
                self.writer.mine.discard(node_id)
                self.world.fresh.discard(node_id)

    def _request_written(self, action: RequestAction, event: Written[Action], now: Now) -> None:
        view = self.world.queue.views.get(action.request)
        chosen = action.nodes if isinstance(action, Lend) else ()
        for node_id in chosen:
            self._unbusy(node_id)
        claim = self.world.queue.claims.get(action.request)
        if claim is not None:
            # The request may be gone by now; its claim is dropped then, unless it seems busy.
            claim.busy = False
            self.world.agenda.requests.add(action.request)
        self.writer.keep_failed(event.result)
        if view is None:
            return
        view.busy = None
        if isinstance(event.result, StoreError):
            if claim is not None:
                _learn_contender(claim, event.result)
            self._request_rejected(view, event.result, now)
            self.world.touch_request(view)
            return
        view.tries = 0
        if isinstance(action, Lend):
            view.lock_exists = False
        else:
            self.log.info(
                _WORDS[type(action)],
                request=view.id,
                cause=getattr(action, "cause", None),
                nodes=len(event.made) or None,
            )
            view.lock_exists = isinstance(action, Claim)
            if isinstance(action, Release):
                # Others first: we have had our chance.
                view.retry_s, view.wanted_s = now.mono_s + RELEASED_S, float("inf")
                view.returned_s = now.mono_s
                self.world.alarms.set("request", view.id, view.retry_s)
            if isinstance(action, Decline):
                for pool in self.world.policy.pools_for(view.request.labels):
                    self.metrics.count_declined(self.world.policy.provider, pool.name)
        self.world.touch_request(view)

    def _lent(self, action: Lend, event: Written[Action], now: Now) -> None:
        """Tell when a request was fulfilled; it may have ended since."""
        view = self.world.lending.pop(action.request, None)
        if view is None or isinstance(event.result, StoreError):
            return
        provider, ago_s = self.world.policy.provider, max(0.0, now.mono_s - event.answered_s)
        at = Now(wall_s=now.wall_s - ago_s, mono_s=now.mono_s - ago_s)
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

    def _request_rejected(self, view: RequestView, error: StoreError, now: Now) -> None:
        self.metrics.count_lost_write(self.world.policy.provider, "request")
        lock = paths.request_lock(view.id)
        if isinstance(error, ExistsError) and error.path == lock:
            view.lock_exists = True
        elif isinstance(error, MissingError) and error.path == lock:
            view.lock_exists = False
        elif isinstance(error, NotPermittedError):
            # What was to be written after it in the same burst is rejected, too.
            view.retry_s = now.mono_s + _pause_s(view, error)
            view.tries += 1
        elif not isinstance(error, RejectedError):
            view.retry_s = now.mono_s + _pause_s(view, error)
        else:
            # Somebody holds the request's lock, for a moment only (Zuul revising its priority);
            # or somebody else wrote, and the mirror will tell: then the next try may come soon.
            if isinstance(error, NotEmptyError) or view.tries >= TRIES_AT_ONCE:
                view.retry_s = now.mono_s + _pause_s(view, error)
            view.tries += 1
        self.world.agenda.labels.update(view.request.labels)

    def _node_written(self, action: NodeAction, event: Written[Action], now: Now) -> None:
        if isinstance(action, Bury) and not isinstance(event.result, StoreError):
            # The mirror has told already that the records are gone.
            self.log.info("node.gone", node=action.node, server=action.server)
        view = self.world.herd.views.get(action.node)
        if view is None:
            return
        view.busy = None
        if isinstance(event.result, StoreError):
            self._node_rejected(view, event.result, now)
        else:
            self.nodes.take(action, view, now)
        self.world.touch_node(view)

    def _published(self, action: Publish, event: Written[Action]) -> None:
        if not isinstance(event.result, StoreError):
            self.world.published = action.status
            self.world.outlined = action.outline

    def _noted(self, action: Note) -> None:
        """Go on judging; if it was not written, it is tried again after a moment."""
        view = self.world.herd.views.get(action.node)
        if view is not None:
            self.world.touch_node(view)

    def _node_rejected(self, view: NodeView, error: StoreError, now: Now) -> None:
        self.metrics.count_lost_write(self.world.policy.provider, "node")
        lock = paths.node_lock(view.id)
        if isinstance(error, ExistsError) and error.path == lock:
            view.lock_exists = True
        elif isinstance(error, MissingError) and error.path == lock:
            view.lock_exists = False
        else:
            view.retry_s = now.mono_s + _pause_s(view, error)
            view.tries += 1

    def _claim_written(
        self, action: AdoptClaim | DropClaim, event: Written[Action], now: Now
    ) -> None:
        claim = self.world.queue.claims.get(action.request)
        view = self.world.queue.views.get(action.request)
        if claim is not None:
            claim.busy = False
            if isinstance(event.result, StoreError):
                learn = _learn_lock if isinstance(action, DropClaim) else _learn_contender
                learnt = learn(claim, event.result)
                claim.retry_s = now.mono_s + (0.0 if learnt else LOCKED_RETRY_S)
                self.world.alarms.set("request", action.request, claim.retry_s)
        if view is not None:
            view.busy = None
            if isinstance(event.result, StoreError):
                self._request_rejected(view, event.result, now)
            self.world.touch_request(view)
        self.world.agenda.requests.add(action.request)

    def _ruled(self, action: Rule, event: Written[Action]) -> None:
        error = event.result if isinstance(event.result, StoreError) else None
        if isinstance(error, ExistsError):
            # A process before us wrote one: the next verdict replaces it.
            self.world.ruled[action.request] = ""
            self.world.agenda.requests.add(action.request)
        elif action.verdict is None or (error is not None and not isinstance(error, RejectedError)):
            self.world.ruled.pop(action.request, None)
        else:
            self.world.ruled[action.request] = gist(action.verdict)

    def ids_drawn(self, event: IdsDrawn, now: Now) -> None:  # noqa: ARG002 - one signature
        """Take in new node ids."""
        self.writer.drawn(event.result)
        self.world.agenda.supply = True

    def _unbusy(self, node_id: NodeId) -> None:
        view = self.world.herd.views.get(node_id)
        if view is not None:
            view.busy = None
            self.world.touch_node(view)


def _learn_contender(claim: ClaimView, error: StoreError) -> bool:
    """Note that somebody has removed our lock, if that is what an attempt to give it up tells."""
    if isinstance(error, MissingError) and error.path == claim.contender:
        claim.contender_gone = True
        return True
    return False


def _pause_s(view: NodeView | RequestView, error: StoreError) -> float:
    """Return for how long to leave a record alone after a write that did not happen."""
    if isinstance(error, NotPermittedError):
        return min(CLOSED_RETRY_MAX_S, CLOSED_RETRY_S * 2.0 ** min(view.tries, 10))
    if isinstance(error, RejectedError):
        return min(LOCKED_RETRY_MAX_S, LOCKED_RETRY_S * 2.0 ** min(view.tries + 1, 10))
    return AWAY_RETRY_S


def _learn_lock(claim: ClaimView, error: StoreError) -> bool:
    """Note what a rejected attempt to drop a claim tells of its lock, and say whether it did."""
    directory = claim.contender.rpartition("/")[0]
    if _learn_contender(claim, error):
        return True
    if isinstance(error, MissingError | NotEmptyError) and error.path == directory:
        claim.directory_gone = True
        return True
    return False

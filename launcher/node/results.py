"""What becomes of actions on nodes: what hands found, and the answers to transactions; no I/O."""

from collections.abc import MutableMapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Final

from launcher.actions import Action
from launcher.capsule.deserving import failure_of
from launcher.capsule.storing import WAITING_MAX
from launcher.capsule.view import WaitingCapsule
from launcher.node import stages
from launcher.node.actions import (
    Adopt,
    Advance,
    CollectEvidence,
    Condemn,
    Count,
    Free,
    Grow,
    MakeReady,
    Note,
    Probe,
    Prove,
    RemoveRecords,
    Sampled,
)
from launcher.node.blame import failed_step, says_something
from launcher.node.end import Refusal
from launcher.node.events import EvidenceCollected, IdsDrawn, Probed, Proved, ScriptBegun
from launcher.node.probing import PROBES_MAX, known
from launcher.node.view import NodeView
from launcher.provider.learning import learn_failure, learn_success
from launcher.retries import CRASH_RETRY_S, LEDGER_RETRY_S, PROVE_AGAIN_S, pause_s
from launcher.world import World
from launcher.writer import Writer
from remuda.frame.work import Answers, ByKind, Written
from remuda.metrics.results import Result
from remuda.metrics.sink import Metrics
from remuda.model.fetched import During
from remuda.model.ids import NodeId, RequestId
from remuda.model.image import first_use_id
from remuda.model.launch import Launch, Step
from remuda.model.tally import Sample
from remuda.runtime.log import Log
from remuda.runtime.now import Now
from remuda.ssh.api import Proof
from remuda.ssh.hostkeys import HostKey
from remuda.store import paths
from remuda.store.api import (
    NOTHING_WRITTEN,
    ExistsError,
    MissingError,
    StaleWriteError,
    StoreError,
)

_STEPS: Final = {step: f"node.{step}" for step in Step}


@dataclass(slots=True)
class IntentResults:
    """Takes in what becomes of intents."""

    world: World
    writer: Writer

    def events(self) -> ByKind:
        """Return what takes in each kind of event."""
        return {IdsDrawn: self._ids_drawn}

    def answers(self) -> Answers:
        """Return what takes in the answer to the transaction of each kind of action."""
        return {Grow: self._grown}

    def _ids_drawn(self, event: IdsDrawn, now: Now) -> None:  # noqa: ARG002 - one signature
        self.writer.drawn(event.result)
        self.world.agenda.supply = True

    def _grown(self, _action: Grow, event: Written[Action], _now: Now) -> None:
        grown(self.world, self.writer, event)


@dataclass(slots=True)
class NodeResults:
    """Takes in what becomes of actions on nodes.

    Attributes:
        host_keys: Private halves of the host keys of machines that were not asked for yet.
    """

    world: World
    host_keys: MutableMapping[NodeId, HostKey]
    log: Log
    metrics: Metrics

    def events(self) -> ByKind:
        """Return what takes in each kind of event."""
        return {
            ScriptBegun: partial(stages.script_begun, self.world),
            Proved: self._proved,
            Probed: self._probed,
            EvidenceCollected: self._evidence_collected,
        }

    def answers(self) -> Answers:
        """Return what takes in the answer to the transaction of each kind of action."""
        return {
            Adopt: self._adopted,
            Advance: self._advanced,
            Note: self._noted,
            MakeReady: self._made_ready,
            Free: self._freed,
            Count: self._counted,
            Condemn: self._condemned,
            RemoveRecords: self._removed,
        }

    def crashes(self) -> ByKind:
        """Return what each kind of action that a bug of ours interrupted held, to be freed."""
        on_nodes = (Adopt, Advance, Note, MakeReady, Free, Condemn, RemoveRecords)
        return {
            **dict.fromkeys((*on_nodes, Prove, Probe), partial(crashed, self.world)),
            Count: self._count_crashed,
            CollectEvidence: self._evidence_crashed,
        }

    def _proved(self, event: Proved, now: Now) -> None:
        view = self.world.nodes.views.get(event.node)
        if view is None or view.launch is None:
            return
        view.proof = view.proof.tried(event.proof, now.wall_s)
        stages.proved(view, event.proof, now)
        for step in event.proof.steps:
            self.metrics.observe_step(
                self.world.policy.provider, *view.key, str(step.step), step.seconds
            )
        if not event.proof.ok:
            self._not_proven(view, event.proof, now)
        self.world.touch_node(view)

    def _not_proven(self, view: NodeView, proof: Proof, now: Now) -> None:
        if proof.too_early or proof.stopped:
            view.patience.retry_s = now.mono_s + PROVE_AGAIN_S
            return
        result = None if proof.spoiled else failed_step(proof)
        refused = Refusal(result=result, cause=proof.why)
        view.end = replace(view.end, refused=refused)

    def _probed(self, event: Probed, now: Now) -> None:
        view = self.world.nodes.views.get(event.node)
        if view is None:
            return
        view.look.checked_s = event.begun_s
        view.look.suspect = event.why is not None
        if event.why is None:
            view.patience.tries = view.server.missed = 0
        else:
            view.patience.tries += known(view, self.world.policy)
            view.patience.retry_s = now.mono_s + PROVE_AGAIN_S
            if view.patience.tries >= PROBES_MAX:
                refused = Refusal(result=None, cause=f"no longer answers: {event.why}")
                view.end = replace(view.end, refused=refused)
                self._hand_over_failed(view)
        self.world.touch_node(view)

    def _hand_over_failed(self, view: NodeView) -> None:
        """Another machine has to be found, perhaps made: by then older looks are too old."""
        wanting = self.world.queue.views.get(view.look.wanted_by or RequestId(""))
        if wanting is not None:
            wanting.wanted_s = float("inf")

    def _evidence_collected(self, event: EvidenceCollected, now: Now) -> None:  # noqa: ARG002
        view = self.world.nodes.views.get(event.node)
        if event.capsule is not None:
            waiting = self.world.capsules
            waiting[event.node] = WaitingCapsule(capsule=event.capsule)
            if len(waiting) > WAITING_MAX:
                lost = next(iter(waiting))
                del waiting[lost]
                self.log.warning("capsule.dropped", node=lost, why="too many wait to be stored")
        if view is not None:
            view.end = view.end.without_evidence()
            self.world.touch_node(view)

    def _adopted(self, action: Adopt, event: Written[Action], now: Now) -> None:
        view = self.written(action.node, event, now)
        if view is None:
            return
        created_here = self.world.created_here(view.id)
        view.server.adopt(self.world.cloud.latest_listing(), created_here=created_here)
        self.log.info("node.adopted", node=view.id, step=view.launch and str(view.launch.step))
        self.world.touch_node(view)

    def _advanced(self, action: Advance, event: Written[Action], now: Now) -> None:
        view = self.written(action.node, event, now)
        if view is None:
            return
        if action.launch.step is Step.PROVING:
            stages.runs(self.world, view, now)
        self.log.info(_STEPS[action.launch.step], node=view.id, server=view.server.id)
        self.world.touch_node(view)

    def _noted(self, action: Note, _event: Written[Action], _now: Now) -> None:
        """Go on judging; if it was not written, it is tried again after a moment."""
        view = self.world.nodes.views.get(action.node)
        if view is not None:
            self.world.touch_node(view)

    def _made_ready(self, action: MakeReady, event: Written[Action], now: Now) -> None:
        view = self.written(action.node, event, now)
        if view is None:
            return
        learn_success(self.world, view, now)
        view.look.checked_s, view.patience.tries = now.mono_s, 0
        self._count_launch(view, Result.READY, now)
        self.log.info("node.ready", node=view.id, label=view.key[1], server=view.server.id)
        self.world.touch_node(view)

    def _freed(self, action: Free, event: Written[Action], now: Now) -> None:
        view = self.written(action.node, event, now)
        if view is None:
            return
        self.log.info("node.freed", node=view.id, cause=action.cause)
        self.world.touch_node(view)

    def _counted(self, action: Count, event: Written[Action], now: Now) -> None:
        for one in action.samples:
            view = self.written(one.node, event, now)
            if view is not None:
                view.patience.tries = 0
                self._tell_fetched(view, one)
                self._tell_report(view, one)
                self._tell_archived(view, one)
                self.world.touch_node(view)

    def _tell_fetched(self, view: NodeView, counted: Sampled) -> None:
        if view.launch is None or counted.fetched is None:
            return
        launch = view.launch
        image = self._image(view, launch)
        during = During.SETUP if counted.sample is Sample.LAUNCH else During.JOB
        self.metrics.observe_fetched(
            self.world.policy.provider, launch.label, image, during, counted.fetched
        )

    def _tell_report(self, view: NodeView, counted: Sampled) -> None:
        if view.launch is None or counted.report is None:
            return
        launch, report, shown = view.launch, counted.report, view.server.shown
        image = self._image(view, launch)
        self.metrics.count_report(self.world.policy.provider, launch.label, image, report)
        level = self.log.info if report.ok else self.log.warning
        level(
            "node.reported",
            node=view.id,
            label=launch.label,
            result=report.word,
            why=report.why,
            source=str(report.source),
            image=_build(launch) or None,
            host=None if shown is None else shown.host_id,
        )

    def _tell_archived(self, view: NodeView, counted: Sampled) -> None:
        if view.launch is None or counted.archived is None:
            return
        label, told = view.launch.label, counted.archived
        self.metrics.count_archive(self.world.policy.provider, label, told)
        level = self.log.info if told.complete else self.log.warning
        level("node.archived", node=view.id, label=label, result=told.outcome, **told.as_json())

    def _image(self, view: NodeView, launch: Launch) -> str:
        """Return what metrics tell of what a machine booted: an image of ours, or nothing."""
        if launch.first_use is None:
            return _build(launch).rpartition("/")[0]
        image = self.world.policy.built.get(view.key)  # None: under a configuration of before
        return "" if image is None else first_use_id(image)

    def _condemned(self, action: Condemn, event: Written[Action], now: Now) -> None:
        view = self.written(action.node, event, now)
        if view is not None:
            self._begin_deletion(view, action, now)
            self.world.touch_node(view)

    def _begin_deletion(self, view: NodeView, action: Condemn, now: Now) -> None:
        view.patience.begin_anew()
        view.end = view.end.begun(failure_of(self.world.policy, view, action, now))
        self.host_keys.pop(view.id, None)
        level = self.log.info if action.result is None else self.log.warning
        level("node.condemned", node=view.id, label=view.key[1], cause=action.cause)
        if action.result is None:
            return
        # That a create call had no answer was counted when it had none: not once more.
        if says_something(action.result) and not view.server.doubtful:
            learn_failure(self.world, view, action.cause, now)
        self._count_launch(view, action.result, now)

    def _removed(self, action: RemoveRecords, event: Written[Action], now: Now) -> None:
        if not isinstance(event.result, StoreError):
            # The mirror has told already that the records are gone.
            self.log.info("node.gone", node=action.node, server=action.server)
        view = self.written(action.node, event, now)
        if view is not None:
            self.world.touch_node(view)

    def written(self, node_id: NodeId, event: Written[Action], now: Now) -> NodeView | None:
        """Free a node; return its view if it is there and was written."""
        view = self.world.nodes.views.get(node_id)
        if view is None:
            return None
        if isinstance(event.result, StoreError):
            self._rejected(view, event.result, now)
            self.world.touch_node(view)
            return None
        return view

    def _rejected(self, view: NodeView, error: StoreError, now: Now) -> None:
        provider = self.world.policy.provider
        self.metrics.count_lost_write(provider, "node")
        lock = paths.node_lock(view.id)
        if isinstance(error, ExistsError) and error.path == lock:
            view.lock = replace(view.lock, exists=True)
        elif isinstance(error, MissingError) and error.path == lock:
            view.lock = replace(view.lock, exists=False)
        elif isinstance(error, StaleWriteError) and error.path == paths.hold_ledger(provider):
            # Another replica has kept a machine meanwhile. Nothing is wrong with this one's
            # records, and who waits longer and longer would always be behind.
            view.patience.retry_s = now.mono_s + LEDGER_RETRY_S
        else:
            view.patience.retry_s = now.mono_s + pause_s(view.patience.tries, error)
            view.patience.tries += 1

    def _count_launch(self, view: NodeView, result: str, now: Now) -> None:
        launch = view.launch
        if launch is None:
            return
        self.metrics.observe_launch(
            self.world.policy.provider,
            launch.pool,
            launch.label,
            az=launch.az,
            result=result,
            seconds=max(0.0, now.wall_s - launch.planned_s),
        )

    def _count_crashed(self, action: Count, now: Now) -> None:
        for one in action.samples:
            crashed(self.world, one, now)

    def _evidence_crashed(self, action: CollectEvidence, now: Now) -> None:
        """Go without it: no machine stays for want of evidence."""
        crashed(self.world, action, now)
        view = self.world.nodes.views.get(action.node)
        if view is not None:
            view.end = view.end.without_evidence()


def _build(launch: Launch) -> str:
    """Return the build that a machine is told of with; empty: none, or what a recipe ran on."""
    return "" if launch.first_use is not None else launch.image_build or ""


def crashed(world: World, action: Any, now: Now) -> None:
    """Free the node that an action of any kind was done to, after a pause."""
    view = world.nodes.views.get(action.node)
    if view is not None:
        view.patience.retry_s = now.mono_s + CRASH_RETRY_S
        world.touch_node(view)


def grown(world: World, writer: Writer, event: Written[Action]) -> None:
    """Take in whether intents were written."""
    world.growing -= 1
    world.agenda.supply = True
    if isinstance(event.result, NOTHING_WRITTEN):
        # If only the reply was lost, the mirror shows the records, and they are ours.
        for node_id in map(NodeId, event.made):
            writer.host_keys.pop(node_id, None)
            writer.mine.discard(node_id)
            world.fresh.discard(node_id)

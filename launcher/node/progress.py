"""How far the machines are that are being made: what is written down of it, and who is late.

Most machines answer within seconds, and nobody asks how far they are. What takes longer is written
into the launch record, so that people see it, every replica judges alike, and whoever takes the
launch over goes on counting: once for each step, and now and then when the answer is another one.
"""

from dataclasses import replace
from typing import Final

from launcher.actions import Plan
from launcher.node.actions import Note
from launcher.node.deadlines import login_counts_from_s, mono_s
from launcher.node.proof import Stage
from launcher.node.view import NodeView
from launcher.policy import Key
from launcher.world import World
from remuda.model.launch import Launch, Step
from remuda.runtime.now import Now
from remuda.ssh.api import ProofStep

#: What takes no longer is not written down.
MOMENT_S: Final = 5.0
#: Another answer at the same step is written down so often.
ANSWER_S: Final = 30.0
#: After a write that did not happen.
NOTE_AGAIN_S: Final = 1.0
#: A machine is late when this share of the time for the login is over ...
LATE_SHARE: Final = 0.5
#: ... and it has taken so many times as long as usual.
LATE_TIMES: Final = 1.5
#: Steps of a proof that its machine has to answer, before somebody is in.
KNOCKING: Final = frozenset({ProofStep.CONNECT, ProofStep.HOST_KEY, ProofStep.LOGIN})
#: Steps in which a machine is waited for that runs, or should.
_WAITED_FOR: Final = frozenset({Step.BOOTING, Step.PROVING})


def due_note(world: World, view: NodeView, launch: Launch, now: Now, plan: Plan) -> Note | None:
    """Return what is to be written of a machine in the making, if it is time; sets the alarms."""
    if launch.owner != world.peers.me or launch.step not in _WAITED_FOR or view.dying:
        return None
    late_s = late_from_s(world, view, launch)
    if late_s is not None and now.wall_s < late_s:
        plan.look_again("supply", f"late {view.id}", mono_s(late_s, now))
    stage = view.proof.stage
    if stage is None:
        return None
    due_s = max(_due_s(view, launch, stage, now), view.proof.noted_s + NOTE_AGAIN_S)
    if now.mono_s < due_s:
        if due_s < float("inf"):
            plan.look_again("node", view.id, due_s)
        return None
    told = replace(
        launch,
        proof_step=stage.step,
        proof_since_s=stage.since_s,
        proof_words=stage.words or None,
    )
    return Note(node=view.id, launch=told)


def _due_s(view: NodeView, launch: Launch, stage: Stage, now: Now) -> float:
    """Return when a stage is to be written down (monotonic); infinite: it is."""
    known = launch.proof_step == stage.step and launch.proof_since_s == stage.since_s
    if not known:
        return mono_s(_slow_since_s(view, launch, stage) + MOMENT_S, now)
    if (launch.proof_words or "") != stage.words:
        return view.proof.noted_s + ANSWER_S
    return float("inf")


def _slow_since_s(view: NodeView, launch: Launch, stage: Stage) -> float:
    """Return since when it is slow (wall clock): a machine that answers each time otherwise is."""
    from_s = login_counts_from_s(view, launch)
    if from_s is None or launch.proof_step is not None or stage.step not in KNOCKING:
        return stage.since_s
    return min(stage.since_s, from_s)


def late_from_s(world: World, view: NodeView, launch: Launch) -> float | None:
    """Return from when on a machine is late to let somebody in (wall clock), or None: never.

    Only what takes more than a moment can be late.
    """
    from_s = login_counts_from_s(view, launch)
    if from_s is None or launch.step is not Step.PROVING or launch.proof_step not in KNOCKING:
        return None
    usual_s = world.cloud.boot_s.get(view.key, 0.0)
    share_s = LATE_SHARE * world.policy.config.login_timeout
    return max(from_s + share_s, launch.planned_s + LATE_TIMES * usual_s)


def late(world: World, now: Now) -> dict[Key, list[NodeView]]:
    """Return the machines that are late, by kind: those of which none became ready since they run.

    Where one did, there is nothing wrong with the network, nor with the image.
    """
    found: dict[Key, list[NodeView]] = {}
    for node_id in sorted(world.slow):
        view = world.nodes.views[node_id]
        assert view.launch is not None  # noqa: S101 - what is slow has its record
        late_s = late_from_s(world, view, view.launch)
        ready_s = world.cloud.ready_s.get(view.key, float("-inf"))
        if late_s is not None and late_s <= now.wall_s and (view.launch.active_s or 0.0) > ready_s:
            found.setdefault(view.key, []).append(view)
    return found

"""What a machine in the making is waited for, as hands and listings tell it."""

from dataclasses import replace
from typing import Final

from launcher.node.deadlines import SCRIPTS
from launcher.node.events import ScriptBegun
from launcher.node.proof import Stage
from launcher.node.view import NodeView
from launcher.server.addressing import address, wants_ip
from launcher.world import World
from remuda.cloud.api import CloudError, FloatingIp, ServerStatus
from remuda.model.launch import Step
from remuda.runtime.now import Now
from remuda.ssh.api import Proof, ProofStep

#: Machines and clouds choose some of the words, and each is in a record.
WORDS_CHARS_MAX: Final = 500
#: The stage in which a machine that runs has no address to connect to.
ADDRESS: Final = "address"


def enter(view: NodeView, step: str, words: str, wall_s: float) -> None:
    """Note what a machine is waited for, and what was answered last, or which script runs.

    It is waited for since the step began; of scripts each is a step of its own. What another
    process has seen of the same step is in the record.
    """
    old, launch = view.proof.stage, view.launch
    if old is None and launch is not None and launch.proof_step is not None:
        since_s = wall_s if launch.proof_since_s is None else launch.proof_since_s
        old = Stage(step=launch.proof_step, words=launch.proof_words or "", since_s=since_s)
    words = words[:WORDS_CHARS_MAX]
    same = old is not None and old.step == step and (step not in SCRIPTS or old.words == words)
    since_s = old.since_s if same and old is not None else round(wall_s, 3)
    stage = Stage(step=step, words=words, since_s=since_s)
    view.proof = replace(view.proof, stage=stage)


def runs(world: World, view: NodeView, now: Now) -> None:
    """Note that the cloud runs a machine: from now on it is waited for itself."""
    view.patience.waited_active_s = view.patience.waited_s
    enter(view, ADDRESS if wants_ip(world, view) else ProofStep.CONNECT, "", now.wall_s)


def shown(view: NodeView, now: Now) -> None:
    """Note what a listing showed of a machine: it may run and have no address."""
    launch, server = view.launch, view.server.shown
    if launch is None or launch.step is not Step.BOOTING or server is None:
        return
    if server.status is ServerStatus.ACTIVE and address(view) is None:
        enter(view, ADDRESS, "the cloud shows no address of it", now.wall_s)


def addressed(view: NodeView, result: FloatingIp | CloudError, now: Now) -> None:
    """Note that a machine has got its floating IP, so that it can be reached, or why not."""
    if isinstance(result, CloudError):
        enter(view, ADDRESS, str(result), now.wall_s)
    else:
        enter(view, ProofStep.CONNECT, "", now.wall_s)


def script_begun(world: World, event: ScriptBegun, _now: Now) -> None:
    """Note how far a proof is that goes on: its hand keeps the node."""
    view = world.nodes.views.get(event.node)
    if view is None or view.launch is None or view.busy != "prove":
        return
    view.proof = view.proof.let_in()
    enter(view, event.step, event.name, event.at_s)
    world.touch_node(view)


def proved(view: NodeView, proof: Proof, now: Now) -> None:
    """Note how far an attempt came that did not succeed, if it did not."""
    failed = next((one for one in proof.steps if not one.ok), None)
    if failed is not None and not proof.stopped and failed.step not in SCRIPTS:
        enter(view, failed.step, failed.why, now.wall_s)

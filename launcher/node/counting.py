"""What is counted of each node for the build of ours that it boots, and when. Pure.

A launch counts once it is known how it went, a job when its holder has reported. What is not the
image's doing is not counted: a cloud without room, a machine that took so long to begin to run
that it had no time left to prove itself, as the first one of a build on its host does. An archive
counts when the holder tells of it, mostly in a second report; that says nothing of an image.
"""

from typing import Final

from launcher.actions import Plan
from launcher.lanes import tallying
from launcher.node.actions import Count, Sampled
from launcher.node.view import NodeView
from launcher.world import World
from remuda.metrics.results import Result
from remuda.model.imageask import labelled_image
from remuda.model.jobreport import report_of
from remuda.model.launch import Launch, Step
from remuda.model.node import NodeState
from remuda.model.tally import PLAIN, Sample
from remuda.runtime.now import Now

#: Failures that may be the image's doing: the machine ran, and was not what it has to be.
_IMAGES: Final = frozenset({Result.NETWORK, Result.KEYSCAN, Result.SSH})
_COUNTED_FROM: Final = frozenset({Step.DONE, Step.CONDEMNED})
#: A machine that did not run before so much of its time was over is not judged by what was left.
_LATE_PART: Final = 0.5
#: Bounds one transaction.
SAMPLES_MAX: Final = 50
#: When to look again while something else is counted of the same image.
COUNT_AGAIN_S: Final = 0.1


def waits_to_be_counted(world: World, view: NodeView, launch: Launch, now: Now, plan: Plan) -> bool:
    """Have a node counted, if something of it is not yet; True: nothing else is done to it now."""
    found = _due(world, view, launch)
    if found is None:
        return False
    image = _counted_under(launch, found)
    if image is not None and tallying(image) in world.busy:
        plan.look_again("node", view.id, now.mono_s + COUNT_AGAIN_S)
    else:
        plan.counts.setdefault(image, []).append(found)
    return True


def count_all(plan: Plan, now: Now) -> None:
    """Add an action for all that is to be counted of an image, and one for each other node."""
    for image, samples in plan.counts.items():
        if image is None:
            for one in samples:
                plan.do(Count(image=None, samples=(one,)))
            continue
        plan.do(Count(image=image, samples=tuple(samples[:SAMPLES_MAX])))
        for one in samples[SAMPLES_MAX:]:
            plan.look_again("node", one.node, now.mono_s + COUNT_AGAIN_S)


def _image(launch: Launch) -> str | None:
    """Return the image of whose build a machine is counted; None: it boots none, or a trial's."""
    if launch.image_build is None or labelled_image(launch.label) is not None:
        return None
    if launch.first_use is not None:
        return None  # what the recipe does to it tells nothing of the image below
    return launch.image_build.rpartition("/")[0]


def _counted_under(launch: Launch, found: Sampled) -> str | None:
    """Return under which image something is counted; None: nowhere but in metrics."""
    if found.sample is None:
        return None
    # What a recipe fetches is not what machines fetch that have no image.
    plain = launch.image_build is None and launch.first_use is None
    plain = plain and labelled_image(launch.label) is None
    return PLAIN if plain and found.fetched is not None else _image(launch)


def _due(world: World, view: NodeView, launch: Launch) -> Sampled | None:
    """Return what of a node is known by now, and not counted."""
    if launch.step not in _COUNTED_FROM:
        return None
    report = None if view.node is None else report_of(view.node)
    if report is not None and launch.reported is None:
        return Sampled(
            node=view.id,
            sample=Sample.JOB,
            ok=report.ok,
            report=report,
            fetched=report.fetched_bytes,
        )
    if report is not None and report.archived is not None and launch.archived is None:
        told = report.archived
        return Sampled(node=view.id, sample=None, ok=told.complete, archived=told)
    untold = launch.image_build is None and launch.setup_fetched is None
    if untold or launch.counted is not None or labelled_image(launch.label) is not None:
        return None  # as of most nodes
    ok = None if _promised(view) else _went_well(world, launch)
    if ok is None:
        return None
    return Sampled(node=view.id, sample=Sample.LAUNCH, ok=ok, fetched=launch.setup_fetched)


def _promised(view: NodeView) -> bool:
    """Whether somebody is about to get the node, and is not to wait for us."""
    node = view.node
    return node is not None and node.state is NodeState.READY and node.allocated_to is not None


def _went_well(world: World, launch: Launch) -> bool | None:
    """Return how a launch went; None: nobody knows, or it tells nothing of the image."""
    if launch.address is not None:
        return True  # it was ready once
    if launch.failed not in _IMAGES or launch.active_s is None:
        return None
    late_s = _LATE_PART * world.policy.config.launch_timeout
    return None if launch.active_s - launch.planned_s > late_s else False

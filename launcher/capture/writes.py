"""What the answers to holders write, as operations of one transaction; pure."""

from dataclasses import replace

from launcher.capture.actions import AnswerCapture, NoteCaptureBuild
from launcher.node.view import NodeView
from launcher.node.writes import advance
from launcher.world import World
from remuda.store import paths
from remuda.store.api import Check, Op


def answer_capture(world: World, view: NodeView, action: AnswerCapture) -> list[Op]:
    """Write the answer to what was read, under proof that who asked holds the lock still."""
    assert view.launch is not None  # noqa: S101 - judged only with a launch record
    launch = replace(view.launch, capture=action.capture)
    ops: list[Op] = [Check(path=paths.node(view.id), version=view.node_version)]
    if action.held:
        contender = action.capture.ask.contender
        ops.append(Check(path=f"{paths.node_lock(view.id)}/{contender}"))
    return [*ops, *advance(world, view, launch)]


def note_build(world: World, view: NodeView, action: NoteCaptureBuild) -> list[Op]:
    """Write which build is made; it is there still."""
    assert view.launch is not None  # noqa: S101 - judged only with a launch record
    assert view.launch.capture is not None  # noqa: S101 - and only for a capture
    capture = replace(view.launch.capture, build=action.build)
    there = Check(path=paths.build(action.build))
    return [there, *advance(world, view, replace(view.launch, capture=capture))]

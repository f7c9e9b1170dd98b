"""What an action that could not even be started held: it is free again, after a pause."""

from typing import Final

from launcher.actions import Action
from launcher.node.actions import Probe
from launcher.provider.actions import Rescue, Survey, Tidy
from launcher.request.actions import Allocate, WriteVerdict
from launcher.request.verdicts import gist
from launcher.server.actions import FindPorts, ListServers
from launcher.world import World
from remuda.runtime.now import Now

#: When what a bug of ours interrupted is tried again.
CRASH_RETRY_S: Final = 10.0
#: What dead processes left is looked for this often, or as often as ports are to be.
TIDY_PERIOD_S: Final = 600.0


def free_request(world: World, action: Action, now: Now) -> None:
    """Free the request, the claim and the nodes that *action* wrote to, if it wrote to any.

    A verdict holds nothing: what another action does with its request goes on. It counts as
    written, or it would crash again and again; the next one, in other words, is tried.
    """
    if isinstance(action, WriteVerdict):
        _drop_verdict(world, action)
        return
    request_id = getattr(action, "request", None)
    if request_id is None or isinstance(action, Probe):
        return
    for node_id in action.nodes if isinstance(action, Allocate) else ():
        node = world.nodes.views.get(node_id)
        if node is not None:
            node.busy = None
            world.touch_node(node)
    claim = world.queue.claims.get(request_id)
    if claim is not None:
        claim.busy, claim.retry_s = False, now.mono_s + CRASH_RETRY_S
    view = world.queue.views.get(request_id)
    if view is not None:
        view.busy, view.retry_s = None, now.mono_s + CRASH_RETRY_S
        world.touch_request(view)
        world.alarms.set("request", request_id, view.retry_s)


def _drop_verdict(world: World, action: WriteVerdict) -> None:
    if action.verdict is None:
        world.told_verdicts.pop(action.request, None)
    else:
        world.told_verdicts[action.request] = gist(action.verdict)


def free_look(world: World, action: Action, now: Now) -> None:
    """Let a look at the cloud, or a round for dead processes, begin again after a pause."""
    cloud, again_s = world.cloud, now.mono_s + CRASH_RETRY_S
    if isinstance(action, ListServers):
        cloud.list_due_s = again_s
        cloud.list_failures += 1
    elif isinstance(action, FindPorts):
        cloud.ports_due_s = again_s
    elif isinstance(action, Survey):
        cloud.survey_due_s = cloud.doubted_due_s = again_s
    elif isinstance(action, Tidy):
        cloud.tidy_due_s = now.mono_s + TIDY_PERIOD_S
    elif isinstance(action, Rescue):
        world.rescues.add(action.provider)
        world.alarms.set("cloud", "rescue", again_s)

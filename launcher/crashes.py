"""What an action that could not even be started held: it is free again, after a pause."""

from typing import Final

from launcher.actions import Action, Knock, Lend, Publish
from launcher.world import Now, World

#: When what a bug of ours interrupted is tried again.
CRASH_RETRY_S: Final = 10.0


def free_request(world: World, action: Action, now: Now) -> None:
    """Free the request, the claim and the nodes that *action* wrote to, if it wrote to any."""
    if isinstance(action, Publish):
        world.publishing = False
    request_id = getattr(action, "request", None)
    if request_id is None or isinstance(action, Knock):
        return
    for node_id in action.nodes if isinstance(action, Lend) else ():
        node = world.herd.views.get(node_id)
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
        world.alarm("request", request_id, view.retry_s)

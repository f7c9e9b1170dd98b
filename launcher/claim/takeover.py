"""Which claims are over, and which of a dead replica are taken over."""

from launcher.actions import Plan
from launcher.claim.actions import AdoptClaim, DropClaim
from launcher.lanes import request
from launcher.world import Agenda, World
from remuda.runtime.now import Now


def keep_claims(world: World, agenda: Agenda, now: Now, plan: Plan) -> None:
    """Drop claims whose request is gone or settled; take over those of dead replicas."""
    queue = world.queue
    ids = queue.claims.keys() if agenda.everything else agenda.requests & queue.claims.keys()
    for request_id in sorted(ids):
        claim = queue.claims[request_id]
        view = queue.views.get(request_id)
        if request(request_id) in world.busy or request_id in queue.unread:
            continue
        if view is not None and view.stale:
            continue
        if now.mono_s < claim.retry_s:
            plan.look_again("request", request_id, claim.retry_s)
            continue
        # A claim of ours whose lock went with our session looks kept to everybody else.
        lost = claim.owner == world.peers.me and not world.stands(claim)
        if not lost and not world.peers.assigned(request_id):
            continue
        if view is None or not view.waiting or view.request.state == "requested":
            plan.do(DropClaim(request=request_id))
        elif claim.contender and not world.stands(claim):
            plan.do(AdoptClaim(request=request_id))

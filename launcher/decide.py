"""One plan from one look at the world: the order of the judgements is the order of their claims.

Ready nodes go out first, then what is missing is started, then every node takes its next step.
Whoever is given a ready node waits for it at this very moment; nobody waits for the rest so
closely, and so the plan is made in two parts.
"""

from launcher.actions import Plan
from launcher.capsule.asking import tell_capsules
from launcher.capsule.storing import store_capsules
from launcher.claim.takeover import keep_claims
from launcher.hold.autoholding import sweep_autoholds
from launcher.image.using import note_uses
from launcher.node.lifecycle import live
from launcher.provider.periodic import poll_cloud, rescue, tidy
from launcher.provider.publishing import publish
from launcher.request.allocate import allocate
from launcher.request.demand import demand
from launcher.request.telling import tell_verdicts
from launcher.server.addressing import find_ports
from launcher.server.sweep import sweep
from launcher.world import Agenda, World
from remuda.runtime.now import Now


def decide(world: World, agenda: Agenda, now: Now) -> Plan:
    """Say what to do now and when to look again.

    Pure: *world* is only read; the same input gives the same plan. Costs grow with what is on
    the agenda, not with the number of nodes.
    """
    plan = hand_out(world, agenda, now)
    go_on(world, agenda, now, plan)
    return plan


def hand_out(world: World, agenda: Agenda, now: Now) -> Plan:
    """Begin a plan with what somebody waits for: ready nodes for those that they cover.

    The brain starts that before the rest is judged. Pure, as all of this.
    """
    plan = Plan()
    if world.awake:
        allocate(world, agenda, now, plan)
    return plan


def go_on(world: World, agenda: Agenda, now: Now, plan: Plan) -> None:
    """Add everything else to a plan that :func:`hand_out` began.

    *world* and *agenda* may show already that what it hands out is under way.
    """
    if not world.awake:
        return
    keep_claims(world, agenda, now, plan)
    if not world.growing and not world.unborn:
        demand(world, agenda, now, plan)
    note_uses(world, agenda, now, plan)
    live(world, agenda, now, plan)
    if agenda.everything:
        sweep_autoholds(world, now, plan)
    if agenda.everything or agenda.supply:
        sweep(world, now, plan)
    rescue(world, plan)
    poll_cloud(world, now, plan)
    find_ports(world, now, plan)
    tidy(world, now, plan)
    tell_capsules(world, agenda, now, plan)
    store_capsules(world, now, plan)
    tell_verdicts(world, agenda, now, plan)
    publish(world, now, plan)

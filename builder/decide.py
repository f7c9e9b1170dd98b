"""The whole judgement: what to do now, why the rest waits, and when to look again."""

from builder.actions import Plan
from builder.alarm import failing, fresh
from builder.build import due
from builder.build import lifecycle as build_lifecycle
from builder.build import retire as build_retire
from builder.place import sweep
from builder.pointer import moving
from builder.takehome import lifecycle as takehome_lifecycle
from builder.upload import lifecycle as upload_lifecycle
from builder.upload import placing
from builder.upload import retire as upload_retire
from builder.view import WorldView


def decide(view: WorldView) -> Plan:
    """Return the plan for a moment. Pure: the same view, the same plan."""
    plan = Plan()
    due.begin(view, plan)
    for build in view.builds():
        build_lifecycle.step(view, build, plan)
        placing.spread(view, build, plan)
    for upload in view.uploads():
        upload_lifecycle.step(view, upload, plan)
    for policy in view.policies.values():
        for name in policy.providers:
            facts = view.providers.get(name)
            if facts is not None:
                moving.step(view, policy, facts, plan)
            fresh.step(view, policy, name, plan)
        failing.step(view, policy, plan)
    upload_retire.step(view, plan)
    build_retire.step(view, plan)
    sweep.step(view, plan)
    takehome_lifecycle.step(view, plan)
    return plan

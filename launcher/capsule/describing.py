"""What the records, the listings and the proof tell of a machine, put together. Pure."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from launcher.node.view import NodeView
from launcher.world import World
from remuda.cloud.api import Server
from remuda.model.capsule import Capsule, CapsuleKind, Moment
from remuda.model.fields import NAME_CHARS_MAX, one_line
from remuda.model.job import Job, job_of_node, job_of_request
from remuda.model.launch import Launch
from remuda.redaction import redact_text
from remuda.runtime.now import Now
from remuda.ssh.api import Proof

#: What is masked in it may be longer than it was.
_NAME_CHARS_MAX: Final = NAME_CHARS_MAX // 2


def describe(
    world: World, view: NodeView, now: Now, *, kind: CapsuleKind, result: str, why: str
) -> Capsule:
    """Return the capsule of a machine without what only the cloud and the machine can tell."""
    launch, shown, proof = view.launch, view.server.shown, view.proof.last
    requestor, job = _whose(world, view)
    return Capsule(
        kind=kind,
        node=view.id,
        label="" if launch is None else launch.label,
        pool="" if launch is None else launch.pool,
        result=result,
        why=why,
        at_s=round(now.wall_s, 3),
        server=view.server.id,
        fault=None if shown is None else shown.fault,
        transcript=() if proof is None else tuple(_steps(proof)),
        request=None if launch is None else launch.needed_by,
        image=None if launch is None else launch.image_build,
        host=None if shown is None else shown.host_id,
        configuration=world.policy.revision or None,
        requestor=requestor,
        job=job,
        moments=() if launch is None else _moments(launch, shown, view, now),
    )


def redacted(capsule: Capsule) -> Mapping[str, Any]:
    """Return the fields of a capsule whose words are foreign, without secrets.

    Whoever said it and whatever was redacted before: who may read capsules need not be who may log
    in, and what was not known to be a secret when it was said may be by now.
    """
    steps = (
        {**one, **{key: redact_text(str(one[key])) for key in ("name", "why", "output")}}
        for one in capsule.transcript
    )
    job = None
    if capsule.job is not None:
        job = Job(**{key: redact_text(value) for key, value in capsule.job.as_doc().items()})
    return {
        "why": redact_text(capsule.why),
        "fault": redact_text(capsule.fault) if capsule.fault else None,
        "transcript": tuple(steps),
        "requestor": redact_text(capsule.requestor)[:NAME_CHARS_MAX] if capsule.requestor else None,
        "job": job,
    }


def _steps(proof: Proof) -> Iterator[Mapping[str, Any]]:
    for one in proof.steps:
        yield {
            "step": str(one.step),
            "name": one.name,
            "seconds": round(one.seconds, 3),
            "ok": one.ok,
            "why": one.why,
            "output": one.output,
        }


def _whose(world: World, view: NodeView) -> tuple[str | None, Job | None]:
    """Return who has, had or was to have the machine, and for which job, as far as they say."""
    if view.node is not None:
        job = job_of_node(view.node.doc)
        who = view.node.doc.get("requestor")
        # Its holder writes that: what is longer could not be read back, and hid all of the rest.
        named = (isinstance(who, str) and one_line(who, _NAME_CHARS_MAX)) or None
        if job is not None or named:
            return named, job
    asked = None if view.launch is None else view.launch.needed_by
    found = None if asked is None else world.queue.views.get(asked)
    if found is None:
        return None, None
    who = found.request.requestor
    return (who and one_line(who, _NAME_CHARS_MAX)) or None, job_of_request(found.request.doc)


def _moments(launch: Launch, shown: Server | None, view: NodeView, now: Now) -> tuple[Moment, ...]:
    """Return the way of the machine; what the cloud's clock says is put where it belongs."""
    found = [Moment(name="planned", at_s=launch.planned_s)]
    if shown is not None and shown.created_s > 0:
        found.append(Moment(name="created", at_s=shown.created_s))
    if launch.active_s is not None:
        found.append(Moment(name="active", at_s=launch.active_s))
    found += _proven(view)
    found.append(Moment(name="now", at_s=round(now.wall_s, 3)))
    return tuple(found)


def _proven(view: NodeView) -> list[Moment]:
    """Return when each step of the last attempt ended: the last one when the attempt did."""
    proof, ended_s = view.proof.last, view.proof.ended_s
    if proof is None or ended_s is None:
        return []
    found: list[Moment] = []
    for one in reversed(proof.steps):
        name = str(one.step) if str(one.step) == one.name else f"{one.step} {one.name}"
        found.append(Moment(name=name[:80], at_s=round(ended_s, 3), seconds=round(one.seconds, 3)))
        ended_s = max(0.0, ended_s - one.seconds)
    return found[::-1]

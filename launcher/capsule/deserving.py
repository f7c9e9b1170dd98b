"""Whose end leaves a capsule: every failed launch, and failed jobs as the configuration says. Pure.

What a job reported is in the launch record by then, counted once by the node's owner.
"""

from typing import Final

from launcher.node.actions import Condemn
from launcher.node.end import Failure
from launcher.node.view import NodeView
from launcher.policy import Policy
from remuda.config.patterns import means
from remuda.model.capsule import JOB_FAILED, CapsuleKind
from remuda.model.jobreport import told_of, word_of
from remuda.model.launch import Launch
from remuda.runtime.now import Now

#: So long at most does the deletion of a failed machine wait for its evidence, whatever hangs: the
#: machine takes up room that others need, and few consoles are fetched at once.
EVIDENCE_S_MAX: Final = 30.0
_FAILED: Final = word_of(ok=False)


def failure_of(policy: Policy, view: NodeView, condemn: Condemn, now: Now) -> Failure | None:
    """Return whose evidence is to be kept before the deletion goes on, if any is."""
    until_s = now.mono_s + EVIDENCE_S_MAX
    if condemn.result is not None:
        return Failure(result=condemn.result, cause=condemn.cause, until_s=until_s)
    if view.launch is None or not _wanted(policy, view.launch):
        return None
    told = None if view.node is None else told_of(view.node)
    why = told.why if told is not None and told.why else "its holder reported a failure"
    return Failure(result=JOB_FAILED, cause=why, until_s=until_s, kind=CapsuleKind.JOB)


def _wanted(policy: Policy, launch: Launch) -> bool:
    """Whether the job of a machine failed, and the configuration wants to know more of it."""
    if launch.reported != _FAILED:
        return False
    return any(means(pattern, launch.label) for pattern in policy.capsules.jobs)

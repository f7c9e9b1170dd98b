"""Canaries whose machines fail by chance, judged after each by the real judgement."""

import random
from dataclasses import replace
from typing import Final

from builder.recipe.compile import canary_plan
from remuda.config.images import CanaryFrom
from remuda.images.canary import Verdict, judge
from remuda.model.pointer import Canary, Pointer
from remuda.model.tally import BuildTally, Counts, Sample, Tally

#: As it is where a recipe says no more than `canary: {}`.
PLAN: Final = canary_plan(CanaryFrom())
CANARY: Final = Canary(number=2, share=0.1, since_s=1000.0, before=Counts(500, 100))
POINTER: Final = Pointer(image="a", provider="p", place="0" * 12, current=1, canary=CANARY)
#: What the current build did before the canary came; it says nothing of how the cloud is now.
BEFORE: Final = BuildTally(launches={"small": CANARY.before})
#: Jobs of the current build fail now and then, whatever they run on.
REPORTED: Final = replace(BEFORE, jobs={"small": Counts(140, 60)})
#: Nothing is decided later, if anything ever is.
_LAUNCHES_MAX: Final = 2000


def trial(seed: int, failing: float, job_failing: float | None = None) -> tuple[Verdict, int]:
    """Return how a canary ends that gets a tenth of the requests, and after how many launches.

    Two of a hundred launches of the current build fail meanwhile, and three of ten of its jobs.

    Args:
        seed: Of what is random.
        failing: Rate at which the canary's launches fail.
        job_failing: Rate at which its jobs fail; None: none are reported, of neither build.
    """
    rng = random.Random(seed)  # noqa: S311 - a seed makes it repeatable
    current = BEFORE if job_failing is None else REPORTED
    tried = BuildTally()
    for number in range(1, _LAUNCHES_MAX + 1):
        for _ in range(9):
            current = _one(current, Sample.LAUNCH, ok=rng.random() >= 0.02)
        ok = rng.random() >= failing
        tried = _one(tried, Sample.LAUNCH, ok=ok)
        if ok and job_failing is not None:
            tried = _one(tried, Sample.JOB, ok=rng.random() >= job_failing)
        tally = Tally(image="a", provider="p", builds={1: current, 2: tried})
        found = judge(PLAN, POINTER, CANARY, tally, now_s=2000.0)
        if found.verdict is not Verdict.OPEN:
            return found.verdict, number
    return Verdict.OPEN, _LAUNCHES_MAX


def _one(tally: BuildTally, sample: Sample, *, ok: bool) -> BuildTally:
    return tally.plus(sample, "small", Counts(ok=1) if ok else Counts(failed=1))

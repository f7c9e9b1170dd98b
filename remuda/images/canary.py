"""Whether a build that serves a part of the requests is as good as the current one. Pure.

Wald's sequential probability ratio test (A. Wald, Sequential Analysis, 1947): it may be looked at
after every machine, and still calls a good build bad with a chance of ``false_alarm`` at most, and
a bad one good with a chance of ``miss`` at most. There are two tests, of launches and of what
holders of nodes reported, for each says what the other cannot: the chance of a false alarm is
divided between them, so that it holds for both together.

Either is a comparison with the current build in the same provider. A cloud that fails at the
moment fails both; and some jobs fail often whatever they run on.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from remuda.model.pointer import Canary, Pointer
from remuda.model.tally import BuildTally, Counts, Sample, Tally

#: Of the chance of a false alarm the test of launches has this part, that of jobs the rest.
_LAUNCHES_PART: Final = 0.8
#: The current build fails more than is good if it does by so many standard deviations.
_UNUSUAL: Final = 3.0
#: What the current build's jobs of a label are compared with has to rest on so many reports.
JOBS_MIN: Final = 20
#: One-sided 95 % bound of a normal distribution.
_BOUND_Z: Final = 1.645
#: Where nearly every job fails, one more failure says nothing.
_TELLING_MAX: Final = 0.9


@dataclass(frozen=True, slots=True, kw_only=True)
class CanaryPlan:
    """How a new build is tried, and judged; the usual values are those of `canary:`.

    Attributes:
        share: Of the requests, which get it; above 0, at most 1.
        good, bad: Rates of failures: one that a build may have, and one that it must not.
        false_alarm: Chance at most that a good build is withdrawn; miss: that a bad one passes.
        after_s: A build of which nothing speaks becomes current after that, however few launches
            it had; None: it waits for them.
    """

    share: float
    good: float
    bad: float
    false_alarm: float
    miss: float
    after_s: float | None


class Verdict(StrEnum):
    """What is known of a canary."""

    OPEN = "open"
    GOOD = "good"
    BAD = "bad"


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """What is known of a canary, and from what.

    Attributes:
        why: For people, without a full stop.
        launches, jobs: Of the canary, all labels together.
        more: So many launches without a failure would decide it, if launches alone do; 0: jobs do.
    """

    verdict: Verdict
    why: str
    launches: Counts
    jobs: Counts
    more: int = 0


@dataclass(frozen=True, slots=True)
class _Test:
    """One test: how far the evidence speaks against the canary, and when that is enough.

    Attributes:
        score: As it counts before a canary is called good.
        against: As it counts before it is called bad.
    """

    score: float
    against: float
    bad_from: float
    good_to: float

    @property
    def bad(self) -> bool:
        return self.against >= self.bad_from

    @property
    def good(self) -> bool:
        return self.score <= self.good_to


def judge(
    plan: CanaryPlan, pointer: Pointer, canary: Canary, tally: Tally, *, now_s: float
) -> Judgement:
    """Return what is known of the canary of a pointer.

    Args:
        plan: How it is judged.
        pointer: What names it; its current build is what it is compared with.
        canary: The canary that the pointer names.
        tally: What was counted of both.
        now_s: Wall clock, seconds since the epoch.
    """
    tried, current = tally.of(canary.number).since(canary.own), tally.of(pointer.current)
    launches = _launches(plan, tried, current, canary)
    awaited = _known_jobs(plan, tried, current)
    jobs = _jobs(plan, tried.jobs, awaited)
    late = plan.after_s is not None and now_s >= canary.since_s + plan.after_s
    seen = tried.total(Sample.LAUNCH).ok > 0
    if launches.bad or jobs.bad:
        verdict = Verdict.BAD
    elif (launches.good and (jobs.good or not awaited)) or (
        late and seen and launches.score <= 0 and jobs.score <= 0
    ):
        verdict = Verdict.GOOD
    else:
        verdict = Verdict.OPEN
    each = -_ok(_rates(plan, plan.good))
    more = 0 if launches.good else math.ceil((launches.score - launches.good_to) / each)
    return Judgement(
        verdict=verdict,
        why=_words(tried, current, canary, verdict, more),
        launches=tried.total(Sample.LAUNCH),
        jobs=tried.total(Sample.JOB),
        more=more,
    )


def _launches(plan: CanaryPlan, tried: BuildTally, current: BuildTally, canary: Canary) -> _Test:
    """Judge launches by the plan's rates, but blame none on the canary that may be the cloud's.

    Where the current build fails more than is good at the same time, a failure of the canary's
    counts less against it. Nothing is called good meanwhile that would not be at other times.
    """
    counts, meanwhile = (
        tried.total(Sample.LAUNCH),
        current.total(Sample.LAUNCH).since(canary.before),
    )
    usual = plan.good * meanwhile.total
    usual += _UNUSUAL * math.sqrt((1 - plan.good) * usual) + 0.5
    plain = _score(counts, _rates(plan, plan.good))
    if meanwhile.failed <= usual:
        return _test(plan, plain, plain, _LAUNCHES_PART)
    against = _score(counts, _rates(plan, _upper_bound(meanwhile)))
    return _test(plan, plain, min(plain, against), _LAUNCHES_PART)


def _rates(plan: CanaryPlan, rate: float) -> tuple[float, float]:
    """Return the good and the bad rate where the current build fails at *rate*.

    The bad one has as many times the odds of the good one as the plan says.
    """
    good = min(max(plan.good, rate), 0.999)
    odds = plan.bad / (1 - plan.bad) / (plan.good / (1 - plan.good)) * good / (1 - good)
    return good, odds / (1 + odds)


def _failed(rates: tuple[float, float]) -> float:
    """Return what one failure adds to the score: the logarithm of the ratio of its chances."""
    return math.log(rates[1] / rates[0])


def _ok(rates: tuple[float, float]) -> float:
    """Return what one success adds to the score; below 0."""
    return math.log((1 - rates[1]) / (1 - rates[0]))


def _score(counts: Counts, rates: tuple[float, float]) -> float:
    """Return how far counts speak for the bad rate, and against the good one."""
    return counts.failed * _failed(rates) + counts.ok * _ok(rates)


def _test(plan: CanaryPlan, score: float, against: float, part: float) -> _Test:
    alarm = plan.false_alarm * part
    bad_from, good_to = math.log((1 - plan.miss) / alarm), math.log(plan.miss / (1 - alarm))
    return _Test(score, against, bad_from, good_to)


def _known_jobs(
    plan: CanaryPlan, tried: BuildTally, current: BuildTally
) -> Mapping[str, tuple[float, float]]:
    """Return the rates of failed jobs by label, where enough is known of the current build.

    The good one is as bad as the current build's may be, by what was reported: a failure counts
    less where few reports leave room for doubt.
    """
    found = {}
    for label in {*tried.launches, *tried.jobs}:
        counts = current.jobs.get(label, Counts())
        rates = _rates(plan, _upper_bound(counts)) if counts.total >= JOBS_MIN else (1.0, 1.0)
        if rates[0] <= _TELLING_MAX:
            found[label] = rates
    return found


def _upper_bound(counts: Counts) -> float:
    """Return the upper bound of a rate of failures, after E. B. Wilson (1927)."""
    n, rate, z = counts.total, counts.failed / counts.total, _BOUND_Z
    spread = z * math.sqrt(rate * (1 - rate) / n + z * z / (4 * n * n))
    return (rate + z * z / (2 * n) + spread) / (1 + z * z / n)


def _jobs(
    plan: CanaryPlan, tried: Mapping[str, Counts], rates: Mapping[str, tuple[float, float]]
) -> _Test:
    score = math.fsum(_score(one, rates[label]) for label, one in tried.items() if label in rates)
    return _test(plan, score, score, 1 - _LAUNCHES_PART)


def _words(
    tried: BuildTally, current: BuildTally, canary: Canary, verdict: Verdict, more: int
) -> str:
    launches, jobs = tried.total(Sample.LAUNCH), tried.total(Sample.JOB)
    meanwhile = current.total(Sample.LAUNCH).since(canary.before)
    some = [f"{_of(launches, 'launches')} (current meanwhile: {_of(meanwhile, 'launches')})"]
    if jobs.total:
        some.append(_of(jobs, "jobs"))
    if verdict is Verdict.OPEN:
        some.append(
            f"{more} more launches without a failure would do"
            if more
            else "its launches are as good; what jobs report decides"
        )
    return ", ".join(some[:-1]) + ("; " if len(some) > 1 else "") + some[-1]


def _of(counts: Counts, what: str) -> str:
    return f"{counts.total} {what}, {counts.failed} failed"

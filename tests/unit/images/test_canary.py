"""Whether a build that is tried is called good or bad, and how often wrongly."""

from dataclasses import replace

import pytest

from remuda.images.canary import JOBS_MIN, CanaryPlan, Judgement, Verdict, judge
from remuda.model.tally import BuildTally, Counts, Tally
from tests.support.canaries import BEFORE, CANARY, PLAN, POINTER, REPORTED, trial


def judged(
    tried: BuildTally, current: BuildTally = BEFORE, plan: CanaryPlan = PLAN, now_s: float = 1001.0
) -> Judgement:
    """Return what is known of a canary."""
    tally = Tally(image="a", provider="p", builds={1: current, 2: tried})
    return judge(plan, POINTER, CANARY, tally, now_s=now_s)


def launches(ok: int, failed: int) -> BuildTally:
    """Return a build of which launches are counted."""
    return BuildTally(launches={"small": Counts(ok, failed)})


def jobs(ok: int, failed: int) -> BuildTally:
    """Return a build whose launches are all well, and of which jobs are counted."""
    return BuildTally(launches={"small": Counts(200, 0)}, jobs={"small": Counts(ok, failed)})


@pytest.mark.parametrize(
    ("ok", "failed", "verdict"),
    [
        (0, 0, Verdict.OPEN),
        (0, 2, Verdict.OPEN),
        (0, 3, Verdict.BAD),
        (35, 0, Verdict.OPEN),
        (36, 0, Verdict.GOOD),
        (36, 1, Verdict.OPEN),
        (54, 1, Verdict.GOOD),
        (10, 3, Verdict.OPEN),
        (10, 4, Verdict.BAD),
    ],
)
def test_launches_decide(ok: int, failed: int, verdict: Verdict) -> None:
    """Three failures in a row are enough, and thirty-six launches without one."""
    assert judged(launches(ok, failed)).verdict is verdict


def test_what_is_left_is_said_in_numbers() -> None:
    """So that nobody asks why it does not become current."""
    some = BuildTally(launches={"small": Counts(10, 0), "large": Counts(2, 0)})
    found = judged(some, BuildTally(launches={"small": Counts(520, 101)}))

    assert found.more == 24
    assert found.why == (
        "12 launches, 0 failed (current meanwhile: 21 launches, 1 failed); "
        "24 more launches without a failure would do"
    )
    assert judged(launches(12 + found.more, 0)).verdict is Verdict.GOOD


def test_a_cloud_that_fails_is_not_the_canarys_fault() -> None:
    """Nor does it become current by what it could not be tried for."""
    failing = BuildTally(launches={"small": Counts(505, 120)})

    assert judged(launches(1, 5)).verdict is Verdict.BAD
    assert judged(launches(1, 5), failing).verdict is Verdict.OPEN
    assert judged(launches(40, 20), failing).verdict is Verdict.OPEN


def test_jobs_are_compared_with_those_of_the_current_build() -> None:
    """Whose jobs fail in three of ten: as many failures of the canary's are no news."""
    assert judged(jobs(2, 2), REPORTED).verdict is Verdict.OPEN
    assert judged(jobs(140, 60), REPORTED).verdict is Verdict.GOOD
    assert judged(jobs(2, 12), REPORTED).verdict is Verdict.BAD
    assert judged(jobs(0, 4), replace(BEFORE, jobs={"small": Counts(9999, 1)})).verdict is (
        Verdict.BAD
    )


def test_reports_that_nobody_can_compare_say_nothing() -> None:
    """Of too few before, of another label, or where all fail."""
    few = replace(BEFORE, jobs={"small": Counts(JOBS_MIN - 1, 0)})
    other = replace(BEFORE, jobs={"large": Counts(900, 0)})
    all_fail = replace(BEFORE, jobs={"small": Counts(1, 99)})

    for current in (few, other, all_fail):
        assert judged(jobs(0, 50), current).verdict is Verdict.GOOD
    assert judged(BuildTally(launches={"small": Counts(200, 0)}), few).verdict is Verdict.GOOD


def test_reports_that_are_to_come_are_waited_for() -> None:
    """Where holders of nodes report, launches alone do not make a build current."""
    found = judged(launches(200, 0), REPORTED)

    assert (found.verdict, found.more) == (Verdict.OPEN, 0)
    assert found.why.endswith("its launches are as good; what jobs report decides")
    assert found.jobs == Counts()


def test_time_makes_current_only_what_nothing_speaks_against() -> None:
    """If told to; and not one that was never tried."""
    plan = replace(PLAN, after_s=3600.0)
    late_s = CANARY.since_s + 3600.0

    assert judged(launches(1, 0), now_s=late_s).verdict is Verdict.OPEN
    assert judged(launches(1, 0), plan=plan, now_s=late_s - 1).verdict is Verdict.OPEN
    assert judged(launches(1, 0), plan=plan, now_s=late_s).verdict is Verdict.GOOD
    assert judged(launches(0, 0), plan=plan, now_s=late_s).verdict is Verdict.OPEN
    assert judged(launches(1, 1), plan=plan, now_s=late_s).verdict is Verdict.OPEN
    assert judged(jobs(1, 3), REPORTED, plan=plan, now_s=late_s).verdict is Verdict.OPEN


@pytest.mark.parametrize("job_failing", [None, 0.3])
def test_good_builds_are_seldom_withdrawn(job_failing: float | None) -> None:
    """Not above the chance that is configured, by launches and jobs together; seeds are fixed."""
    ended = [trial(seed, 0.02, job_failing)[0] for seed in range(120)]

    assert ended.count(Verdict.BAD) <= 120 * PLAN.false_alarm
    assert Verdict.OPEN not in ended


def test_bad_builds_are_withdrawn() -> None:
    """One of which a tenth fails: after some sixty launches, of which six harmed somebody."""
    ended = [trial(seed, 0.1) for seed in range(120)]
    withdrawn = [after for verdict, after in ended if verdict is Verdict.BAD]

    assert len(withdrawn) >= 120 * (1 - 2 * PLAN.miss)
    assert 40 <= sum(withdrawn) / len(withdrawn) <= 75


def test_one_that_always_fails_harms_three() -> None:
    """Launches; by jobs alone it takes some more, where three of ten fail anyway."""
    assert trial(1, 1.0) == (Verdict.BAD, 3)
    verdict, after = trial(1, 0.0, 1.0)
    assert verdict is Verdict.BAD
    assert after <= 10

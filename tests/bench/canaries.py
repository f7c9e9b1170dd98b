"""Canaries: how many launches a bad build harms, and how often a good one is withdrawn."""

import statistics
from typing import Final

from remuda.images.canary import Verdict
from tests.bench.figures import Figure
from tests.support.canaries import PLAN, trial

_CANARIES: Final = 1000
_QUICK: Final = 100
#: Launches at most until one is withdrawn that always fails, or fails one time in ten (mean).
_ALWAYS_MAX: Final = 3
_TENTH_MAX: Final = 60.0


def measure(*, quick: bool) -> list[Figure]:
    """Judge simulated canaries with the plan that holds unless somebody writes another."""
    count = _QUICK if quick else _CANARIES
    always = [trial(seed, 1.0) for seed in range(count)]
    tenth = [trial(seed, 0.1) for seed in range(count)]
    launches = [trial(seed, 0.02)[0] for seed in range(count)]
    jobs = [trial(seed, 0.02, 0.3)[0] for seed in range(count)]
    middle = statistics.median(after for _, after in always)
    mean = statistics.mean(after for verdict, after in tenth if verdict is Verdict.BAD)
    missed = sum(verdict is not Verdict.BAD for verdict, _ in tenth) / count
    return [
        Figure(
            name="canary: always fails",
            bound=f"<= {_ALWAYS_MAX} launches (median)",
            measured=f"{middle:g} launches",
            ok=middle <= _ALWAYS_MAX,
        ),
        Figure(
            name="canary: a tenth fails",
            bound=f"<= {_TENTH_MAX:g} launches (mean)",
            measured=f"{mean:.1f} launches",
            ok=mean <= _TENTH_MAX,
            details={"missed": missed, "canaries": count},
        ),
        *(_withdrawn(name, ended) for name, ended in (("launches", launches), ("jobs", jobs))),
    ]


def _withdrawn(name: str, ended: list[Verdict]) -> Figure:
    share = ended.count(Verdict.BAD) / len(ended)
    return Figure(
        name=f"canary: good ones withdrawn ({name})",
        bound=f"<= {PLAN.false_alarm:.1%}",
        measured=f"{share:.1%} of {len(ended)}",
        ok=share <= PLAN.false_alarm,
    )

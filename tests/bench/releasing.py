"""What two hundred releases at once do to listings and calls, on virtual time: counts, no speed."""

from tests.bench.figures import Figure
from tests.simulation.load import LIST_PERIOD_S, RATE_PER_S, Load

COUNT = 200
PERIODS_MAX = 2.0
CALLS_PER_NODE_MAX = 1.05


def measure() -> list[Figure]:
    """Release all at once, and see how old listings became and how often was asked."""
    load = Load(COUNT)
    load.make_all(within_s=900.0)
    began_s, calls = load.simulation.timetable.now_s(), load.cloud.calls
    before = calls["delete_server"]
    seconds = load.release_all(within_s=900.0)
    periods = load.workers.oldest_s(began_s) / LIST_PERIOD_S
    per_node = (calls["delete_server"] - before) / COUNT
    details = {"count": COUNT, "calls per second": RATE_PER_S, "virtual seconds": round(seconds, 1)}
    return [
        Figure(
            name=f"age of a listing during {COUNT} releases",
            bound=f"<= {PERIODS_MAX:g} periods",
            measured=f"{periods:.2f} periods",
            ok=periods <= PERIODS_MAX,
            details=details,
        ),
        Figure(
            name=f"delete calls per node of {COUNT} releases",
            bound=f"<= {CALLS_PER_NODE_MAX:g}",
            measured=f"{per_node:.3f}",
            ok=per_node <= CALLS_PER_NODE_MAX,
            details=details,
        ),
    ]

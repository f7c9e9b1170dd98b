"""min-ready is a promise of the whole installation: how much of it falls to each provider.

Every launcher computes the same shares from the same statuses. They are spread as evenly as the
providers' health and room allow, so that no single cloud can empty a pool.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, order=True)
class Partner:
    """One provider that could hold ready nodes of a label.

    Attributes:
        have: What it has ready or coming, promised to nobody.
        room: How many more it could start now.
        ready: What it has ready.
    """

    priority: int
    provider: str
    have: int
    room: int
    ready: int = 0


def shares(min_ready: int, partners: Sequence[Partner]) -> Mapping[str, int]:
    """Return how many of *min_ready* each provider is to hold.

    Nobody's share exceeds what it has plus what it could start; what one cannot take falls to
    the others.
    """
    taken = {partner.provider: 0 for partner in partners}
    order = sorted(partners)
    left = min_ready
    while left > 0:
        able = [one for one in order if taken[one.provider] < one.have + one.room]
        if not able:
            break
        able.sort(key=lambda one: (taken[one.provider], one.priority, one.provider))
        taken[able[0].provider] += 1
        left -= 1
    return taken

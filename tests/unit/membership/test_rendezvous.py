"""Duty: the living agree, without a leader, on who does what."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from remuda.membership.rendezvous import assignee
from remuda.model.ids import ReplicaId

LIVING = st.sets(st.sampled_from([ReplicaId(name) for name in "abcdefgh"]), min_size=1)


@given(st.text(), LIVING)
def test_exactly_one_is_on_duty_and_little_moves_when_one_leaves(
    thing: str, living: set[ReplicaId]
) -> None:
    """Everybody computes the same; what others had stays where it is."""
    chosen = assignee(thing, living)
    leaving = min(living)
    rest = living - {leaving}

    assert chosen == assignee(thing, sorted(living, reverse=True))
    assert chosen in living
    assert not rest or chosen == leaving or chosen == assignee(thing, rest)


def test_duty_is_spread() -> None:
    """No replica gets much more than its part."""
    living = [ReplicaId(f"replica {n}") for n in range(4)]
    counts = Counter(assignee(f"thing {n}", living) for n in range(1000))

    assert all(150 < n < 350 for n in counts.values())
    assert assignee("thing", []) is None

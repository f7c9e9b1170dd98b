"""Small pure values: shares, breakers, bids."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from launcher.node.shares import Partner, shares
from launcher.provider.breaker import Breaker
from launcher.provider.status import our_status
from launcher.request.bids import bids, pinned_elsewhere
from remuda.model.status import LabelStatus
from tests.unit.launcher.worlds import NOW, add_pool, add_provider, add_request, world

OPENING = {"why": "no", "threshold": 3, "base_s": 30.0, "max_s": 100.0}
PARTNERS = st.lists(
    st.builds(
        Partner,
        priority=st.integers(1, 3),
        provider=st.sampled_from("abcdef"),
        have=st.integers(0, 5),
        room=st.integers(0, 5),
    ),
    unique_by=lambda one: one.provider,
    max_size=6,
)


def test_shares_are_even_and_prefer_by_priority() -> None:
    """An odd one goes to the preferred provider."""
    partners = [Partner(100, "b", 0, 9), Partner(50, "a", 0, 9)]

    assert shares(5, partners) == {"a": 3, "b": 2}


def test_what_one_cannot_take_falls_to_the_others() -> None:
    """Nobody's share exceeds what it has and could start."""
    partners = [Partner(100, "a", 1, 0), Partner(100, "b", 0, 9)]

    assert shares(5, partners) == {"a": 1, "b": 4}


@given(st.integers(0, 20), PARTNERS)
def test_shares_add_up_as_far_as_they_can(min_ready: int, partners: list[Partner]) -> None:
    """The sum is what is wanted, or all that there could be; order does not matter."""
    found = shares(min_ready, partners)

    assert min(min_ready, sum(one.have + one.room for one in partners)) == sum(found.values())
    assert all(found[one.provider] <= one.have + one.room for one in partners)
    assert found == shares(min_ready, partners[::-1])


def test_a_breaker_opens_at_its_threshold_and_doubles_its_pause() -> None:
    """Until a success the pause grows up to its bound."""
    breaker, pauses = Breaker(), []
    for _ in range(7):
        now_s = breaker.open_until_s
        breaker = breaker.failed(now_s=now_s, **OPENING)  # type: ignore[arg-type]
        pauses.append(breaker.open_until_s - now_s)

    assert pauses == [0.0, 0.0, 30.0, 60.0, 100.0, 100.0, 100.0]


def test_failures_of_launches_that_were_under_way_add_nothing() -> None:
    """They tell nothing new."""
    breaker = Breaker(failures=3, opened=1, open_until_s=30.0)
    late = breaker.failed(now_s=10.0, **OPENING)  # type: ignore[arg-type]

    assert (late.open_until_s, late.opened, late.failures) == (30.0, 1, 4)


@pytest.mark.parametrize(
    ("failures", "now_s", "coming", "allowed"),
    [(2, 0.0, 5, None), (3, 29.9, 0, 0), (3, 30.0, 0, 1), (3, 30.0, 1, 0), (9, 30.0, 4, 0)],
)
def test_an_open_breaker_lets_one_through_after_its_pause(
    failures: int, now_s: float, coming: int, allowed: int | None
) -> None:
    """Closed: any number; open: none; half open: one at a time."""
    breaker = Breaker(failures=failures, opened=1, open_until_s=30.0)

    assert allowed == breaker.allowed(now_s=now_s, coming=coming, threshold=3)


def test_the_soonest_bids_best() -> None:
    """Ready nodes, then room, then anything, then trouble; priority only between equals."""
    made = world()
    add_provider(made, "ready", priority=900, small=LabelStatus(ready=1))
    add_provider(made, "full", priority=1, small=LabelStatus())
    add_provider(made, "broken", priority=1, small=LabelStatus(room=5, broken="no image"))
    add_provider(made, "slow", priority=100, small=LabelStatus(room=5, boot_s=500.0))
    view = add_request(made, 1)

    found = bids(made, view, our_status(made, NOW))

    assert [one.provider for one in found] == ["ready", "here", "slow", "full", "broken"]
    assert found[-1].hopeless


def test_a_pin_holds_only_while_the_preferred_provider_can() -> None:
    """It is a preference: without a pool that has all labels it means nothing."""
    made = world()
    add_pool(made, "there", "main", "small")
    pinned = add_request(made, 1, "small", provider="there")
    too_much = add_request(made, 2, "small", "large", provider="there")
    ours = add_request(made, 3, "small", provider="here")
    unknown = add_request(made, 4, "small", provider="nowhere")
    found = [pinned_elsewhere(made, one) for one in (pinned, too_much, ours, unknown)]

    assert found == [True, False, False, False]


def test_one_pool_in_trouble_does_not_break_the_label() -> None:
    """Only if all pools of a label are held back, the label is."""
    made = world(pools={"main": {"max-servers": 5}, "side": {"max-servers": 5}})
    made.cloud.breakers["main", "small"] = Breaker(failures=3, opened=1, open_until_s=1e9)
    one = our_status(made, NOW).labels["small"]
    made.cloud.breakers["side", "small"] = Breaker(failures=3, opened=1, open_until_s=1e9)
    both = our_status(made, NOW).labels["small"]

    assert (one.broken, one.room) == (None, 5)
    assert both.broken is not None
    assert both.room == 0

"""Times of records that lie far in the future: a clock was ahead, and they hold nothing up."""

from dataclasses import replace
from typing import Any

import pytest

from builder.alarm.actions import RaiseAlarm
from builder.build.actions import BeginBuild
from builder.decide import decide
from builder.place.actions import SweepImage
from builder.place.view import ImageListing, ListedImage
from remuda.model.image import BuildId
from remuda.model.pointer import Pointer
from tests.unit.builder.judging import HERE, NOW_S, PLACES, POLICY, build, some, upload, world


@pytest.mark.parametrize("due", [{"next_due_s": lambda s: s + 50.0}, {"age_s_max": 50.0}])
def test_a_build_of_the_far_future_is_followed_by_one_of_today(due: dict[str, Any]) -> None:
    """Its time would move along with the present, and nothing would be due ever again."""
    policy = {"a": replace(POLICY, **due)}
    ahead = build(1, requested_s=NOW_S + 1e8)
    skewed = replace(ahead, requested_s=NOW_S + 60.0)

    assert some(decide(world([ahead], [upload(1)], policies=policy)), BeginBuild)
    assert not some(decide(world([skewed], [upload(1)], policies=policy)), BeginBuild)
    today = build(2, requested_s=NOW_S)
    both = world([ahead, today], [upload(1), upload(2)], policies=policy)
    assert not some(decide(both), BeginBuild)


def test_a_build_of_the_far_future_is_not_fresh_for_ever() -> None:
    """Nobody knows how old it is: people are told so."""
    policy = {"a": replace(POLICY, fresh_s_max=1e4)}
    pointers = [Pointer(image="a", provider=one, place=PLACES[one], current=1) for one in PLACES]
    ahead = build(1, requested_s=NOW_S + 1e8)
    found = decide(world([ahead], [upload(1)], pointers, policies=policy))

    assert "its clock was ahead" in str(some(found, RaiseAlarm))


@pytest.mark.parametrize("ahead_s", [200.0, 1e8])
def test_an_image_of_a_failed_attempt_goes_whatever_its_record_says(ahead_s: float) -> None:
    """A call may be on its way for minutes, not for years."""
    old = ListedImage(id="i9", name="a.9", build=BuildId("a", 1), active=True)
    listing = ImageListing(
        begun_s=NOW_S - 1, before_s=NOW_S - 2, images={"i9": old}, images_before={"i9": old}
    )
    asked = upload(1, asked_by_s=NOW_S + ahead_s, since_s=NOW_S - 100 + (ahead_s > 1e6) * 1e8)
    late = build(1, asked_by_s=NOW_S + ahead_s)
    found = decide(world([late], [asked], listings={HERE: listing}))

    assert bool(some(found, SweepImage)) is (ahead_s > 1e6)

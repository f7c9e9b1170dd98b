"""An account whose limits nobody may read makes machines all the same; unknown is unknown."""

import pytest

from launcher.claim.actions import Claim
from launcher.provider.events import Surveyed
from remuda.cloud.api import BadOrderError, CloudError, Quota, TryLaterError, UnauthorizedError
from tests.unit.launcher.works import Works
from tests.unit.launcher.worlds import NOW, add_request, of_kind, think, world


@pytest.mark.parametrize(
    "error",
    [
        BadOrderError("HTTP 404: no such resource"),
        TryLaterError("HTTP 501: not implemented"),
        UnauthorizedError("HTTP 403: policy doesn't allow limits"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_machines_are_made_though_the_quota_is_not_told(error: CloudError) -> None:
    """What was found of images and flavors stands."""
    made = world()
    made.cloud.recipes.clear()
    works = Works(made)
    works.cloud.fail("quota", error)
    survey = works.starter.cloud.survey(made.policy, (0, 0, 0), {})
    works.hear(survey, NOW)
    add_request(made, 1, "small")

    assert survey.error is None
    assert made.cloud.trouble is None
    assert len(of_kind(think(made), Claim)) == 1
    assert made.cloud.quota_why == str(error)


def test_what_was_told_before_is_held_to() -> None:
    """It is the best that is known."""
    made = world()
    works = Works(made)
    told = Quota(instances_max=0)
    works.hear(
        Surveyed(begun_s=NOW.mono_s, recipes=made.cloud.recipes, quota=told, policy=made.policy),
        NOW,
    )
    works.hear(
        Surveyed(
            begun_s=NOW.mono_s, recipes=made.cloud.recipes, quota_why="HTTP 500", policy=made.policy
        ),
        NOW,
    )

    assert made.cloud.quota == told

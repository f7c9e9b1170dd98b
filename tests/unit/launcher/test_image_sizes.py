"""Flavors that the image fits on, whosever image it is, also when another one is booted."""

from dataclasses import replace
from typing import Any

import pytest

from launcher.lanes import SURVEY
from launcher.provider.actions import Survey
from launcher.server.specs import look_up
from launcher.world import World
from remuda.cloud.api import BadOrderError
from remuda.cloud.sizes import NO_NEEDS, ImageNeeds
from remuda.config.model import PoolLabel
from remuda.model.image import BuildId, UploadId
from remuda.model.imageask import ImageUse, image_label
from remuda.model.upload import Upload, UploadState, encode_upload
from remuda.store import paths
from remuda.store.api import Put, Stored
from tests.fakes.clock import ManualClock
from tests.fakes.cloud import DEBIAN, LARGE, SMALL, FakeCloud
from tests.unit.launcher.imaged import PLACE, imaged, point, store_build
from tests.unit.launcher.works import Works, quiet_fold
from tests.unit.launcher.worlds import NOW, think

KEY = ("main", "small")


def made_of(image: dict[str, int], **making: Any) -> Any:
    """Look a label up in a cloud whose image needs something."""
    cloud = FakeCloud(ManualClock())
    cloud.images = [replace(DEBIAN, **image)]  # type: ignore[arg-type]
    label = PoolLabel.model_validate({"image": DEBIAN.name, "flavor": {"cores": 1}} | making)
    return look_up(cloud, label, NO_NEEDS)


@pytest.mark.parametrize(
    ("image", "making", "flavor"),
    [
        ({}, {}, SMALL),
        ({"min_disk_gib": 11}, {}, LARGE),
        ({"min_ram_mib": 1025}, {}, LARGE),
        ({"virtual_bytes": 11 << 30}, {}, LARGE),
        ({"min_disk_gib": 11}, {"boot-from-volume": True}, SMALL),
    ],
)
def test_the_flavor_is_large_enough_for_the_image(
    image: dict[str, int], making: dict[str, Any], flavor: object
) -> None:
    """The smallest one; a volume is as large as configured, whatever the flavor's disk is."""
    recipe = made_of(image, **making)

    assert recipe.flavor == flavor
    assert recipe.needs == recipe.image.needs


@pytest.mark.parametrize(
    ("image", "making", "said"),
    [
        ({"min_disk_gib": 11}, {"flavor": "small"}, "11 GiB of disk, and small has 10 GiB"),
        ({"min_disk_gib": 41}, {}, "41 GiB of disk, and large has 40 GiB"),
        ({"min_disk_gib": 51}, {"boot-from-volume": True}, "makes a volume of 50 GiB"),
    ],
)
def test_a_label_that_cannot_be_made_says_why(
    image: dict[str, int], making: dict[str, Any], said: str
) -> None:
    """That is its verdict, and no order is sent that would only be refused."""
    with pytest.raises(BadOrderError, match=said):
        made_of(image, **making)


def sized(number: int, disk_gib: int, **fields: Any) -> Put:
    """Return the news that the upload of a build has a size."""
    upload_id = UploadId(BuildId("noble", number), PLACE)
    upload = Upload(
        id=upload_id,
        state=fields.pop("state", UploadState.USABLE),
        since_s=1.0,
        cloud_image=f"image-{number}",
        min_disk_gib=disk_gib,
        **fields,
    )
    path = paths.upload(upload_id)
    return Put(path=path, stored=Stored(path=path, value=encode_upload(upload), version=9))


def by_minimum() -> World:
    """Return a world whose label boots an image of ours on a flavor chosen by minimums."""
    made = imaged()
    label = made.policy.making[KEY].model_copy(update={"flavor": _one_core()})
    made.adopt_policy(replace(made.policy, making={**made.policy.making, KEY: label}))
    return made


def _one_core() -> Any:
    return PoolLabel.model_validate({"image": "x", "flavor": {"cores": 1}}).flavor


def surveyed(made: World) -> Works:
    """Let a survey be made and heard of."""
    works = Works(made)
    works.start(think(made), NOW, Survey)
    for action, work in works.workers.orders:
        works.hear(work(), NOW)
        made.cloud.busy.leave(SURVEY, action)
    return works


def test_a_new_build_that_needs_more_gets_another_flavor_at_once() -> None:
    """Not when the next survey would come anyway, after launches that the cloud refuses."""
    made = by_minimum()
    made.cloud.survey_due_s = 0.0
    surveyed(made)
    first = made.cloud.recipes[KEY]
    due_s = made.cloud.survey_due_s

    quiet_fold(made).fold(sized(1, 20), now_s=NOW.mono_s)
    surveyed(made)

    assert (first.flavor, first.needs) == (SMALL, NO_NEEDS)
    assert due_s > NOW.mono_s
    assert made.cloud.recipes[KEY].flavor == LARGE
    assert made.cloud.recipes[KEY].needs == ImageNeeds(disk_gib=20)


def test_a_candidate_may_need_more_than_what_is_served() -> None:
    """It is booted before anybody else boots it."""
    made = imaged()
    made.images.take(sized(1, 3))
    store_build(made, 2, UploadState.VALIDATING)
    made.images.take(sized(2, 12, state=UploadState.VALIDATING, trying="here"))
    made.images.take(sized(3, 99, state=UploadState.VALIDATING, trying="elsewhere"))

    assert made.images.needs("noble", NOW.wall_s) == ImageNeeds(disk_gib=3)
    assert made.images.needs("noble", NOW.wall_s, candidate=True) == ImageNeeds(disk_gib=12)
    assert made.images.needs("unknown", NOW.wall_s) == NO_NEEDS
    point(made, 2)
    assert made.images.needs("noble", NOW.wall_s) == NO_NEEDS  # it is not usable yet


def test_what_builders_ask_for_is_looked_up_for_its_candidates() -> None:
    """Their labels are made by us, of the recipe."""
    made = imaged()
    made.cloud.survey_due_s = 0.0
    store_build(made, 2, UploadState.VALIDATING)
    made.images.take(sized(2, 12, state=UploadState.VALIDATING, trying="here"))
    surveyed(made)

    key = ("main", image_label("noble", ImageUse.PROVE))

    assert "12 GiB of disk" in made.cloud.broken[key]
    assert key not in made.cloud.recipes
    assert made.cloud.recipes[KEY].flavor == SMALL

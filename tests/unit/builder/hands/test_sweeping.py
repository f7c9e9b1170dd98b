"""Which images go though no record names them, and which do not."""

from typing import Any

import pytest

from builder.place.actions import SweepImage
from builder.place.view import ListedImage
from remuda.cloud.api import TryLaterError
from remuda.cloud.image_store import ImageEdit
from remuda.model import tags
from remuda.model.build import BuildState
from remuda.model.upload import Method, UploadState
from remuda.store import paths
from tests.unit.builder.hands.clouds import BUILD, ME, Setting
from tests.unit.builder.hands.ends import sweep, sweeper

S = UploadState


def add_unreadable(setting: Setting) -> None:
    """Let a record be of a newer version."""
    setting.put(paths.pointer("debian", "pz"), b'{"schema": 99}')


def test_image_that_no_record_knows_is_swept(setting: Setting) -> None:
    """Half a copy of a dead builder, for example."""
    image = setting.image("pa")

    assert sweep(setting, image).why is None
    assert setting.there("pa") == set()
    assert sweep(setting, image).why is None  # somebody was faster


@pytest.mark.parametrize(
    ("name", "record"),
    [
        ("pa", {"state": S.USABLE}),
        ("pa", {"state": S.DELETING}),
        ("pa", {"state": S.MAKING, "cloud_image": None}),
        ("pa", {"state": S.PENDING, "cloud_image": None, "asked_by_s": 501.0}),
        ("pb", {"state": S.USABLE, "method": Method.NATIVE}),
    ],
)
def test_image_that_a_record_may_know_is_not_swept(
    setting: Setting, name: str, record: dict[str, Any]
) -> None:
    """It was written after the judgement."""
    image = setting.image("pa")
    setting.upload(name, **{"cloud_image": image.id, **record})

    assert sweep(setting, image).why is not None
    assert setting.there("pa") == {image.id}


def test_snapshot_that_is_waited_for_is_not_swept(setting: Setting) -> None:
    """Its build names it."""
    image = setting.image("pa")
    setting.build(
        state=BuildState.SNAPSHOTTING, place=setting.place("pa"), cloud_name=image.name, owner=ME
    )

    assert sweep(setting, image).why is not None
    assert setting.there("pa") == {image.id}


def test_nothing_is_swept_while_a_record_cannot_be_read(setting: Setting) -> None:
    """It may know the image."""
    image = setting.image("pa")
    add_unreadable(setting)

    assert sweep(setting, image).why is not None
    assert setting.there("pa") == {image.id}


def test_image_that_was_listed_by_another_id_is_not_swept(setting: Setting) -> None:
    """Order and listing have to be of the same."""
    image, other = setting.image("pa"), setting.image("pa", "ours-2")
    listed = ListedImage(id=other.id, name=other.name, build=BUILD, active=True)
    action = SweepImage(place=setting.place("pa"), cloud_image=image.id)

    assert sweeper(setting).sweep(action, listed, "pa", listed_s=500.0).why is not None
    assert setting.there("pa") == {image.id, other.id}


@pytest.mark.parametrize("maker", ["pz", "pb", "pc"])
def test_image_of_a_provider_that_does_not_lie_here_is_an_orphan(
    setting: Setting, maker: str
) -> None:
    """It left the configuration, or calls its region otherwise: another place, same project."""
    image = setting.image("pa")
    tagged = ImageEdit(properties={tags.PROVIDER: maker})
    setting.images["pa"].edit_image(image.id, tagged)

    assert "does not lie here" in (sweep(setting, image).why or "")
    assert setting.there("pa") == {image.id}


def test_provider_that_cannot_say_where_it_lies_sweeps_nothing(setting: Setting) -> None:
    """Its cloud is away."""
    image = setting.image("pa")
    setting.clouds["pa"].fail("location", TryLaterError("fake: 503"))

    assert sweep(setting, image).why is not None
    assert setting.there("pa") == {image.id}


def test_image_that_has_another_name_than_listed_is_not_swept(setting: Setting) -> None:
    """Though it is ours still: the record that knows it may know it by that."""
    image = setting.image("pa")
    renamed = ImageEdit(name="ours-2", properties={tags.IMAGE_NAME: "ours-2"})
    setting.images["pa"].edit_image(image.id, renamed)

    assert "ours-2" in (sweep(setting, image).why or "")
    assert setting.there("pa") == {image.id}

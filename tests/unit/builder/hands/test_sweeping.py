"""Which images go though no record names them, and which do not."""

from dataclasses import replace
from typing import Any

import pytest

from remuda.model.build import BuildState
from remuda.model.upload import Method, UploadState
from remuda.store import paths
from tests.unit.builder.hands.clouds import ME, Setting, listing
from tests.unit.builder.hands.ends import sweep

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


def test_one_listing_is_not_enough(setting: Setting) -> None:
    """Nor none."""
    image = setting.image("pa")
    once = replace(listing(image), images_before={})

    assert sweep(setting, image, seen=once).why is not None
    assert sweep(setting, image, seen=replace(once, images={})).why is not None
    assert setting.there("pa") == {image.id}


def test_image_of_a_provider_that_is_not_there_is_an_orphan(setting: Setting) -> None:
    """It left the configuration, or calls its region otherwise: another place, same project."""
    image = setting.image("pa")

    assert "does not lie here" in (sweep(setting, image, providers=("pz",)).why or "")
    assert setting.there("pa") == {image.id}

"""What is seen of a cloud, and what is ours of it."""

from typing import Any

import pytest

from builder.place.hand_look import LookingHand, no_room
from builder.place.sites import build_of
from remuda.cloud.api import Image, TryLaterError, UnauthorizedError
from remuda.cloud.image_store import ImageEdit, ImageStatus, ImageUsage
from remuda.config.images import BaseFrom
from remuda.model import tags
from remuda.model.build import Base
from tests.fakes.cloud import DEBIAN
from tests.unit.builder.hands.clouds import BUILD, INSTALLATION, Setting

MIB = 1 << 20


def hand(setting: Setting) -> LookingHand:
    """Return the hand."""
    return LookingHand(setting.clock, INSTALLATION)


def look(setting: Setting, name: str = "pa", size_bytes: int = 0, **bases: BaseFrom) -> Any:
    """Look at a provider."""
    return hand(setting).look(setting.sites[name], setting.clouds[name], bases, size_bytes)


def test_provider_says_where_it_is(setting: Setting) -> None:
    """Projects of one cloud are a realm; another region is none of it."""
    pa, pb, pc = (look(setting, name) for name in ("pa", "pb", "pc"))

    assert len({pa.place, pb.place, pc.place}) == 3
    assert pa.realm == pb.realm != pc.realm
    assert (pa.full, pa.trouble, pa.missing) == (None, None, {})


def test_bases_are_found_by_what_the_recipe_says(setting: Setting) -> None:
    """With their hashes, as far as the cloud knows them; parents are none."""
    stored = setting.image("pa", "by-hand", properties={"os_distro": "debian", "tier": "gold"})

    seen = look(
        setting,
        named=BaseFrom(name="debian-12"),
        of_match=BaseFrom(match="by-.*"),
        by_property=BaseFrom(name="by-hand", properties={"tier": "gold"}),
        by_id=BaseFrom(id=stored.id),
        child=BaseFrom(image="debian"),
    )

    base = Base(id=stored.id, name="by-hand", hash=f"sha512:{stored.hash_value}")
    assert set(seen.missing) == {"of_match", "by_property"}  # it is hidden, so found by its id only
    assert seen.bases == {"named": Base(id=DEBIAN.id, name=DEBIAN.name), "by_id": base}


def test_base_that_is_not_there_says_so(setting: Setting) -> None:
    """The others are found all the same."""
    seen = look(setting, gone=BaseFrom(name="windows"), there=BaseFrom(name="debian-12"))

    assert "windows" in seen.missing["gone"]
    assert set(seen.bases) == {"there"}


def test_build_of_ours_is_no_base(setting: Setting) -> None:
    """It would be deleted under the recipe; another installation's is nothing to us."""
    ours = setting.image("pa")
    theirs = setting.image(
        "pa",
        "theirs",
        properties={**setting.tags("pa", "theirs"), tags.INSTALLATION: "another"},
    )

    seen = look(setting, a=BaseFrom(id=ours.id), b=BaseFrom(id=theirs.id))

    assert "base: {image: debian}" in seen.missing["a"]
    assert seen.bases["b"].id == theirs.id


@pytest.mark.parametrize("operation", ["location", "usage", "find_image"])
def test_trouble_of_the_cloud_is_said(setting: Setting, operation: str) -> None:
    """Then nothing else is known."""
    setting.clouds["pa"].fail(operation, UnauthorizedError("fake: 401"))

    seen = look(setting, base=BaseFrom(name="debian-12"))

    assert seen.trouble == "fake: 401"
    assert (seen.place, seen.bases, seen.full) == (None, None, None)


@pytest.mark.parametrize(
    ("usage", "size_bytes", "full"),
    [
        (None, 0, None),
        (ImageUsage(), 10**15, None),
        (ImageUsage(images_used=4, images_max=5), 0, None),
        (ImageUsage(images_used=5, images_max=5), 0, "5 of 5 images"),
        (ImageUsage(images_used=6, images_max=5), 0, "6 of 5 images"),
        (ImageUsage(mib_used=880, mib_max=1000), 100 * MIB, None),
        (ImageUsage(mib_used=881, mib_max=1000), 100 * MIB, "about 120 MiB"),
        (ImageUsage(mib_used=1000, mib_max=1000), 0, "881|1000 of 1000 MiB"),
        (ImageUsage(mib_used=999, mib_max=1000), 0, None),
        (ImageUsage(images_used=1, images_max=0), 0, "1 of 0 images"),
    ],
)
def test_room_is_for_one_more_image_a_fifth_larger(
    usage: ImageUsage | None, size_bytes: int, full: str | None
) -> None:
    """What the cloud does not tell hinders nothing."""
    found = no_room(usage, size_bytes)

    assert (found is None) is (full is None)
    assert any(words in (found or "") for words in (full or "").split("|"))


def test_quota_of_the_cloud_makes_it_full(setting: Setting) -> None:
    """And is no trouble."""
    setting.image("pa")
    setting.one.images_max = 1

    seen = look(setting)

    assert "quota" in seen.full
    assert seen.trouble is None


def test_our_images_are_listed_hidden_or_not(setting: Setting) -> None:
    """Strangers' are not, nor what others made of our machines, nor other installations'."""
    ours = setting.image("pa")
    shown = setting.image("pa", "ours-2", hidden=False)
    setting.image("pa", "by-hand", properties=setting.tags("pa", "another name"))
    setting.image("pa", "plain", properties={})
    theirs = {**setting.tags("pa", "theirs"), tags.INSTALLATION: "another"}
    setting.image("pa", "theirs", properties=theirs)
    setting.images["pa"].deactivate(shown.id)

    seen = hand(setting).list_images(setting.sites["pa"], setting.place("pa"))

    assert seen.images is not None
    assert set(seen.images) == {ours.id, shown.id}
    assert seen.images[ours.id].build == BUILD
    assert (seen.images[ours.id].active, seen.images[shown.id].active) == (True, False)
    assert seen.begun_s == setting.clock.now_s()


@pytest.mark.parametrize(
    "build", ["", "0", "07", "-7", "7 ", "1000000", "x", "debian/7", "\u0667", "7/7", "../7"]
)
def test_build_of_an_image_is_read_strictly(setting: Setting, build: str) -> None:
    """What is no number of a build is nobody's image."""
    image = setting.image("pa", properties={**setting.tags("pa", "ours-1"), tags.BUILD: build})

    assert build_of(image, INSTALLATION) is None
    assert not hand(setting).list_images(setting.sites["pa"], setting.place("pa")).images


@pytest.mark.parametrize("image", ["", "../x", "a/b", "-x", "x" * 101, "ä"])
def test_name_of_an_image_is_read_strictly(image: str) -> None:
    """It becomes a part of paths."""
    properties = {
        tags.INSTALLATION: INSTALLATION,
        tags.PROVIDER: "pa",
        tags.IMAGE: image,
        tags.BUILD: "7",
        tags.IMAGE_NAME: "n",
    }

    assert build_of(Image(id="i", name="n", properties=properties), INSTALLATION) is None


def test_broken_listing_is_no_empty_one(setting: Setting) -> None:
    """It says why, and which provider it was."""
    setting.image("pa")
    setting.clouds["pa"].fail("list_images", TryLaterError("fake: 503"))

    seen = hand(setting).list_images(setting.sites["pa"], setting.place("pa"))

    assert seen.images is None
    assert seen.why == "pa: fake: 503"


def test_provider_that_has_moved_lists_nothing(setting: Setting) -> None:
    """It would be the listing of another place."""
    seen = hand(setting).list_images(setting.sites["pa"], setting.place("pc"))

    assert seen.images is None
    assert "another place" in (seen.why or "")


def test_image_that_is_being_deleted_is_still_there(setting: Setting) -> None:
    """Two listings without it mean that it is gone."""
    image = setting.image("pa")
    setting.one.edit(setting.one.kept[image.id], 0.0, status=ImageStatus.DELETING)

    seen = hand(setting).list_images(setting.sites["pa"], setting.place("pa"))

    assert seen.images is not None
    assert [one.active for one in seen.images.values()] == [False]


def test_image_that_was_renamed_is_not_ours_any_more(setting: Setting) -> None:
    """Whoever did that has taken it."""
    image = setting.image("pa")
    setting.images["pa"].edit_image(image.id, ImageEdit(name="golden"))

    seen = hand(setting).list_images(setting.sites["pa"], setting.place("pa"))

    assert seen.images == {}

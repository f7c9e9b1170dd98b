"""When uploads go for good, and what else the course of time brings."""

from dataclasses import replace

import pytest

from builder.build.actions import BeginBuild
from builder.decide import decide
from builder.place.actions import SweepImage
from builder.place.sweep import expected
from builder.place.view import ImageListing, ListedImage
from builder.pointer.actions import MovePointer
from builder.upload.actions import EraseImage, ForgetUpload, RetireUpload
from builder.view import WorldView
from remuda.model.build import Why
from remuda.model.image import BuildId
from remuda.model.pointer import Pin, Pointer
from remuda.model.upload import Upload, UploadState
from remuda.store import paths
from remuda.store.api import Stored
from tests.unit.builder.judging import (
    HERE,
    NOW_S,
    POLICY,
    WORD,
    build,
    some,
    upload,
    world,
)

SINCE_S = NOW_S - 100.0
IMAGE = ListedImage(id="i1", name="remuda-a-1", build=BuildId("a", 1), active=True)
SHOWN = {IMAGE.id: IMAGE}
GOING = upload(1, state=UploadState.DELETING, since_s=SINCE_S)
#: Both listings were begun since, and neither shows it.
GONE = ImageListing(begun_s=NOW_S - 1.0, before_s=NOW_S - 50.0)
POINTER = Pointer(image="a", provider="p", place=HERE, current=1)


def going(listing: ImageListing, one: Upload = GOING, **more: object) -> WorldView:
    """Return what is known of an upload that is being deleted."""
    return world([build(1)], [one], listings={HERE: listing}, **more)  # type: ignore[arg-type]


def erased(known: WorldView) -> list[str]:
    """Return the images that are deleted in the cloud."""
    return [one.cloud_image for one in some(decide(known), EraseImage)]


def test_a_record_goes_when_two_listings_do_not_show_its_image() -> None:
    """Or at once, if the cloud never had one."""
    never = replace(GOING, cloud_image=None)

    for known in (going(GONE), going(ImageListing(), never)):
        assert [one.id for one in some(decide(known), ForgetUpload)] == [GOING.id]
        assert erased(known) == []


@pytest.mark.parametrize(
    "listing",
    [
        ImageListing(),
        ImageListing(begun_s=SINCE_S - 1.0, before_s=SINCE_S - 50.0),
        ImageListing(begun_s=NOW_S - 1.0, before_s=NOW_S - 50.0, images=SHOWN),
    ],
    ids=["never listed", "listed before", "still shown"],
)
def test_an_image_is_deleted_until_the_cloud_does_not_show_it(listing: ImageListing) -> None:
    """An answer alone says little."""
    assert erased(going(listing)) == ["i1"]


def test_one_listing_without_an_image_is_not_enough() -> None:
    """Listings may lie; nothing is asked of the cloud meanwhile."""
    known = going(ImageListing(begun_s=NOW_S - 1.0, before_s=NOW_S - 50.0, images_before=SHOWN))
    plan = decide(known)

    assert not some(plan, ForgetUpload)
    assert erased(known) == []
    assert plan.waits[str(GOING.id)] == "two listings have to show that it is gone"


def test_a_deletion_waits_for_its_cloud() -> None:
    """While it is away, and for a while after it has refused."""
    refused = replace(GOING, retry_s=NOW_S + 60.0)
    away = decide(going(ImageListing(), away={"p": "the cloud is away"}))
    later = decide(going(ImageListing(), refused))

    assert not some(away, EraseImage)
    assert away.waits[str(GOING.id)] == "the cloud is away"
    assert not some(later, EraseImage)
    assert later.waits[str(GOING.id)] == "the cloud does not let it go yet"
    assert later.wake_at_s == NOW_S + 60.0


ODD = (paths.build(BuildId("a", 9)),)


def test_nothing_retires_while_a_record_may_refer_to_it() -> None:
    """Nobody can tell what one says that cannot be read."""
    builds, uploads = [build(1, unwanted=WORD), build(2)], [upload(1), upload(2)]
    plan = decide(world(builds, uploads, unreadable=ODD))

    assert [one.id for one in some(decide(world(builds, uploads)), RetireUpload)] == [uploads[0].id]
    assert not some(plan, RetireUpload)
    assert "nobody can tell what" in plan.waits[str(uploads[0].id)]


def test_nothing_is_swept_while_a_record_may_expect_it() -> None:
    """Neither by the plan, nor by the hand that reads everything anew before it deletes."""
    strange = replace(IMAGE, id="i9", build=BuildId("a", 9))
    shown = {strange.id: strange}
    listing = ImageListing(begun_s=2.0, before_s=1.0, images=shown, images_before=shown)
    known = world([build(1)], listings={HERE: listing})
    odd = world([build(1)], listings={HERE: listing}, unreadable=ODD)

    assert [one.cloud_image for one in some(decide(known), SweepImage)] == ["i9"]
    assert not expected(known, HERE, strange, listed_s=1.0)
    assert not some(decide(odd), SweepImage)
    assert expected(odd, HERE, strange, listed_s=1.0)


@pytest.mark.parametrize(("served", "why"), [(1, None), (2, Why.BASE_CHANGED)])
def test_a_build_is_due_when_its_parent_has_a_successor(served: int, why: Why | None) -> None:
    """As far as launches boot it where the last one was made."""
    made_from = build(1, parent=BuildId("base", 1))
    known = world([made_from], [upload(1)], policies={"a": replace(POLICY, parent="base")})
    parent = Pointer(image="base", provider="p", place=HERE, current=served)
    stored = Stored(path=paths.pointer("base", "p"), value=parent, version=1)
    library = replace(known.library, pointers={("base", "p"): stored})

    begun = [one.why for one in some(decide(replace(known, library=library)), BeginBuild)]

    assert begun == ([] if why is None else [why])
    assert not some(decide(known), BeginBuild)


def test_a_pin_goes_when_its_time_is_over() -> None:
    """And until then that is when to look again."""
    builds, uploads = [build(1), build(2)], [upload(1), upload(2)]

    def pinned(until_s: float | None) -> WorldView:
        pin = Pin(number=1, word=WORD, until_s=until_s)
        return world(builds, uploads, [replace(POINTER, current=2, pinned=pin)])

    (over,) = [one for one in some(decide(pinned(NOW_S - 1.0)), MovePointer) if one.provider == "p"]
    soon, never = decide(pinned(NOW_S + 60.0)), decide(pinned(None))

    assert (over.after.pinned, over.after.served(NOW_S)) == (None, 2)
    assert not [one for one in some(soon, MovePointer) if one.provider == "p"]
    assert not [one for one in some(never, MovePointer) if one.provider == "p"]
    assert (soon.wake_at_s, never.wake_at_s) == (NOW_S + 60.0, None)

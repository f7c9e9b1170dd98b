"""Which images go with their records, and which do not."""

from typing import Any

import pytest

from builder.actions import JudgedAction, Plan
from builder.place.view import ImageListing, ProviderFacts
from builder.upload import retire
from builder.upload.actions import EraseImage, ForgetUpload
from builder.upload.hand_retire import IN_USE_S, REFUSED_S, SHARED_S
from builder.view import WorldView
from remuda.cloud.api import BadOrderError, CloudError, InUseError, TryLaterError
from remuda.cloud.image_store import ImageEdit, Visibility
from remuda.images.library import Library
from remuda.model.upload import Method, Upload, UploadState
from tests.unit.builder.hands.clouds import ME, Setting
from tests.unit.builder.hands.ends import erase

S = UploadState


def condemned(setting: Setting, **more: Any) -> str:
    """Return an image whose record says that it goes."""
    image = setting.image("pa", **more)
    setting.upload("pa", state=S.DELETING, cloud_image=image.id, method=Method.NATIVE)
    return image.id


def test_image_of_a_condemned_upload_is_deleted(setting: Setting) -> None:
    """Whether it is deactivated or not; the record goes when two listings agree."""
    image_id = condemned(setting)
    setting.images["pa"].deactivate(image_id)

    assert erase(setting, image_id).why is None
    assert setting.there("pa") == set()
    assert setting.now("pa").state is S.DELETING


def test_image_that_is_gone_is_no_trouble(setting: Setting) -> None:
    """Somebody was faster."""
    image_id = condemned(setting)
    setting.images["pa"].delete_image(image_id)

    assert erase(setting, image_id).why is None


@pytest.mark.parametrize("state", [one for one in S if one is not S.DELETING])
def test_image_stays_unless_its_record_says_that_it_goes(
    setting: Setting, state: UploadState
) -> None:
    """To this moment."""
    image_id = condemned(setting)
    setting.upload("pa", state=state, cloud_image=image_id)

    assert str(state) in (erase(setting, image_id).why or "")
    assert setting.there("pa") == {image_id}


def test_image_that_is_not_the_one_on_record_stays(setting: Setting) -> None:
    """And one whose record is gone."""
    one, other = setting.image("pa"), setting.image("pa", "ours-2")
    assert erase(setting, one.id).why is not None
    setting.upload("pa", state=S.DELETING, cloud_image=other.id)

    assert erase(setting, one.id).why is not None
    assert setting.there("pa") == {one.id, other.id}


def test_image_in_use_is_asked_for_again_slowly(setting: Setting) -> None:
    """The record says when, and why."""
    image_id = condemned(setting)
    setting.clouds["pa"].fail("delete_image", InUseError("fake: 409"))

    assert erase(setting, image_id).why == "fake: 409"
    assert setting.now("pa").retry_s == setting.clock.now_s() + IN_USE_S
    assert "409" in str(setting.now("pa").mishap)
    assert setting.now("pa").state is S.DELETING


def test_what_is_written_of_a_refusal_has_no_secrets(setting: Setting) -> None:
    """Clouds repeat what they were told."""
    image_id = condemned(setting)
    error = InUseError("409: https://user:hunter2-hunter2@store.example/x")
    setting.clouds["pa"].fail("delete_image", error)

    erase(setting, image_id)

    assert "store.example" in str(setting.now("pa").mishap)
    assert "hunter2" not in str(setting.now("pa").mishap)


def test_image_that_is_protected_waits_for_a_human(setting: Setting) -> None:
    """Still more slowly."""
    image_id = condemned(setting)
    setting.images["pa"].edit_image(image_id, ImageEdit(protected=True))

    assert "protected" in (erase(setting, image_id).why or "")
    assert setting.now("pa").retry_s == setting.clock.now_s() + REFUSED_S
    assert setting.there("pa") == {image_id}


def test_cloud_that_is_away_changes_no_record(setting: Setting) -> None:
    """The same again, soon."""
    image_id = condemned(setting)
    setting.clouds["pa"].fail("delete_image", TryLaterError("fake: 503"))
    before = setting.stored(setting.id("pa"))

    assert erase(setting, image_id).why == "fake: 503"
    assert setting.stored(setting.id("pa")) == before


def shared(setting: Setting) -> str:
    """Return an image that is shared with another project, whose upload goes."""
    image = setting.image("pa", visibility=Visibility.SHARED)
    setting.images["pa"].share(image.id, setting.images["pb"].project())
    setting.images["pb"].accept(image.id)
    setting.upload("pa", cloud_image=image.id)
    setting.upload(
        "pb",
        state=S.DELETING,
        method=Method.SHARE,
        source=setting.place("pa"),
        cloud_image=image.id,
    )
    return image.id


def test_shared_image_ends_as_a_membership(setting: Setting) -> None:
    """The bytes are the source's."""
    image_id = shared(setting)

    assert erase(setting, image_id, "pb").why is None
    assert setting.images["pa"].members(image_id) == {}
    assert setting.there("pa") == {image_id}


@pytest.mark.parametrize(
    ("error", "wait_s"),
    [(TryLaterError("fake: 503"), SHARED_S), (BadOrderError("fake: 403"), REFUSED_S)],
)
def test_record_of_a_membership_stays_until_that_has_ended(
    setting: Setting, error: CloudError, wait_s: float
) -> None:
    """Listings need not show it: only those begun after the next attempt may tell it is gone."""
    image_id = shared(setting)
    setting.clouds["pa"].fail("unshare", error)

    assert erase(setting, image_id, "pb").why == str(error)

    upload = setting.now("pb")
    assert (upload.state, upload.retry_s) == (S.DELETING, setting.clock.now_s() + wait_s)
    assert planned(setting, upload, begun_s=upload.retry_s - 1.0, now_s=upload.retry_s - 1.0) == ()
    (again,) = planned(setting, upload, begun_s=upload.retry_s - 1.0, now_s=upload.retry_s)
    assert isinstance(again, EraseImage)

    assert erase(setting, image_id, "pb").why is None
    assert setting.images["pa"].members(image_id) == {}
    (last,) = planned(setting, upload, begun_s=upload.retry_s + 9.0, now_s=upload.retry_s + 10.0)
    assert isinstance(last, ForgetUpload)


def planned(
    setting: Setting, upload: Upload, *, begun_s: float, now_s: float
) -> tuple[JudgedAction, ...]:
    """Return what is judged after two listings that do not show the image."""
    place = upload.id.place
    stored = setting.stored(upload.id)
    world = WorldView(
        now_s=now_s,
        me=ME,
        builders=frozenset({ME}),
        mine=lambda _: True,
        library=Library(uploads={upload.id: stored}),
        providers={"pb": ProviderFacts(name="pb", place=place)},
        listings={place: ImageListing(begun_s=begun_s, before_s=begun_s - 1.0)},
    )
    plan = Plan()
    retire.step(world, plan)
    return tuple(plan.actions)


@pytest.mark.parametrize("known", [("pb",), ("pb", "pc")])
def test_shared_image_needs_the_project_that_shares_it(
    setting: Setting, known: tuple[str, ...]
) -> None:
    """Nobody else can end it; nothing is deleted instead."""
    image_id = shared(setting)

    assert erase(setting, image_id, "pb", *known).why is not None
    assert setting.there("pa") == {image_id}
    assert len(setting.images["pa"].members(image_id)) == 1


def test_record_that_does_not_say_how_deletes_nothing_of_another_project(setting: Setting) -> None:
    """Even if that project has shared it with us, and the record takes it for ours."""
    image_id = shared(setting)
    setting.upload("pb", state=S.DELETING, method=Method.CARRY, cloud_image=image_id)

    assert "another project" in (erase(setting, image_id, "pb").why or "")
    assert setting.there("pa") == {image_id}


def test_provider_that_is_not_there_any_more_deletes_nothing(setting: Setting) -> None:
    """The configuration has lost it since it was decided."""
    image_id = condemned(setting)

    assert "pa is not in the configuration" in (erase(setting, image_id, "pa", "pc").why or "")
    assert setting.there("pa") == {image_id}


def test_record_that_takes_an_image_for_shared_ends_nobody_elses_membership(
    setting: Setting,
) -> None:
    """The image is the project's own: it is neither deleted nor taken away from others."""
    shared(setting)
    own = setting.image("pb", "ours-2", visibility=Visibility.SHARED)
    setting.images["pb"].share(own.id, setting.images["pa"].project())
    setting.upload(
        "pb",
        state=S.DELETING,
        method=Method.SHARE,
        source=setting.place("pa"),
        cloud_image=own.id,
    )

    assert "not shared from pa" in (erase(setting, own.id, "pb").why or "")
    assert setting.there("pb") == {own.id}
    assert setting.clouds["pa"].calls["unshare"] == 0

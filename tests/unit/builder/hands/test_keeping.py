"""What ends, and above all what does not."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from builder.decide.actions import CondemnUpload, EraseImage, RetireUpload, SweepImage
from builder.events import Kept
from builder.hands.keeping import IN_USE_S, REFUSED_S, KeepingHand
from remuda.cloud.api import InUseError, TryLaterError
from remuda.cloud.image_store import ImageEdit, Visibility
from remuda.model import launch as launches
from remuda.model import tags
from remuda.model.build import BuildState, encode_build
from remuda.model.ids import NodeId
from remuda.model.image import BuildId, UploadId
from remuda.model.pointer import Pointer, encode_pointer
from remuda.model.upload import Method, UploadState, encode_upload
from remuda.store import paths
from remuda.store.api import Set
from tests.unit.builder.hands.clouds import BUILD, INSTALLATION, ME, Setting, listing
from tests.unit.images.making import child, launch

S = UploadState


@pytest.fixture
def setting(tmp_path: Path) -> Setting:
    """Records and clouds."""
    return Setting(tmp_path)


def hand(setting: Setting) -> KeepingHand:
    """Return the hand."""
    return KeepingHand(setting.store, setting.clock, INSTALLATION)


# Retiring, and condemning.


def retire(setting: Setting, name: str = "pa") -> Kept:
    """Let the upload of a provider retire."""
    return hand(setting).retire(RetireUpload(id=setting.id(name), because="x"))


def condemn(setting: Setting, name: str = "pa") -> Kept:
    """Let it be deleted."""
    return hand(setting).condemn(CondemnUpload(id=setting.id(name)))


def add_launch(setting: Setting) -> None:
    """Let a node boot from it."""
    one = launch("3000000001", setting.id("pa"))
    setting.put(paths.launch("pa", one.id), launches.encode(one))


def add_odd_launch(setting: Setting) -> None:
    """Let a node boot from something that nobody can name."""
    one = replace(launch("3000000001", setting.id("pa")), image_place="nowhere")
    setting.put(paths.launch("pa", one.id), launches.encode(one))


def add_pointer(setting: Setting) -> None:
    """Let launches be given it."""
    one = Pointer(image=BUILD.image, provider="pa", place=setting.place("pa"), current=7)
    setting.put(paths.pointer(BUILD.image, "pa"), encode_pointer(one))


def add_child(setting: Setting) -> None:
    """Let a build start from it."""
    one = child(1, setting.id("pa"))
    setting.put(paths.build(one.id), encode_build(one))


def add_copy(setting: Setting) -> None:
    """Let it be copied."""
    setting.upload("pc", state=S.MAKING, method=Method.CARRY, source=setting.place("pa"))


def add_share(setting: Setting) -> None:
    """Let it be shared, long ago."""
    setting.upload(
        "pb", state=S.USABLE, method=Method.SHARE, source=setting.place("pa"), cloud_image="i"
    )


def add_unreadable(setting: Setting) -> None:
    """Let a record be of a newer version."""
    setting.put(paths.pointer("debian", "pz"), b'{"schema": 99}')


LAUNCHES: list[Callable[[Setting], None]] = [add_launch]
OTHERS = [add_pointer, add_child, add_copy, add_share, add_unreadable, add_odd_launch]


@pytest.mark.parametrize("state", [S.USABLE, S.REJECTED, S.FAILED])
@pytest.mark.parametrize("holds", [None, *LAUNCHES])
def test_upload_retires_while_nothing_but_launches_refers(
    setting: Setting, state: UploadState, holds: Callable[[Setting], None] | None
) -> None:
    """A retiring image still boots what was bound to it."""
    setting.upload("pa", state=state)
    if holds is not None:
        holds(setting)

    assert retire(setting).why is None
    assert setting.now("pa").state is S.RETIRING
    assert setting.now("pa").since_s == setting.clock.now_s()


@pytest.mark.parametrize("holds", OTHERS)
def test_upload_that_something_refers_to_does_not_retire(
    setting: Setting, holds: Callable[[Setting], None]
) -> None:
    """It says what."""
    setting.upload("pa")
    holds(setting)

    assert "refer" in (retire(setting).why or "")
    assert setting.now("pa").state is S.USABLE


@pytest.mark.parametrize("state", [S.PENDING, S.MAKING, S.STORED, S.VALIDATING, S.RETIRING])
def test_upload_that_has_moved_on_does_not_retire(setting: Setting, state: UploadState) -> None:
    """What was decided was about something else."""
    setting.upload("pa", state=state)

    assert str(state) in (retire(setting).why or "")
    assert setting.now("pa").state is state


def test_retiring_upload_is_condemned_when_nothing_refers(setting: Setting) -> None:
    """Then its image may be deleted."""
    setting.upload("pa", state=S.RETIRING)

    assert condemn(setting).why is None
    assert setting.now("pa").state is S.DELETING


@pytest.mark.parametrize("holds", [*LAUNCHES, *OTHERS])
def test_upload_that_anything_refers_to_is_not_condemned(
    setting: Setting, holds: Callable[[Setting], None]
) -> None:
    """A launch neither."""
    setting.upload("pa", state=S.RETIRING)
    holds(setting)

    assert "refer" in (condemn(setting).why or "")
    assert setting.now("pa").state is S.RETIRING


@pytest.mark.parametrize("state", [one for one in S if one is not S.RETIRING])
def test_only_what_retires_is_condemned(setting: Setting, state: UploadState) -> None:
    """Whatever was decided."""
    setting.upload("pa", state=state)

    assert condemn(setting).why is not None
    assert setting.now("pa").state is state


@pytest.mark.parametrize("end", [retire, condemn])
def test_reference_that_touched_the_upload_meanwhile_wins(
    setting: Setting, end: Callable[[Setting], Kept]
) -> None:
    """It came after the upload was read, and is not seen; the write fails."""
    state = S.USABLE if end is retire else S.RETIRING
    before = setting.upload("pa", state=state)
    other = setting.zookeeper.connect()
    children = setting.store.children

    def read_late(path: str) -> tuple[str, ...]:
        if path == paths.IMAGES:
            data = encode_upload(before.value)
            other.commit([Set(path=before.path, data=data, version=before.version)])
        return children(path)

    setting.store.children = read_late  # type: ignore[method-assign]

    assert end(setting).why is not None
    assert setting.now("pa").state is state


@pytest.mark.parametrize("end", [retire, condemn])
def test_nothing_is_written_for_another_installation(
    setting: Setting, end: Callable[[Setting], Kept]
) -> None:
    """Its id is not ours any more: who knows whose records these are."""
    setting.upload("pa", state=S.USABLE if end is retire else S.RETIRING)
    setting.put(paths.INSTALLATION, b"another")

    assert "installation" in (end(setting).why or "")


def test_upload_that_is_gone_or_corrupt_is_left_alone(setting: Setting) -> None:
    """It says so."""
    assert "not on record" in (retire(setting).why or "")
    setting.put(paths.upload(setting.id("pa")), b"{}")
    assert condemn(setting).why is not None


def test_store_that_is_away_leaves_everything(setting: Setting) -> None:
    """Nothing is known."""
    setting.upload("pa")
    setting.store.suspend()

    assert retire(setting).why is not None


# Erasing.


def erase(setting: Setting, image_id: str, name: str = "pa", there: str | None = None) -> Kept:
    """Delete the image of a provider's upload."""
    action = EraseImage(id=setting.id(name), cloud_image=image_id)
    source = None if there is None else setting.sites[there]
    return hand(setting).erase(action, setting.sites[name], source)


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

    assert erase(setting, image_id, "pb", "pa").why is None
    assert setting.images["pa"].members(image_id) == {}
    assert setting.there("pa") == {image_id}


@pytest.mark.parametrize("there", [None, "pc", "pb"])
def test_shared_image_needs_the_project_that_shares_it(setting: Setting, there: str | None) -> None:
    """Nobody else can end it; nothing is deleted instead."""
    image_id = shared(setting)

    assert erase(setting, image_id, "pb", there).why is not None
    assert setting.there("pa") == {image_id}
    assert len(setting.images["pa"].members(image_id)) == 1


def test_record_that_does_not_say_how_deletes_nothing_of_another_project(setting: Setting) -> None:
    """Even if that project has shared it with us, and the record takes it for ours."""
    image_id = shared(setting)
    setting.upload("pb", state=S.DELETING, method=Method.CARRY, cloud_image=image_id)

    assert "another project" in (erase(setting, image_id, "pb", "pa").why or "")
    assert setting.there("pa") == {image_id}


# Sweeping.


def sweep(setting: Setting, image: Any, *, seen: Any = None, providers: Any = ("pa",)) -> Kept:
    """Sweep an image of pa."""
    action = SweepImage(place=setting.place("pa"), cloud_image=image.id)
    shows = listing(image) if seen is None else seen
    return hand(setting).sweep(action, setting.sites["pa"], shows, providers)


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


# Nobody else's image, whatever the records say.


def _edited(setting: Setting, image_id: str, edit: ImageEdit) -> None:
    setting.images["pa"].edit_image(image_id, edit)


STRANGE: dict[str, ImageEdit] = {
    "another name": ImageEdit(name="by-hand"),  # its tags are inherited
    "no tags": ImageEdit(
        removed=(tags.INSTALLATION, tags.PROVIDER, tags.IMAGE, tags.BUILD, tags.IMAGE_NAME)
    ),
    **{
        f"without {key}": ImageEdit(removed=(key,))
        for key in (tags.INSTALLATION, tags.PROVIDER, tags.IMAGE, tags.BUILD, tags.IMAGE_NAME)
    },
    "another installation": ImageEdit(properties={tags.INSTALLATION: "another"}),
    "no installation": ImageEdit(properties={tags.INSTALLATION: ""}),
    "a trial": ImageEdit(properties={tags.INSTALLATION: tags.TRIALS}),
    "another build": ImageEdit(properties={tags.BUILD: "8"}),
    "another image": ImageEdit(properties={tags.IMAGE: "windows"}),
    "no build": ImageEdit(properties={tags.BUILD: "07"}),
    "a path": ImageEdit(properties={tags.IMAGE: "../debian"}),
    "name and tag of another": ImageEdit(
        name="theirs", properties={tags.IMAGE_NAME: "theirs", tags.INSTALLATION: "another"}
    ),
}


@pytest.mark.parametrize("edit", STRANGE.values(), ids=STRANGE)
@pytest.mark.parametrize("way", ["erase", "sweep"])
def test_image_that_is_not_ours_is_never_deleted(
    setting: Setting, edit: ImageEdit, way: str
) -> None:
    """Whatever is on record, or was listed."""
    image = setting.image("pa")
    if way == "erase":
        setting.upload("pa", state=S.DELETING, cloud_image=image.id, method=Method.NATIVE)
    _edited(setting, image.id, edit)

    kept = erase(setting, image.id) if way == "erase" else sweep(setting, image)

    assert kept.why is not None
    assert setting.there("pa") == {image.id}
    assert setting.clouds["pa"].calls["delete_image"] == 0


def test_image_of_another_build_than_listed_is_not_swept(setting: Setting) -> None:
    """An id is used once only; but who believes that."""
    image = setting.image("pa")

    kept = sweep(setting, image, seen=listing(image, build=BuildId("debian", 6)))

    assert kept.why is not None
    assert setting.there("pa") == {image.id}


def _another_installation(setting: Setting) -> None:
    setting.put(paths.INSTALLATION, b"another")


def _moved(setting: Setting) -> None:
    setting.images["pa"]._project = "moved"


BEFORE: dict[str, Callable[[Setting], None]] = {
    "installation": _another_installation,
    "place": _moved,
}
#: While the call waits for our rate limit.
MEANWHILE: dict[str, Callable[[Setting], None]] = {
    "late": lambda setting: setting.clock.advance(61.0),
    "session": lambda setting: setting.store.expire(),
    "suspended": lambda setting: setting.store.suspend(),
}


@pytest.mark.parametrize("way", ["erase", "sweep"])
@pytest.mark.parametrize("trouble", [*BEFORE, *MEANWHILE])
def test_deletion_is_fenced(setting: Setting, way: str, trouble: str) -> None:
    """Last thing before it is sent."""
    image = setting.image("pa")
    cloud, here = setting.clouds["pa"], setting.sites["pa"]
    erasing = EraseImage(id=setting.id("pa"), cloud_image=image.id)
    sweeping = SweepImage(place=setting.place("pa"), cloud_image=image.id)
    if way == "erase":
        setting.upload("pa", state=S.DELETING, cloud_image=image.id, method=Method.NATIVE)
    before = cloud.calls["get_image"]

    def paused() -> None:
        if cloud.calls["get_image"] > before:
            MEANWHILE[trouble](setting)

    if trouble in MEANWHILE:
        cloud.pause = paused
    BEFORE.get(trouble, lambda _: None)(setting)
    if way == "erase":
        kept = hand(setting).erase(erasing, here, None)
    else:
        kept = hand(setting).sweep(sweeping, here, listing(image), ("pa",))

    assert kept.why is not None
    assert image.id in setting.one.kept


def test_launch_of_another_upload_hinders_nothing(setting: Setting) -> None:
    """Only what refers to this one does."""
    setting.upload("pa", state=S.RETIRING)
    one = replace(launch("3000000002", UploadId(BuildId("debian", 6), setting.place("pa"))))
    setting.put(paths.launch("pa", NodeId(one.id)), launches.encode(one))

    assert condemn(setting).why is None

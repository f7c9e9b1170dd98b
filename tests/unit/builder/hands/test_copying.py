"""How a build comes to another place."""

import stat
from typing import Any

import pytest

from builder.place.sites import ARRIVAL_S, FENCE_S
from builder.upload.events import CopyEnded
from remuda.cloud.image_store import ImageEdit, ImageStatus, Membership, StoredImage, Visibility
from remuda.model import tags
from remuda.model.build import Blame
from remuda.model.upload import Method, UploadState
from tests.unit.builder.hands.clouds import DATA, INSTALLATION
from tests.unit.builder.hands.copies import BOTH, Make

# When all goes well.


def test_shared_image_is_the_same_image(make: Make) -> None:
    """Its record goes on referring to its source; the other project boots it by its id."""
    copy = make(Method.SHARE)
    copy.setting.clock.advance(5.0)

    ended = copy.run()
    now = copy.now()

    assert ended == CopyEnded(id=copy.setting.id("pb"))
    assert (now.state, now.owner, now.mishap) == (UploadState.STORED, None, None)
    assert (now.cloud_image, now.source) == (copy.image.id, copy.setting.place("pa"))
    assert (now.size_bytes, now.sha256, now.min_disk_gib) == (len(DATA), "a" * 64, 2)
    assert now.os_hash == f"sha512:{copy.image.hash_value}"
    assert copy.members() == {"project-pb": Membership.ACCEPTED}
    assert copy.setting.images["pb"].get_image(copy.image.id).hidden


def test_carried_image_is_ours_by_tags_of_its_own(make: Make) -> None:
    """Hidden, private, byte for byte; with what Nova heeds, and nothing else of its source."""
    properties = {
        "hw_disk_bus": "scsi",
        "os_hash_value": "x",
        "kernel_id": "k",
        "owner_specified.md5": "m",
        "locked_by": "site",
    }
    copy = make(Method.CARRY)
    copy.setting.images["pa"].edit_image(copy.image.id, ImageEdit(properties=properties))

    assert copy.run().why is None
    now, (made,) = copy.now(), copy.made()
    found = tags.read_image(made.name, made.properties)

    assert (now.state, now.cloud_image, now.source) == (UploadState.STORED, made.id, None)
    assert (now.size_bytes, now.os_hash) == (len(DATA), f"sha512:{copy.image.hash_value}")
    assert now.min_disk_gib == 2
    assert found is not None
    assert (found.owner.provider, found.owner.installation) == ("pc", INSTALLATION)
    assert (found.image, found.build, found.copy_of) == ("debian", "7", copy.image.id)
    assert made.name == "remuda-debian-7-c-one"
    assert (made.hidden, made.visibility) == (True, Visibility.PRIVATE)
    assert {k: v for k, v in made.properties.items() if not k.startswith("remuda_")} == {
        "hw_disk_bus": "scsi",
        "os_distro": "debian",
    }
    assert copy.setting.two.kept[made.id].data == DATA
    assert copy.files() == []


def test_files_on_their_way_are_for_nobody_else(make: Make) -> None:
    """Neither the folder nor what is in it."""
    copy = make()
    modes: list[int] = []

    def looks() -> None:
        modes.extend(stat.S_IMODE(one.stat().st_mode) for one in copy.folder.glob("*"))

    copy.setting.clouds["pc"].pause = looks

    assert copy.run().why is None
    assert set(modes) == {0o600}
    assert stat.S_IMODE(copy.folder.stat().st_mode) == 0o700


@BOTH
def test_record_says_until_when_calls_may_arrive(make: Make, method: Method) -> None:
    """Before any is sent that makes something."""
    copy = make(method)
    setting = copy.setting
    making = {"upload", "set_visibility", "edit_image", "share", "accept"}
    said: list[float] = []
    before = {name: dict(cloud.calls) for name, cloud in setting.clouds.items()}

    def looks() -> None:
        said.append(copy.now().asked_by_s)

    for name, images in setting.images.items():
        begin = images._begin

        def watched(operation: str, *fences: Any, _begin: Any = begin) -> None:
            if operation in making:
                looks()
            _begin(operation, *fences)

        images._begin = watched  # type: ignore[method-assign]
        assert before[name] is not None

    assert copy.run().why is None
    assert said
    assert set(said) == {setting.clock.now_s() + FENCE_S + ARRIVAL_S}


# When something is wrong with the order.


@BOTH
@pytest.mark.parametrize("state", [one for one in UploadState if one is not UploadState.MAKING])
def test_upload_that_is_not_being_made_is_left_alone(
    make: Make, method: Method, state: UploadState
) -> None:
    """It was judged as something else."""
    copy = make(method)

    ended = copy.hand().copy(copy.order(copy.take(state=state)))

    assert str(state) in (ended.why or "")
    assert copy.now().state is state
    assert (copy.made(), copy.members()) == ([], {})


_EDITS: dict[str, ImageEdit] = {
    "another name": ImageEdit(name="by-hand"),
    "another installation": ImageEdit(properties={tags.INSTALLATION: "another"}),
    "another build": ImageEdit(properties={tags.BUILD: "6"}),
}


@BOTH
@pytest.mark.parametrize("edit", _EDITS.values(), ids=_EDITS)
def test_source_that_is_not_what_the_record_says_is_not_copied(
    make: Make, method: Method, edit: ImageEdit
) -> None:
    """Nor shared: it may be somebody else's."""
    copy = make(method)
    copy.setting.images["pa"].edit_image(copy.image.id, edit)

    ended = copy.run()

    assert "tags" in (ended.why or "")
    assert copy.now().mishap is not None
    assert (copy.made(), copy.members()) == ([], {})


@BOTH
def test_provider_that_has_moved_is_not_written_to(make: Make, method: Method) -> None:
    """Neither the one nor the other."""
    copy = make(method)
    upload = copy.take()
    order = copy.order(upload)
    copy.setting.images[copy.target]._project = "moved"

    ended = copy.hand().copy(order)

    assert "another place" in (ended.why or "")
    assert copy.setting.stored(upload.value.id).value.state is UploadState.PENDING
    assert (copy.made(), copy.members()) == ([], {})


@BOTH
def test_source_of_another_project_is_not_copied(make: Make, method: Method) -> None:
    """Though it can be seen, and carries our tags: whoever shows it may have made them up."""
    copy = make(method)
    kept = copy.setting.one.kept[copy.image.id]
    copy.setting.one.edit(kept, 0.0, owner="somebody", visibility=Visibility.COMMUNITY)

    assert "another project" in (copy.run().why or "")
    assert copy.setting.clouds["pa"].calls["download"] == 0
    assert copy.setting.clouds["pa"].calls["edit_image"] == 0


@BOTH
def test_source_that_is_not_active_is_waited_for(make: Make, method: Method) -> None:
    """Somebody has switched it off for a while."""
    copy = make(method)
    copy.setting.images["pa"].deactivate(copy.image.id)

    ended = copy.run()
    now = copy.now()

    assert "deactivated" in (ended.why or "")
    assert now.mishap is not None
    assert (now.state, now.attempt, now.mishap.blame) == (UploadState.PENDING, 0, Blame.CLOUD)
    assert (copy.made(), copy.members()) == ([], {})


_OTHERWISE: dict[str, tuple[dict[str, Any], Blame]] = {
    "shown": ({"hidden": False}, Blame.RECIPE),
    "open": ({"visibility": Visibility.COMMUNITY}, Blame.RECIPE),
    "format": ({"disk_format": "qcow2"}, Blame.RECIPE),
    "name": ({"name": "other"}, Blame.RECIPE),
    "tags": ({"properties": {}}, Blame.RECIPE),
    "disk": ({"min_disk_gib": 0}, Blame.RECIPE),
    "pending": ({"status": ImageStatus.PENDING}, Blame.CLOUD),
}


@pytest.mark.parametrize(("change", "blame"), _OTHERWISE.values(), ids=_OTHERWISE)
def test_copy_that_the_cloud_makes_otherwise_is_deleted(
    make: Make, monkeypatch: pytest.MonkeyPatch, change: dict[str, Any], blame: Blame
) -> None:
    """Others would find it, or launches could not boot it."""
    copy = make(Method.CARRY)
    upload = copy.setting.images["pc"].upload

    def otherwise(*args: Any, **more: Any) -> StoredImage:
        made = upload(*args, **more)
        copy.setting.two.edit(copy.setting.two.kept[made.id], 0.0, **change)
        return copy.setting.two.kept[made.id].image

    monkeypatch.setattr(copy.setting.images["pc"], "upload", otherwise)

    assert copy.run().why is not None
    now = copy.now()
    assert now.mishap is not None
    assert now.mishap.blame is blame
    assert copy.made() == []

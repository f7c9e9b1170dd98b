"""Nobody else's image is ever touched, whatever the records say."""

from collections.abc import Callable

import pytest

from remuda.cloud.image_store import ImageEdit, Visibility
from remuda.model import tags
from remuda.model.image import BuildId
from remuda.model.upload import Method, UploadState
from remuda.store import paths
from tests.unit.builder.hands.clouds import Setting
from tests.unit.builder.hands.ends import erase, sweep

S = UploadState


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


@pytest.mark.parametrize("way", ["erase", "sweep"])
def test_another_projects_image_with_all_our_tags_is_never_deleted(
    setting: Setting, way: str
) -> None:
    """Anybody may copy tags, and show us an image: a cloud might even let us delete it."""
    image = setting.image("pa")
    if way == "erase":
        setting.upload("pa", state=S.DELETING, cloud_image=image.id, method=Method.NATIVE)
    kept = setting.one.kept[image.id]
    setting.one.edit(kept, 0.0, owner="somebody", visibility=Visibility.COMMUNITY)

    ended = erase(setting, image.id) if way == "erase" else sweep(setting, image)

    assert ended.why == f"image {image.id} belongs to another project"
    assert image.id in setting.one.kept
    assert setting.clouds["pa"].calls["delete_image"] == 0


def test_image_of_another_build_than_listed_is_not_swept(setting: Setting) -> None:
    """An id is used once only; but who believes that."""
    image = setting.image("pa")

    kept = sweep(setting, image, BuildId("debian", 6))

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
    cloud = setting.clouds["pa"]
    if way == "erase":
        setting.upload("pa", state=S.DELETING, cloud_image=image.id, method=Method.NATIVE)
    before = cloud.calls["get_image"]

    def paused() -> None:
        if cloud.calls["get_image"] > before:
            MEANWHILE[trouble](setting)

    if trouble in MEANWHILE:
        cloud.pause = paused
    BEFORE.get(trouble, lambda _: None)(setting)
    kept = erase(setting, image.id) if way == "erase" else sweep(setting, image)

    assert kept.why is not None
    assert image.id in setting.one.kept

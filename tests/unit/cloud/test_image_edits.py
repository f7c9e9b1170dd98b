"""What changes of images, their members and their use make of answers that clouds rarely give."""

from typing import Any

import pytest

from remuda.cloud.api import BadOrderError, CloudError, GoneError, TryLaterError
from remuda.cloud.image_store import ImageEdit, ImageUsage, Membership, Visibility
from remuda.cloud.openstack import OpenStackCloud
from remuda.cloud.openstack_images import OpenStackImages
from tests.unit.cloud.scripted_api import Reply, ScriptedApi

ONE, USAGE = "/image/v2/images/i1", "/image/v2/info/usage"
MEMBERS = f"{ONE}/members"
DOC: dict[str, Any] = {"id": "i1", "name": "a", "status": "active", "os_hidden": False, "k": "v"}


@pytest.fixture
def images(cloud: OpenStackCloud) -> OpenStackImages:
    """An image store that talks to the scripted server."""
    return cloud.image_store()


def test_a_change_is_one_patch_and_a_look(api: ScriptedApi, images: OpenStackImages) -> None:
    """All of it at once; property names are escaped as pointers are."""
    api.on("PATCH", ONE, Reply(body=DOC))
    after = {"name": "b", "os_hidden": True, "protected": False, "visibility": "shared"}
    api.on("GET", ONE, Reply(body={**DOC, **after, "min_disk": 2, "min_ram": 3, "a/b~c": "d"}))

    image = images.edit_image(
        "i1",
        ImageEdit(
            name="b",
            hidden=True,
            protected=False,
            visibility=Visibility.SHARED,
            min_disk_gib=2,
            min_ram_mib=3,
            properties={"a/b~c": "d"},
        ),
    )

    assert [each.method for each in api.seen] == ["PATCH", "GET"]
    assert api.seen[0].body == [
        {"op": "replace", "path": "/name", "value": "b"},
        {"op": "replace", "path": "/os_hidden", "value": True},
        {"op": "replace", "path": "/protected", "value": False},
        {"op": "replace", "path": "/visibility", "value": "shared"},
        {"op": "replace", "path": "/min_disk", "value": 2},
        {"op": "replace", "path": "/min_ram", "value": 3},
        {"op": "add", "path": "/a~1b~0c", "value": "d"},
    ]
    assert (image.name, image.hidden, image.min_disk_gib) == ("b", True, 2)


def test_only_what_is_there_is_removed(api: ScriptedApi, images: OpenStackImages) -> None:
    """Glance refuses the whole patch otherwise; what is set anew is not removed."""
    after = {key: value for key, value in DOC.items() if key != "k"}
    api.on("GET", ONE, Reply(body={**DOC, "x": "1"}), Reply(body={**after, "x": "2"}))
    api.on("PATCH", ONE, Reply(body=DOC))

    images.edit_image("i1", ImageEdit(properties={"x": "2"}, removed=("k", "x", "absent")))

    assert api.seen[1].body == [
        {"op": "add", "path": "/x", "value": "2"},
        {"op": "remove", "path": "/k"},
    ]


@pytest.mark.parametrize(
    "edit", [ImageEdit(), ImageEdit(removed=("absent",))], ids=["nothing", "nothing there"]
)
def test_a_change_that_changes_nothing_sends_none(
    api: ScriptedApi, images: OpenStackImages, edit: ImageEdit
) -> None:
    """Glance does not like an empty patch, nor do we."""
    api.on("GET", ONE, Reply(body=DOC))

    assert images.edit_image("i1", edit).name == "a"
    assert {each.method for each in api.seen} == {"GET"}


@pytest.mark.parametrize(
    ("edit", "after", "what"),
    [
        (ImageEdit(hidden=True), {}, "hidden"),
        (ImageEdit(name="b"), {}, "its name"),
        (ImageEdit(properties={"k": "w"}), {}, "k"),
        (ImageEdit(removed=("k",)), {}, "k"),
        (ImageEdit(protected=True), {"protected": False}, "protected"),
        (ImageEdit(min_disk_gib=0), {"min_disk": 1}, "min_disk"),
    ],
)
def test_a_change_that_somebody_undid_is_for_later(
    api: ScriptedApi,
    images: OpenStackImages,
    edit: ImageEdit,
    after: dict[str, object],
    what: str,
) -> None:
    """The last writer wins in Glance: it is said, never believed done."""
    api.on("PATCH", ONE, Reply(body=DOC))
    api.on("GET", ONE, Reply(body={**DOC, **after}))

    with pytest.raises(TryLaterError, match=what):
        images.edit_image("i1", edit)


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (404, GoneError),
        (403, BadOrderError),
        (400, BadOrderError),
        (413, BadOrderError),
        (409, TryLaterError),
        (500, TryLaterError),
    ],
)
def test_refused_changes(
    api: ScriptedApi, images: OpenStackImages, status: int, error: type[CloudError]
) -> None:
    """Too many properties (413) are no throttling; a race (409) is over next time."""
    api.on("PATCH", ONE, Reply(status=status, body={"message": "no"}))

    with pytest.raises(error):
        images.edit_image("i1", ImageEdit(hidden=True))


def test_too_long_names_of_properties_are_not_sent(
    api: ScriptedApi, images: OpenStackImages
) -> None:
    """Glance answers 500 to them, which would be tried for ever."""
    with pytest.raises(BadOrderError):
        images.edit_image("i1", ImageEdit(properties={"k" * 256: "v"}))

    assert api.seen == []


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"usage": {}}, None),
        ({"usage": {"image_stage_total": {"usage": 1, "limit": 2}}}, None),
        ({"usage": {"image_count_total": {"usage": 3, "limit": -1}}}, ImageUsage(images_used=3)),
        (
            {
                "usage": {
                    "image_count_total": {"usage": 3, "limit": 10},
                    "image_size_total": {"usage": 1200, "limit": 1000},
                    "image_count_uploading": {"usage": 0, "limit": 5},
                }
            },
            ImageUsage(images_used=3, images_max=10, mib_used=1200, mib_max=1000, uploads_max=5),
        ),
    ],
    ids=["nothing told", "nothing of ours", "no limit", "all"],
)
def test_usage_is_read(
    api: ScriptedApi, images: OpenStackImages, body: object, expected: ImageUsage | None
) -> None:
    """Where Glance knows nothing of quota, we do not either."""
    api.on("GET", USAGE, Reply(body=body))

    assert images.usage() == expected


@pytest.mark.parametrize("status", [403, 404])
def test_a_cloud_that_tells_no_usage(
    api: ScriptedApi, images: OpenStackImages, status: int
) -> None:
    """Older ones have no such address."""
    api.on("GET", USAGE, Reply(status=status, body={"message": "no"}))

    assert images.usage() is None


@pytest.mark.parametrize(
    "body",
    [
        {"usage": 1},
        {"usage": {"image_count_total": 1}},
        {"usage": {"image_count_total": {"usage": "many"}}},
        {"usage": {"image_count_total": {"usage": -1, "limit": 1}}},
    ],
)
def test_usage_that_cannot_be_read_is_for_later(
    api: ScriptedApi, images: OpenStackImages, body: object
) -> None:
    """No number of a stranger's is taken on trust."""
    api.on("GET", USAGE, Reply(body=body))

    with pytest.raises(TryLaterError):
        images.usage()


def test_members_are_read(api: ScriptedApi, images: OpenStackImages) -> None:
    """With what became of them; words of a new release are no acceptance."""
    words = {"p1": "pending", "p2": "accepted", "p3": "rejected", "p4": "delighted", "p5": None}
    docs = [{"member_id": key, "status": value} for key, value in words.items()]
    api.on("GET", MEMBERS, Reply(body={"members": docs}))

    assert images.members("i1") == {
        "p1": Membership.PENDING,
        "p2": Membership.ACCEPTED,
        "p3": Membership.REJECTED,
        "p4": Membership.UNKNOWN,
        "p5": Membership.UNKNOWN,
    }


@pytest.mark.parametrize("body", [{}, {"members": {}}, {"members": [1]}, {"members": [{}]}])
def test_members_that_cannot_be_read_are_for_later(
    api: ScriptedApi, images: OpenStackImages, body: object
) -> None:
    """Never none."""
    api.on("GET", MEMBERS, Reply(body=body))

    with pytest.raises(TryLaterError):
        images.members("i1")


def test_an_offer_is_taken_back_twice_without_harm(
    api: ScriptedApi, images: OpenStackImages
) -> None:
    """What is not there needs no taking back."""
    api.on("DELETE", f"{MEMBERS}/p2", Reply(status=204, body=""), Reply(status=404))

    images.unshare("i1", "p2")
    images.unshare("i1", "p2")

    assert len(api.seen) == 2


@pytest.mark.parametrize(
    "body", [{**DOC, "size": "large"}, {**DOC, "size": -1}, {**DOC, "min_disk": 1e300}]
)
def test_an_image_with_numbers_that_are_none_is_for_later(
    api: ScriptedApi, images: OpenStackImages, body: object
) -> None:
    """A size is a whole number from zero."""
    api.on("GET", ONE, Reply(body=body))

    with pytest.raises(TryLaterError):
        images.get_image("i1")


@pytest.mark.parametrize(
    ("mapping", "volume_backed"), [(None, False), ("", False), ("[]", False), ("[{}]", True)]
)
def test_image_of_a_volume_is_known(
    api: ScriptedApi, images: OpenStackImages, mapping: str | None, *, volume_backed: bool
) -> None:
    """It has no data of its own."""
    more = {} if mapping is None else {"block_device_mapping": mapping}
    api.on("GET", ONE, Reply(body={**DOC, "size": 0, "virtual_size": 7, "protected": True, **more}))

    image = images.get_image("i1")

    assert image.volume_backed is volume_backed
    assert (image.virtual_bytes, image.protected) == (7, True)

"""A cloud may say anything of an image: it is typed and bounded, and what we record of it is read.

A record of ours that nobody can read again stops every deletion of images, for it may refer to any.
"""

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from builder.upload import outcome as upload_outcome
from remuda.cloud.api import TryLaterError, UnknownOutcomeError
from remuda.cloud.image_store import StoredImage, hash_of
from remuda.cloud.openstack import OpenStackCloud
from remuda.cloud.openstack_images import OpenStackImages
from remuda.cloud.stored_images import read_stored
from remuda.model.build import Base, Build, BuildState, Why, decode_build, encode_build
from remuda.model.fields import IDENTIFIER, LINE_CHARS_MAX
from remuda.model.ids import ServerId
from remuda.model.image import BuildId, UploadId
from remuda.model.upload import Upload, UploadState, decode_upload, encode_upload
from tests.support.badrecords import anything, changed
from tests.unit.cloud.scripted_api import Reply, ScriptedApi
from tests.unit.cloud.test_openstack_images import ACTION, DOC, IMAGES, ONE, ORDER

BUILD = BuildId("debian", 7)
UPLOAD = UploadId(BUILD, "0123456789ab")
ODD_IDS = [
    *("..", "../v2/images", "a/b", "", ".x", "x y", "x\n", "\ud800", "i" * 300),
    *(7, None, ["i"]),
]
WHOLE = {**DOC, "virtual_size": 2**31, "updated_at": "2026-01-01T00:00:00Z", "protected": False}

lies = anything | st.sampled_from(
    [
        *("a" * 255, "0" * 255, "a:b", "sha512", "9999-12-31T23:59:59Z", "0001-01-01T00:00:00"),
        *(2**53, 2**63, -1, float("nan"), float("inf"), "active", "ACTIVE", "\x1b[2J", "\u202e"),
    ]
)


@pytest.fixture
def images(cloud: OpenStackCloud) -> OpenStackImages:
    """An image store that talks to the scripted server."""
    return cloud.image_store()


@st.composite
def lying_docs(draw: st.DrawFn) -> dict[str, Any]:
    """Return an image in the words of Glance, with some of them wrong."""
    doc: dict[str, Any] = dict(WHOLE)
    fields = st.sampled_from([*WHOLE, "os_distro", "remuda_build", "\ud800"])
    for field in draw(st.lists(fields, min_size=1, max_size=4, unique=True)):
        doc = changed(doc, field, draw(lies))
    return doc


def recorded(image: StoredImage) -> None:
    """Write of an image what builders write of it, and read that again."""
    upload = Upload(id=UPLOAD, state=UploadState.MAKING, since_s=1.0)
    stored = upload_outcome.copied(upload, upload_outcome.whole_image(image), now_s=2.0)
    assert decode_upload(UPLOAD, encode_upload(stored)) == stored
    base = Base(id=image.id, name=image.name, hash=hash_of(image))
    build = Build(
        id=BUILD, state=BuildState.BUILDING, why=Why.AGE, requested_s=1.0, since_s=1.0, base=base
    )
    assert decode_build(BUILD, encode_build(build)) == build


@settings(max_examples=500, derandomize=True, deadline=None)
@given(lying_docs())
def test_what_a_cloud_says_of_an_image_is_typed_and_what_we_record_of_it_is_read(
    doc: dict[str, Any],
) -> None:
    """Or it is no image, in one of the foreseen ways."""
    try:
        image = read_stored(doc)
    except (KeyError, ValueError, TypeError):
        return
    assert IDENTIFIER.fullmatch(image.id)
    assert isinstance(image.name, str)
    assert len(image.name) <= LINE_CHARS_MAX
    assert math.isfinite(image.created_s + image.updated_s)
    for key, value in image.properties.items():
        (key + value).encode()
        assert len(value) <= LINE_CHARS_MAX
    recorded(image)


@pytest.mark.parametrize(
    ("algo", "value"),
    [
        ("sha512", "0" * 255),
        ("a" * 255, "0" * 255),
        ("sha512", "not hexadecimal"),
        ("sha512", ""),
        ("", "0" * 128),
        (None, "0" * 128),
        ("sha512", None),
        ("sha:512", "00"),
    ],
)
def test_a_hash_that_is_none_is_not_recorded(algo: str | None, value: str | None) -> None:
    """The upload's record could not be read again."""
    image = replace(read_stored(DOC), hash_algo=algo, hash_value=value)

    assert hash_of(image) is None
    assert upload_outcome.whole_image(image).os_hash is None
    recorded(image)


@pytest.mark.parametrize("odd", ["..", "", ".x", "x y", "i" * 300])
def test_a_snapshot_with_an_odd_id_is_looked_for_by_its_name(
    api: ScriptedApi, images: OpenStackImages, odd: str
) -> None:
    """The id goes into a record and into paths; there may be an image all the same."""
    where = f"http://127.0.0.1/v2/images/{odd}"
    api.on("POST", ACTION, Reply(status=202, headers={"Location": where}))

    with pytest.raises(UnknownOutcomeError):
        images.snapshot(ServerId("s1"), "a", {})


@pytest.mark.parametrize("odd", ODD_IDS)
def test_an_upload_with_an_odd_id_is_looked_for_by_its_tags(
    api: ScriptedApi, images: OpenStackImages, tmp_path: Path, odd: object
) -> None:
    """Nothing is sent to where it would lead."""
    source = tmp_path / "source"
    source.write_bytes(b"x")
    api.on("POST", IMAGES, Reply(status=201, body={**DOC, "id": odd}))

    with pytest.raises(UnknownOutcomeError):
        images.upload(ORDER, source)

    assert [one.method for one in api.seen][-1] == "POST"


def test_an_answer_about_another_image_is_none(api: ScriptedApi, images: OpenStackImages) -> None:
    """Its id would go into the record of the one that was asked for."""
    api.on("GET", ONE, Reply(body={**DOC, "id": "i2"}))

    with pytest.raises(TryLaterError, match="asked for image i1, the cloud tells of i2"):
        images.get_image("i1")


@pytest.mark.parametrize("odd", ODD_IDS)
def test_a_listing_with_an_odd_id_is_none(
    api: ScriptedApi, images: OpenStackImages, odd: object
) -> None:
    """Half a listing would be believed."""
    api.on("GET", IMAGES, Reply(body={"images": [DOC, {**DOC, "id": odd}]}))

    with pytest.raises(TryLaterError):
        images.list_images()

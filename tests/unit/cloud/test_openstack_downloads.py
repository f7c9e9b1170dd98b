"""What the image store makes of a cloud that is asked to begin in the middle."""

from pathlib import Path

import pytest

from remuda.cloud.api import GoneError, TryLaterError
from remuda.cloud.openstack import OpenStackCloud
from remuda.cloud.openstack_images import OpenStackImages
from tests.unit.cloud.scripted_api import Manner, Reply, ScriptedApi
from tests.unit.cloud.test_openstack_images import DATA, DOC, FILE, ONE, refusal


@pytest.fixture
def images(cloud: OpenStackCloud) -> OpenStackImages:
    """An image store that talks to the scripted server."""
    return cloud.image_store()


@pytest.mark.parametrize(
    "replies",
    [
        [Reply(status=206, body=DATA[1000:])],
        [Reply(body=DATA)],
        [refusal(400, "the store does not support random access"), Reply(body=DATA)],
        [refusal(416), Reply(body=DATA)],
    ],
    ids=["partial", "whole", "refused", "out of range"],
)
def test_download_goes_on_whatever_the_cloud_makes_of_it(
    api: ScriptedApi, images: OpenStackImages, tmp_path: Path, replies: list[Reply]
) -> None:
    """Some stores cannot begin in the middle, and proxies may drop the header."""
    (tmp_path / "target.part").write_bytes(DATA[:1000])
    api.on("GET", ONE, Reply(body=DOC))
    api.on("GET", FILE, *replies)

    images.download("i1", tmp_path / "target", resume=True)

    asked = [each.headers.get("Range") for each in api.seen if each.path == FILE]
    assert (tmp_path / "target").read_bytes() == DATA
    assert asked == ["bytes=1000-", None][: len(replies)]
    assert list(tmp_path.glob("target*")) == [tmp_path / "target"]


def test_download_that_is_not_there_any_more_does_not_begin_anew(
    api: ScriptedApi, images: OpenStackImages, tmp_path: Path
) -> None:
    """What came stays for whoever asks again."""
    (tmp_path / "target.part").write_bytes(DATA[:1000])
    api.on("GET", ONE, Reply(body=DOC))
    api.on("GET", FILE, refusal(404))

    with pytest.raises(GoneError):
        images.download("i1", tmp_path / "target", resume=True)

    assert [each.path for each in api.seen] == [ONE, FILE]


def test_download_without_a_hash_never_goes_on(
    api: ScriptedApi, images: OpenStackImages, tmp_path: Path
) -> None:
    """Nothing would tell that the part is sound."""
    (tmp_path / "target.part").write_bytes(b"x" * 1000)
    bare = dict.fromkeys(("checksum", "os_hash_algo", "os_hash_value"))
    api.on("GET", ONE, Reply(body=DOC | bare))
    api.on("GET", FILE, Reply(body=DATA))

    images.download("i1", tmp_path / "target", resume=True)

    assert api.seen[-1].headers.get("Range") is None
    assert (tmp_path / "target").read_bytes() == DATA


def test_download_that_trickles_ends(
    api: ScriptedApi, images: OpenStackImages, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A cloud that is never silent, and never done, keeps nobody for ever."""
    monkeypatch.setattr("remuda.cloud.openstack_images.transfer_s_max", lambda _size: 0.3)
    api.on("GET", ONE, Reply(body=DOC))
    api.on("GET", FILE, Reply(body=DATA, manner=Manner.DRIBBLE_BODY))

    with pytest.raises(TryLaterError):
        images.download("i1", tmp_path / "target")

    assert list(tmp_path.glob("target*")) == []

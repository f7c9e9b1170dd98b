"""Where images lie, transfers that go on, and calls that a fence holds back."""

from collections.abc import Callable
from pathlib import Path

import pytest

from remuda.cloud.api import BadOrderError, DamagedError, Fence, NotSentError, TryLaterError
from remuda.cloud.image_store import ImageEdit, ImageStatus, ImageStore, Visibility
from tests.contract.cloud.bench import Bench, Fault
from tests.contract.cloud.image_means import SOURCE_BYTES, gone, neighbour, ordered

Call = Callable[[ImageStore, str, Fence], object]

# Where they are


def test_location_is_the_same_whenever_it_is_asked_for(bench: Bench) -> None:
    """It costs no call that counts, and names the account's project."""
    first, again = bench.images.location(), bench.images.location()

    assert first == again
    assert first.place == again.place
    assert first.project == bench.images.project()
    assert first.endpoint.startswith("http")


def test_other_project_of_the_cloud_is_another_place_in_the_same_realm(bench: Bench) -> None:
    """What decides whether an image can be shared with it."""
    _, images = neighbour(bench)
    ours, theirs = bench.images.location(), images.location()

    assert ours.place != theirs.place
    assert (ours.region, ours.endpoint) == (theirs.region, theirs.endpoint)
    assert ours.realm == theirs.realm


# Broken downloads


def test_broken_download_goes_on_where_it_ended(bench: Bench, source: Path, tmp_path: Path) -> None:
    """If that is asked for; it is whole, and verified, and only its owner can read it."""
    image = bench.images.upload(ordered(bench), source)
    target, part = tmp_path / "target.img", tmp_path / "target.img.part"
    bench.fault(Fault.DOWNLOAD_CUT)

    with pytest.raises(TryLaterError):
        bench.images.download(image.id, target, resume=True)
    came = part.stat().st_size
    mode = part.stat().st_mode
    told = bench.images.download(image.id, target, resume=True)

    assert 0 < came < SOURCE_BYTES
    assert mode & 0o077 == 0
    assert target.read_bytes() == source.read_bytes()
    assert told.verified_by == image.hash_algo
    assert list(tmp_path.iterdir()) == [target]


def test_download_that_goes_on_is_verified_from_its_first_byte(
    bench: Bench, source: Path, tmp_path: Path
) -> None:
    """A part that somebody has changed is found out, and goes; then it begins anew."""
    image = bench.images.upload(ordered(bench), source)
    target, part = tmp_path / "target.img", tmp_path / "target.img.part"
    data = source.read_bytes()
    part.write_bytes(bytes([data[0] ^ 1]) + data[1:1_500_000])

    with pytest.raises(DamagedError):
        bench.images.download(image.id, target, resume=True)
    left = list(tmp_path.iterdir())
    bench.images.download(image.id, target, resume=True)

    assert left == []
    assert target.read_bytes() == data


def test_whole_part_is_only_verified(bench: Bench, source: Path, tmp_path: Path) -> None:
    """Whoever could not use what had come need not fetch it again; a longer one is another's."""
    image = bench.images.upload(ordered(bench), source)
    target, part = tmp_path / "target.img", tmp_path / "target.img.part"

    part.write_bytes(source.read_bytes())
    counted = bench.counted(lambda: bench.images.download(image.id, target, resume=True))
    part.write_bytes(source.read_bytes() + b"more")
    bench.images.download(image.id, target, resume=True)

    assert counted.calls == 1
    assert target.read_bytes() == source.read_bytes()
    assert list(tmp_path.iterdir()) == [target]


def test_download_without_going_on_begins_anew(bench: Bench, source: Path, tmp_path: Path) -> None:
    """Whatever lies there."""
    image = bench.images.upload(ordered(bench), source)
    target, part = tmp_path / "target.img", tmp_path / "target.img.part"
    part.write_bytes(b"of somebody else")

    bench.images.download(image.id, target)

    assert target.read_bytes() == source.read_bytes()
    assert list(tmp_path.iterdir()) == [target]


# Transfers that are not to go on, and calls that are not to be sent


def test_upload_that_is_not_to_go_on_leaves_nothing(bench: Bench, source: Path) -> None:
    """As one that broke."""
    asked: list[int] = []

    def going() -> str | None:
        asked.append(1)
        return "we end" if len(asked) > 1 else None

    with pytest.raises(TryLaterError, match="we end"):
        bench.images.upload(ordered(bench), source, going=going)

    assert bench.our_images() == []


def test_download_that_is_not_to_go_on_ends(bench: Bench, source: Path, tmp_path: Path) -> None:
    """At once."""
    image = bench.images.upload(ordered(bench), source)

    with pytest.raises(TryLaterError, match="we end"):
        bench.images.download(image.id, tmp_path / "target.img", going=lambda: "we end")

    assert list(tmp_path.iterdir()) == []


_CALLS: dict[str, Call] = {
    "delete": lambda images, one, fence: images.delete_image(one, fence=fence),
    "edit": lambda images, one, fence: images.edit_image(one, ImageEdit(hidden=True), fence=fence),
    "visibility": lambda images, one, fence: images.set_visibility(
        one, Visibility.COMMUNITY, fence=fence
    ),
    "share": lambda images, one, fence: images.share(one, "somebody", fence=fence),
    "unshare": lambda images, one, fence: images.unshare(one, "somebody", fence=fence),
    "accept": lambda images, one, fence: images.accept(one, fence=fence),
}


@pytest.mark.parametrize("call", _CALLS.values(), ids=_CALLS)
def test_fence_holds_back_what_changes_an_image(bench: Bench, source: Path, call: Call) -> None:
    """Last thing before it is sent."""
    image = bench.images.upload(ordered(bench, visibility=Visibility.SHARED), source)

    with pytest.raises(NotSentError, match="too late"):
        call(bench.images, image.id, lambda: "it is too late")

    assert bench.images.get_image(image.id) == image


def test_fence_holds_back_an_upload(bench: Bench, source: Path) -> None:
    """Nothing is made."""
    with pytest.raises(NotSentError, match="too late"):
        bench.images.upload(ordered(bench), source, fence=lambda: "it is too late")

    assert bench.our_images() == []


def test_open_fence_lets_a_deletion_through(bench: Bench, source: Path) -> None:
    """And what is deactivated, hidden or shared goes as all else does."""
    image = bench.images.upload(ordered(bench, hidden=True, visibility=Visibility.SHARED), source)
    bench.images.deactivate(image.id)
    with pytest.raises(BadOrderError):
        bench.images.download(image.id, Path("/dev/null/none"))

    bench.images.delete_image(image.id, fence=lambda: None)

    assert image.status is ImageStatus.ACTIVE
    bench.until(lambda: gone(bench, image.id), "the image to go")

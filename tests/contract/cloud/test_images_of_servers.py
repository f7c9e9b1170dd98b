"""Snapshots: images made of servers, found by their tags; and what goes wrong."""

from pathlib import Path

import pytest

from remuda.cloud.api import (
    BadOrderError,
    GoneError,
    ImageWanted,
    ServerStatus,
    TryLaterError,
    UnknownOutcomeError,
)
from remuda.cloud.image_store import ImageStatus, Visibility
from remuda.model import tags
from remuda.model.ids import ServerId
from tests.contract.cloud.bench import Bench, Fault
from tests.contract.cloud.image_means import ABSENT, gone, ordered, ready, running


def test_snapshot_is_listed_at_once_and_boots_when_it_is_active(bench: Bench) -> None:
    """By the tags it was made with; without waiting; with one call."""
    server = running(bench)
    name, ours = bench.image_name_and_tags()

    counted = bench.counted(lambda: bench.images.snapshot(server, name, ours))
    image_id = str(counted.value)
    born = {each.id: each for each in bench.our_images()}[image_id]
    made = ready(bench, image_id)
    found = bench.cloud.find_image(ImageWanted(id=image_id))
    second = bench.find(running(bench, image=made))

    assert counted.calls == 1
    assert born.status in {ImageStatus.PENDING, ImageStatus.ACTIVE}
    assert ours.items() <= dict(born.properties).items()
    assert ours.items() <= dict(made.properties).items()
    assert (made.name, made.owner) == (name, bench.images.project())
    assert made.visibility is Visibility.PRIVATE
    assert made.created_s > 0
    assert made.size_bytes is not None
    assert made.md5
    assert found.id == made.id
    assert second is not None
    assert second.image_id == made.id


def test_snapshot_of_nothing_is_of_something_gone(bench: Bench) -> None:
    """And makes nothing."""
    with pytest.raises(GoneError):
        bench.images.snapshot(ServerId(ABSENT), *bench.image_name_and_tags())

    assert bench.our_images() == []


def test_snapshot_of_a_server_that_is_not_built_yet_is_for_later(bench: Bench) -> None:
    """Once it is, it will do."""
    bench.fault(Fault.BOOT_HANGS)
    server = bench.cloud.create_server(bench.order())

    with pytest.raises(TryLaterError):
        bench.images.snapshot(server, *bench.image_name_and_tags())

    assert bench.our_images() == []


def test_snapshot_of_a_broken_server_is_a_bad_order(bench: Bench) -> None:
    """No waiting will help."""
    bench.fault(Fault.BOOT_ERROR)
    server = bench.cloud.create_server(bench.order())

    def failed() -> bool:
        seen = bench.find(server)
        return seen is not None and seen.status is ServerStatus.ERROR

    bench.until(failed, "server in error")

    with pytest.raises(BadOrderError):
        bench.images.snapshot(server, *bench.image_name_and_tags())


def test_snapshot_during_another_is_for_later(bench: Bench) -> None:
    """One at a time; a server that is deleted takes neither along as a good image."""
    bench.fault(Fault.SNAPSHOT_HANGS)
    server = running(bench)
    image_id = bench.images.snapshot(server, *bench.image_name_and_tags())

    with pytest.raises(TryLaterError):
        bench.images.snapshot(server, *bench.image_name_and_tags())
    bench.cloud.delete_server(server)
    bench.until(lambda: bench.find(server) is None, "server gone")

    left = bench.our_images()
    assert {each.id for each in left} <= {image_id}
    assert {each.status for each in left} <= {ImageStatus.PENDING}
    bench.delete_images()


def test_failed_snapshot_is_gone(bench: Bench) -> None:
    """Nova deletes the image: nobody waits for ever, and the server runs on."""
    bench.fault(Fault.SNAPSHOT_FAILS)
    server = running(bench)
    image_id = bench.images.snapshot(server, *bench.image_name_and_tags())

    bench.until(lambda: gone(bench, image_id), "the image to go")
    seen = bench.find(server)

    assert seen is not None
    assert seen.status is ServerStatus.ACTIVE


@pytest.mark.parametrize(
    ("fault", "images"), [(Fault.SNAPSHOT_LOST_REPLY, 1), (Fault.SNAPSHOT_LOST_CALL, 0)]
)
def test_lost_snapshot_is_settled_by_the_listing(bench: Bench, fault: Fault, images: int) -> None:
    """By its tags: it is there, or it is not, and it was not tried again behind our back."""
    server = running(bench)
    bench.fault(fault)

    with pytest.raises(UnknownOutcomeError):
        bench.images.snapshot(server, *bench.image_name_and_tags())

    assert len(bench.our_images()) == images


def test_a_strangers_snapshot_of_our_machine_is_not_ours(bench: Bench, source: Path) -> None:
    """It inherits our keys, but not our name: nobody will delete it for us."""
    order = ordered(bench)
    image = bench.images.upload(order, source)
    server = running(bench, image=image)

    theirs = bench.images.snapshot(server, f"{order.name}-by-hand", {})
    seen = ready(bench, theirs)
    bench.images.delete_image(theirs)

    assert seen.properties[tags.IMAGE_NAME] == order.name
    assert tags.read_image(seen.name, seen.properties) is None
    assert tags.read_image(image.name, image.properties) is not None


@pytest.mark.parametrize("changes", [{"k": "v" * 256}, {"k" * 256: "v"}], ids=["value", "key"])
def test_too_long_tags_are_a_bad_order(bench: Bench, changes: dict[str, str]) -> None:
    """Nothing is made."""
    server = running(bench)
    name, ours = bench.image_name_and_tags()

    with pytest.raises(BadOrderError):
        bench.images.snapshot(server, name, {**ours, **changes})

    assert bench.our_images() == []

"""The cloud that tells how calls went."""

import inspect
from pathlib import Path

import pytest

from remuda.cloud.api import Cloud, GoneError, NoRoomError, Server, ServerOrder
from remuda.cloud.image_store import ImageOrder, ImageStore, Visibility
from remuda.cloud.metered import MeteredCloud, MeteredImages
from tests.fakes.clock import ManualClock
from tests.fakes.cloud import DEBIAN, SMALL, FakeCloud
from tests.fakes.image_store import FakeGlance, FakeImages

ORDER = ServerOrder(name="a", image=DEBIAN, flavor=SMALL, tags={})


class SlowCloud(FakeCloud):
    """Each listing takes two seconds of the fake clock."""

    def list_servers(self) -> tuple[Server, ...]:
        """Take a while."""
        assert isinstance(self.clock, ManualClock)
        self.clock.advance(2.0)
        return super().list_servers()


def test_calls_are_reported_with_outcome_and_seconds() -> None:
    """One report per call, and the error passes unchanged."""
    clock = ManualClock()
    seen: list[tuple[str, str, float]] = []
    fake = SlowCloud(clock)
    cloud = MeteredCloud(fake, lambda *report: seen.append(report), clock=clock)
    fake.fail("create_server", NoRoomError("full"))

    cloud.list_servers()
    with pytest.raises(NoRoomError):
        cloud.create_server(ORDER)
    cloud.create_server(ORDER)

    assert seen == [
        ("list_servers", "ok", 2.0),
        ("create_server", "NoRoomError", 0.0),
        ("create_server", "ok", 0.0),
    ]


@pytest.mark.parametrize(
    ("contract", "implementations"),
    [(Cloud, (MeteredCloud, FakeCloud)), (ImageStore, (MeteredImages, FakeImages))],
    ids=["cloud", "images"],
)
def test_every_call_of_the_contract_is_passed_on_and_reported(
    contract: type, implementations: tuple[type, ...]
) -> None:
    """A method added to the contract is not forgotten here."""
    methods = [
        name for name, _ in inspect.getmembers(contract, inspect.isfunction) if name[0] != "_"
    ]

    for each in implementations:
        assert {name for name in methods if name not in vars(each)} == set()


def test_images_are_reported_by_what_was_asked(tmp_path: Path) -> None:
    """From a snapshot to a refused share."""
    clock = ManualClock()
    seen: list[tuple[str, str, float]] = []
    fake = FakeCloud(clock)
    images = MeteredImages(
        FakeImages(fake, FakeGlance()), lambda *report: seen.append(report), clock=clock
    )
    server = fake.add_stranger()
    order = ImageOrder(name="b", disk_format="raw")
    (tmp_path / "source").write_bytes(b"data")

    images.project()
    images.snapshot(server, "a", {})
    uploaded = images.upload(order, tmp_path / "source").id
    images.get_image(uploaded)
    images.download(uploaded, tmp_path / "target")
    images.set_visibility(uploaded, Visibility.SHARED)
    images.share(uploaded, "p2")
    with pytest.raises(GoneError):
        images.accept(uploaded)
    images.delete_image(uploaded)
    images.list_images()

    assert [each[:2] for each in seen] == [
        ("project", "ok"),
        ("snapshot", "ok"),
        ("upload", "ok"),
        ("get_image", "ok"),
        ("download", "ok"),
        ("set_visibility", "ok"),
        ("share", "ok"),
        ("accept", "GoneError"),
        ("delete_image", "ok"),
        ("list_images", "ok"),
    ]


def test_crash_is_reported_too() -> None:
    """Our own mistakes must not look like success."""
    clock = ManualClock()
    seen: list[tuple[str, str, float]] = []
    fake = FakeCloud(clock)
    fake.zones = None  # type: ignore[assignment]
    cloud = MeteredCloud(fake, lambda *report: seen.append(report), clock=clock)

    with pytest.raises(TypeError):
        len(cloud.availability_zones())
    with pytest.raises(TypeError):
        cloud.create_server(ServerOrder(name="a", image=DEBIAN, flavor=SMALL, tags={}, az="a"))

    assert [each[:2] for each in seen] == [
        ("availability_zones", "ok"),
        ("create_server", "crashed"),
    ]

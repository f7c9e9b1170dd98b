"""The cloud that tells how calls went."""

import inspect

import pytest

from remuda.cloud.api import Cloud, NoRoomError, Server, ServerSpec
from remuda.cloud.image_store import ImageStore
from remuda.cloud.metered import MeteredCloud
from tests.fakes.clock import ManualClock
from tests.fakes.cloud import DEBIAN, SMALL, FakeCloud
from tests.fakes.image_store import FakeImages

ORDER = ServerSpec(name="a", image=DEBIAN, flavor=SMALL, tags={})


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
    [(Cloud, (MeteredCloud, FakeCloud)), (ImageStore, (FakeImages,))],
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
        cloud.create_server(ServerSpec(name="a", image=DEBIAN, flavor=SMALL, tags={}, az="a"))

    assert [each[:2] for each in seen] == [
        ("availability_zones", "ok"),
        ("create_server", "crashed"),
    ]

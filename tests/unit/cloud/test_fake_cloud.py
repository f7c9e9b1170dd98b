"""The fake's own powers, which the contract does not know."""

import pytest

from remuda.cloud.api import (
    NoRoomError,
    Quota,
    ServerSpec,
    ServerStatus,
    TryLaterError,
    UnknownOutcomeError,
)
from remuda.model.ids import ServerId
from tests.fakes.clock import ManualClock
from tests.fakes.cloud import DEBIAN, LARGE, SMALL, FakeCloud
from tests.fakes.cloud_fates import Boot, BootEnd, Chaos, Create, Delete, Listing


def _order(name: str = "a") -> ServerSpec:
    return ServerSpec(name=name, image=DEBIAN, flavor=SMALL, tags={})


@pytest.fixture
def fake(clock: ManualClock) -> FakeCloud:
    """A cloud whose boots take five seconds."""
    return FakeCloud(clock, boot_s=5.0, delete_s=2.0)


def _status(fake: FakeCloud, server: ServerId) -> ServerStatus | None:
    seen = fake.truth().get(server)
    return seen.status if seen is not None else None


@pytest.mark.parametrize(
    ("end", "expected"),
    [
        (BootEnd.ACTIVE, ServerStatus.ACTIVE),
        (BootEnd.ERROR, ServerStatus.ERROR),
        (BootEnd.HANG, ServerStatus.BUILDING),
        (BootEnd.STOP, ServerStatus.STOPPED),
        (BootEnd.VANISH, None),
    ],
)
def test_boots_end_as_scripted_when_their_time_has_come(
    fake: FakeCloud, clock: ManualClock, end: BootEnd, expected: ServerStatus | None
) -> None:
    """Not a moment earlier."""
    fake.next_boots.append(Boot(end=end, seconds=3.0))
    server = fake.create_server(_order())

    clock.advance(2.9)
    assert _status(fake, server) is ServerStatus.BUILDING
    clock.advance(0.1)
    assert _status(fake, server) is expected


def test_lost_calls_and_replies_raise_the_same_error(fake: FakeCloud) -> None:
    """Only the truth differs."""
    fake.next_creates.extend([Create.LOST_CALL, Create.LOST_REPLY])

    for count in (0, 1):
        with pytest.raises(UnknownOutcomeError):
            fake.create_server(_order())
        assert len(fake.truth()) == count


def test_deletions_go_as_scripted(fake: FakeCloud, clock: ManualClock) -> None:
    """Refused, ignored, then slow."""
    server = fake.create_server(_order())
    fake.next_deletes.extend([Delete.REFUSED, Delete.IGNORED, Delete.SLOW])

    with pytest.raises(TryLaterError):
        fake.delete_server(server)
    fake.delete_server(server)
    assert _status(fake, server) is ServerStatus.BUILDING
    fake.delete_server(server)
    clock.advance(19.0)
    assert _status(fake, server) is ServerStatus.DELETING
    clock.advance(1.0)
    assert _status(fake, server) is None


def test_listings_lie_as_scripted(fake: FakeCloud) -> None:
    """The truth stays."""
    made = [fake.create_server(_order(str(n))) for n in range(30)]
    fake.next_listings.extend([Listing.EMPTY, Listing.OMITS, Listing.FAILS])

    assert fake.list_servers() == ()
    assert 0 < len(fake.list_servers()) < 30
    with pytest.raises(TryLaterError):
        fake.list_servers()
    fake.omitted.add(made[0])
    assert len(fake.list_servers()) == 29
    assert len(fake.truth()) == 30


def test_limits_are_kept_for_instances_cores_and_memory(clock: ManualClock) -> None:
    """Servers that are being deleted still count."""
    fake = FakeCloud(clock, quota=Quota(instances_max=3, cores_max=5, ram_mib_max=9216))
    large = ServerSpec(name="l", image=DEBIAN, flavor=LARGE, tags={})
    fake.create_server(large)
    with pytest.raises(NoRoomError, match="cores"):
        fake.create_server(large)
    small = fake.create_server(_order())
    fake.delete_server(small)

    with pytest.raises(NoRoomError, match="cores"):
        fake.create_server(_order())
    clock.advance(2.0)
    fake.create_server(_order())


def test_same_seed_same_chaos() -> None:
    """A failure can be replayed from its seed."""

    def run(seed: int) -> list[str]:
        clock = ManualClock()
        fake = FakeCloud(clock, seed=seed)
        fake.chaos = Chaos(
            creates={Create.NO_ROOM: 0.3, Create.LOST_REPLY: 0.2},
            boots={BootEnd.ERROR: 0.3},
            listings={Listing.OMITS: 0.5},
            boot_factor_max=3.0,
        )
        story: list[str] = []
        for number in range(40):
            try:
                fake.create_server(_order(str(number)))
            except (NoRoomError, UnknownOutcomeError) as exc:
                story.append(type(exc).__name__)
            clock.advance(1.0)
            story.append(",".join(f"{s.name}:{s.status}" for s in fake.list_servers()))
        return story

    assert run(1) == run(1)
    assert run(1) != run(2)


def test_next_change_is_known(fake: FakeCloud, clock: ManualClock) -> None:
    """A simulation may jump there."""
    server = fake.create_server(_order())

    assert fake.next_change_s() == clock.now_s() + 5.0
    clock.advance(5.0)
    assert fake.next_change_s() is None
    fake.delete_server(server)
    assert fake.next_change_s() == clock.now_s() + 2.0


def test_servers_stop_and_vanish_on_demand(fake: FakeCloud) -> None:
    """As when a hypervisor dies."""
    first, second = fake.add_stranger("x"), fake.add_stranger("y")

    fake.force(first, ServerStatus.ERROR, fault="host is down")
    fake.vanish(second)

    assert [(s.name, s.status, s.fault) for s in fake.list_servers()] == [
        ("x", ServerStatus.ERROR, "host is down")
    ]


def test_calm_ends_all_scripts(fake: FakeCloud) -> None:
    """For the second half of a simulation."""
    fake.next_creates.append(Create.NO_ROOM)
    fake.chaos = Chaos(creates={Create.NO_ROOM: 1.0})
    fake.fail("list_servers", TryLaterError("x"))

    fake.calm()

    fake.create_server(_order())
    assert len(fake.list_servers()) == 1

"""Tidying: what the dead left in the cloud and in ZooKeeper, seen twice before it is touched."""

from collections.abc import Collection

import pytest

from launcher.provider.events import Tidied
from launcher.provider.hand_tidying import STORE_AGE_S, tidy
from remuda.cloud.api import TryLaterError
from remuda.cloud.leftovers import Leftover, LeftoverKind
from remuda.model.ids import NodeId, ServerId
from remuda.store import paths
from remuda.store.api import Create
from tests.fakes.clock import ManualClock
from tests.fakes.cloud import FakeCloud
from tests.fakes.store import FakeStore, FakeZookeeper

OURS, OTHERS = ServerId("server-of-ours"), ServerId("server-of-others")
LIVING, FORGOTTEN = NodeId("3000000001"), NodeId("3000000002")


class Place:
    """A cloud and a ZooKeeper to tidy, and a clock."""

    def __init__(self) -> None:
        self.clock = ManualClock()
        self.cloud = FakeCloud(self.clock)
        self.store: FakeStore = FakeZookeeper(self.clock).connect()

    def tidy(
        self, seen: Collection[str] = (), *, ports: bool = True, floating_ips: bool = True
    ) -> Tidied:
        """Make one pass."""
        return tidy(
            self.store,
            self.cloud,
            "here",
            mine={LIVING},
            ended_servers={OURS},
            seen=seen,
            ports=ports,
            floating_ips=floating_ips,
            now_s=self.clock.now_s(),
        )

    def add(self, *names: str) -> None:
        """Make empty znodes."""
        for path in names:
            self.store.commit([Create(path=path)])


@pytest.fixture
def place() -> Place:
    """Give a place with an idle floating IP of ours, and a port of ours and one of others."""
    made = Place()
    made.cloud.floating.given["198.19.0.1"] = OURS
    made.cloud.ports = [
        Leftover(id=f"port of {server}", kind=LeftoverKind.PORT, server=server)
        for server in (OURS, OTHERS)
    ]
    return made


def test_leftovers_are_deleted_when_they_are_seen_for_the_second_time(place: Place) -> None:
    """They may just be on their way; and nobody else's port is touched."""
    first = place.tidy()
    kept = len(place.cloud.list_leftovers())
    second = place.tidy(first.seen)
    third = place.tidy(second.seen)

    assert (first.ports, first.floating_ips, kept) == (0, 0, 3)
    assert (second.ports, second.floating_ips) == (1, 1)
    assert (third.ports, third.floating_ips) == (0, 0)
    assert [f"port of {OTHERS}"] == [one.id for one in place.cloud.list_leftovers()]


@pytest.mark.parametrize(
    ("ports", "floating_ips", "left"),
    [(True, False, {"fip-198.19.0.1"}), (False, True, {f"port of {OURS}"}), (False, False, None)],
)
def test_only_what_is_wanted_is_removed(
    place: Place,
    ports: bool,  # noqa: FBT001
    floating_ips: bool,  # noqa: FBT001
    left: set[str] | None,
) -> None:
    """The cloud is not even asked for what is not, for which we may have no right."""
    seen = place.tidy(ports=ports, floating_ips=floating_ips).seen

    place.tidy(seen, ports=ports, floating_ips=floating_ips)

    asked = [place.cloud.calls[f"list_leftovers {kind}"] > 0 for kind in LeftoverKind]
    assert asked == [ports, floating_ips]
    if left is None:
        assert place.cloud.calls["list_leftovers"] == 0
    else:
        assert left | {f"port of {OTHERS}"} == {one.id for one in place.cloud.list_leftovers()}


def test_a_cloud_in_trouble_loses_nothing_and_forgets_nothing(place: Place) -> None:
    """What was seen stays seen; what cannot be deleted is tried again."""
    seen = place.tidy().seen
    place.cloud.fail("list_leftovers", TryLaterError("fake: HTTP 503"))
    unlisted = place.tidy(seen)
    place.cloud.fail("delete_leftover", TryLaterError("fake: HTTP 409"))
    partly = place.tidy(unlisted.seen)

    assert seen == unlisted.seen
    assert partly.ports + partly.floating_ips == 1
    assert len(partly.seen) == 1


def test_what_clients_left_in_zookeeper_goes_when_it_is_old(place: Place) -> None:
    """Locks and verdicts of requests that are gone, empty nodes; nothing that is in use."""
    for root in (paths.REQUESTS, paths.REQUEST_LOCKS, paths.NODES, paths.verdicts("here")):
        place.store.ensure(root)
    place.add(f"{paths.REQUESTS}/200-1", f"{paths.REQUEST_LOCKS}/200-1")
    place.add(f"{paths.REQUEST_LOCKS}/200-2", f"{paths.NODES}/{LIVING}")
    place.add(f"{paths.NODES}/{FORGOTTEN}", f"{paths.NODES}/{FORGOTTEN}/lock")
    place.add(f"{paths.verdicts('here')}/200-1", f"{paths.verdicts('here')}/200-2")

    young = place.tidy().removed
    place.clock.advance(STORE_AGE_S + 1.0)
    old = place.tidy().removed

    assert young == 1  # the verdict: nobody else writes there
    assert old == 2
    assert list(place.store.children(paths.REQUEST_LOCKS)) == ["200-1"]
    assert list(place.store.children(paths.NODES)) == [LIVING]
    assert list(place.store.children(paths.verdicts("here"))) == ["200-1"]


def test_wishes_for_images_that_nobody_knows_go_when_they_are_old(place: Place) -> None:
    """Whoever may make one may make a thousand; one of an image that is there is its builder's."""
    for root in (paths.TAKE_HOME, paths.TAKE_HOME_ENDS):
        place.store.ensure(root)
    place.add(paths.take_home(LIVING), paths.take_home_end(LIVING), paths.take_home_end(FORGOTTEN))
    place.add(f"{paths.TAKE_HOME_ENDS}/two words")

    assert place.tidy().removed == 0  # its record may be coming
    place.clock.advance(STORE_AGE_S + 1.0)
    assert place.tidy().removed == 2

    assert list(place.store.children(paths.TAKE_HOME_ENDS)) == [LIVING]
    assert list(place.store.children(paths.TAKE_HOME)) == [LIVING]

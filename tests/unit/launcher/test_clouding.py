"""The cloud hands: what they tell of calls that fail."""

import pytest

from launcher.actions import Delete
from launcher.hands.clouding import CloudHands
from remuda.cloud.api import CloudError, GoneError, TryLaterError
from remuda.model.ids import NodeId, ServerId
from tests.fakes.clock import ManualClock
from tests.fakes.cloud import FakeCloud
from tests.fakes.store import FakeZookeeper

NODE, SERVER = NodeId("3000000001"), ServerId("server")


@pytest.mark.parametrize("error", [GoneError("HTTP 404"), TryLaterError("HTTP 503")])
def test_a_server_whose_address_cannot_be_released_is_not_taken_for_deleted(
    error: CloudError,
) -> None:
    """Nobody asked for its deletion, so whoever judges the node must know."""
    clock = ManualClock()
    cloud = FakeCloud(clock)
    hands = CloudHands(cloud=cloud, store=FakeZookeeper(clock).connect(), clock=clock)
    cloud.fail("remove_floating_ips", error)

    failed = hands.delete(Delete(node=NODE, server=SERVER, search=True))
    again = hands.delete(Delete(node=NODE, server=SERVER, search=True))

    assert (failed.error, failed.released, cloud.calls["delete_server"]) == (error, False, 1)
    assert (again.error, again.released) == (None, True)

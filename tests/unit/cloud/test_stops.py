"""Shutdowns, and starts after them, as Nova answers to them."""

from typing import Final

import pytest

from remuda.cloud.api import BadOrderError, CloudError, GoneError, TryLaterError
from remuda.cloud.openstack import OpenStackCloud
from remuda.model.ids import ServerId
from tests.unit.cloud.scripted_api import Reply, ScriptedApi

SERVERS: Final = "/compute/v2.1/servers"


def conflict(words: str) -> Reply:
    """Return Nova's 409."""
    return Reply(status=409, body={"conflictingRequest": {"code": 409, "message": words}})


@pytest.mark.parametrize(
    "reply",
    [
        Reply(status=202, body=""),
        conflict("Cannot 'stop' instance s1 while it is in vm_state stopped"),
        conflict("Cannot 'stop' instance s1 while it is in task_state powering-off"),
    ],
    ids=["accepted", "stopped", "stopping"],
)
def test_stop_is_one_call_and_stopped_is_fine(
    api: ScriptedApi, cloud: OpenStackCloud, reply: Reply
) -> None:
    """It may be asked for until the listing agrees."""
    api.on("POST", f"{SERVERS}/s1/action", reply)

    cloud.stop_server(ServerId("s1"))

    assert [seen.body for seen in api.seen] == [{"os-stop": None}]


@pytest.mark.parametrize(
    "reply",
    [
        Reply(status=202, body=""),
        conflict("Cannot 'start' instance s1 while it is in vm_state active"),
        conflict("Cannot 'start' instance s1 while it is in task_state powering-on"),
    ],
    ids=["accepted", "running", "starting"],
)
def test_start_is_one_call_and_running_is_fine(
    api: ScriptedApi, cloud: OpenStackCloud, reply: Reply
) -> None:
    """As a stop is; one that cannot be is an order that cannot be."""
    shelved = conflict("Cannot 'start' instance s1 while it is in vm_state shelved")
    stopping = conflict("Cannot 'start' instance s1 while it is in task_state powering-off")
    api.on("POST", f"{SERVERS}/s1/action", reply, shelved, stopping)

    cloud.start_server(ServerId("s1"))

    assert [seen.body for seen in api.seen] == [{"os-start": None}]
    with pytest.raises(BadOrderError):
        cloud.start_server(ServerId("s1"))
    with pytest.raises(TryLaterError):
        cloud.start_server(ServerId("s1"))


@pytest.mark.parametrize(
    ("reply", "error"),
    [
        (conflict("Cannot 'stop' … while it is in task_state image_uploading"), TryLaterError),
        (conflict("Cannot 'stop' … while it is in vm_state building"), TryLaterError),
        (conflict("Cannot 'stop' … while it is in vm_state stopped_for_good"), BadOrderError),
        (conflict("Cannot 'stop' … while it is in vm_state suspended"), BadOrderError),
        (conflict("Instance s1 is in an invalid state for 'stop'"), BadOrderError),
        (conflict("Instance s1 is locked"), BadOrderError),
        (conflict("something else"), TryLaterError),
        (Reply(status=500), TryLaterError),
        (Reply(status=403), BadOrderError),
    ],
)
def test_stop_that_is_refused(
    api: ScriptedApi, cloud: OpenStackCloud, reply: Reply, error: type[CloudError]
) -> None:
    """What no waiting helps is an order that cannot be."""
    api.on("POST", f"{SERVERS}/s1/action", reply)

    with pytest.raises(error):
        cloud.stop_server(ServerId("s1"))


@pytest.mark.parametrize(
    "reply", [Reply(status=404), conflict("Instance s1 is not ready")], ids=["404", "409"]
)
def test_stop_of_a_server_without_a_host(
    api: ScriptedApi, cloud: OpenStackCloud, reply: Reply
) -> None:
    """It has none yet, or is broken and gets none, or is not there: a look tells."""
    api.on("POST", f"{SERVERS}/s1/action", reply)
    young, broken = (
        Reply(body={"server": {"id": "s1", "name": "a", "status": status}})
        for status in ("BUILD", "ERROR")
    )
    api.on("GET", f"{SERVERS}/s1", young, broken, Reply(status=404))

    with pytest.raises(TryLaterError):
        cloud.stop_server(ServerId("s1"))
    with pytest.raises(BadOrderError):
        cloud.stop_server(ServerId("s1"))
    with pytest.raises(GoneError):
        cloud.stop_server(ServerId("s1"))

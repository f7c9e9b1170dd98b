"""Faults as unmodified openstacksdk sees them, and the endpoint that switches them."""

from __future__ import annotations

import pytest
from keystoneauth1.exceptions import ConnectFailure
from openstack import exceptions
from openstack.connection import Connection

from tests.sandbox.running import Sandbox
from tests.sandbox.servers import SOON_S, active, boot, gone, in_state
from tests.support.deadline import wait_for

pytestmark = pytest.mark.e2e


def test_lost_reply(cloud: Connection, api: Sandbox) -> None:
    """The connection closes, but the server is there."""
    api.fault("lose_reply", match={"operation": "server.create"}, count=1)

    with pytest.raises(ConnectFailure):
        boot(cloud, "lost")

    assert [server.name for server in cloud.compute.servers()] == ["lost"]


def test_dropped_call(cloud: Connection, api: Sandbox) -> None:
    """The connection closes, and there is nothing."""
    api.fault("drop", match={"operation": "server.create"}, count=1)

    with pytest.raises(ConnectFailure):
        boot(cloud)

    assert list(cloud.compute.servers()) == []


def test_lying_list(cloud: Connection, api: Sandbox) -> None:
    """Servers that exist are not listed; asked for by id they are there."""
    one, two = boot(cloud, "one"), boot(cloud, "two", metadata={"label": "hidden"})

    api.fault("omit", match={"metadata": {"label": "hidden"}})
    assert [server.id for server in cloud.compute.servers()] == [one.id]
    assert cloud.compute.get_server(two.id).name == "two"
    api.fault("omit", match={"operation": "server.list"})
    assert list(cloud.compute.servers()) == []


def test_http_error_with_retry_after(cloud: Connection, api: Sandbox) -> None:
    """Status, header and body as asked."""
    api.fault(
        "http", match={"operation": "server.list"},
        effect={"status": 429, "retry_after": 7, "text": "slow down"},
    )  # fmt: skip

    with pytest.raises(exceptions.HttpException, match="slow down") as caught:
        list(cloud.compute.servers())

    assert caught.value.status_code == 429
    assert caught.value.response.headers["Retry-After"] == "7"


def test_boot_errors_and_hangs(cloud: Connection, api: Sandbox) -> None:
    """ERROR with a fault record; or BUILD, until it is deleted."""
    api.fault("boot_error", match={"name": "bad*"}, effect={"text": "Build aborted"})
    bad, good = boot(cloud, "bad"), boot(cloud, "good")

    assert in_state(cloud, bad, "ERROR").fault["message"] == "Build aborted"
    in_state(cloud, good, "ACTIVE")
    api.fault("boot_error")
    fault = in_state(cloud, boot(cloud), "ERROR").fault
    assert (fault["code"], "No valid host was found" in fault["message"]) == (500, True)
    api.fault("boot_hang")
    stuck = boot(cloud, "stuck")
    assert cloud.compute.get_server(stuck.id).status == "BUILD"
    cloud.compute.delete_server(stuck)
    gone(cloud, stuck)


def test_failing_deletes(cloud: Connection, api: Sandbox) -> None:
    """Once into ERROR, then it works; hanging ones stay in deleting."""
    server = active(cloud)
    api.fault("delete_error", count=1)
    cloud.compute.delete_server(server)
    in_state(cloud, server, "ERROR")
    cloud.compute.delete_server(server)
    gone(cloud, server)

    server = active(cloud)
    api.fault("delete_hang", count=1)
    cloud.compute.delete_server(server)
    assert cloud.compute.get_server(server.id).task_state == "deleting"
    cloud.compute.delete_server(server)
    gone(cloud, server)


def test_failing_snapshot(cloud: Connection, api: Sandbox) -> None:
    """The image disappears, as with Nova; the server is as before."""
    server = active(cloud)
    api.fault("snapshot_error")

    cloud.compute.create_server_image(server, "snap")

    wait_for(lambda: cloud.compute.get_server(server.id).task_state is None, SOON_S, "the snapshot")
    assert cloud.image.find_image("snap") is None


def test_servers_without_addresses_or_routes(cloud: Connection, api: Sandbox) -> None:
    """ACTIVE, and of no use."""
    api.fault("ssh", effect={"mode": "no_address"})
    assert active(cloud).addresses == {}
    api.fault("ssh", effect={"mode": "no_route"})
    assert active(cloud).addresses["public"][0]["addr"].startswith("239.255.")


def test_injected_quota_refusal(cloud: Connection, api: Sandbox) -> None:
    """In the same words as a true one."""
    api.fault("quota", effect={"resource": "cores"}, match={"flavor": "m1.tiny"})

    with pytest.raises(exceptions.ForbiddenException, match="Quota exceeded for cores: Requ"):
        boot(cloud)


def test_injected_quota_refusal_of_an_address(cloud: Connection, api: Sandbox) -> None:
    """In Neutron's words; only where it was asked for."""
    api.fault("quota", match={"operation": "floatingip.create"})
    public = cloud.network.find_network("public", ignore_missing=False)

    with pytest.raises(exceptions.ConflictException, match="Quota exceeded for resources"):
        cloud.network.create_ip(floating_network_id=public.id)
    boot(cloud)


def test_control_endpoint_refuses_bad_rules(api: Sandbox) -> None:
    """400, naming the field and what is known; nothing is changed."""
    answer = api.control("POST", "/faults", {"effect": "bang"})

    assert answer["status"] == 400
    assert "faults[0].effect: 'bang' is not known; known are http" in answer["error"]
    assert api.control("GET", "/faults") == {"faults": []}
    assert api.control("PUT", "/quota", {"instances": "x"})["status"] == 400
    assert api.control("DELETE", "/faults/none")["status"] == 404


def test_control_endpoint_changes_one_rule(api: Sandbox, cloud: Connection) -> None:
    """Switch off and on again without touching the others."""
    api.fault("http", match={"operation": "server.list"}, effect={"status": 500})
    api.control("PATCH", "/faults/http", {"enabled": False})

    assert list(cloud.compute.servers()) == []
    rule = api.control("PATCH", "/faults/http", {"enabled": True})
    assert (rule["enabled"], rule["effect"]["status"]) == (True, 500)
    with pytest.raises(exceptions.HttpException):
        list(cloud.compute.servers())


def test_state_summary(api: Sandbox, cloud: Connection) -> None:
    """What there is, at a glance."""
    in_state(cloud, boot(cloud), "ACTIVE")

    state = api.control("GET", "/state")

    assert (state["machines"], state["system"]) == ("none", "host")
    assert state["regions"]["north"]["server_states"] == {"ACTIVE": 1}
    assert state["regions"]["north"]["ports"] == 1
    assert state["projects"]["demo"] == cloud.current_project_id

"""Floating IPs and leftover ports, where Neutron or another process makes it hard."""

from typing import Any

import pytest

from remuda.cloud.api import (
    BadOrderError,
    Leftover,
    LeftoverKind,
    NoRoomError,
    TryLaterError,
)
from remuda.cloud.openstack import OpenStackCloud
from remuda.model import tags
from remuda.model.ids import ServerId
from tests.unit.cloud.conftest import OWNER
from tests.unit.cloud.scripted_api import Manner, Reply, ScriptedApi

BASE = "/network/v2.0"
FIPS = f"{BASE}/floatingips"
SERVER = ServerId("s1")
PORT = {
    "id": "p1",
    "network_id": "n1",
    "fixed_ips": [{"ip_address": "fd00::5"}, {"ip_address": "10.0.0.5"}],
}
MADE = Reply(status=201, body={"floatingip": {"floating_ip_address": "203.0.113.1"}})


def _fip(ip_id: str, *, port: str | None = None, owner: tags.Owner = OWNER) -> dict[str, Any]:
    note = tags.note(owner, ServerId("dead"))
    return {
        "id": ip_id,
        "port_id": port,
        "description": note,
        "floating_ip_address": f"203.0.113.{ip_id}",
        "revision_number": 4,
    }


@pytest.fixture
def neutron(api: ScriptedApi) -> ScriptedApi:
    """One private and two external networks, one port, no floating IP."""
    networks = [
        {"id": "n1", "name": "private"},
        {"id": "x1", "name": "ext-a", "router:external": True},
        {"id": "x2", "name": "ext-b", "router:external": True},
    ]
    api.on("GET", f"{BASE}/networks", Reply(body={"networks": networks}))
    api.on("GET", f"{BASE}/ports", Reply(body={"ports": [PORT]}))
    api.on("GET", FIPS, Reply(body={"floatingips": []}))
    return api


def test_new_floating_ip_names_its_server(neutron: ScriptedApi, cloud: OpenStackCloud) -> None:
    """So that it is found again whatever happens."""
    neutron.on("POST", FIPS, MADE)

    address = cloud.add_floating_ip(SERVER)

    body = neutron.seen[-1].body["floatingip"]
    assert address == "203.0.113.1"
    assert tags.noted(body["description"], OWNER) == SERVER
    assert (body["port_id"], body["fixed_ip_address"]) == ("p1", "10.0.0.5")
    assert cloud.api_calls == 4


def test_unreachable_network_is_passed_over(neutron: ScriptedApi, cloud: OpenStackCloud) -> None:
    """Neutron knows which router leads where; we do not ask."""
    neutron.on("POST", FIPS, Reply(status=404), MADE)

    cloud.add_floating_ip(SERVER)

    posts = [each.body["floatingip"] for each in neutron.seen if each.method == "POST"]
    assert [each["floating_network_id"] for each in posts] == ["x1", "x2"]


def test_idle_one_of_ours_is_reused_unless_another_was_faster(
    neutron: ScriptedApi, cloud: OpenStackCloud
) -> None:
    """The revision number in If-Match tells."""
    stranger = tags.Owner(installation="other", provider=OWNER.provider)
    fips = [_fip("1", owner=stranger), _fip("2"), _fip("3"), _fip("4", port="p9")]
    neutron.on("GET", FIPS, Reply(body={"floatingips": fips}))
    neutron.on("PUT", f"{FIPS}/2", Reply(status=412))
    neutron.on("PUT", f"{FIPS}/3", Reply(body={"floatingip": {}}))

    assert cloud.add_floating_ip(SERVER) == "203.0.113.3"

    puts = [each for each in neutron.seen if each.method == "PUT"]
    assert [each.headers["If-Match"] for each in puts] == ["revision_number=4"] * 2


def test_nothing_is_reused_without_revision_numbers(
    neutron: ScriptedApi, cloud: OpenStackCloud
) -> None:
    """Two processes could take the same one."""
    fip = {key: value for key, value in _fip("2").items() if key != "revision_number"}
    neutron.on("GET", FIPS, Reply(body={"floatingips": [fip]}))
    neutron.on("POST", FIPS, MADE)

    assert cloud.add_floating_ip(SERVER) == "203.0.113.1"


@pytest.mark.parametrize(
    ("reply", "expected"),
    [
        (Reply(status=409, body={"NeutronError": {"message": "Quota exceeded"}}), NoRoomError),
        (Reply(status=409, body={"NeutronError": {"message": "already has one"}}), TryLaterError),
        (Reply(manner=Manner.DROP), TryLaterError),
        (Reply(status=500), TryLaterError),
        (Reply(status=400), BadOrderError),
    ],
)
def test_refused_floating_ip(
    neutron: ScriptedApi, cloud: OpenStackCloud, reply: Reply, expected: type[Exception]
) -> None:
    """Nothing stays unknown: the next call finds what was made."""
    neutron.on("POST", FIPS, reply)

    with pytest.raises(expected):
        cloud.add_floating_ip(SERVER)


@pytest.mark.parametrize(
    ("ports", "expected"),
    [([], TryLaterError), ([{**PORT, "network_id": "x1"}], BadOrderError)],
    ids=["no port yet", "only external"],
)
def test_server_that_cannot_have_one(
    neutron: ScriptedApi,
    cloud: OpenStackCloud,
    ports: list[dict[str, Any]],
    expected: type[Exception],
) -> None:
    """Yet, or ever."""
    neutron.on("GET", f"{BASE}/ports", Reply(body={"ports": ports}))

    with pytest.raises(expected):
        cloud.add_floating_ip(SERVER)


def test_leftovers_are_down_ports_of_servers_and_our_idle_addresses(
    neutron: ScriptedApi, cloud: OpenStackCloud
) -> None:
    """Routers' ports, ports made in advance and other people's addresses stay."""
    port = {"status": "DOWN", "device_id": "dead", "device_owner": "compute:az1"}
    ports = [
        {**port, "id": "1"},
        {**port, "id": "2", "device_owner": ""},
        {**port, "id": "3", "device_owner": "network:dhcp"},
        {**port, "id": "4", "device_id": ""},
        {**port, "id": "5", "status": "ACTIVE"},
    ]
    stranger = tags.Owner(installation="other", provider=OWNER.provider)
    fips = [_fip("6"), _fip("7", port="p9"), _fip("8", owner=stranger)]
    neutron.on("GET", f"{BASE}/ports", Reply(body={"ports": ports}))
    neutron.on("GET", FIPS, Reply(body={"floatingips": fips}))

    found = cloud.list_leftovers()

    assert [each.id for each in found] == ["1", "2", "6"]
    assert {each.server for each in found} == {"dead"}


def test_floating_ip_that_was_given_away_is_not_swept(
    neutron: ScriptedApi, cloud: OpenStackCloud
) -> None:
    """It is looked at again right before."""
    neutron.on("GET", FIPS, Reply(body={"floatingips": [_fip("6", port="p1")]}))

    cloud.delete_leftover(Leftover(id="6", kind=LeftoverKind.FLOATING_IP))

    assert [each.method for each in neutron.seen] == ["GET"]


def test_port_that_members_may_not_delete_is_disowned_first(
    neutron: ScriptedApi, cloud: OpenStackCloud
) -> None:
    """Neutron's policy since 2025; the revision guards both steps."""
    path = f"{BASE}/ports/p1"
    neutron.on("DELETE", path, Reply(status=403), Reply(status=204))
    neutron.on("PUT", path, Reply(body={"port": {"revision_number": 8}}))

    cloud.delete_leftover(Leftover(id="p1", kind=LeftoverKind.PORT, revision=7))

    assert [(each.method, each.headers["If-Match"]) for each in neutron.seen] == [
        ("DELETE", "revision_number=7"),
        ("PUT", "revision_number=7"),
        ("DELETE", "revision_number=8"),
    ]


def test_port_that_cannot_be_deleted_says_so(neutron: ScriptedApi, cloud: OpenStackCloud) -> None:
    """Credentials are not to blame, so the provider goes on."""
    path = f"{BASE}/ports/p1"
    neutron.on("DELETE", path, Reply(status=403))
    neutron.on("PUT", path, Reply(status=403, body={"NeutronError": {"message": "policy"}}))

    with pytest.raises(BadOrderError, match="policy"):
        cloud.delete_leftover(Leftover(id="p1", kind=LeftoverKind.PORT, revision=7))

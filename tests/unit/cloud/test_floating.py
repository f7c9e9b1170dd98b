"""Floating IPs and leftover ports, where Neutron or another process makes it hard."""

from dataclasses import replace
from typing import Any

import pytest

from remuda.cloud.api import (
    BadOrderError,
    FloatingIp,
    GoneError,
    NoRoomError,
    Port,
    TryLaterError,
)
from remuda.cloud.leftovers import Leftover, LeftoverKind
from remuda.cloud.openstack import OpenStackCloud
from remuda.cloud.ports import SERVERS_MAX
from remuda.model import tags
from remuda.model.ids import ServerId
from tests.unit.cloud.conftest import OWNER
from tests.unit.cloud.scripted_api import Manner, Reply, ScriptedApi

BASE = "/network/v2.0"
FIPS = f"{BASE}/floatingips"
SERVER = ServerId("s1")
PORT = Port(id="p1", server=SERVER, ipv4="10.0.0.5", network="n1")
MADE = Reply(status=201, body={"floatingip": {"id": "9", "floating_ip_address": "203.0.113.9"}})
FULL = Reply(status=409, body={"NeutronError": {"message": "Quota exceeded"}})
TAKEN = Reply(status=409, body={"NeutronError": {"message": "already has a floating IP"}})


def _fip(ip_id: str, *, port: str | None = None, owner: tags.Owner = OWNER) -> dict[str, Any]:
    note = tags.note(owner, ServerId("dead"))
    return {
        "id": ip_id,
        "port_id": port,
        "description": note,
        "floating_ip_address": f"203.0.113.{ip_id}",
        "revision_number": 4,
    }


def _port(port_id: str, device: str, *addresses: str, network: str = "n1") -> dict[str, Any]:
    fixed = [{"ip_address": each} for each in addresses]
    return {"id": port_id, "device_id": device, "network_id": network, "fixed_ips": fixed}


@pytest.fixture
def neutron(api: ScriptedApi) -> ScriptedApi:
    """One private and two external networks, no floating IP."""
    networks = [
        {"id": "n1", "name": "private"},
        {"id": "x1", "name": "ext-a", "router:external": True},
        {"id": "x2", "name": "ext-b", "router:external": True},
    ]
    api.on("GET", f"{BASE}/networks", Reply(body={"networks": networks}))
    api.on("GET", FIPS, Reply(body={"floatingips": []}))
    return api


def _methods(neutron: ScriptedApi) -> list[str]:
    return [each.method for each in neutron.seen if not each.path.endswith("/networks")]


def test_ports_of_many_servers_cost_one_call(neutron: ScriptedApi, cloud: OpenStackCloud) -> None:
    """The private IPv4 address counts; who has none is left out."""
    ports = [
        _port("p3", "s3", "198.51.100.7", network="x1"),
        _port("p0", "s1", "198.51.100.5", network="x1"),
        _port("p1", "s1", "fd00::5", "10.0.0.5"),
        _port("p2", "s2", "fd00::6"),
        _port("p4", "s1", "10.1.0.5", network="n2"),
    ]
    neutron.on("GET", f"{BASE}/ports", Reply(body={"ports": ports}))

    found = cloud.find_ports([SERVER, ServerId("s2"), ServerId("s3"), ServerId("s4")])

    assert found[SERVER] == PORT
    assert {server: port.external for server, port in found.items()} == {"s1": False, "s3": True}
    assert _methods(neutron) == ["GET"]
    assert neutron.seen[-1].query["device_id"] == ["s1", "s2", "s3", "s4"]


def test_look_at_ports_is_cut_into_urls_of_bearable_length(
    neutron: ScriptedApi, cloud: OpenStackCloud
) -> None:
    """Each names its servers, and no server is named twice."""
    neutron.on("GET", f"{BASE}/ports", Reply(body={"ports": []}))
    servers = [ServerId(f"{n:03d}") for n in range(2 * SERVERS_MAX + 1)]

    cloud.find_ports(servers)

    named = [each.query["device_id"] for each in neutron.seen if each.path.endswith("/ports")]
    assert [len(each) for each in named] == [SERVERS_MAX, SERVERS_MAX, 1]
    assert [name for each in named for name in each] == servers


def test_untried_server_gets_one_without_a_look(
    neutron: ScriptedApi, cloud: OpenStackCloud
) -> None:
    """It names its server, so that it is found again whatever happens."""
    neutron.on("POST", FIPS, MADE)

    given = cloud.add_floating_ip(PORT, untried=True)

    body = neutron.seen[-1].body["floatingip"]
    assert given == FloatingIp(id="9", address="203.0.113.9")
    assert tags.noted(body["description"], OWNER) == SERVER
    assert (body["port_id"], body["fixed_ip_address"]) == ("p1", "10.0.0.5")
    assert _methods(neutron) == ["POST"]


def test_what_an_earlier_attempt_made_is_found(neutron: ScriptedApi, cloud: OpenStackCloud) -> None:
    """Its reply was lost, or its maker has died."""
    fips = [_fip("1", port="p9"), _fip("2", port="p1"), _fip("3")]
    neutron.on("GET", FIPS, Reply(body={"floatingips": fips}))

    assert cloud.add_floating_ip(PORT) == FloatingIp(id="2", address="203.0.113.2")

    assert _methods(neutron) == ["GET"]


def test_idle_one_is_never_given_to_another(neutron: ScriptedApi, cloud: OpenStackCloud) -> None:
    """Who made it for its first server may delete it at any time, by its id."""
    neutron.on("GET", FIPS, Reply(body={"floatingips": [_fip("3")]}))
    neutron.on("POST", FIPS, MADE)

    assert cloud.add_floating_ip(PORT).id == "9"

    assert _methods(neutron) == ["GET", "POST"]


def test_unreachable_network_is_passed_over_once(
    neutron: ScriptedApi, cloud: OpenStackCloud
) -> None:
    """Neutron knows which router leads where; we do not ask, but we remember."""
    neutron.on("POST", FIPS, Reply(status=404), MADE, MADE)

    cloud.add_floating_ip(PORT, untried=True)
    cloud.add_floating_ip(PORT, untried=True)

    posts = [each.body["floatingip"] for each in neutron.seen if each.method == "POST"]
    assert [each["floating_network_id"] for each in posts] == ["x1", "x2", "x2"]


def test_without_room_one_idle_one_of_ours_is_given_up(
    neutron: ScriptedApi, cloud: OpenStackCloud
) -> None:
    """If-Match guards it: what somebody has put to use since stays."""
    stranger = tags.Owner(installation="other", provider=OWNER.provider)
    fips = [_fip("1", owner=stranger), _fip("2"), _fip("3"), _fip("4"), _fip("5", port="p9")]
    neutron.on("GET", FIPS, Reply(body={"floatingips": fips}))
    neutron.on("DELETE", f"{FIPS}/2", Reply(status=412))
    neutron.on("DELETE", f"{FIPS}/3", Reply(status=204))
    neutron.on("POST", FIPS, FULL, MADE)

    assert cloud.add_floating_ip(PORT, untried=True).id == "9"

    assert _methods(neutron) == ["POST", "GET", "DELETE", "DELETE", "POST"]
    guards = [each.headers["If-Match"] for each in neutron.seen if each.method == "DELETE"]
    assert guards == ["revision_number=4"] * 2


@pytest.mark.parametrize(
    ("reply", "expected"),
    [
        (FULL, NoRoomError),
        (TAKEN, TryLaterError),
        (Reply(manner=Manner.DROP), TryLaterError),
        (Reply(status=500), TryLaterError),
        (Reply(status=400), BadOrderError),
        (Reply(status=404, body={"NeutronError": {"type": "PortNotFound"}}), GoneError),
        (Reply(status=404, body={"NeutronError": {"type": "ExternalGateway"}}), BadOrderError),
        (Reply(status=404), BadOrderError),
    ],
)
def test_refused_floating_ip(
    neutron: ScriptedApi, cloud: OpenStackCloud, reply: Reply, expected: type[Exception]
) -> None:
    """Nothing stays unknown: the next call finds what was made."""
    neutron.on("POST", FIPS, reply)

    with pytest.raises(expected):
        cloud.add_floating_ip(PORT)


def test_server_on_external_networks_only_needs_none(cloud: OpenStackCloud) -> None:
    """No call could change that."""
    with pytest.raises(BadOrderError, match="only on external networks"):
        cloud.add_floating_ip(replace(PORT, external=True), untried=True)


def test_known_one_is_deleted_without_a_look(neutron: ScriptedApi, cloud: OpenStackCloud) -> None:
    """No guard: it is this server's for ever. That it is gone already is no error."""
    neutron.on("DELETE", f"{FIPS}/9", Reply(status=204), Reply(status=404))

    cloud.remove_floating_ips(SERVER, known="9")
    cloud.remove_floating_ips(SERVER, known="9")

    assert _methods(neutron) == ["DELETE", "DELETE"]
    assert [each.headers.get("If-Match") for each in neutron.seen] == [None, None]


def test_unknown_ones_are_found_by_their_description(
    neutron: ScriptedApi, cloud: OpenStackCloud
) -> None:
    """Whoever made them, and whether the server is there or not."""
    fips = [_fip("1"), {**_fip("2"), "description": tags.note(OWNER, SERVER)}]
    neutron.on("GET", FIPS, Reply(body={"floatingips": fips}))
    neutron.on("DELETE", f"{FIPS}/2", Reply(status=204))

    cloud.remove_floating_ips(SERVER)

    assert _methods(neutron) == ["GET", "DELETE"]


@pytest.mark.parametrize(
    ("reply", "deleted"),
    [
        (Reply(body={"floatingip": {**_fip("7"), "description": tags.note(OWNER, SERVER)}}), "7"),
        (Reply(body={"floatingip": _fip("7")}), "2"),
        (Reply(body={"floatingip": {"id": "7"}}), "2"),
        (Reply(status=404), "2"),
    ],
    ids=["made for it", "of another server of ours", "of a stranger", "gone"],
)
def test_one_that_is_only_written_somewhere_is_looked_at_first(
    neutron: ScriptedApi, cloud: OpenStackCloud, reply: Reply, deleted: str
) -> None:
    """Its description has the last word; where it says no, the server's own one is looked for."""
    fips = [{**_fip("2"), "description": tags.note(OWNER, SERVER)}]
    neutron.on("GET", FIPS, Reply(body={"floatingips": fips}))
    neutron.on("GET", f"{FIPS}/7", reply)
    neutron.on("DELETE", f"{FIPS}/{deleted}", Reply(status=204))

    cloud.remove_floating_ips(SERVER, hint="7")

    gone = [each.path for each in neutron.seen if each.method == "DELETE"]
    assert gone == [f"{FIPS}/{deleted}"]


def test_unknown_one_of_a_check_that_was_killed_is_found_too(
    neutron: ScriptedApi, cloud: OpenStackCloud
) -> None:
    """But only of our provider's: who else names the server is a stranger."""
    checks = tags.trial_owner(OWNER.provider)
    strangers = tags.Owner(installation="other", provider=OWNER.provider)
    fips = [
        {**_fip(str(n)), "description": tags.note(owner, SERVER)}
        for n, owner in enumerate((strangers, checks))
    ]
    neutron.on("GET", FIPS, Reply(body={"floatingips": fips}))
    neutron.on("DELETE", f"{FIPS}/1", Reply(status=204))

    cloud.remove_floating_ips(SERVER)

    assert [each.path for each in neutron.seen if each.method == "DELETE"] == [f"{FIPS}/1"]


def test_cloud_without_floating_ips_has_none(neutron: ScriptedApi, cloud: OpenStackCloud) -> None:
    """Neutron without its L3 extension: no server stays for that."""
    neutron.on("GET", FIPS, Reply(status=404))
    neutron.on("GET", f"{BASE}/ports", Reply(body={"ports": []}))

    cloud.remove_floating_ips(SERVER)

    assert cloud.list_leftovers() == ()


def test_listing_whose_marker_is_gone_is_not_taken_for_an_empty_one(
    neutron: ScriptedApi, cloud: OpenStackCloud
) -> None:
    """Neutron answers 404 if what the last page ended with was deleted meanwhile."""
    links = [{"rel": "next", "href": f"{FIPS}?marker=1"}]
    page = Reply(body={"floatingips": [_fip("1")], "floatingips_links": links})
    neutron.on("GET", FIPS, page, Reply(status=404))

    with pytest.raises(TryLaterError, match="changed"):
        cloud.remove_floating_ips(SERVER)


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


@pytest.mark.parametrize(
    ("kind", "path"),
    [(LeftoverKind.PORT, f"{BASE}/ports"), (LeftoverKind.FLOATING_IP, FIPS)],
)
def test_only_the_wanted_kind_of_leftover_is_asked_for(
    neutron: ScriptedApi, cloud: OpenStackCloud, kind: LeftoverKind, path: str
) -> None:
    """An account without floating IPs may be refused the look at them."""
    neutron.on("GET", path, Reply(body={"ports": [], "floatingips": []}))

    assert cloud.list_leftovers({kind}) == ()
    assert [each.path for each in neutron.seen] == [path]


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

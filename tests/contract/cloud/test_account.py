"""What an account has: images, flavors, zones, limits, addresses; and who may use it."""

import pytest

from remuda.cloud.api import (
    BadOrderError,
    FloatingIp,
    ImageWanted,
    NoRoomError,
    Port,
    TryLaterError,
    UnauthorizedError,
)
from remuda.cloud.leftovers import LeftoverKind
from remuda.cloud.sizes import FlavorWanted
from remuda.model.ids import ServerId
from tests.contract.cloud.bench import Bench


def test_image_is_found_by_name_pattern_and_id(bench: Bench) -> None:
    """Three ways to the same image."""
    by_name = bench.cloud.find_image(ImageWanted(name=bench.image_name))

    by_pattern = bench.cloud.find_image(ImageWanted(pattern=f"{bench.image_name[:3]}.*"))
    by_id = bench.cloud.find_image(ImageWanted(id=by_name.id))

    assert by_name.name == by_id.name == bench.image_name
    assert by_pattern.name.startswith(bench.image_name[:3])
    assert by_id == by_name


def test_newest_image_of_several_that_match_wins(bench: Bench) -> None:
    """By creation time, not by name or position."""
    newest = bench.cloud.find_image(ImageWanted(pattern=".*"))

    others = [bench.cloud.find_image(ImageWanted(name=bench.image_name))]

    assert all(newest.created_s >= each.created_s for each in others)


def test_image_is_found_by_its_properties(bench: Bench) -> None:
    """All of them must be equal."""
    image = bench.cloud.find_image(ImageWanted(name=bench.image_name))
    distro = image.properties["os_distro"]

    found = bench.cloud.find_image(
        ImageWanted(name=bench.image_name, properties={"os_distro": distro})
    )

    assert found == image
    with pytest.raises(BadOrderError):
        bench.cloud.find_image(
            ImageWanted(name=bench.image_name, properties={"os_distro": "plan9"})
        )


@pytest.mark.parametrize(
    "wanted",
    [
        ImageWanted(id="99999999-9999-4999-8999-999999999999"),
        ImageWanted(name="no such image"),
        ImageWanted(pattern="no such image.*"),
        ImageWanted(pattern="("),
        ImageWanted(properties={"no_such_property": "x"}),
    ],
    ids=["id", "name", "pattern", "broken pattern", "property"],
)
def test_unknown_image_is_a_bad_order(bench: Bench, wanted: ImageWanted) -> None:
    """Whatever it was asked for by."""
    with pytest.raises(BadOrderError):
        bench.cloud.find_image(wanted)


def test_near_names_help_with_a_typing_error(bench: Bench) -> None:
    """The message contains what was probably meant."""
    with pytest.raises(BadOrderError, match=bench.image_name):
        bench.cloud.find_image(ImageWanted(name=f"{bench.image_name}x"))


def test_smallest_flavor_that_fits_is_chosen(bench: Bench) -> None:
    """By minimum, and by name."""
    smallest = bench.cloud.find_flavor(FlavorWanted())

    larger = bench.cloud.find_flavor(FlavorWanted(ram_mib=smallest.ram_mib + 1))
    named = bench.cloud.find_flavor(FlavorWanted(name=larger.name))
    part = bench.cloud.find_flavor(FlavorWanted(name=larger.name[1:], ram_mib=larger.ram_mib))

    assert larger.ram_mib > smallest.ram_mib
    assert named == part == larger


def test_unknown_flavor_is_a_bad_order_that_names_known_ones(bench: Bench) -> None:
    """Nothing fits a petabyte."""
    smallest = bench.cloud.find_flavor(FlavorWanted())

    with pytest.raises(BadOrderError):
        bench.cloud.find_flavor(FlavorWanted(ram_mib=1 << 30))
    with pytest.raises(BadOrderError, match=smallest.name):
        bench.cloud.find_flavor(FlavorWanted(name=f"{smallest.name}x"))


def test_server_starts_in_the_zone_that_was_ordered(bench: Bench) -> None:
    """There is at least one zone."""
    zone = bench.cloud.availability_zones()[-1]

    server = bench.active(bench.cloud.create_server(bench.order(az=zone)))

    assert server.az == zone


def test_use_counts_our_servers(bench: Bench) -> None:
    """One more server, one more in use."""
    before = bench.cloud.quota()
    order = bench.order()

    bench.active(bench.cloud.create_server(order))
    after = bench.cloud.quota()

    assert after.instances_used == before.instances_used + 1
    assert after.cores_used == before.cores_used + order.flavor.cores
    assert after.ram_mib_used == before.ram_mib_used + order.flavor.ram_mib


def test_full_quota_is_no_room(bench: Bench) -> None:
    """The cloud's own refusal, not a scripted one."""
    order = bench.order()
    with bench.full() as possible:
        if not possible:
            pytest.skip("this cloud's quota cannot be used up here")

        with pytest.raises(NoRoomError):
            bench.cloud.create_server(order)


def test_wrong_password_is_unauthorized(bench: Bench) -> None:
    """Not for later, not a bad order: a human must act."""
    stranger = bench.with_wrong_password()
    if stranger is None:
        pytest.skip("this cloud has no passwords")

    with pytest.raises(UnauthorizedError):
        stranger.list_servers()


def test_floating_ip_is_given_once_taken_back_and_swept(bench: Bench) -> None:
    """The address shows in the listing; without its server it is a leftover of ours."""
    port = _port(bench)
    server = port.server

    given = bench.cloud.add_floating_ip(port)
    again = bench.cloud.add_floating_ip(port)

    assert again == given
    with pytest.raises(TryLaterError):
        bench.cloud.add_floating_ip(port, untried=True)
    bench.until(lambda: _floating(bench, server) == given.address, "floating IP in the listing")
    assert _public(bench, server) == given.address
    bench.cloud.remove_floating_ips(server)
    bench.cloud.remove_floating_ips(server)
    bench.until(lambda: _floating(bench, server) is None, "floating IP out of the listing")
    assert _idle_addresses(bench) == []


def test_floating_ip_costs_two_calls_besides_a_look_for_all(bench: Bench) -> None:
    """One to make it and one to delete it, by whoever has just made the server."""
    ports = [_port(bench), _port(bench)]
    servers = [port.server for port in ports]

    look = bench.counted(lambda: bench.cloud.find_ports(servers))
    given = bench.counted(lambda: bench.cloud.add_floating_ip(ports[0], untried=True))
    assert isinstance(given.value, FloatingIp)
    known = given.value.id
    taken = bench.counted(lambda: bench.cloud.remove_floating_ips(servers[0], known=known))
    bench.cloud.remove_floating_ips(servers[0], known=known)

    assert look.value == dict(zip(servers, ports, strict=True))
    assert (look.calls, given.calls, taken.calls) == (1, 1, 1)
    bench.until(lambda: _floating(bench, servers[0]) is None, "floating IP out of the listing")
    assert _idle_addresses(bench) == []


def test_an_id_of_hearsay_never_costs_another_server_its_floating_ip(bench: Bench) -> None:
    """Only what the cloud itself says was made for the server is released."""
    ours, other = _port(bench), _port(bench)
    right, wrong = bench.cloud.add_floating_ip(ours), bench.cloud.add_floating_ip(other)

    bench.cloud.remove_floating_ips(ours.server, hint=wrong.id)
    bench.until(lambda: _floating(bench, ours.server) is None, "floating IP out of the listing")
    kept = bench.cloud.add_floating_ip(other)
    bench.cloud.remove_floating_ips(other.server, hint="../../v2.0/networks")
    bench.until(lambda: _floating(bench, other.server) is None, "the other one, too")

    assert kept == wrong
    assert right != wrong
    assert _idle_addresses(bench) == []


def test_server_that_is_not_there_has_no_port(bench: Bench) -> None:
    """Nor an error: a server's port may come later."""
    nobody = ServerId("99999999-9999-4999-8999-999999999999")
    port = _port(bench)

    found = bench.cloud.find_ports([nobody, port.server])

    assert found == {port.server: port}


def test_floating_ip_of_a_deleted_server_is_swept(bench: Bench) -> None:
    """It is ours by its mark, even if nobody remembers its server; nobody else gets it."""
    first = _port(bench)
    idle = bench.cloud.add_floating_ip(first).address
    bench.cloud.delete_server(first.server)
    bench.until(lambda: bench.find(first.server) is None, "server gone")
    bench.until(lambda: idle in _idle_addresses(bench), "idle floating IP")
    second = _port(bench)

    given = bench.cloud.add_floating_ip(second)
    for each in bench.cloud.list_leftovers():
        if each.kind is LeftoverKind.FLOATING_IP:
            bench.cloud.delete_leftover(each)
            bench.cloud.delete_leftover(each)

    assert given.address != idle
    assert _idle_addresses(bench) == []
    assert bench.cloud.add_floating_ip(second) == given
    bench.cloud.remove_floating_ips(second.server)


def test_idle_floating_ip_is_given_up_when_there_is_no_room(bench: Bench) -> None:
    """Nobody waits for an address while one of ours lies idle."""
    first, second = _port(bench), _port(bench)
    idle = bench.cloud.add_floating_ip(first).address
    bench.cloud.delete_server(first.server)
    bench.until(lambda: idle in _idle_addresses(bench), "idle floating IP")
    with bench.full("floatingips") as possible:
        if not possible:
            pytest.skip("this cloud's quota cannot be used up here")

        given = bench.cloud.add_floating_ip(second)
        third = _port(bench)
        with pytest.raises(NoRoomError):
            bench.cloud.add_floating_ip(third)

    assert _idle_addresses(bench) == []
    assert bench.cloud.add_floating_ip(second) == given
    bench.cloud.remove_floating_ips(second.server)


def _port(bench: Bench) -> Port:
    """Make a server whose address needs a floating IP to be reached, and return its port."""
    if bench.inside is None:
        pytest.skip("this cloud has no floating IPs")
    server = bench.active(bench.cloud.create_server(bench.order(networks=(bench.inside,)))).id
    return bench.cloud.find_ports([server])[server]


def _floating(bench: Bench, server: ServerId) -> str | None:
    seen = bench.find(server)
    return seen.floating_ipv4 if seen is not None else None


def _public(bench: Bench, server: ServerId) -> str | None:
    seen = bench.find(server)
    return seen.public_ipv4 if seen is not None else None


def _idle_addresses(bench: Bench) -> list[str | None]:
    kind = LeftoverKind.FLOATING_IP
    return [each.address for each in bench.cloud.list_leftovers() if each.kind is kind]

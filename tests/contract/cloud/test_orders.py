"""What an order may ask for besides image and flavor, and troubles after the boot."""

from collections.abc import Mapping
from pathlib import Path
from typing import Final

import pytest

from remuda.cloud.api import (
    BadOrderError,
    Flavor,
    Image,
    ImageWanted,
    NoRoomError,
    Server,
    ServerStatus,
)
from remuda.cloud.leftovers import LeftoverKind
from remuda.cloud.sizes import FlavorWanted
from remuda.model.ids import ServerId
from tests.contract.cloud.bench import KEYPAIR, Bench, Fault
from tests.contract.cloud.image_means import ordered

#: Nova takes 65535 characters of base64, which come in fours.
_USER_DATA_MAX: Final = 49_149


def test_keypair_user_data_and_security_group_are_taken(bench: Bench) -> None:
    """As much user data as Nova takes."""
    order = bench.order(
        key_name=KEYPAIR,
        user_data="#!/bin/sh\n".ljust(_USER_DATA_MAX, "#"),
        security_groups=("default",),
    )

    server = bench.active(bench.cloud.create_server(order))

    assert server.name == order.name


#: What Nova's schema, its quotas and its look-ups refuse, one thing each.
REFUSED: Final[Mapping[str, Mapping[str, object]]] = {
    "keypair": {"key_name": "no such keypair"},
    "padded keypair": {"key_name": f" {KEYPAIR}"},
    "long keypair": {"key_name": "k" * 256},
    "security group": {"security_groups": ("no such group",)},
    "empty security group": {"security_groups": ("",)},
    "long security group": {"security_groups": ("g" * 256,)},
    "security group of two lines": {"security_groups": ("de\nfault",)},
    "zone": {"az": "no such zone"},
    "padded zone": {"az": " nova"},
    "long zone": {"az": "z" * 256},
    "network": {"networks": ("no such network",)},
    "empty network": {"networks": ("",)},
    "network id": {"networks": ("99999999-9999-4999-8999-999999999999",)},
    "long user data": {"user_data": "#!/bin/sh\n# s3cret".ljust(_USER_DATA_MAX + 4, "#")},
    "long metadata": {"tags": {"k": "v" * 256}},
    "long metadata name": {"tags": {"k" * 256: "v"}},
    "empty metadata name": {"tags": {"": "v"}},
    "metadata name with a slash": {"tags": {"a/b": "v"}},
    "metadata name with an umlaut": {"tags": {"straße": "v"}},
    "too many metadata": {"tags": {f"k{n}": "v" for n in range(129)}},
    "empty name": {"name": ""},
    "padded name": {"name": " np1 "},
    "long name": {"name": "n" * 256},
    "flavor": {"flavor": Flavor(id="no-such-flavor", name="x", cores=1, ram_mib=1, disk_gib=1)},
    "image": {"image": Image(id="99999999-9999-4999-8999-999999999999", name="x")},
}


@pytest.mark.parametrize("what", REFUSED)
def test_what_nova_refuses_is_a_bad_order(bench: Bench, what: str) -> None:
    """Nothing is made, and no user data is repeated in the message."""
    order = bench.order(**REFUSED[what])
    before = {each.id for each in bench.cloud.list_servers()}

    with pytest.raises(BadOrderError) as caught:
        bench.cloud.create_server(order)

    assert "s3cret" not in str(caught.value)
    assert before == {each.id for each in bench.cloud.list_servers()}


def test_as_much_metadata_as_nova_takes(bench: Bench) -> None:
    """Every character that a name may have, the longest of both, and as many as fit."""
    most = bench.cloud.quota().metadata_items_max or 128
    ours = bench.order().tags
    odd = {"a-zA-Z_0:9. x": "ä" * 255, "k" * 255: "", "n": "\n"}
    more = {f"k{n}": "v" for n in range(most - len(ours) - len(odd))}

    server = bench.active(bench.cloud.create_server(bench.order(tags={**ours, **odd, **more})))

    assert len(server.tags) == most
    assert server.tags["a-zA-Z_0:9. x"].startswith("ä")


@pytest.mark.parametrize("needs", [{"min_ram_mib": 1 << 20}, {"min_disk_gib": 1 << 10}])
def test_an_image_that_needs_more_than_its_flavor_has(
    bench: Bench, source: Path, needs: dict[str, int]
) -> None:
    """Nova refuses it, and so the image says what it needs: no such flavor is chosen."""
    made = bench.images.upload(ordered(bench, **needs), source)
    image = bench.cloud.find_image(ImageWanted(id=made.id))

    with pytest.raises(BadOrderError):
        bench.cloud.create_server(bench.order(image=image))
    with pytest.raises(BadOrderError, match="the image"):
        bench.cloud.find_flavor(FlavorWanted(needs=image.needs))

    assert (image.needs.ram_mib, image.needs.disk_gib) in {(1 << 20, 1), (0, 1 << 10)}


def test_the_flavor_that_is_chosen_for_an_image_can_boot_it(bench: Bench, source: Path) -> None:
    """The smallest of those that are large enough."""
    smallest = bench.cloud.find_flavor(FlavorWanted())
    more = {"min_ram_mib": smallest.ram_mib + 1, "min_disk_gib": smallest.disk_gib + 1}
    made = bench.images.upload(ordered(bench, **more), source)
    image = bench.cloud.find_image(ImageWanted(id=made.id))

    flavor = bench.cloud.find_flavor(FlavorWanted(needs=image.needs))

    assert flavor.ram_mib > smallest.ram_mib
    assert flavor.disk_gib > smallest.disk_gib
    assert bench.active(bench.cloud.create_server(bench.order(image=image, flavor=flavor)))


def test_a_flavor_without_a_disk_boots_no_image(bench: Bench) -> None:
    """Nova's policy lets administrators do so; it is chosen for volumes only."""
    if bench.diskless is None:
        pytest.skip("this cloud has no such flavor")
    diskless = bench.cloud.find_flavor(FlavorWanted(name=bench.diskless))
    size = {"ram_mib": diskless.ram_mib, "cores": diskless.cores}

    with pytest.raises(BadOrderError):
        bench.cloud.create_server(bench.order(flavor=diskless))

    assert diskless.disk_gib == 0
    assert bench.cloud.find_flavor(FlavorWanted(**size)).disk_gib > 0
    assert bench.cloud.find_flavor(FlavorWanted(**size, local_disk=False)) == diskless


def test_a_volume_that_is_too_small_for_its_image(bench: Bench, source: Path) -> None:
    """Nova compares it with what the image says before it asks anybody for a volume."""
    made = bench.images.upload(ordered(bench, min_disk_gib=3), source)
    image = bench.cloud.find_image(ImageWanted(id=made.id))

    with pytest.raises(BadOrderError):
        bench.cloud.create_server(bench.order(image=image, volume_gib=2))


def test_several_networks_give_several_addresses(bench: Bench) -> None:
    """In the listing, one to connect to and one of the inside."""
    if bench.inside is None or bench.inside in bench.networks:
        pytest.skip("this cloud has one network")
    order = bench.order(networks=(*bench.networks, bench.inside))

    server = bench.active(bench.cloud.create_server(order))

    assert server.public_ipv4
    assert server.private_ipv4
    assert server.public_ipv4 != server.private_ipv4


@pytest.mark.parametrize("resource", ["cores", "ram"])
def test_no_room_for_its_size_is_no_room(bench: Bench, resource: str) -> None:
    """The cloud's own refusal, whatever it is that ran out."""
    order = bench.order()
    with bench.full(resource) as possible:
        if not possible:
            pytest.skip("this cloud's quota cannot be used up here")

        with pytest.raises(NoRoomError):
            bench.cloud.create_server(order)


def test_server_that_dies_is_stopped(bench: Bench) -> None:
    """Still listed, still to be deleted."""
    bench.fault(Fault.SERVER_DIES)
    server = bench.cloud.create_server(bench.order())

    def stopped() -> Server | None:
        seen = bench.find(server)
        return seen if seen is not None and seen.status is ServerStatus.STOPPED else None

    bench.until(stopped, "the server to be seen stopped")
    bench.cloud.delete_server(server)

    bench.until(lambda: bench.find(server) is None, "server gone")


def test_delete_that_failed_is_asked_for_again(bench: Bench) -> None:
    """It was accepted, and yet the server is there: until the listing agrees, ask again."""
    bench.fault(Fault.DELETE_FAILS)
    server = bench.active(bench.cloud.create_server(bench.order())).id
    bench.cloud.delete_server(server)

    def settled() -> bool:
        seen = bench.find(server)
        return seen is None or seen.status is not ServerStatus.DELETING

    bench.until(settled, "the deletion to end")
    survived = bench.find(server)
    bench.cloud.delete_server(server)
    bench.until(lambda: bench.find(server) is None, "server gone")

    assert survived is not None


def test_port_left_behind_is_found_and_deleted(bench: Bench) -> None:
    """By the server that it was made for, which is gone."""
    server = ServerId("99999999-9999-4999-8999-999999999999")
    port = bench.idle_port(server)
    if port is None:
        pytest.skip("this cloud has no ports")
    found = [each for each in bench.cloud.list_leftovers() if each.server == server]

    for each in found:
        bench.cloud.delete_leftover(each)
        bench.cloud.delete_leftover(each)

    assert [(port, LeftoverKind.PORT)] == [(each.id, each.kind) for each in found]
    assert server not in {each.server for each in bench.cloud.list_leftovers()}

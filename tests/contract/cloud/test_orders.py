"""What an order may ask for besides image and flavor, and troubles after the boot."""

import pytest

from remuda.cloud.api import BadOrderError, NoRoomError, Server, ServerStatus
from remuda.cloud.leftovers import LeftoverKind
from remuda.model.ids import ServerId
from tests.contract.cloud.bench import KEYPAIR, Bench, Fault

#: Nova takes 65535 characters of base64, which come in fours.
_USER_DATA_MAX = 49_149


def test_keypair_user_data_and_security_group_are_taken(bench: Bench) -> None:
    """As much user data as Nova takes."""
    order = bench.order(
        key_name=KEYPAIR,
        user_data="#!/bin/sh\n".ljust(_USER_DATA_MAX, "#"),
        security_groups=("default",),
    )

    server = bench.active(bench.cloud.create_server(order))

    assert server.name == order.name


@pytest.mark.parametrize(
    "changes",
    [
        {"key_name": "no such keypair"},
        {"security_groups": ("no such group",)},
        {"user_data": "#!/bin/sh\n# s3cret".ljust(_USER_DATA_MAX + 4, "#")},
        {"tags": {"k": "v" * 256}},
    ],
    ids=["keypair", "security group", "long user data", "long metadata"],
)
def test_what_nova_refuses_is_a_bad_order(bench: Bench, changes: dict[str, object]) -> None:
    """Nothing is made, and no user data is repeated in the message."""
    order = bench.order(**changes)

    with pytest.raises(BadOrderError) as caught:
        bench.cloud.create_server(order)

    assert "s3cret" not in str(caught.value)
    assert order.name not in {each.name for each in bench.cloud.list_servers()}


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

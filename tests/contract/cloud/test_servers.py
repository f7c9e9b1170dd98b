"""Servers: ordered, listed, recognised, deleted; and what a lost answer means."""

import threading

import pytest

from remuda.cloud.api import (
    BadOrderError,
    CloudError,
    Flavor,
    GoneError,
    Image,
    NoRoomError,
    NotSentError,
    Server,
    ServerStatus,
    TryLaterError,
    UnknownOutcomeError,
)
from remuda.cloud.errors import fault_means_no_room
from remuda.model import tags
from remuda.model.ids import ServerId
from tests.contract.cloud.bench import KEYPAIR, OWNER, RETRY_AFTER_S, Bench, Fault

ABSENT = "99999999-9999-4999-8999-999999999999"


def test_server_is_listed_as_ordered_until_it_is_deleted(bench: Bench) -> None:
    """From the order to the grave, through the listing only."""
    order = bench.order()

    server = bench.cloud.create_server(order)
    born = bench.find(server)
    active = bench.active(server)
    bench.cloud.delete_server(server)
    bench.until(lambda: bench.find(server) is None, "server gone")

    assert born is not None
    assert born.status in {ServerStatus.BUILDING, ServerStatus.ACTIVE}
    assert dict(born.tags) == dict(order.tags)
    assert active.name == order.name
    assert active.public_ipv4
    assert active.private_ipv4
    assert active.image_id == order.image.id
    assert active.flavor_id == order.flavor.id
    assert active.az in bench.cloud.availability_zones()
    assert active.created_s > 0
    assert active.fault is None


def test_delete_is_repeated_without_harm(bench: Bench) -> None:
    """While it is going, when it is gone, and if it never was."""
    server = bench.cloud.create_server(bench.order())

    bench.cloud.delete_server(server)
    bench.cloud.delete_server(server)
    bench.until(lambda: bench.find(server) is None, "server gone")
    bench.cloud.delete_server(server)
    bench.cloud.delete_server(ServerId(ABSENT))


def test_what_a_fence_holds_back_is_not_sent(bench: Bench) -> None:
    """Surely: the server that was there stays, and no other comes."""
    order, server = bench.order(), bench.cloud.create_server(bench.order())

    with pytest.raises(NotSentError, match="too late"):
        bench.cloud.create_server(order, fence=lambda: "too late")
    with pytest.raises(NotSentError, match="too late"):
        bench.cloud.delete_server(server, fence=lambda: "too late")

    listed = [tags.owned_node(one.tags, OWNER) for one in bench.cloud.list_servers()]
    assert len([node for node in listed if node is not None]) == 1
    assert bench.find(server) is not None


def test_our_servers_are_told_from_others(bench: Bench) -> None:
    """By the tags alone; another installation's are not ours."""
    order = bench.order()
    stranger = tags.Owner(installation="another", provider=OWNER.provider)

    server = bench.find(bench.cloud.create_server(order))

    assert server is not None
    assert tags.owned_node(server.tags, OWNER) == order.name.removeprefix("np")
    assert tags.owned_node(server.tags, stranger) is None
    assert server.tags["mine"] == "yes"


def test_one_server_is_shown_like_in_the_listing(bench: Bench) -> None:
    """Whose it is must be known before it is deleted by an id that somebody wrote down."""
    order = bench.order()
    server = bench.cloud.create_server(order)
    bench.active(server)

    alone = bench.cloud.get_server(server)

    assert alone == bench.find(server)
    with pytest.raises(GoneError):
        bench.cloud.get_server(ServerId(ABSENT))


@pytest.mark.parametrize(
    "wrong",
    [
        "",
        ".",
        "..",
        "detail",
        f"../os-keypairs/{KEYPAIR}",
        f"%2e%2e/os-keypairs/{KEYPAIR}",
        "a/b",
        "a?b",
        "a#b",
    ],
)
def test_an_id_that_leads_elsewhere_is_refused(bench: Bench, wrong: str) -> None:
    """Before anything is sent: a record's id once deleted a key pair."""
    server = ServerId(wrong)
    before = bench.calls()

    for call in (bench.cloud.get_server, bench.cloud.delete_server, bench.cloud.console_log):
        with pytest.raises(BadOrderError, match="no id"):
            call(server)

    assert bench.calls() == before
    assert bench.cloud.create_server(bench.order(key_name=KEYPAIR))


def test_create_delete_and_list_cost_one_call_each(bench: Bench) -> None:
    """Economy is a promise."""
    first = bench.cloud.create_server(bench.order())  # fills the memory of names
    order = bench.order()

    created = bench.counted(lambda: bench.cloud.create_server(order))
    listed = bench.counted(bench.cloud.list_servers)
    deleted = bench.counted(lambda: bench.cloud.delete_server(first))

    assert (created.calls, listed.calls, deleted.calls) == (1, 1, 1)


def test_every_page_is_read(bench: Bench) -> None:
    """Five servers, two per page: nothing is missing and nothing is double."""
    paged = bench.with_small_pages()
    if paged is None:
        pytest.skip("this cloud has no pages")
    made = {bench.cloud.create_server(bench.order()) for _ in range(5)}
    for each in made:
        # While Nova schedules them they move from its build requests to a cell, and pages that are
        # asked for meanwhile have some of them in neither.
        bench.active(each)

    listed = [each.id for each in paged.list_servers()]

    assert made <= set(listed)
    assert len(listed) == len(set(listed))


def test_quota_refusal_makes_nothing(bench: Bench) -> None:
    """NoRoom, and the listing agrees."""
    order = bench.order()
    bench.fault(Fault.CREATE_QUOTA)

    with pytest.raises(NoRoomError):
        bench.cloud.create_server(order)

    assert _of_order(bench, order.name) == []


def test_lost_reply_is_settled_by_the_listing(bench: Bench) -> None:
    """The server exists, and its tags say whose it is."""
    order = bench.order()
    bench.fault(Fault.CREATE_LOST_REPLY)

    with pytest.raises(UnknownOutcomeError):
        bench.cloud.create_server(order)

    bench.until(lambda: _of_order(bench, order.name), "the server of the lost reply")
    assert len(_of_order(bench, order.name)) == 1


@pytest.mark.parametrize("fault", [Fault.CREATE_LOST_CALL, Fault.CREATE_BROKEN])
def test_lost_call_is_settled_by_the_listing(bench: Bench, fault: Fault) -> None:
    """The same error, but nothing was made; and it was not tried again behind our back."""
    order = bench.order()
    bench.fault(fault)

    with pytest.raises(UnknownOutcomeError):
        bench.cloud.create_server(order)

    assert _of_order(bench, order.name) == []


def test_throttled_create_says_for_how_long(bench: Bench) -> None:
    """And made nothing."""
    order = bench.order()
    bench.fault(Fault.CREATE_THROTTLED)

    with pytest.raises(TryLaterError) as caught:
        bench.cloud.create_server(order)

    assert caught.value.retry_after_s == RETRY_AFTER_S
    assert _of_order(bench, order.name) == []


@pytest.mark.parametrize("fault", [Fault.LIST_BROKEN, Fault.LIST_DROPPED, Fault.LIST_THROTTLED])
def test_broken_listing_is_for_later(bench: Bench, fault: Fault) -> None:
    """Never an empty one; and it works again when the cloud does."""
    server = bench.cloud.create_server(bench.order())
    bench.fault(fault)

    with pytest.raises(TryLaterError):
        bench.cloud.list_servers()

    assert bench.find(server) is not None


def test_broken_delete_is_for_later(bench: Bench) -> None:
    """Repeating it does what was asked."""
    server = bench.cloud.create_server(bench.order())
    bench.fault(Fault.DELETE_BROKEN)

    with pytest.raises(TryLaterError):
        bench.cloud.delete_server(server)
    bench.cloud.delete_server(server)

    bench.until(lambda: bench.find(server) is None, "server gone")


@pytest.mark.parametrize(
    ("fault", "no_room"), [(Fault.BOOT_ERROR, False), (Fault.BOOT_NO_HOST, True)]
)
def test_failed_boot_shows_its_fault(bench: Bench, *, fault: Fault, no_room: bool) -> None:
    """In the listing itself; lack of room is recognised."""
    order = bench.order()
    bench.fault(fault)
    server = bench.cloud.create_server(order)

    def failed() -> Server | None:
        seen = bench.find(server)
        return seen if seen is not None and seen.status is ServerStatus.ERROR else None

    seen = bench.until(failed, "server in error")

    assert seen is not None
    assert seen.fault
    assert fault_means_no_room(seen.fault) is no_room


def test_hanging_boot_can_be_deleted(bench: Bench) -> None:
    """Deleting does not wait for the boot's end."""
    order = bench.order()
    bench.fault(Fault.BOOT_HANGS)
    server = bench.cloud.create_server(order)

    bench.cloud.delete_server(server)

    bench.until(lambda: bench.find(server) is None, "server gone")


@pytest.mark.parametrize(
    "changes",
    [
        {"image": Image(id=ABSENT, name="absent")},
        {"flavor": Flavor(id="absent", name="absent", cores=1, ram_mib=1)},
        {"networks": ("absent",)},
        {"az": "absent"},
    ],
    ids=["image", "flavor", "network", "zone"],
)
def test_impossible_order_is_a_bad_order(bench: Bench, changes: dict[str, object]) -> None:
    """It names what a human must change, and nothing is made."""
    order = bench.order(**changes)

    with pytest.raises(BadOrderError):
        bench.cloud.create_server(order)

    assert _of_order(bench, order.name) == []


def test_console_of_a_running_server_is_bounded(bench: Bench) -> None:
    """So many lines at most; a server that is gone has an empty one."""
    server = bench.active(bench.cloud.create_server(bench.order())).id

    text = bench.cloud.console_log(server, lines_max=3)

    assert len(text.splitlines()) <= 3
    assert bench.cloud.console_log(ServerId(ABSENT)) == ""


def test_several_threads_share_one_adapter(bench: Bench) -> None:
    """Each gets its own server; nobody waits for ever."""
    orders = [bench.order() for _ in range(4)]
    made: list[ServerId] = []
    errors: list[CloudError] = []

    def create(index: int) -> None:
        try:
            made.append(bench.cloud.create_server(orders[index]))
            bench.cloud.list_servers()
        except CloudError as exc:
            errors.append(exc)

    threads = [threading.Thread(target=create, args=(each,)) for each in range(4)]
    for each in threads:
        each.start()
    for each in threads:
        each.join(60.0)

    assert errors == []
    assert len(set(made)) == 4
    assert set(made) <= {each.id for each in bench.cloud.list_servers()}


def _of_order(bench: Bench, name: str) -> list[ServerId]:
    return [each.id for each in bench.cloud.list_servers() if each.name == name]

"""The adapter against answers that only a broken or hurried cloud gives."""

import threading

import pytest

from remuda.cloud.api import (
    BadOrderError,
    CloudConfigError,
    CloudError,
    NoRoomError,
    ServerSpec,
    ServerStatus,
    TryLaterError,
    UnauthorizedError,
    UnknownOutcomeError,
)
from remuda.cloud.openstack import OpenStackCloud
from remuda.model.ids import ServerId
from tests.fakes.clock import ManualClock
from tests.fakes.cloud import DEBIAN, SMALL
from tests.unit.cloud.conftest import Connect
from tests.unit.cloud.scripted_api import Manner, Reply, ScriptedApi

ORDER = ServerSpec(name="np1", image=DEBIAN, flavor=SMALL, tags={"remuda_node_id": "1"})
SERVERS = "/compute/v2.1/servers"
DETAIL = "/compute/v2.1/servers/detail"
CREATED = Reply(status=202, body={"server": {"id": "s1", "adminPass": "x"}})


def _server(server_id: str) -> dict[str, object]:
    return {"id": server_id, "name": server_id, "status": "ACTIVE", "metadata": {}}


def _page(*ids: str, more: bool = False) -> Reply:
    links = [{"rel": "next", "href": f"http://elsewhere/servers?marker={ids[-1]}"}] if more else []
    return Reply(body={"servers": [_server(each) for each in ids], "servers_links": links})


def test_create_is_one_call_with_a_pinned_microversion(
    api: ScriptedApi, cloud: OpenStackCloud
) -> None:
    """Nothing is looked up before, and nothing after."""
    api.on("POST", SERVERS, CREATED)

    server = cloud.create_server(ORDER)

    assert server == ServerId("s1")
    assert api.paths() == [f"POST {SERVERS}"]
    assert api.seen[0].headers["OpenStack-API-Version"] == "compute 2.1"
    assert cloud.api_calls == 1


@pytest.mark.parametrize(
    ("reply", "expected"),
    [
        (Reply(manner=Manner.DROP), UnknownOutcomeError),
        (Reply(manner=Manner.HALF, status=202, body={"server": {"id": "s1"}}), UnknownOutcomeError),
        (Reply(status=202, body="<html>proxy</html>"), UnknownOutcomeError),
        (Reply(status=202, body={"server": {}}), UnknownOutcomeError),
        (Reply(status=202, body={"server": {"id": "../x"}}), UnknownOutcomeError),
        (Reply(status=500, body="<html>oops</html>"), UnknownOutcomeError),
        (Reply(status=502), UnknownOutcomeError),
        (Reply(status=503), UnknownOutcomeError),
        (Reply(status=504), UnknownOutcomeError),
        (Reply(status=503, headers={"Retry-After": "3"}), TryLaterError),
        (Reply(status=429), TryLaterError),
        (Reply(status=400), BadOrderError),
        (Reply(status=404), BadOrderError),
        (Reply(status=403, body={"forbidden": {"message": "Quota exceeded"}}), NoRoomError),
    ],
)
def test_create_says_whether_a_server_may_exist(
    api: ScriptedApi, cloud: OpenStackCloud, reply: Reply, expected: type[CloudError]
) -> None:
    """A create is sent once, whatever becomes of it."""
    api.on("POST", SERVERS, reply)

    with pytest.raises(expected):
        cloud.create_server(ORDER)

    assert api.paths() == [f"POST {SERVERS}"]


def test_create_that_times_out_has_an_unknown_outcome(
    api: ScriptedApi, cloud: OpenStackCloud
) -> None:
    """The order's own time-out counts, not the account's."""
    api.on("POST", SERVERS, Reply(manner=Manner.HANG))
    order = ServerSpec(name="np1", image=DEBIAN, flavor=SMALL, tags={}, timeout_s=0.2)

    with pytest.raises(UnknownOutcomeError):
        cloud.create_server(order)


def test_refused_connection_is_no_unknown_outcome(api: ScriptedApi, cloud: OpenStackCloud) -> None:
    """What was never sent made nothing."""
    api.on("GET", DETAIL, Reply(body={"servers": []}, headers={"Connection": "close"}))
    cloud.list_servers()
    api.stop()

    with pytest.raises(TryLaterError):
        cloud.create_server(ORDER)


def test_listing_follows_pages_by_marker_only(api: ScriptedApi, cloud: OpenStackCloud) -> None:
    """The link's host, wrong behind a proxy, is not called."""
    api.on("GET", DETAIL, _page("a", "b", more=True), _page("c"))

    servers = cloud.list_servers()

    assert [each.id for each in servers] == ["a", "b", "c"]
    assert [each.query.get("marker") for each in api.seen] == [None, ["b"]]


@pytest.mark.parametrize(
    "second",
    [
        Reply(status=400, body={"badRequest": {"message": "marker [b] not found"}}),
        Reply(status=500),
        Reply(manner=Manner.DROP),
        Reply(body={"servers": [{"id": "c"}]}),
        Reply(body={"unexpected": []}),
        Reply(status=200, body="<html>sorry</html>"),
        _page("a", "b", more=True),
    ],
)
def test_listing_is_whole_or_an_error(
    api: ScriptedApi, cloud: OpenStackCloud, second: Reply
) -> None:
    """A part of a listing would look as if servers had vanished."""
    api.on("GET", DETAIL, _page("a", "b", more=True), second)

    with pytest.raises(TryLaterError):
        cloud.list_servers()


def test_revoked_token_is_renewed_once_and_shared(api: ScriptedApi, cloud: OpenStackCloud) -> None:
    """All calls after a 401 use the new token; nobody else asks for another."""
    api.on("GET", DETAIL, _page("a"))
    cloud.list_servers()
    api.revoked.add("token-1")

    cloud.list_servers()
    cloud.list_servers()

    assert api.logins == 2
    assert [each.headers["X-Auth-Token"] for each in api.seen] == [
        "token-1",
        "token-1",
        "token-2",
        "token-2",
    ]


def test_many_threads_with_a_revoked_token_all_succeed(
    api: ScriptedApi, cloud: OpenStackCloud
) -> None:
    """The races of keystoneauth's own renewal do not reach callers."""
    api.on("GET", DETAIL, _page("a"))
    results: list[object] = []

    def lists() -> None:
        try:
            results.append(len(cloud.list_servers()))
        except (CloudError, AssertionError) as exc:
            results.append(exc)

    for round_number in range(1, 6):
        api.revoked = {f"token-{n}" for n in range(1, api.logins + 1)}
        threads = [threading.Thread(target=lists) for _ in range(8)]
        for each in threads:
            each.start()
        for each in threads:
            each.join(60.0)
        assert api.logins == round_number
    assert results == [1] * 40


def test_endless_401_ends_unauthorized_after_one_renewal(
    api: ScriptedApi, cloud: OpenStackCloud
) -> None:
    """A new token that is refused as well is no reason to ask for a third."""
    api.on("POST", SERVERS, Reply(status=401, body={"error": {"message": "no"}}))

    with pytest.raises(UnauthorizedError):
        cloud.create_server(ORDER)

    assert api.logins == 2


def test_wrong_password_is_not_tried_again_at_once(
    api: ScriptedApi, cloud: OpenStackCloud, clock: ManualClock
) -> None:
    """Keystone locks accounts; a correction is noticed after a short while."""
    api.on("GET", DETAIL, _page("a"))
    api.login_reply = Reply(status=401, body={"error": {"message": "wrong password"}})
    for _ in range(3):
        with pytest.raises(UnauthorizedError):
            cloud.list_servers()
    assert api.logins == 1

    api.login_reply = None
    clock.advance(11.0)

    assert len(cloud.list_servers()) == 1


def test_busy_keystone_is_for_later_even_in_a_create(
    api: ScriptedApi, cloud: OpenStackCloud
) -> None:
    """The order was never sent."""
    api.login_reply = Reply(status=503)

    with pytest.raises(TryLaterError):
        cloud.create_server(ORDER)

    assert api.seen == []


def test_missing_service_in_the_catalog_is_a_matter_of_configuration(
    api: ScriptedApi, cloud: OpenStackCloud
) -> None:
    """The sentence names the cloud and the service."""
    del api.catalog_paths["compute"]

    with pytest.raises(CloudConfigError, match=r"'test'.*'?compute'?"):
        cloud.list_servers()


def test_retry_after_is_handed_on(api: ScriptedApi, cloud: OpenStackCloud) -> None:
    """In seconds, from a number or a date."""
    api.on("GET", DETAIL, Reply(status=429, headers={"Retry-After": "17"}))

    with pytest.raises(TryLaterError) as caught:
        cloud.list_servers()

    assert caught.value.retry_after_s == 17.0


def test_delete_is_one_call_and_gone_is_fine(api: ScriptedApi, cloud: OpenStackCloud) -> None:
    """404 is what a repeated delete is for."""
    path = f"{SERVERS}/s1"
    api.on("DELETE", path, Reply(status=204), Reply(status=404))

    cloud.delete_server(ServerId("s1"))
    cloud.delete_server(ServerId("s1"))

    assert api.paths() == [f"DELETE {path}"] * 2


@pytest.mark.parametrize("status", [409, 500, 503])
def test_delete_that_fails_is_for_later(
    api: ScriptedApi, cloud: OpenStackCloud, status: int
) -> None:
    """A delete may be repeated, so nothing about it is unknown."""
    api.on("DELETE", f"{SERVERS}/s1", Reply(status=status))

    with pytest.raises(TryLaterError):
        cloud.delete_server(ServerId("s1"))


@pytest.mark.parametrize("status", [400, 404, 409, 501])
def test_missing_console_is_empty(api: ScriptedApi, cloud: OpenStackCloud, status: int) -> None:
    """Evidence that cannot be had is no error."""
    api.on("POST", f"{SERVERS}/s1/action", Reply(status=status))

    assert cloud.console_log(ServerId("s1")) == ""


def test_rejected_order_drops_what_was_remembered(api: ScriptedApi, cloud: OpenStackCloud) -> None:
    """The name of a network may mean another id by now."""
    networks = "/network/v2.0/networks"
    api.on("GET", networks, Reply(body={"networks": [{"id": "n1", "name": "private"}]}))
    api.on("POST", SERVERS, CREATED, Reply(status=400), CREATED)
    order = ServerSpec(name="a", image=DEBIAN, flavor=SMALL, tags={}, networks=("private",))

    cloud.create_server(order)
    with pytest.raises(BadOrderError):
        cloud.create_server(order)
    cloud.create_server(order)

    assert api.paths() == [
        f"GET {networks}",
        f"POST {SERVERS}",
        f"POST {SERVERS}",
        f"GET {networks}",
        f"POST {SERVERS}",
    ]
    assert api.seen[1].body["server"]["networks"] == [{"uuid": "n1"}]


def test_status_that_nobody_knows_is_unknown(api: ScriptedApi, cloud: OpenStackCloud) -> None:
    """A new release's word must not look like a dead server."""
    api.on("GET", DETAIL, Reply(body={"servers": [{"id": "a", "status": "LEVITATING"}]}))

    assert cloud.list_servers()[0].status is ServerStatus.UNKNOWN


def test_rate_limit_refuses_what_would_wait_too_long(connect: Connect, api: ScriptedApi) -> None:
    """A call waits for its turn no longer than for its answer."""
    api.on("GET", DETAIL, _page())
    cloud = connect(rate_per_s=0.01, api_timeout_s=30.0)

    cloud.list_servers()
    with pytest.raises(TryLaterError, match="rate limit") as caught:
        cloud.list_servers()

    assert caught.value.retry_after_s == pytest.approx(100.0)


def test_quota_reads_minus_one_as_unlimited(api: ScriptedApi, cloud: OpenStackCloud) -> None:
    """Nova's way to say so."""
    absolute = {
        "maxTotalInstances": 10,
        "totalInstancesUsed": 2,
        "maxTotalCores": -1,
        "totalCoresUsed": 4,
        "maxTotalRAMSize": 2048,
        "totalRAMUsed": 512,
    }
    api.on("GET", "/compute/v2.1/limits", Reply(body={"limits": {"absolute": absolute}}))

    quota = cloud.quota()

    assert (quota.instances_max, quota.cores_max, quota.ram_mib_max) == (10, None, 2048)
    assert (quota.instances_used, quota.cores_used, quota.ram_mib_used) == (2, 4, 512)


def test_closed_adapter_refuses(api: ScriptedApi, cloud: OpenStackCloud) -> None:
    """Nothing is sent any more."""
    api.on("GET", DETAIL, _page())
    cloud.close()

    with pytest.raises(TryLaterError):
        cloud.list_servers()

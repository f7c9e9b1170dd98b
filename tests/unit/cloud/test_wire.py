"""One call: it ends whatever the server does, and is not sent when it is too late."""

import threading
from collections.abc import Callable

import pytest

from remuda.cloud import answers
from remuda.cloud.api import (
    CloudError,
    NotSentError,
    Port,
    ServerSpec,
    TryLaterError,
    UnknownOutcomeError,
)
from remuda.cloud.leftovers import Leftover, LeftoverKind
from remuda.cloud.openstack import OpenStackCloud
from remuda.cloud.rate import RateLimit
from remuda.model.ids import ServerId
from tests.fakes.clock import ManualClock
from tests.fakes.cloud import DEBIAN, SMALL
from tests.unit.cloud.conftest import Connect
from tests.unit.cloud.scripted_api import Manner, Reply, ScriptedApi

SERVER = ServerId("s")
#: Far beyond the time-outs of these tests, and reached only if there is no end.
_NEVER_S = 60.0


def _ends(call: Callable[[], object]) -> CloudError:
    """Return the error with which a call ends; fail if it does not end."""
    caught: list[CloudError] = []

    def run() -> None:
        try:
            call()
        except CloudError as exc:
            caught.append(exc)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(_NEVER_S)
    assert not thread.is_alive(), "the call never ended"
    return caught[0]


@pytest.mark.parametrize("manner", [Manner.DRIBBLE, Manner.DRIBBLE_BODY])
def test_an_answer_that_comes_byte_by_byte_has_an_end(
    api: ScriptedApi, connect: Connect, manner: Manner
) -> None:
    """No single read of it takes long, but all together do."""
    cloud = connect(api_timeout_s=0.5)
    api.on("GET", "/compute/v2.1/servers/detail", Reply(manner=manner))
    api.on("DELETE", "/compute/v2.1/servers/s", Reply(manner=manner))
    api.on("POST", "/compute/v2.1/servers", Reply(manner=manner))
    order = ServerSpec(name="n", image=DEBIAN, flavor=SMALL, tags={}, timeout_s=0.5)

    assert isinstance(_ends(cloud.list_servers), TryLaterError)
    assert isinstance(_ends(lambda: cloud.delete_server(SERVER)), TryLaterError)
    assert isinstance(_ends(lambda: cloud.create_server(order)), UnknownOutcomeError)


def test_a_token_that_comes_byte_by_byte_has_an_end(api: ScriptedApi, connect: Connect) -> None:
    """All threads wait for it."""
    api.login_reply = Reply(manner=Manner.DRIBBLE)

    assert isinstance(_ends(connect(api_timeout_s=0.5).list_servers), TryLaterError)


def test_a_connection_is_used_again_with_all_its_time(api: ScriptedApi, connect: Connect) -> None:
    """What was left to the last answer is not what the next one has."""
    cloud = connect()
    api.on("GET", "/compute/v2.1/servers/detail", Reply(body={"servers": []}))

    assert [cloud.list_servers() for _ in range(3)] == [(), (), ()]


def test_an_answer_without_end_is_not_kept(
    api: ScriptedApi, cloud: OpenStackCloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A launcher has a bounded memory."""
    monkeypatch.setattr(answers, "ANSWER_BYTES_MAX", 1000)
    api.on("GET", "/compute/v2.1/servers/detail", Reply(body={"servers": ["x" * 2000]}))

    with pytest.raises(TryLaterError, match="more than"):
        cloud.list_servers()


@pytest.mark.parametrize("number", [float("inf"), float("nan")])
def test_numbers_that_json_does_not_know_are_refused(
    api: ScriptedApi, cloud: OpenStackCloud, number: float
) -> None:
    """Python's parser takes Infinity, and every sum with it would end in an error of ours."""
    limits = {"absolute": {"maxTotalInstances": number}}
    api.on("GET", "/compute/v2.1/limits", Reply(body={"limits": limits}))

    with pytest.raises(TryLaterError, match="no JSON"):
        cloud.quota()


def test_pages_that_come_too_slowly_are_given_up(
    api: ScriptedApi, cloud: OpenStackCloud, clock: ManualClock
) -> None:
    """Each of them is in time, but there is always one more."""
    link = {"rel": "next", "href": "http://elsewhere/?marker=m"}
    pages = [
        Reply(body={"servers": [{"id": str(n)}], "servers_links": [link]}) for n in range(1000)
    ]
    api.on("GET", "/compute/v2.1/servers/detail", *pages)

    answer, shown = api.answer, []

    def slow(seen: object) -> Reply:
        clock.advance(24.0)
        shown.append(seen)
        return answer(seen)  # type: ignore[arg-type]

    api.answer = slow  # type: ignore[method-assign, assignment]

    with pytest.raises(TryLaterError, match="too slowly"):
        list(cloud._wire.pages("compute", ("servers", "detail"), "servers", {}))
    assert len(shown) < 20


CHANGES: list[Callable[[OpenStackCloud, Callable[[], str | None]], object]] = [
    lambda cloud, fence: cloud.create_server(
        ServerSpec(name="n", image=DEBIAN, flavor=SMALL, tags={}), fence=fence
    ),
    lambda cloud, fence: cloud.delete_server(SERVER, fence=fence),
    lambda cloud, fence: cloud.stop_server(SERVER, fence=fence),
    lambda cloud, fence: cloud.start_server(SERVER, fence=fence),
    lambda cloud, fence: cloud.add_floating_ip(
        Port(id="p", server=SERVER, ipv4="10.0.0.1"), untried=True, fence=fence
    ),
    lambda cloud, fence: cloud.remove_floating_ips(SERVER, known="f", fence=fence),
    lambda cloud, fence: cloud.delete_leftover(
        Leftover(id="p", kind=LeftoverKind.PORT), fence=fence
    ),
]


@pytest.mark.parametrize("change", CHANGES)
def test_what_was_held_up_too_long_is_not_sent(
    api: ScriptedApi,
    cloud: OpenStackCloud,
    clock: ManualClock,
    monkeypatch: pytest.MonkeyPatch,
    change: Callable[[OpenStackCloud, Callable[[], str | None]], object],
) -> None:
    """The process stands still for 76 s where it waits for the rate limit, and then goes on."""
    external = {"id": "n", "name": "ext", "router:external": True}
    api.on("GET", "/network/v2.0/networks", Reply(body={"networks": [external]}))
    monkeypatch.setattr(RateLimit, "take", lambda *_args, **_more: clock.advance(76.0))

    def fence() -> str | None:
        return "too late" if clock.monotonic_s() > 60.0 else None

    with pytest.raises(NotSentError):
        change(cloud, fence)

    assert [seen.method for seen in api.seen if seen.method != "GET"] == []


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_no_token_goes_where_a_cloud_leads_on_to(
    api: ScriptedApi, cloud: OpenStackCloud, status: int
) -> None:
    """Another host, port or scheme gets nothing of ours, whatever is asked of us."""
    with ScriptedApi().running() as other:
        elsewhere = other.url.replace("127.0.0.1", "localhost")
        for away in (f"{other.url}/x", f"{elsewhere}/x", "file:///etc/passwd", "http://[::1"):
            api.on(
                "GET",
                "/compute/v2.1/servers/detail",
                Reply(status=status, headers={"Location": away}),
            )
            api.on(
                "DELETE",
                "/compute/v2.1/servers/s",
                Reply(status=status, headers={"Location": away}),
            )
            with pytest.raises(TryLaterError, match="leads on to another host"):
                cloud.list_servers()
            with pytest.raises(TryLaterError, match="leads on to another host"):
                cloud.delete_server(SERVER)
        assert (other.seen, other.logins) == ([], 0)


@pytest.mark.parametrize("status", [300, 302, 304, 307])
def test_a_redirect_to_nowhere_is_no_success(
    api: ScriptedApi, cloud: OpenStackCloud, status: int
) -> None:
    """Taken for one, a server would be believed to be deleted that runs on."""
    circle = {"Location": f"{api.url}/compute/v2.1/servers/s"}
    api.on("DELETE", "/compute/v2.1/servers/s", Reply(status=status))
    with pytest.raises(TryLaterError, match="leads to nothing"):
        cloud.delete_server(SERVER)
    api.on("DELETE", "/compute/v2.1/servers/s", Reply(status=status, headers=circle))
    with pytest.raises(TryLaterError, match="leads to nothing"):
        cloud.delete_server(SERVER)
    api.on("POST", "/compute/v2.1/servers", Reply(status=status))
    with pytest.raises(UnknownOutcomeError, match="leads to nothing"):
        cloud.create_server(
            ServerSpec(name="n", image=DEBIAN, flavor=SMALL, tags={}, timeout_s=30.0)
        )


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_no_password_goes_where_a_login_leads_on_to(
    api: ScriptedApi, cloud: OpenStackCloud, status: int
) -> None:
    """The login is the one call with a password in it."""
    with ScriptedApi().running() as other:
        away = {"Location": f"{other.url}/v3/auth/tokens"}
        api.login_reply = Reply(status=status, headers=away)
        with pytest.raises(CloudError, match="leads on to another host"):
            cloud.list_servers()
        assert (other.seen, other.logins, api.seen) == ([], 0, [])
        assert api.logins == 1


def test_a_login_that_leads_to_nothing_is_none(api: ScriptedApi, cloud: OpenStackCloud) -> None:
    """Nothing else is asked of the cloud then."""
    for headers in ({}, {"Location": f"{api.url}/v3/auth/tokens"}):
        api.login_reply = Reply(status=302, headers=headers)
        with pytest.raises(CloudError):
            cloud.list_servers()
    assert not api.seen


def test_a_cloud_may_lead_on_within_itself_a_few_times(
    api: ScriptedApi, cloud: OpenStackCloud
) -> None:
    """A proxy does so; each time has a deadline of its own, so there is an end."""
    api.on(
        "GET",
        "/compute/v2.1/servers/detail",
        Reply(status=302, headers={"Location": f"{api.url}/compute/v2.1/x"}),
    )
    api.on("GET", "/compute/v2.1/x", Reply(body={"servers": []}))
    assert not cloud.list_servers()
    api.on(
        "GET",
        "/compute/v2.1/x",
        Reply(status=302, headers={"Location": f"{api.url}/compute/v2.1/servers/detail"}),
    )
    before = len(api.seen)
    with pytest.raises(CloudError):
        cloud.list_servers()
    assert len(api.seen) - before <= 1 + answers.REDIRECTS_MAX

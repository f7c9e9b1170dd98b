"""When a token is renewed: by what Keystone says of its life, and by no clock but our own."""

import pytest

from remuda.cloud.account import REFUSAL_PAUSE_S
from remuda.cloud.api import UnauthorizedError
from remuda.cloud.openstack import OpenStackCloud
from remuda.redaction import BLANK, redact_text
from tests.fakes.clock import ManualClock
from tests.unit.cloud.scripted_api import Reply, ScriptedApi

DETAIL = "/compute/v2.1/servers/detail"
IMAGES = "/image/v2/images"


@pytest.fixture(autouse=True)
def _empty(api: ScriptedApi) -> None:
    api.on("GET", DETAIL, Reply(body={"servers": []}))
    api.on("GET", IMAGES, Reply(body={"images": []}))


@pytest.mark.parametrize("year", ["1999", "2031", "2099"])
@pytest.mark.parametrize(
    ("end", "renewed_s"), [("00:01:40", 90.0), ("01:00:00", 3570.0), ("00:00:05", 4.5)]
)
def test_a_token_is_renewed_shortly_before_its_end(
    api: ScriptedApi,
    cloud: OpenStackCloud,
    clock: ManualClock,
    *,
    year: str,
    end: str,
    renewed_s: float,
) -> None:
    """Whatever time the cloud believes it is."""
    api.life = (f"{year}-01-01T00:00:00.000000Z", f"{year}-01-01T{end}.000000Z")

    for _ in range(5):
        cloud.list_servers()
    clock.advance(renewed_s - 0.1)
    cloud.list_servers()
    before = api.logins
    clock.advance(0.2)
    for _ in range(5):
        cloud.list_servers()

    assert (before, api.logins) == (1, 2)


@pytest.mark.parametrize(
    "life",
    [
        (None, "2099-01-01T00:00:00.000000Z"),
        ("2020-01-01T00:00:00.000000Z", None),
        ("2020-01-01T00:00:00.000000Z", "2019-01-01T00:00:00.000000Z"),
        ("long ago", "2099-01-01T00:00:00.000000Z"),
    ],
    ids=["no beginning", "no end", "end before beginning", "no time"],
)
def test_a_token_of_unknown_life_is_used_until_it_is_refused(
    api: ScriptedApi,
    cloud: OpenStackCloud,
    clock: ManualClock,
    life: tuple[str | None, str | None],
) -> None:
    """Then there is another."""
    api.life = life

    cloud.list_servers()
    clock.advance(1e9)
    cloud.list_servers()
    before = api.logins
    api.revoked.add("token-1")
    cloud.list_servers()

    assert (before, api.logins) == (1, 2)


def test_a_service_that_refuses_new_tokens_gets_few(
    api: ScriptedApi, cloud: OpenStackCloud, clock: ManualClock
) -> None:
    """One, and one more each time that the pause is over."""
    api.revoked.update(f"token-{number}" for number in range(10))

    for _ in range(5):
        with pytest.raises(UnauthorizedError):
            cloud.list_servers()
    before = api.logins
    clock.advance(REFUSAL_PAUSE_S)
    for _ in range(5):
        with pytest.raises(UnauthorizedError):
            cloud.list_servers()

    assert (before, api.logins) == (2, 3)


def test_a_stubborn_service_takes_nothing_from_the_others(
    api: ScriptedApi, cloud: OpenStackCloud
) -> None:
    """They go on with the token, and may have a new one."""
    api.on("GET", DETAIL, Reply(status=401))
    with pytest.raises(UnauthorizedError):
        cloud.list_servers()

    cloud.image_store().list_images()
    api.revoked.add("token-2")
    cloud.image_store().list_images()

    assert api.logins == 3


def test_who_asks_who_we_are_pays_for_no_token_more(
    api: ScriptedApi, cloud: OpenStackCloud
) -> None:
    """It is all in the answer to the login."""
    assert cloud.image_store().project() == "p1"
    cloud.list_servers()

    assert api.logins == 1


def test_tokens_are_known_as_secrets(
    api: ScriptedApi, cloud: OpenStackCloud, clock: ManualClock
) -> None:
    """A machine or a cloud may say one back."""
    api.life = ("2020-01-01T00:00:00.000000Z", "2020-01-01T00:01:40.000000Z")
    for _ in range(10):
        cloud.list_servers()
        clock.advance(100.0)
    token = api.seen[-1].headers["X-Auth-Token"]

    assert token == "token-10"
    assert redact_text(f"said {token} back") == f"said {BLANK} back"

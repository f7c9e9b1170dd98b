"""An adapter that talks to a scripted server."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from remuda.cloud.account import AccountSettings
from remuda.cloud.openstack import CloudSettings, OpenStackCloud
from remuda.model.ids import ProviderName
from remuda.model.tags import Owner
from tests.fakes.clock import ManualClock
from tests.unit.cloud.scripted_api import ScriptedApi

OWNER = Owner(installation="test", provider=ProviderName("main"))

Connect = Callable[..., OpenStackCloud]


@pytest.fixture
def clock() -> ManualClock:
    """Time that stands still; the rate limit's burst is enough for every test here."""
    return ManualClock()


@pytest.fixture
def api() -> Iterator[ScriptedApi]:
    """A server that says what the test scripts."""
    with ScriptedApi().running() as running:
        yield running


@pytest.fixture
def connect(api: ScriptedApi, clock: ManualClock, tmp_path: Path) -> Iterator[Connect]:
    """Make adapters for the scripted server; closed at the end."""
    made: list[OpenStackCloud] = []

    def make(*, api_timeout_s: float = 30.0, rate_per_s: float = 1000.0) -> OpenStackCloud:
        account = AccountSettings(
            cloud="test", clouds_file=str(api.clouds_yaml(tmp_path)), api_timeout_s=api_timeout_s
        )
        settings = CloudSettings(account=account, owner=OWNER, rate_per_s=rate_per_s)
        made.append(OpenStackCloud(settings, clock=clock))
        return made[-1]

    yield make
    for cloud in made:
        cloud.close()


@pytest.fixture
def cloud(connect: Connect) -> OpenStackCloud:
    """One adapter with usual settings."""
    return connect()

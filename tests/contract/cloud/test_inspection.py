"""What an operator is told of a cloud, and that asking changes nothing."""

import time

import pytest

from remuda.cloud.api import UnauthorizedError
from remuda.cloud.inspection import CloudRight, Inspector, Service, Told
from remuda.cloud.openstack import OpenStackCloud
from tests.contract.cloud.bench import Bench
from tests.contract.cloud.fake_bench import FakeBench
from tests.fakes.inspection import FakeInspector

#: All benches run on this machine or are kept by NTP.
SKEW_S_MAX = 5.0


@pytest.fixture
def inspector(bench: Bench) -> Inspector:
    """The inspector that goes with the cloud."""
    if isinstance(bench, FakeBench):
        return FakeInspector(bench.fake)
    assert isinstance(bench.cloud, OpenStackCloud)
    return bench.cloud.inspector()


def test_we_are_told_who_we_are(inspector: Inspector) -> None:
    """User, project, roles, and where each service is."""
    who = inspector.identity()

    assert who.user
    assert who.project
    assert who.project_id
    assert who.roles
    assert who.auth_url.startswith("http")
    assert set(who.endpoints) == set(Service)
    assert all(url.startswith("http") for url in who.endpoints.values())


@pytest.mark.parametrize("service", list(Service))
def test_every_service_answers_and_most_tell_the_time(
    bench: Bench, inspector: Inspector, service: Service
) -> None:
    """By the Date of the answer, in whole seconds."""
    told_s = inspector.ping(service)

    now_s = bench.clock.now_s() if isinstance(bench, FakeBench) else time.time()
    assert told_s is None or abs(told_s - now_s) < SKEW_S_MAX


def test_what_orders_name_is_listed(bench: Bench, inspector: Inspector) -> None:
    """Networks, the project's default group, key pairs."""
    names = {one.name for one in inspector.networks()}

    assert set(bench.networks) <= names
    assert "default" in {one.name for one in inspector.security_groups()}
    assert len(inspector.key_pairs()) == len(set(inspector.key_pairs()))


def test_external_networks_are_told_from_others(bench: Bench, inspector: Inspector) -> None:
    """Floating IPs come from somewhere; servers that get one are elsewhere."""
    if bench.inside is None:
        pytest.skip("this cloud has no floating IPs")
    networks = inspector.networks()

    assert any(one.external for one in networks)
    assert not any(one.external for one in networks if one.name == bench.inside)


def test_rights_are_asked_without_doing_anything(bench: Bench, inspector: Inspector) -> None:
    """Who may create is told; who may delete is at least not refused."""
    before = {one.id for one in bench.cloud.list_servers()}

    told = {right: inspector.may(right).told for right in CloudRight}

    assert told[CloudRight.CREATE] is Told.YES
    assert told[CloudRight.DELETE] is not Told.NO
    assert told[CloudRight.SNAPSHOT] is not Told.NO
    assert {one.id for one in bench.cloud.list_servers()} == before


def test_room_for_floating_ips_is_told_or_unknown(inspector: Inspector) -> None:
    """A limit is never below zero."""
    room = inspector.floating_room()

    assert room is None or (room.used >= 0 and (room.limit is None or room.limit >= 0))


def test_wrong_password_is_noticed_at_the_login(bench: Bench) -> None:
    """Before anything else is asked."""
    if isinstance(bench, FakeBench):
        pytest.skip("the fake has no passwords")
    stranger = bench.with_wrong_password()
    assert isinstance(stranger, OpenStackCloud)

    with pytest.raises(UnauthorizedError):
        stranger.inspector().identity()

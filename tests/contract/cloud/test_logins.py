"""Ways into an account: credentials, region, interface; and what is said when they are wrong."""

from typing import Any

import pytest

from remuda.cloud.api import Cloud, CloudConfigError, TryLaterError, UnauthorizedError
from tests.contract.cloud.bench import Bench, Change, Entry


def changed(bench: Bench, change: Change) -> Cloud:
    """Open a changed account, or skip the test here."""
    cloud = bench.with_account(change)
    if cloud is None:
        pytest.skip("this cloud has no accounts")
    return cloud


def by_credential(bench: Bench) -> tuple[Cloud, dict[str, Any]]:
    """Open the account by an application credential, or skip the test here."""
    credential = bench.credential()
    if credential is None:
        pytest.skip("this cloud has no application credentials")

    def change(entry: Entry) -> None:
        entry["auth_type"] = "v3applicationcredential"
        entry["auth"] = {
            "auth_url": entry["auth"]["auth_url"],
            "application_credential_id": credential["id"],
            "application_credential_secret": credential["secret"],
        }

    return changed(bench, change), credential


def test_application_credential_opens_the_same_account(bench: Bench) -> None:
    """A server made with it is seen with the password, and the other way round."""
    cloud, credential = by_credential(bench)
    try:
        by_password = bench.cloud.create_server(bench.order())
        by_itself = cloud.create_server(bench.order())

        assert {by_password, by_itself} <= {each.id for each in cloud.list_servers()}
        assert bench.find(by_itself) is not None
    finally:
        bench.revoke(credential)


def test_revoked_application_credential_is_unauthorized(bench: Bench) -> None:
    """A human must act."""
    cloud, credential = by_credential(bench)
    bench.revoke(credential)

    with pytest.raises(UnauthorizedError):
        cloud.list_servers()


def test_unknown_project_is_unauthorized(bench: Bench) -> None:
    """Keystone does not say which it was."""

    def change(entry: Entry) -> None:
        entry["auth"]["project_name"] = "no such project"

    with pytest.raises(UnauthorizedError):
        changed(bench, change).list_servers()


@pytest.mark.parametrize("interface", ["public", "internal", "admin"])
def test_every_interface_of_the_catalog_leads_to_the_cloud(bench: Bench, interface: str) -> None:
    """Operators choose; in the lab and the sandbox they are all the same place."""

    def change(entry: Entry) -> None:
        entry["interface"] = interface

    server = bench.cloud.create_server(bench.order())

    assert server in {each.id for each in changed(bench, change).list_servers()}


def test_unknown_region_is_a_mistake_in_the_configuration(bench: Bench) -> None:
    """Its name is in the message."""

    def change(entry: Entry) -> None:
        entry["region_name"] = "nowhere"

    with pytest.raises(CloudConfigError, match="nowhere"):
        changed(bench, change).list_servers()


def test_silent_keystone_is_for_later(bench: Bench) -> None:
    """Nobody listens there: perhaps soon."""

    def change(entry: Entry) -> None:
        entry["auth"]["auth_url"] = "http://127.0.0.1:9/v3"

    with pytest.raises(TryLaterError):
        changed(bench, change).list_servers()

"""One sandbox without machines for all tests of the API, cleared of faults between them."""

from collections.abc import Iterator

import pytest
from openstack.connection import Connection

from tests.sandbox.running import Sandbox, running
from tests.support.deadline import wait_for


@pytest.fixture(scope="session")
def _api_process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    config = {
        "machines": "none",
        "regions": ["north", "south"],
        "page_size_max": 5,
        "networks": [{"name": "public", "external": True}, {"name": "private"}],
        "images": [
            {"name": "debian-12", "properties": {"os_distro": "debian"},
             "created_at": "2026-01-01T00:00:00Z"},
            {"name": "ubuntu-24.04", "properties": {"os_distro": "ubuntu"},
             "created_at": "2026-02-01T00:00:00Z"},
        ],
    }  # fmt: skip
    with running(tmp_path_factory.mktemp("api"), config) as sandbox:
        yield sandbox


@pytest.fixture
def api(_api_process: Sandbox) -> Iterator[Sandbox]:
    """A sandbox with two regions, small pages and no machines."""
    yield _api_process
    _api_process.control("DELETE", "/faults")
    cloud = _api_process.connect(region="north")
    # All pages first: a marker that is deleted meanwhile is a bad request, here as in Nova.
    for server in list(cloud.compute.servers(details=False)):
        cloud.compute.delete_server(server, force=True)
    wait_for(lambda: not list(cloud.compute.servers(details=False)), 60.0, "the servers to be gone")
    for address in list(cloud.network.ips()):
        cloud.network.delete_ip(address)
    _api_process.control("PUT", "/quota", {"instances": 10, "cores": 20, "ram": 51200})


@pytest.fixture
def cloud(api: Sandbox) -> Connection:
    """A connection to its first region."""
    return api.connect(region="north")

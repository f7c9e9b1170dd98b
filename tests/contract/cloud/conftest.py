r"""The clouds that must keep the contract: the fake, the sandbox, and a real OpenStack.

The real one is the lab of docs/openstack-lab.md (``make test-openstack``). To run the suite
against yet another account:

    REMUDA_CONTRACT_CLOUDS_YAML=clouds.yaml REMUDA_CONTRACT_CLOUD=name \
    REMUDA_CONTRACT_NETWORK=network REMUDA_CONTRACT_INSIDE=network-for-floating-ips \
    pytest -m e2e tests/contract/cloud -k live

Servers and images that an earlier run left there are deleted; nothing else is touched.
"""

import os
import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import pytest

from tests.contract.cloud import table
from tests.contract.cloud.account_bench import AccountBench
from tests.contract.cloud.bench import Bench
from tests.contract.cloud.fake_bench import FakeBench
from tests.contract.cloud.image_means import SOURCE_BYTES
from tests.contract.cloud.openstack_bench import OpenStackBench
from tests.contract.cloud.sandbox_bench import SandboxBench
from tests.openstack.lab.control import running_lab

_OUTCOMES: Final[table.Outcomes] = {}


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Keep what became of each case on each cloud."""
    table.note(_OUTCOMES, report)


def pytest_sessionfinish() -> None:
    """Write the table of cases and clouds."""
    if _OUTCOMES:
        table.write(_OUTCOMES)


def _account(scratch: Path) -> Bench:
    clouds_file = os.environ.get("REMUDA_CONTRACT_CLOUDS_YAML")
    if not clouds_file:
        pytest.skip("REMUDA_CONTRACT_CLOUDS_YAML names no account to test with")
    network = os.environ.get("REMUDA_CONTRACT_NETWORK")
    return AccountBench(
        Path(clouds_file),
        os.environ.get("REMUDA_CONTRACT_CLOUD", "test"),
        networks=(network,) if network else (),
        inside=os.environ.get("REMUDA_CONTRACT_INSIDE"),
        scratch=scratch,
    )


@pytest.fixture(
    scope="module",
    params=[
        "fake",
        pytest.param("sandbox", marks=pytest.mark.e2e),
        pytest.param("openstack", marks=pytest.mark.openstack),
        pytest.param("live", marks=pytest.mark.e2e),
    ],
)
def shared_bench(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Bench]:
    """One cloud for all tests of a module, for starting one may take long."""
    scratch = tmp_path_factory.mktemp("cloud")
    makers: dict[str, Callable[[], Bench]] = {
        "fake": FakeBench,
        "sandbox": lambda: SandboxBench(scratch),
        "openstack": lambda: OpenStackBench(running_lab(), scratch),
        "live": lambda: _account(scratch),
    }
    bench = makers[request.param]()
    try:
        bench.delete_all()
        yield bench
    finally:
        bench.close()


@pytest.fixture
def bench(shared_bench: Bench) -> Iterator[Bench]:
    """The cloud, emptied of our servers after the test."""
    yield shared_bench
    shared_bench.delete_all()


@pytest.fixture(scope="session")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file to upload."""
    path = tmp_path_factory.mktemp("images") / "source.img"
    path.write_bytes(random.Random(1).randbytes(SOURCE_BYTES))  # noqa: S311 - any bytes
    return path

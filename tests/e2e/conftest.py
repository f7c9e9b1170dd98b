"""Whole installations, one per module where its tests do not disturb each other."""

from collections.abc import Generator, Iterator

import pytest

from requestor import Client, connect
from tests.support.stage import Stage, attach_logs


@pytest.fixture(scope="module")
def client(stage: Stage) -> Iterator[Client]:
    """Give a requestor with a session of its own, on the stage of a module."""
    with connect(stage.server.hosts) as made:
        yield made


@pytest.fixture
def healed(stage: Stage) -> Iterator[None]:
    """Take all faults away after each test."""
    yield
    stage.heal()


@pytest.fixture
def recovered(stage: Stage) -> Iterator[None]:
    """Take all faults away after each test, and wait until all providers are well again."""
    yield
    stage.heal(recovered_s=90.0)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Show the logs of a failed test's stage."""
    report = yield
    attach_logs(item, report)
    return report

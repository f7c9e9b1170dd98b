"""Whole installations, one per module where its tests do not disturb each other."""

from collections.abc import Generator

import pytest

from tests.support.stage import attach_logs


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Show the logs of a failed test's stage."""
    report = yield
    attach_logs(item, report)
    return report

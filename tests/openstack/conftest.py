"""Failed tests show the logs of their stage."""

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

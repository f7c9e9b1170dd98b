"""One ensemble for all scenarios; an installation below a root of its own for each."""

from collections.abc import Generator, Iterator

import pytest

from tests.chaos.ensemble import Ensemble, running_ensemble
from tests.chaos.stage import ChaosStage, chaos_stage
from tests.support.stage import attach_logs, missing


@pytest.fixture(scope="session")
def ensemble(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ensemble]:
    """Give three servers."""
    if why := missing():
        pytest.skip(why)
    with running_ensemble(tmp_path_factory.mktemp("ensemble")) as made:
        yield made


@pytest.fixture
def chaos(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, ensemble: Ensemble
) -> Iterator[ChaosStage]:
    """Give an empty installation; the ensemble is whole before and after."""
    ensemble.heal()
    folder = tmp_path_factory.mktemp("chaos")
    root = f"/{request.node.name.partition('[')[0]}-{folder.name}"
    with chaos_stage(folder, ensemble, root) as made:
        yield made


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Show the logs of a failed test's stage."""
    report = yield
    attach_logs(item, report)
    return report

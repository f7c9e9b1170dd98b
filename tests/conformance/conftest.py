"""One installation for all the foreign clients, and Zuul's classes as a scheduler of it."""

from collections.abc import Generator, Iterator

import pytest

from tests.conformance import zuul_child
from tests.conformance.zuul_child import Zuul
from tests.support.stage import Stage, attach_logs, open_stage


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Show the logs of a failed test's stage."""
    report = yield
    attach_logs(item, report)
    return report


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """Give three providers with one launcher each; gamma has one machine at a time."""
    with open_stage(tmp_path_factory, "conformance") as made:
        made.cloud("a")
        made.cloud("b")
        zone = {"node_attributes": {"executor-zone": "zone-a"}}
        alpha_only = {"small": {}, "big": {"flavor": "m1.medium"}, "only-a": {}}
        made.provider("alpha", "a", labels=alpha_only, pool=zone)
        made.provider("beta", "b", labels=("small", "only-b"), priority=200)
        made.label("small", min_ready=2)
        made.label("big", min_ready=1)
        made.provider("gamma", "b", labels=("single",), pool={"max_servers": 1})
        for provider in ("alpha", "beta", "gamma"):
            made.launcher(provider, wait=False)
        for process in made.processes:
            made.at_work(process)
        made.ready_nodes("big", 1)
        yield made


@pytest.fixture(scope="module")
def zuul(stage: Stage) -> Iterator[Zuul]:
    """Give Zuul's scheduler and executor in one process."""
    if why := zuul_child.missing():
        pytest.skip(why)
    with Zuul(stage.server.hosts[0], stage.folder / "zuul.log") as child:
        yield child
        assert child.call("complaints") == []

"""Machines to make quiet, and machines on which steps run."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from builder.quiet.scripts import quiet_script
from tests.contract.builder import stepbench
from tests.contract.builder.plantings import TRACES
from tests.support import quietable
from tests.support import sshd as servers
from tests.support.quietable import Machine, Tools
from tests.support.sshd import Sshd


@pytest.fixture(scope="session")
def _quiet_ones(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Tools], Machine]:
    """Return machines that were made quiet once."""
    if why := quietable.why_not():
        pytest.skip(why)
    made: dict[Tools, Machine] = {}

    def quiet_one(tools: Tools) -> Machine:
        if tools not in made:
            machine = quietable.make(tmp_path_factory.mktemp("quiet") / "machine", tools)
            assert machine.verdict(quiet_script(TRACES)) == ""
            made[tools] = machine
        return made[tools]

    return quiet_one


@pytest.fixture
def machine(_quiet_ones: Callable[[Tools], Machine], tmp_path: Path) -> Machine:
    """Return a machine of its own for each test, which has been made quiet."""
    return _quiet_ones(Tools.DEBIAN).copied(tmp_path / "machine")


@pytest.fixture(params=list(Tools))
def any_machine(
    _quiet_ones: Callable[[Tools], Machine], tmp_path: Path, request: pytest.FixtureRequest
) -> Machine:
    """Return such a machine with each kind of tools."""
    if request.param is Tools.BUSYBOX and not quietable.has_busybox():
        pytest.skip("needs the Debian package busybox-static")
    return _quiet_ones(request.param).copied(tmp_path / "machine")


@pytest.fixture(scope="session")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the stand-in tools of :class:`tests.contract.builder.stepbench.Bench` write."""
    return tmp_path_factory.mktemp("home")


@pytest.fixture(scope="session")
def _step_server(tmp_path_factory: pytest.TempPathFactory, home: Path) -> Iterator[Sshd]:
    """Run a machine for steps."""
    if why := servers.available():
        pytest.skip(why)
    with stepbench.serving(tmp_path_factory.mktemp("sshd"), home) as server:
        yield server


@pytest.fixture
def bench(_step_server: Sshd, home: Path, tmp_path: Path) -> Iterator[stepbench.Bench]:
    """Return one connection to it for each test; copies leave nothing behind."""
    for name in ("apt-calls", "apt-fails", "tar-hangs", "tar-began"):
        (home / name).unlink(missing_ok=True)
    one = stepbench.Bench(_step_server, tmp_path)
    with one.session:
        yield one
    assert list(one.came.iterdir()) == []

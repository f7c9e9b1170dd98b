"""The frame of every process, proven by the smallest daemon: nothing in it is a launcher's."""

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from remuda.cli.errors import EXIT_MISTAKE
from remuda.membership.rendezvous import assignee
from remuda.model.ids import ReplicaId
from remuda.store import paths
from remuda.store.api import Create, Store
from remuda.store.embedded import EmbeddedServer
from tests.support import stamper
from tests.support.deadline import wait_for
from tests.support.processes import Process
from tests.support.stamper import STAMPERS, THINGS
from tests.support.zookeeper import connected, running_server

pytestmark = [pytest.mark.e2e, pytest.mark.zk]

SOON_S = 60.0
CONFIG = """\
web: {{listen: 127.0.0.1, port: 0}}
zookeeper: {{hosts: [{hosts}], session-timeout: 4s}}
labels: {{{label}: {{}}}}
providers:
  here:
    cloud: here
    pools:
      main: {{labels: {{{label}: {{image: debian, flavor: tiny}}}}}}
"""


class Stage:
    """A ZooKeeper with things to stamp, and the stampers of one configuration."""

    def __init__(self, server: EmbeddedServer, folder: Path) -> None:
        self.server, self.folder = server, folder
        self.store: Store = connected(server)
        self.config = folder / "remuda.yaml"
        self.write("small")
        self.processes: list[Process] = []

    def write(self, label: str) -> None:
        """Replace the configuration."""
        self.config.write_text(CONFIG.format(hosts=",".join(self.server.hosts), label=label))

    def start(self) -> Process:
        """Start another stamper."""
        name = f"stamper-{len(self.processes)}"
        options = ("--config", str(self.config), "--log-format", "json")
        log = self.folder / f"{name}.log"
        process = Process.python(name, "tests.support.stamper", *options, log=log)
        self.processes.append(process)
        return process

    def add(self, *names: str) -> None:
        """Give things to stamp."""
        self.store.ensure(THINGS)
        self.store.commit([Create(path=f"{THINGS}/{name}") for name in names])

    def stamps(self) -> set[bytes]:
        """Return what is written on the things."""
        found = [self.store.read(f"{THINGS}/{one}") for one in self.store.children(THINGS)]
        return {one.value for one in found if one is not None}

    def await_stamps(self, ink: bytes) -> None:
        """Wait until every thing has it."""
        wait_for(lambda: self.stamps() == {ink}, SOON_S, f"{ink!r} on everything")

    def living(self) -> list[ReplicaId]:
        """Return who is registered."""
        return [ReplicaId(one) for one in self.store.children(STAMPERS)]


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    """Give one, and end its processes."""
    with running_server() as server:
        made = Stage(server, tmp_path)
        try:
            yield made
        finally:
            for process in made.processes:
                process.stop()
            made.store.close()


def test_replicas_share_the_work_and_take_over_from_the_dead(stage: Stage) -> None:
    """Each registers; what falls to whom follows from who lives."""
    first, _second = stage.start(), stage.start()
    wait_for(lambda: stage.store.read(STAMPERS) is not None, SOON_S, "a folder for replicas")
    wait_for(lambda: len(stage.living()) == 2, SOON_S, "two replicas")
    names = [f"t{number}" for number in range(20)]
    assert len({assignee(f"{THINGS}/{name}", stage.living()) for name in names}) == 2
    stage.add(*names)
    stage.await_stamps(b"small")

    first.kill()
    stage.add(*(f"later-{name}" for name in names))
    stage.await_stamps(b"small")
    assert len(stage.living()) == 1


def test_a_reload_is_heard_and_a_mistake_is_not_taken_in(stage: Stage) -> None:
    """By a signal; the work goes on by the last good configuration."""
    one = stage.start()
    stage.add("a")
    stage.await_stamps(b"small")
    stage.write("large")
    one.signal(signal.SIGHUP)
    wait_for(lambda: one.events("config.reloaded"), SOON_S, "a reload")
    stage.add("b")
    stage.await_stamps(b"large")

    stage.config.write_text("labels: 7")
    one.signal(signal.SIGHUP)
    wait_for(lambda: one.events("config.invalid"), SOON_S, "a complaint")
    stage.add("c")
    stage.await_stamps(b"large")

    assert stage.store.read(paths.INSTALLATION) is not None
    assert (one.stop(), one.events("stamper.stopped") != []) == (0, True)


def test_a_mistake_at_the_start_has_its_exit_code(stage: Stage) -> None:
    """And says what is wrong; nothing is registered."""
    stage.config.write_text("labels: 7")
    one = stage.start()

    assert one.child.wait(SOON_S) == EXIT_MISTAKE
    assert "labels" in one.text()
    assert stage.store.read(STAMPERS) is None


def test_such_a_daemon_is_small() -> None:
    """What grows here is missing in the frame."""
    assert len(Path(stamper.__file__).read_text().splitlines()) < 150

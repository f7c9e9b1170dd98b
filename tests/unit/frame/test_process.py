"""The frame of every process: start, turns, reload, stop, and how it ends."""

import os
import signal
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from remuda.config.model import Config
from remuda.config.problems import ConfigInvalidError
from remuda.frame.process import Beginning, CannotRunError, Process, StoppedError
from remuda.metrics.factory import Instruments
from remuda.runtime.inbox import Inbox
from remuda.runtime.log import Log
from remuda.store.api import Store, StoreRefusedError
from remuda.web.pages import Readiness
from tests.fakes.clock import ManualClock
from tests.fakes.store import FakeStore, FakeZookeeper

DEADLINE_S = 60.0
GOOD = """\
web: {listen: 127.0.0.1, port: 0}
labels: {small: {}}
providers:
  here:
    cloud: here
    pools:
      main: {labels: {small: {image: debian, flavor: tiny}}}
"""
OTHER = GOOD.replace("{small: {}}", "{small: {min-ready: 1}}")
BAD = GOOD.replace("labels: {small: {}}", "labels: 7")


@dataclass(slots=True)
class Worker:
    """Plays a script, one line a turn, then asks for its own end."""

    script: list[Callable[[], None]]
    woken: threading.Event
    unfit: bool = False
    first: Callable[[], None] | None = None
    configs: list[Config] = field(default_factory=list)
    notes: list[str | None] = field(default_factory=list)
    reports: int = 0
    stopped: bool = False

    def turn(self, *, wait_s_max: float) -> None:
        """Play the next line."""
        assert wait_s_max >= 0.0
        if self.script:
            self.script.pop(0)()
        else:
            self.send(signal.SIGTERM)

    def send(self, number: signal.Signals) -> None:
        """Send ourselves a signal, and wait until it has been heard."""
        self.woken.clear()
        os.kill(os.getpid(), number)
        assert self.woken.wait(DEADLINE_S)

    def wait_s(self) -> float:
        """Return that there is no hurry."""
        return 60.0

    def readiness(self) -> Readiness:
        """Return that all is well."""
        return Readiness(ok=True, reason="at work")

    def report(self) -> None:
        """Count it."""
        self.reports += 1

    def status(self) -> Mapping[str, Any]:
        """Return something."""
        return {"turns left": len(self.script)}

    def preparation(self, config: Config) -> Callable[[], None] | None:  # noqa: ARG002
        """Return what is to be done first."""
        return self.first

    def reconfigure(self, config: Config) -> None:
        """Take it in, or say that it does not fit."""
        if self.unfit:
            raise CannotRunError("no such thing")
        self.configs.append(config)

    def note_config(self, error: str | None) -> None:
        """Keep it."""
        self.notes.append(error)

    def stop(self) -> None:
        """Note it."""
        self.stopped = True


class Waking(Inbox[str]):
    """Tells that somebody has woken it."""

    def __init__(self) -> None:
        super().__init__()
        self.woken = threading.Event()

    def wake(self) -> None:
        """Note it."""
        self.woken.set()


@dataclass(slots=True)
class Role:
    """Whatever process this is."""

    kind: str = "tester"
    name: str = "tester/one"
    title: str = "tester"
    provider: str | None = None
    inbox: Waking = field(default_factory=Waking)
    wrong: Exception | None = None
    begun: Beginning | None = None
    worker: Worker = field(init=False)

    def __post_init__(self) -> None:
        """Make the worker, which begins later."""
        self.worker = Worker(script=[], woken=self.inbox.woken)

    def check(self, config: Config, instruments: Instruments) -> None:  # noqa: ARG002
        """Complain of what is wrong."""
        if self.wrong is not None:
            raise self.wrong

    def begin(self, beginning: Beginning) -> Worker:
        """Begin."""
        self.begun = beginning
        return self.worker


@dataclass(slots=True)
class Scene:
    """A process over a fake ZooKeeper, with a configuration to write into."""

    file: Path
    role: Role = field(default_factory=Role)
    store: FakeStore = field(default_factory=lambda: FakeZookeeper().connect())
    clock: ManualClock = field(default_factory=ManualClock)
    waits: list[str] = field(default_factory=list)

    def write(self, text: str) -> None:
        """Replace the configuration."""
        self.file.write_text(text)

    def reload(self) -> None:
        """Ask for it to be read at once."""
        self.role.worker.send(signal.SIGHUP)

    def connect(self, config: Config, waiting: Callable[[str], None], log: Log) -> Store:
        """Return the store, after some waiting."""
        del config, log
        for why in self.waits:
            waiting(why)
        return self.store

    def run(self) -> Worker:
        """Run to the end."""
        process = Process(
            config_path=self.file,
            role=self.role,
            clock=self.clock,
            connect=self.connect,
            inbox=self.role.inbox,
        )
        process.run()
        return self.role.worker


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    """Return a scene with a good configuration."""
    made = Scene(file=tmp_path / "remuda.yaml")
    made.write(GOOD)
    return made


def test_it_takes_turns_until_it_is_told_to_stop(scene: Scene) -> None:
    """And says where it can be looked at."""
    turns: list[int] = []
    scene.role.worker.script = [lambda: turns.append(1), lambda: turns.append(2)]

    worker = scene.run()

    assert turns == [1, 2]
    assert (worker.reports, worker.stopped) == (3, True)
    assert scene.role.begun is not None
    assert (scene.role.begun.me.url or "").startswith("http://127.0.0.1:")


def test_it_listens_where_its_provider_says(scene: Scene) -> None:
    """Several launchers with one configuration share a host."""
    scene.write(GOOD.replace("cloud: here", "cloud: here\n    web: {listen: 127.0.0.2}"))
    scene.role.provider = "here"

    scene.run()

    assert scene.role.begun is not None
    assert (scene.role.begun.me.url or "").startswith("http://127.0.0.2:")


def test_a_changed_configuration_is_taken_in_and_a_bad_one_is_not(scene: Scene) -> None:
    """Each is told to the worker, which goes on."""
    scene.role.worker.script = [
        lambda: scene.write(OTHER),
        scene.reload,
        lambda: scene.write(BAD),
        scene.reload,
        scene.reload,
    ]

    worker = scene.run()

    assert [one.labels["small"].min_ready for one in worker.configs] == [1]
    assert [None if one is None else "labels" in one for one in worker.notes] == [None, True]


def test_a_change_is_noticed_without_a_signal(scene: Scene) -> None:
    """Soon enough: the files are looked at while turns go on."""
    scene.role.worker.script = [lambda: scene.write(OTHER), lambda: scene.clock.advance(3.0)]

    assert scene.run().notes == [None]


def test_turns_go_on_while_a_configuration_is_prepared(scene: Scene) -> None:
    """However long that takes; then it is taken in, and what was wished meanwhile is looked at."""
    worker, go_on, prepared = scene.role.worker, threading.Event(), threading.Event()

    def prepare() -> None:
        assert go_on.wait(DEADLINE_S)
        prepared.set()

    def finish() -> None:
        assert worker.configs == []  # a turn has begun meanwhile
        worker.first = None
        go_on.set()
        assert prepared.wait(DEADLINE_S)

    def look() -> None:
        if not worker.configs:  # its thread has yet to say so
            worker.script.insert(0, look)

    worker.first = prepare
    worker.script = [lambda: scene.write(OTHER), scene.reload, lambda: None, finish, look]

    scene.run()

    assert [one.labels["small"].min_ready for one in worker.configs] == [1]
    assert worker.notes == [None]


def test_what_hangs_while_it_is_prepared_is_said_and_keeps_nobody(
    scene: Scene, caplog: pytest.LogCaptureFixture
) -> None:
    """Files on a server that has gone away: turns go on, and so does the end."""
    worker, go_on, said = scene.role.worker, threading.Event(), list[int]()

    def prepare() -> None:
        assert go_on.wait(DEADLINE_S)

    def count() -> None:
        said.append(caplog.text.count("config.preparing"))

    worker.first = prepare
    worker.script = [
        lambda: scene.write(OTHER),
        scene.reload,
        lambda: scene.clock.advance(59.0),
        count,
        lambda: scene.clock.advance(2.0),
        lambda: scene.clock.advance(2.0),
        count,
    ]

    scene.run()
    go_on.set()

    assert worker.configs == []
    assert said == [0, 1]


def test_a_bug_in_what_is_prepared_ends_the_process(scene: Scene) -> None:
    """Or it would go on under a configuration that nobody has any more."""

    def bug() -> None:
        raise ZeroDivisionError

    def again() -> None:
        scene.role.worker.script.append(again)

    scene.role.worker.first = bug
    scene.role.worker.script = [lambda: scene.write(OTHER), scene.reload, again]
    with pytest.raises(ZeroDivisionError):
        scene.run()

    assert scene.role.worker.stopped


def test_a_configuration_that_does_not_fit_changes_nothing(scene: Scene) -> None:
    """It may be valid and yet not for this process."""
    scene.role.worker.unfit = True
    scene.role.worker.script = [lambda: scene.write(OTHER), scene.reload]

    worker = scene.run()

    assert worker.configs == []
    assert worker.notes == ["no such thing"]


def test_a_mistake_at_the_start_is_told_before_anything_begins(scene: Scene) -> None:
    """By its own error."""
    scene.role.wrong = CannotRunError("there is no such provider")
    with pytest.raises(CannotRunError):
        scene.run()
    scene.write(BAD)
    with pytest.raises(ConfigInvalidError):
        scene.run()

    assert scene.role.begun is None


def test_who_is_told_to_stop_while_zookeeper_is_away_stops(scene: Scene) -> None:
    """Nothing was begun, so nothing has to be ended."""

    def told(config: Config, waiting: Callable[[str], None], log: Log) -> Store:
        del config, log
        waiting("no server answers")
        scene.role.worker.send(signal.SIGTERM)
        with pytest.raises(StoppedError):
            waiting("no server answers")
        raise StoppedError

    Process(
        config_path=scene.file,
        role=scene.role,
        clock=scene.clock,
        connect=told,
        inbox=scene.role.inbox,
    ).run()

    assert scene.role.begun is None


def test_who_is_refused_by_zookeeper_ends_and_stops_its_work(scene: Scene) -> None:
    """A human must act; what waits for a machine is not waited for."""
    scene.role.worker.script = [scene.store.wire.refuse]

    with pytest.raises(StoreRefusedError):
        scene.run()

    assert scene.role.worker.stopped


def test_a_bug_in_a_turn_ends_the_process_in_order(scene: Scene) -> None:
    """The store is closed, so that others need not wait for the session's end."""

    def bug() -> None:
        raise ZeroDivisionError

    scene.role.worker.script = [bug]
    with pytest.raises(ZeroDivisionError):
        scene.run()

    assert scene.role.worker.stopped

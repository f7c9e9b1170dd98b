"""Trouble: what befalls launchers, their sessions and their machines during the storm."""

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from remuda.cloud.api import ServerStatus
from remuda.store.api import Session
from tests.simulation import setting as settings
from tests.simulation.process import Process
from tests.simulation.setting import SESSION_TIMEOUT_S

if TYPE_CHECKING:
    from tests.simulation.simulation import Simulation
    from tests.simulation.sky import Sky


@dataclass(slots=True)
class Faults:
    """Makes trouble until the storm is over."""

    simulation: "Simulation"
    rng: random.Random = field(init=False)

    def __post_init__(self) -> None:
        """Take an own source of chance."""
        self.rng = self.simulation.random("faults")

    def begin(self) -> None:
        """Plan the first trouble of each kind."""
        rates = self.simulation.setting.rates
        for mean_s, trouble in (
            (rates.crash, self.crash),
            (rates.freeze, self.freeze),
            (rates.suspend, self.suspend),
            (rates.expire, self.expire),
            (rates.away, self.away),
            (rates.reload, self.reload),
            (rates.vanish, self.vanish),
            (rates.mute, self.mute),
            (rates.spoilt, self.spoil),
        ):
            if mean_s:
                self._again(mean_s, trouble)

    def _again(self, mean_s: float, trouble: Callable[[], None]) -> None:
        def strike() -> None:
            if not self.simulation.calm:
                trouble()
                self._again(mean_s, trouble)

        self.simulation.timetable.after(self.rng.expovariate(1.0 / mean_s), strike)

    def _victim(self) -> Process | None:
        there = [
            process
            for process in self.simulation.processes
            if not process.frozen and process.store.session is Session.CONNECTED
        ]
        return self.rng.choice(there) if there else None

    def crash(self) -> None:
        """Kill a launcher, now or after one of its next actions."""
        victim = self._victim()
        if victim is None:
            return
        if self.rng.random() < 0.5:
            victim.crash_at = victim.actions + self.rng.randint(1, 10)
        else:
            self.simulation.crash(victim)

    def freeze(self) -> None:
        """Stop a launcher for a while, perhaps for longer than its session lives."""
        victim = self._victim()
        if victim is not None:
            self.freeze_for(victim, self.rng.choice((2.0, 10.0, 40.0)))

    def freeze_for(self, victim: Process, seconds: float) -> None:
        """Stop one launcher for so long."""
        simulation = self.simulation
        simulation.history.note(victim.name, "freezes", seconds=seconds)
        victim.frozen_until_s = simulation.timetable.now_s() + seconds
        if seconds > SESSION_TIMEOUT_S:
            session_id = victim.store.session_id
            victim.store.suspend()
            simulation.timetable.after(
                SESSION_TIMEOUT_S, lambda: simulation.zookeeper.end_session(session_id)
            )
            simulation.timetable.after(seconds, lambda: self._reconnect(victim, expired=True))

    def suspend(self) -> None:
        """Take the connection away for a moment."""
        victim = self._victim()
        if victim is None:
            return
        self.simulation.history.note(victim.name, "loses its connection")
        victim.store.suspend()
        self.simulation.timetable.after(
            self.rng.uniform(0.1, 4.0), lambda: self._reconnect(victim, expired=False)
        )

    def expire(self) -> None:
        """End a session."""
        victim = self._victim()
        if victim is None:
            return
        self.simulation.history.note(victim.name, "loses its session")
        session_id = victim.store.session_id
        victim.store.suspend()
        seconds = self.rng.uniform(0.0, 10.0)
        self.simulation.timetable.after(
            seconds / 2, lambda: self.simulation.zookeeper.end_session(session_id)
        )
        self.simulation.timetable.after(seconds, lambda: self._reconnect(victim, expired=True))

    def _reconnect(self, victim: Process, *, expired: bool) -> None:
        if victim.dead:
            return
        victim.store.wire.resume(expired=expired)
        self.simulation.oracle.launchers[victim.store.session_id] = victim.name
        self.simulation.history.note(victim.name, "is connected again", expired=expired)

    def away(self) -> None:
        """Lose one reply of ZooKeeper, or one request."""
        victim = self._victim()
        if victim is not None:
            victim.store.wire.script(self.rng.choice(("before", "after")))

    def reload(self) -> None:
        """Change the configuration, everywhere but not at the same time."""
        simulation = self.simulation
        simulation.document = settings.changed(simulation.document, self.rng)
        config = settings.config_of(simulation.document)
        simulation.oracle.configured(config)
        simulation.history.note("operator", "changes the configuration")
        for process in list(simulation.processes):
            self._reload_later(process)

    def _reload_later(self, process: Process) -> None:
        def read() -> None:
            if process.dead:
                return
            if process.frozen:
                self.simulation.oracle.not_heard_of_everywhere()
                self._reload_later(process)
                return
            process.reload(settings.config_of(self.simulation.document))

        self.simulation.timetable.after(self.rng.uniform(0.0, 4.0), read)

    def _sky(self) -> "Sky":
        return self.simulation.skies[self.rng.choice(sorted(self.simulation.skies))]

    def mute(self) -> None:
        """Have a cloud answer no create call for some seconds: its front end is restarted."""
        sky, seconds = self._sky(), self.rng.uniform(2.0, 10.0)
        self.simulation.history.note(sky.provider, "answers no create call", seconds=seconds)
        sky.mute_until_s = self.simulation.timetable.now_s() + seconds

    def spoil(self) -> None:
        """Have a cloud make machines for some time that will not do: an image is broken."""
        sky, seconds = self._sky(), self.rng.uniform(2.0, 30.0)
        self.simulation.history.note(sky.provider, "makes bad machines", seconds=seconds)
        sky.spoilt_until_s = self.simulation.timetable.now_s() + seconds

    def vanish(self) -> None:
        """Let a hypervisor lose a machine, or stop it."""
        sky = self._sky()
        there = sorted(server for server in sky.keys if server in sky.cloud.truth())
        if not there:
            return
        server = self.rng.choice(there)
        self.simulation.history.note(sky.provider, "loses", server=server[-4:])
        if self.rng.random() < 0.5:
            sky.cloud.vanish(server)
        else:
            sky.cloud.force(server, ServerStatus.STOPPED)

"""Trouble: what befalls launchers, their sessions and their machines during the storm."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import ClassVar

from remuda.cloud.api import ServerStatus
from tests.simulation import setting as settings
from tests.simulation.imagesetting import applied
from tests.simulation.process import Process
from tests.simulation.setting import SESSION_TIMEOUT_S
from tests.simulation.trouble import Trouble


@dataclass(slots=True)
class Faults(Trouble):
    """The usual: what breaks by itself."""

    purpose: ClassVar[str] = "faults"

    def kinds(self) -> Iterable[tuple[float, Callable[[], None]]]:
        """See Trouble."""
        rates = self.simulation.setting.rates
        return (
            (rates.crash, self.crash),
            (rates.freeze, self.freeze),
            (rates.suspend, self.suspend),
            (rates.expire, self.expire),
            (rates.away, self.away),
            (rates.reload, self.reload),
            (rates.vanish, self.vanish),
            (rates.mute, self.mute),
            (rates.spoilt, self.spoil),
        )

    def crash(self) -> None:
        """Kill a launcher, now or after one of its next actions."""
        victim = self._launcher()
        if victim is None:
            return
        if self.rng.random() < 0.5:
            victim.crash_at = victim.actions + self.rng.randint(1, 10)
        else:
            self.simulation.crash(victim)

    def freeze(self) -> None:
        """Stop a launcher for a while, perhaps for longer than its session lives."""
        victim = self._launcher()
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
        victim = self._launcher()
        if victim is None:
            return
        self.simulation.history.note(victim.name, "loses its connection")
        victim.store.suspend()
        self.simulation.timetable.after(
            self.rng.uniform(0.1, 4.0), lambda: self._reconnect(victim, expired=False)
        )

    def expire(self) -> None:
        """End a session."""
        victim = self._launcher()
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
        victim = self._launcher()
        if victim is not None:
            victim.store.wire.script(self.rng.choice(("before", "after")))

    def reload(self) -> None:
        """Change the configuration, everywhere but not at the same time."""
        simulation = self.simulation
        document = settings.changed(simulation.document, self.rng)
        simulation.document = applied(document, simulation.setting.images)
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

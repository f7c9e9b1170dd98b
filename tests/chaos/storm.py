"""Faults drawn from a seed, one after the other, each held until it has told."""

import random
import time
from collections.abc import Callable
from typing import Any, Final

from tests.chaos.crowd import Regular, goner
from tests.chaos.ensemble import Member
from tests.chaos.stage import LATER_S, ChaosStage
from tests.support.cloud import Cloud
from tests.support.processes import Process

PROVIDERS: Final = ("alpha", "beta")
_REPLICAS: Final = 2
_STRIKES: Final = 3
#: What clouds do; each until it has struck a few times, or there was nothing to strike.
_CLOUD_FAULTS: Final[tuple[tuple[str, dict[str, Any]], ...]] = (
    ("server.create", {"kind": "lose_reply", "rate": 0.3}),
    ("server.create", {"kind": "http", "status": 503}),
    ("server.list", {"kind": "http", "status": 503, "rate": 0.5}),
    ("server.list", {"kind": "omit", "fraction": 0.3, "rate": 0.3}),
    ("server.boot", {"kind": "boot_error", "rate": 0.5}),
    ("server.boot", {"kind": "ssh", "mode": "refuse", "rate": 0.3}),
    ("server.delete", {"kind": "http", "status": 503}),
    ("server.delete", {"kind": "delete_error", "rate": 0.5}),
)


class Storm:
    """Strikes an installation at work.

    Attributes:
        told: What was done, in order, for whoever reads a verdict.
    """

    def __init__(self, stage: ChaosStage, seed: int, *, people: int = 4) -> None:
        self._stage = stage
        self._draws = random.Random(seed)  # noqa: S311 - repeatable
        self.told: list[str] = []
        self._began_s = time.monotonic()
        self.people = [
            Regular(stage.hosts, stage.chroot, seed * 1000 + place) for place in range(people)
        ]
        self._strikes: list[Callable[[], None]] = [
            *(self._kill_launcher, self._freeze_launcher, self._freeze_member),
            *(self._kill_member, self._lose_majority, self._cloud_fails, self._user_dies),
        ]

    def begin(self) -> None:
        """Start the launchers, then the crowd."""
        for provider in PROVIDERS * _REPLICAS:
            self._start(provider)
        self._stage.all_at_work()
        for one in self.people:
            one.start()

    def strike(self, number: int) -> None:
        """Do what the draw says; every kind comes once before one comes again."""
        if number % len(self._strikes) == 0:
            self._draws.shuffle(self._strikes)
        self._strikes[number % len(self._strikes)]()

    def end(self) -> list[str]:
        """Heal everything, let the crowd go; return what it complains of."""
        self._tell("calm")
        for cloud in self._stage.clouds.values():
            cloud.heal()
        self._stage.ensemble.heal()
        for one in self.people:
            one.stop()
        self._stage.until(
            lambda: not any(one.is_alive() for one in self.people), "the crowd to go", 2 * LATER_S
        )
        return [text for one in self.people for text in one.trouble]

    def _tell(self, what: str) -> None:
        at_s = time.monotonic() - self._began_s
        self.told.append(f"{at_s:.1f} s: {what}; {self.jobs()} jobs done")

    def jobs(self) -> int:
        """Count how often the crowd was done."""
        return sum(one.jobs for one in self.people)

    def _some_served(self, n: int = 2) -> None:
        """Wait until the crowd has been served again: the fault did not stop the work."""
        done = self.jobs()
        self._stage.until(lambda: self.jobs() >= done + n, "the crowd to be served", LATER_S)

    def _start(self, provider: str) -> Process:
        """Start a launcher that knows one server, or all."""
        members = self._stage.ensemble.members
        known = [self._draws.choice(members)] if self._draws.random() < 0.5 else members
        return self._stage.launcher_at(provider, *known)

    def _launcher(self) -> tuple[str, Process]:
        """Draw one that is at work."""
        provider = self._draws.choice(PROVIDERS)

        def at_work() -> list[Process]:
            pids = self._stage.replicas(provider).values()
            return [one for one in self._stage.processes if one.alive and one.pid in pids]

        alive = self._stage.until(at_work, f"a launcher of {provider}", LATER_S)
        return provider, self._draws.choice(alive)

    def _kill_launcher(self) -> None:
        provider, victim = self._launcher()
        self._tell(f"kill -9 {victim.name}, pid {victim.pid}")
        victim.kill()
        self._start(provider)
        self._some_served()

    def _freeze_launcher(self) -> None:
        provider, victim = self._launcher()
        self._tell(f"freeze {victim.name}, pid {victim.pid}, past its session")
        victim.freeze()
        try:
            self._stage.until(
                lambda: victim.pid not in self._stage.replicas(provider).values(),
                "a frozen launcher's session to be over",
                LATER_S,
            )
        finally:
            victim.thaw()
        self._some_served()

    def _member(self) -> Member:
        return self._draws.choice(self._stage.ensemble.members)

    def _freeze_member(self) -> None:
        member = self._member()
        self._tell(f"freeze ZooKeeper {member.number}, {member.mode()}, while people are served")
        member.freeze()
        try:
            self._some_served(4)
        finally:
            self._stage.ensemble.heal()

    def _kill_member(self) -> None:
        member = self._member()
        self._tell(f"kill -9 ZooKeeper {member.number}, {member.mode()}")
        member.kill()
        self._some_served(1)
        self._stage.ensemble.heal()

    def _lose_majority(self) -> None:
        members = self._draws.sample(self._stage.ensemble.members, 2)
        self._tell(f"kill -9 ZooKeeper {' and '.join(str(one.number) for one in members)}")
        for member in members:
            member.kill()
        (left,) = (one for one in self._stage.ensemble.members if one not in members)
        self._stage.until(lambda: not left.mode(), "the last server to give up", LATER_S)
        self._stage.ensemble.heal()
        self._some_served()

    def _cloud_fails(self) -> None:
        cloud: Cloud = self._draws.choice(list(self._stage.clouds.values()))
        operation, effect = self._draws.choice(_CLOUD_FAULTS)
        self._tell(f"{operation} of cloud {cloud.name}: {effect}")
        rule, done = cloud.fault(operation, **effect), self.jobs()
        self._stage.until(
            lambda: cloud.fired(rule) >= _STRIKES or self.jobs() >= done + 20,
            f"{operation} to fail",
            LATER_S,
        )
        cloud.heal()
        self._some_served()

    def _user_dies(self) -> None:
        stage = self._stage
        self._tell("a user dies in mid-use")
        user = goner(stage.hosts, stage.chroot, stage.folder)
        try:
            stage.until(lambda: "working" in user.text() or not user.alive, "a user", LATER_S)
        finally:
            user.kill()
            user.log.unlink()

"""What must always hold, while a crowd of clients is served and launchers are killed."""

import itertools
import os
import random
import time
from collections import Counter
from collections.abc import Iterator

import pytest

from remuda.store import paths
from requestor import Client, connect
from tests.e2e.crowd import User, Watcher
from tests.support.stage import SERVED_S, Stage, open_stage

pytestmark = [pytest.mark.e2e, pytest.mark.ssh, pytest.mark.zk, pytest.mark.chaos]

_LIMIT = 4
_PROVIDERS = ("alpha", "beta")


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """Give two providers with two replicas each, and little room."""
    with open_stage(tmp_path_factory, "invariants") as made:
        for cloud, provider in zip("ab", _PROVIDERS, strict=True):
            made.cloud(cloud, boot_seconds=0.4, quota={"instances": 50, "cores": 100})
            made.provider(provider, cloud, pool={"max_servers": _LIMIT}, api_timeout=5)
        made.label("small", min_ready=2)
        for provider in _PROVIDERS * 2:
            made.launcher(provider, wait=False)
        for process in made.processes:
            made.at_work(process)
        yield made


@pytest.fixture(scope="module")
def keeper(stage: Stage) -> Iterator[Client]:
    """Give somebody who keeps machines for the whole time."""
    with connect(stage.server.hosts) as made:
        yield made


def kill_one(stage: Stage, provider: str, watcher: Watcher) -> None:
    """Kill a launcher at whatever instruction it is, and start another."""
    living = [one for one in stage.processes if one.alive and f" {provider} " in one.name]
    living[0].kill()
    watcher.mourn()
    stage.launcher(provider, wait=False)


def crowd(stage: Stage, *, users: int, jobs: int, seconds: float) -> list[User]:
    """Start the clients."""
    until_s = time.monotonic() + seconds
    made = [User(stage, seed, "small", jobs=jobs, until_s=until_s) for seed in range(users)]
    for user in made:
        user.start()
    return made


def check(stage: Stage, users: list[User], watcher: Watcher, kept: set[str]) -> None:
    """Hold what happened against the invariants."""
    taken = Counter(itertools.chain.from_iterable(user.taken for user in users))
    trouble = [text for user in users for text in user.trouble]
    states = stage.nodes()

    assert not [user.name for user in users if user.is_alive()]
    assert trouble == []
    assert watcher.looks > 0
    assert {name: n for name, n in taken.items() if n > 1} == {}  # I1
    assert not kept & taken.keys()
    assert all(peak <= _LIMIT for peak in watcher.peaks.values()), watcher.peaks  # I2
    assert watcher.unexplained == set()  # I4
    assert {states[name]["state"] for name in kept} <= {"in-use", "hold"}  # I5
    assert stage.children(paths.REQUESTS) == []


@pytest.mark.timeout(900)
def test_a_burst_while_launchers_are_killed(stage: Stage, keeper: Client) -> None:
    """Nobody gets a node twice, limits hold, waiting is explained, held machines live."""
    used = keeper.request("small", provider="alpha", deadline_s=SERVED_S)
    held = keeper.request("small", provider="beta", deadline_s=SERVED_S)
    with used as (mine,), held as (kept,):
        kept.hold("to look at", owner="somebody")
        watcher = Watcher(stage)
        watcher.start()
        # All the room of one provider: waits for as long as both lack one machine.
        large = keeper.request({"small": _LIMIT})
        users = crowd(stage, users=6, jobs=3, seconds=SERVED_S)
        for provider in _PROVIDERS:
            stage.until(lambda: any(user.done for user in users), "the crowd to be served")
            kill_one(stage, provider, watcher)
        for user in users:
            user.join(2 * SERVED_S + 60.0)
        watcher.look_calmly()
        watcher.stop()
        assert stage.children(paths.REQUESTS) == [large.id]
        large.cancel()
        check(stage, users, watcher, {mine.id, kept.id})
    assert sum(user.done for user in users) >= 10


@pytest.mark.slow
@pytest.mark.timeout(7200)
def test_a_long_crowd_with_faults_and_kills(stage: Stage, keeper: Client) -> None:
    """The same for REMUDA_CHAOS_MINUTES, with clouds that fail in many ways."""
    minutes = float(os.environ.get("REMUDA_CHAOS_MINUTES", "0"))
    if minutes <= 0:
        pytest.skip("long: make chaos")
    draws = random.Random(int(os.environ.get("REMUDA_SEED", "1")))  # noqa: S311 - repeatable
    faults = [
        ("server.create", {"kind": "lose_reply", "rate": 0.1}),
        ("server.create", {"kind": "http", "status": 500, "rate": 0.1}),
        ("server.list", {"kind": "http", "status": 503, "rate": 0.2}),
        ("server.boot", {"kind": "boot_error", "rate": 0.1}),
        ("server.delete", {"kind": "http", "status": 500, "rate": 0.2}),
    ]
    with keeper.request("small", deadline_s=120) as (mine,):
        watcher = Watcher(stage)
        watcher.start()
        users = crowd(stage, users=4, jobs=1_000_000, seconds=minutes * 60)
        end_s = time.monotonic() + minutes * 60
        while time.monotonic() < end_s:
            for cloud in stage.clouds.values():
                cloud.heal()
                operation, effect = draws.choice(faults)
                cloud.fault(operation, **effect)
            pause_s = draws.uniform(2.0, 8.0)
            pause_end_s = time.monotonic() + pause_s
            stage.until(lambda e=pause_end_s: time.monotonic() > e, "the next kill")
            kill_one(stage, draws.choice(_PROVIDERS), watcher)
        for cloud in stage.clouds.values():
            cloud.heal()
        for user in users:
            user.join(300.0)
        watcher.stop()
        check(stage, users, watcher, {mine.id})

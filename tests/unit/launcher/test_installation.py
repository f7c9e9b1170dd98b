"""Whose ZooKeeper is it? Told at the start, and when that changes."""

import pytest

from launcher.policy import compile_policy
from launcher.provider.fold import take_fact
from launcher.provider.presence import prepare
from launcher.world import World
from remuda.config.model import Config
from remuda.membership.installation import InstallationError
from remuda.store import paths
from remuda.store.api import Create, Dirty, Gone, Put, Stored
from tests.fakes.store import FakeStore, FakeZookeeper
from tests.unit.launcher.worlds import document, policy, world


def filled(raw: bytes) -> FakeStore:
    """Return a ZooKeeper with an id."""
    store = FakeZookeeper().connect()
    store.ensure(paths.REMUDA)
    store.commit([Create(path=paths.INSTALLATION, data=raw)])
    return store


def test_another_zookeeper_is_refused_before_the_tree_of_a_launcher_is_made() -> None:
    """Whoever wrote that id owns what lies there."""
    store = filled(b"theirs")

    with pytest.raises(InstallationError):
        prepare(store, "here", "ours")
    refused = store.children("/remuda")
    prepare(store, "here", "theirs")

    assert refused == ("installation",)
    assert set(store.children("/remuda")) > {"providers", "statuses"}


def test_the_configuration_may_pin_it() -> None:
    """By a key of its own, with the same form."""
    config = Config.model_validate({**document(), "installation": "ci.1"})

    assert config.installation == "ci.1"
    assert compile_policy(config, "here").pinned
    assert not policy().pinned
    for wrong in ("", "a b", "x" * 64, "-a"):
        with pytest.raises(ValueError, match="installation"):
            Config.model_validate({**document(), "installation": wrong})


def change(made: World, raw: bytes | None) -> None:
    """Let ZooKeeper's id become another, or go."""
    stored = None
    if raw is not None:
        stored = Stored(path=paths.INSTALLATION, value=raw, version=3, modified_s=77.0)
    gone = Gone(path=paths.INSTALLATION)
    assert take_fact(made, gone if raw is None else Put(path=paths.INSTALLATION, stored=stored))


@pytest.mark.parametrize("raw", [b"them", b"", b"\xff", None])
def test_a_change_under_a_running_launcher_halts_it_until_it_is_undone(raw: bytes | None) -> None:
    """It says so, and goes on as soon as its own id is back."""
    made = world()
    made.installation = "us"
    change(made, b"us")
    assert (made.halted, made.installation_s) == (None, 77.0)

    change(made, raw)
    why = made.halted
    take_fact(made, Dirty(path=paths.INSTALLATION))
    still = made.halted
    change(made, b"us")

    assert why is not None
    assert "'us'" in why
    assert still == why
    assert made.halted is None

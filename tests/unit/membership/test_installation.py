"""Whose ZooKeeper is it? Told before anything else is made."""

import pytest

from remuda.membership.installation import InstallationError, find_installation
from remuda.store import paths
from remuda.store.api import Create
from tests.fakes.store import FakeStore, FakeZookeeper


def filled(raw: bytes) -> FakeStore:
    """Return a ZooKeeper with an id."""
    store = FakeZookeeper().connect()
    store.ensure(paths.REMUDA)
    store.commit([Create(path=paths.INSTALLATION, data=raw)])
    return store


def test_the_first_process_makes_the_id() -> None:
    """The configured one, or one that nobody else has; the next one finds it."""
    store, other = FakeZookeeper().connect(), FakeZookeeper().connect()

    drawn = find_installation(store, None)
    again = find_installation(store, drawn)
    chosen = find_installation(other, "ci.1")

    assert drawn == again != chosen == "ci.1"
    assert len(drawn) == 12


def test_another_zookeeper_is_refused_before_anything_is_changed() -> None:
    """It says what to do if it is the right one."""
    store = filled(b"theirs")

    with pytest.raises(InstallationError, match=r"installation: theirs, else correct zookeeper"):
        find_installation(store, "ours")

    assert store.children("/remuda") == ("installation",)


@pytest.mark.parametrize("raw", [b"", b"\xff", b"a/b", b"a b", b"\n", b"x" * 64])
def test_an_id_that_is_none_is_one_sentence(raw: bytes) -> None:
    """Not UTF-8, empty, or nothing that could stand in metadata."""
    with pytest.raises(InstallationError, match="write the id back"):
        find_installation(filled(raw), None)

"""Being seen, and knowing whose installation this is."""

import pytest

from launcher.registry import Registry
from remuda.model.codec import CorruptRecordError
from remuda.model.ids import ReplicaId
from remuda.store import paths
from remuda.store.api import Create
from tests.fakes.store import FakeZookeeper
from tests.unit.launcher.worlds import policy


def installation(*found: bytes) -> str:
    """Return the id that a launcher finds, or makes."""
    store = FakeZookeeper().connect()
    store.ensure(paths.REMUDA)
    for raw in found:
        store.commit([Create(path=paths.INSTALLATION, data=raw)])
    registry = Registry(
        store=store, replica=ReplicaId("me"), started_s=0.0, registered=lambda _error: None
    )
    return registry.prepare(policy())


def test_an_installation_is_found_or_made() -> None:
    """Twelve hexadecimal digits."""
    assert installation(b"0123456789ab") == "0123456789ab"
    assert len(installation()) == 12


@pytest.mark.parametrize("raw", [b"", b"\xff\xfe", b"a b", b"a\n", b"x" * 5000])
def test_an_installation_that_is_no_id_is_refused(raw: bytes) -> None:
    """It stands in the tags of every server, and says which ones are ours to delete."""
    with pytest.raises(CorruptRecordError, match="is not an id"):
        installation(raw)

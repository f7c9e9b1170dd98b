"""What the writing hand keeps for the nodes that it plans."""

from launcher.actions import Grow, Intent
from launcher.hands.writing import SPARE_KEYS, Writer
from remuda.model import launch as launches
from remuda.model.ids import NodeId, node_ids_of_block
from remuda.runtime.inbox import Inbox
from remuda.store import paths
from tests.fakes.store import FakeZookeeper
from tests.unit.launcher.worlds import NOW, world


def test_every_machine_gets_a_host_key_of_its_own() -> None:
    """Those that were made ahead, and after them new ones."""
    made = world()
    store = FakeZookeeper().connect()
    provider = made.policy.provider
    store.ensure(paths.NODES, paths.launches(provider), paths.ledger(provider))
    writer = Writer(store=store, world=made, inbox=Inbox(), mine=set())
    writer._ids = list(node_ids_of_block(1))
    made.ledger_version = 0
    intents = (Intent(pool="main", label="small", cores=1, ram_mib=1, volume_gib=0, az=None),)
    count = SPARE_KEYS + 2

    writer.make_keys()
    ahead = {key.public for key in writer._spare_keys}
    writer.grow(Grow(intents=intents * count, cause="a test"), NOW)

    written = {node: _host_key(store.read(paths.launch(provider, node))) for node in writer.mine}
    assert len(ahead) == SPARE_KEYS
    assert ahead <= set(written.values())
    assert count == len(set(written.values()))
    assert written == {node: key.public for node, key in writer.host_keys.items()}


def _host_key(found: object) -> str | None:
    value = getattr(found, "value", b"")
    return launches.decode(NodeId("0"), value).host_key

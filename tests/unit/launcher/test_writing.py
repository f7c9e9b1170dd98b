"""What the writing hand keeps for the nodes that it plans."""

from launcher.actions import Claim, Grow, Intent
from launcher.events import Written
from launcher.hands.writing import SPARE_KEYS, Writer
from launcher.world import Now
from remuda.model import launch as launches
from remuda.model.ids import NodeId, node_ids_of_block
from remuda.runtime.inbox import Inbox
from remuda.store import paths
from remuda.store.api import NotPermittedError
from tests.fakes.store import FakeZookeeper
from tests.unit.launcher.works import Works
from tests.unit.launcher.worlds import NOW, add_request, of_kind, think, world


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


def test_a_request_that_its_maker_closed_to_us_costs_next_to_nothing() -> None:
    """The claim is refused whatever we do: nothing is kept for it, and it is seldom tried again."""
    made = world()
    works, view = Works(made), add_request(made, 1)
    writer = works.starter.writer
    writer._ids = list(node_ids_of_block(1))
    error = NotPermittedError(paths.request(view.id))
    pauses = []
    for number in range(10):
        now = Now(wall_s=NOW.wall_s + number * 1e4, mono_s=NOW.mono_s + number * 1e4)
        view.retry_s = 0.0
        (claim,) = of_kind(think(made, now), Claim)
        writer.claim(claim, now)
        nodes = tuple(writer.mine)
        works.hear(Written(action=claim, result=error, nodes=nodes, begun_s=0.0), now)
        pauses.append(view.retry_s - now.mono_s)

    assert len(nodes) == 1
    assert (writer.mine, made.fresh, writer.host_keys, made.growing) == (set(), set(), {}, 0)
    assert (pauses[0], pauses[1], pauses[-1]) == (60.0, 120.0, 300.0)


def _host_key(found: object) -> str | None:
    value = getattr(found, "value", b"")
    return launches.decode(NodeId("0"), value).host_key

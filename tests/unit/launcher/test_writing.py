"""What the writing hand keeps for the nodes that it plans."""

import pytest

from launcher.claim.actions import Claim
from launcher.node.actions import Grow, Intent
from launcher.request.actions import Allocate
from launcher.writer import SPARE_KEYS
from remuda.frame.work import Written
from remuda.model import launch as launches
from remuda.model.ids import NodeId, RequestId, node_ids_of_block
from remuda.runtime.now import Now
from remuda.store import paths
from remuda.store.api import NotPermittedError, Set
from tests.unit.launcher.works import Works
from tests.unit.launcher.worlds import NOW, add_node, add_request, of_kind, think, world

LEND = Allocate(request=RequestId("200-0000000001"), nodes=())
GROW = Grow(intents=(), cause="a test")


def test_every_machine_gets_a_host_key_of_its_own() -> None:
    """Those that were made ahead, and after them new ones."""
    made = world()
    works, provider = Works(made), made.policy.provider
    store, writer = works.store, works.starter.writer
    store.ensure(paths.NODES, paths.launches(provider), paths.ledger(provider))
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


@pytest.mark.parametrize("way", ["inject", "scan", "ignore"])
def test_an_intent_says_how_the_machine_gets_its_host_key(way: str) -> None:
    """What the configuration says later tells nothing of machines that are there already."""
    labels = {"small": {"image": "debian-12", "flavor": "small", "host-keys": way}}
    made = world(pools={"main": {"labels": labels}})
    works = Works(made)
    writer = works.starter.writer
    writer._ids = list(node_ids_of_block(1))
    intents = (Intent(pool="main", label="small", cores=1, ram_mib=1, volume_gib=0, az=None),)

    new = writer._new_nodes(intents, NOW)[0].launch

    assert new.host_keys == way
    assert (new.host_key is not None) is (way == "inject")
    assert not new.keyless


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
        works.hear(Written(action=claim, result=error, made=nodes), now)
        pauses.append(view.retry_s - now.mono_s)

    assert len(nodes) == 1
    assert (writer.mine, made.fresh, writer.host_keys, made.growing) == (set(), set(), {}, 0)
    assert (pauses[0], pauses[1], pauses[-1]) == (60.0, 120.0, 300.0)


@pytest.mark.parametrize("allocated", [True, False])
def test_only_a_refusal_of_what_was_handed_out_wakes_the_brain(*, allocated: bool) -> None:
    """Nobody waits for what follows a hand-out; after a refusal the next try is to come soon."""
    works = Works(world())
    works.store.ensure(paths.NODES)
    version = -1 if allocated else 7

    works.starter.writer.send(LEND, [Set(path=paths.NODES, data=b"", version=version)])
    works.clock.advance(2.0)
    while works.store.wire.has_news:
        works.store.wire.deliver_one()

    assert works.workers.inbox._news is not allocated
    (event,) = works.workers.inbox.drain(wait_s_max=0.0).events
    assert isinstance(event, Written)
    assert NOW.mono_s + 2.0 == event.answered_s


def test_what_else_was_written_wakes_the_brain() -> None:
    """Create calls follow an intent."""
    works = Works(world())
    works.store.ensure(paths.NODES)

    works.starter.writer.send(GROW, [Set(path=paths.NODES, data=b"", version=-1)])
    while works.store.wire.has_news:
        works.store.wire.deliver_one()

    assert works.workers.inbox._news


@pytest.mark.parametrize("gone", [False, True])
def test_when_it_was_handed_out_counts_not_when_the_brain_heard_of_it(
    gone: bool,  # noqa: FBT001 - a parameter of the test
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The answer may lie in the inbox for a while; the request was served all the same."""
    made = world()
    works, view, node = Works(made), add_request(made, 1), add_node(made, 1)
    observed: list[float] = []
    monkeypatch.setattr(
        works.metrics, "observe_handout", lambda _provider, seconds: observed.append(seconds)
    )
    allocate = Allocate(request=view.id, nodes=(node.id,))
    made.allocating[view.id] = view
    if gone:
        made.queue.forget(view.id)  # its user was quick; the mirror tells before the answer
    answered_s = view.seen_s + 0.25

    works.hear(
        Written(action=allocate, result=(), answered_s=answered_s),
        Now(wall_s=NOW.wall_s + 9.0, mono_s=view.seen_s + 9.0),
    )

    assert observed == [0.25]
    assert not made.allocating


def _host_key(found: object) -> str | None:
    value = getattr(found, "value", b"")
    return launches.decode(NodeId("0"), value).host_key

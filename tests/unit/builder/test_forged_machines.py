"""A build goes to the machine that a launcher made for it, whatever records say meanwhile."""

from collections.abc import Callable

import pytest

from remuda.cloud.api import ServerStatus
from remuda.model import tags
from remuda.model.build import Blame
from remuda.model.ids import NodeId, PoolName, ProviderName
from remuda.model.image import BuildId
from remuda.model.tags import Owner, ServerTags
from remuda.store import paths
from remuda.store.api import Delete, Set
from tests.fakes.prover import OTHER
from tests.unit.builder.handbench import BUILD, OWNER, PLACE, PROVIDER, Bench
from tests.unit.builder.makings import make, mishap

Forge = Callable[[Bench, NodeId, str], None]


def stranger(bench: Bench, pairs: dict[str, str] | None = None) -> str:
    """Return a server of somebody else's, which is at work."""
    made = bench.cloud.add_stranger(tags=pairs)
    bench.clock.advance(bench.cloud.boot_s)
    return made


def leads_elsewhere(bench: Bench, node: NodeId, _request: str) -> None:
    """Let a requestor name a machine of its own."""
    bench.change_node(node, interface_ip="127.77.0.66", host_keys=[OTHER])


def has_another_key(bench: Bench, node: NodeId, _request: str) -> None:
    """Let somebody answer at the right address."""
    bench.change_node(node, host_keys=[OTHER])


def names_a_strangers_server(bench: Bench, node: NodeId, _request: str) -> None:
    """Let somebody's server be stopped and copied."""
    bench.change_node(node, external_id=stranger(bench))


def is_of_no_launch(bench: Bench, node: NodeId, _request: str) -> None:
    """Let there be a node that nobody has launched."""
    found = bench.others.read(paths.launch(PROVIDER, node))
    assert found is not None
    bench.others.commit([Delete(path=found.path, version=found.version)])


def has_a_launch_that_nobody_can_read(bench: Bench, node: NodeId, _request: str) -> None:
    """Let there be nothing to compare with."""
    bench.others.commit(
        [Set(path=paths.launch(PROVIDER, node), data=b'{"schema": NaN}', version=-1)]
    )


def boots_another_image(bench: Bench, node: NodeId, request: str) -> None:
    """Let it boot an image of ours that nobody asked for."""
    other = BuildId(BUILD.image, 1)
    bench.launcher.put_launch(node, request, image_build=str(other), image_place=PLACE)


def all_records_agree(pairs: dict[str, str]) -> Forge:
    """Return a forgery by whoever may write everything; the cloud knows better."""

    def forge(bench: Bench, node: NodeId, request: str) -> None:
        server = stranger(bench, pairs)
        bench.change_node(node, external_id=server)
        bench.launcher.put_launch(node, request, server=server)

    return forge


def marks(installation: str, node: str) -> dict[str, str]:
    """Return the tags of a launcher's server."""
    owner = Owner(installation=installation, provider=ProviderName(PROVIDER))
    one = ServerTags(owner=owner, node=NodeId(node), pool=PoolName("main"), label="small")
    return tags.make(one)


@pytest.mark.parametrize(
    "forge",
    [
        leads_elsewhere,
        has_another_key,
        names_a_strangers_server,
        is_of_no_launch,
        has_a_launch_that_nobody_can_read,
        boots_another_image,
        all_records_agree({}),
        all_records_agree(marks("theirs", "3000000000")),
        all_records_agree(marks(OWNER.installation, "3000000077")),
    ],
)
def test_nothing_is_done_to_a_machine_that_is_not_the_one_that_was_made(
    bench: Bench, forge: Forge
) -> None:
    """Nobody logs in, sends it a secret, stops it, or makes an image of it."""

    def give(request: str) -> None:
        forge(bench, bench.give(request), request)

    bench.serve = give
    make(bench)

    assert mishap(bench).blame is Blame.BUILDER
    assert bench.logins == []
    assert bench.images.snapshots == []
    assert {one.status for one in bench.cloud.truth().values()} == {ServerStatus.ACTIVE}

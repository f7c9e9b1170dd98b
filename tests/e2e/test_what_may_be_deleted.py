"""False records, and another's id in ZooKeeper: nothing of a stranger's is deleted for them."""

from collections.abc import Iterator
from contextlib import closing

import pytest

from remuda.cloud.account import AccountSettings
from remuda.cloud.api import ImageWanted, ServerSpec
from remuda.cloud.errors import Effect
from remuda.cloud.openstack import CloudSettings, OpenStackCloud
from remuda.cloud.sizes import FlavorWanted
from remuda.model import launch as launches
from remuda.model import tags
from remuda.model.ids import NodeId, PoolName, ProviderName, ReplicaId, ServerId
from remuda.model.launch import Launch, Step
from remuda.runtime.clock import SystemClock
from remuda.store import paths
from tests.support.stage import SOON_S, Stage, open_stage

pytestmark = [pytest.mark.e2e, pytest.mark.ssh, pytest.mark.zk]

KEY_PAIR = "somebodys"
_PUBLIC_KEY = (
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIBrRqwW7k3rj5c1kUwBTMwGzVf6dNq2kAzoJ4D2NQ8jS somebody"
)
NEIGHBOUR = "neighbour"
#: So many listings are waited for before it is believed that nothing happens.
LISTINGS = 5


@pytest.fixture
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """Give one provider with two nodes ready."""
    with open_stage(tmp_path_factory, "deleted") as made:
        made.cloud("a", quota={"instances": 50, "cores": 100, "ram": 200000})
        made.label("small", min_ready=2)
        made.provider("alpha", "a", labels=("small",), idle_list_period=1)
        made.launcher("alpha")
        made.ready_nodes("small", 2)
        yield made


@pytest.fixture
def cloud(stage: Stage) -> Iterator[OpenStackCloud]:
    """Give the account, as its owner sees it."""
    account = AccountSettings(
        cloud="cloud-a", region=None, clouds_file=str(stage.folder / "clouds.yaml"),
        api_timeout_s=10.0,
    )  # fmt: skip
    owner = tags.Owner(installation="nobody", provider=ProviderName("alpha"))
    settings = CloudSettings(account=account, owner=owner, rate_per_s=100.0)
    with closing(OpenStackCloud(settings, clock=SystemClock())) as made:
        yield made


def make(cloud: OpenStackCloud, number: int, installation: str | None) -> ServerId:
    """Make a server by hand; *installation*: with the tags of one of its nodes."""
    node, pairs = NodeId(f"{3_000_000_000 + number}"), {"somebody": "else"}
    if installation is not None:
        owner = tags.Owner(installation=installation, provider=ProviderName("alpha"))
        pairs = tags.make(
            tags.ServerTags(owner=owner, node=node, pool=PoolName("main"), label="small")
        )
    return cloud.create_server(
        ServerSpec(
            name=f"by-hand-{number}",
            image=cloud.find_image(ImageWanted(name="debian-12")),
            flavor=cloud.find_flavor(FlavorWanted(name="m1.tiny")),
            tags=pairs,
            networks=("public",),
        )
    )


def forge(stage: Stage, number: int, server: str) -> str:
    """Write a launch record of a node that nobody made; return its name."""
    now_s = SystemClock().now_s()
    false = Launch(
        id=NodeId(f"{3_900_000_000 + number}"),
        pool="main",
        label="small",
        step=Step.CONDEMNED,
        owner=ReplicaId("nobody"),
        planned_s=now_s - 100.0,
        asked_by_s=now_s - 60.0,
        server=ServerId(server),
    )
    stage.zk.create(paths.launch("alpha", false.id), launches.encode(false))
    return false.id


def there(cloud: OpenStackCloud) -> set[ServerId]:
    """Return all servers."""
    return {one.id for one in cloud.list_servers()}


def listed_again(stage: Stage) -> None:
    """Wait until launchers have looked at the cloud many times more."""

    def count() -> int:
        return int(stage.clouds["a"].calls()["compute"]["server.list"]["calls"])

    begun = count()
    stage.until(lambda: count() >= begun + LISTINGS, "many more listings", 2 * SOON_S)


def test_a_false_record_deletes_nothing(stage: Stage, cloud: OpenStackCloud) -> None:
    """Neither a stranger's server, nor a key pair, nor another node's machine.

    What is no record of ours at all is set aside; the others are buried.
    """
    cloud._wire.call(
        *("compute", "POST", ("os-keypairs",)),
        effect=Effect.REPEATABLE,
        body={"keypair": {"name": KEY_PAIR, "public_key": _PUBLIC_KEY}},
    )
    stranger = make(cloud, 1, None)
    neighbours = make(cloud, 2, NEIGHBOUR)
    before = there(cloud)
    machines = {str(doc["external_id"]) for doc in stage.free("small").values()}

    elsewhere = (f"../os-keypairs/{KEY_PAIR}", "..")
    unreadable = [forge(stage, number, server) for number, server in enumerate(elsewhere)]
    forged = {
        forge(stage, number, server)
        for number, server in enumerate((stranger, neighbours, *sorted(machines)), len(elsewhere))
    }
    stage.until(
        lambda: not forged & set(stage.children(paths.launches("alpha"))),
        "the false records to be buried",
        2 * SOON_S,
    )
    listed_again(stage)
    for node_id in unreadable:
        stage.zk.delete(paths.launch("alpha", NodeId(node_id)))

    assert there(cloud) == before
    assert KEY_PAIR in cloud.inspector().key_pairs()
    assert {str(doc["external_id"]) for doc in stage.free("small").values()} == machines


def test_anothers_id_deletes_nothing(stage: Stage, cloud: OpenStackCloud) -> None:
    """A running launcher halts and says so; none begins if it is pinned; if not, none sweeps."""
    (running,) = stage.processes
    ours, _ = stage.zk.get(paths.INSTALLATION)
    neighbours = {make(cloud, number, NEIGHBOUR) for number in range(1, 4)}
    stage.until(
        lambda: all(one.status == "active" for one in cloud.list_servers() if one.id in neighbours),
        "the neighbour's servers",
    )

    stage.zk.set(paths.INSTALLATION, NEIGHBOUR.encode())
    said = stage.until(lambda: stage.status("alpha").get("trouble"), "the launcher to halt")
    listed_again(stage)
    unharmed = neighbours <= there(cloud)
    running.stop()
    stage.config["installation"] = ours.decode()
    pinned = stage.launcher("alpha", wait=False)
    code = pinned.child.wait(SOON_S)
    del stage.config["installation"]
    unpinned = stage.launcher("alpha")
    listed_again(stage)

    assert ours.decode() in said
    assert unharmed
    assert code == 2
    assert "if this is the right ZooKeeper, write installation: neighbour" in pinned.text()
    assert neighbours <= there(cloud)
    assert unpinned.events("server.leaked") == []

"""Records that are not what a launcher wrote authorise nothing (issue 6, B1 and B2)."""

import json
from collections.abc import Callable
from typing import Any

import openstack
import pytest
from openstack.connection import Connection

from remuda.model.ids import NodeId
from remuda.store import paths
from tests.chaos.stage import LATER_S, ChaosStage, chaos_stage
from tests.chaos.users import all_go, at_work, come
from tests.support.cloud import Cloud

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.ssh,
    pytest.mark.zk,
    pytest.mark.chaos,
    pytest.mark.timeout(300),
]

_LISTS = 8
_FORGED = ("3999999001", "3999999002", "3999999003")


def _lists(cloud: Cloud) -> int:
    return int(cloud.calls()["compute"]["server.list"]["calls"])


def _looked_at(chaos: ChaosStage, cloud: Cloud) -> None:
    """Wait until the launchers have listed the cloud a few times more."""
    before = _lists(cloud)
    chaos.until(lambda: _lists(cloud) >= before + _LISTS, "a few more listings", LATER_S)


def _account(chaos: ChaosStage, cloud: Cloud) -> Connection:
    """Log in as somebody else who uses the same project."""
    loader = openstack.config.OpenStackConfig(config_files=[str(chaos.folder / "clouds.yaml")])
    return Connection(config=loader.get_one(f"cloud-{cloud.name}"))


def _forge(chaos: ChaosStage, name: str, **more: Any) -> None:
    now_s = 1_700_000_000.0
    usual = {"schema": 1, "pool": "main", "label": "small", "step": "condemned", "owner": "x"}
    doc = {**usual, "planned_s": now_s, "asked_by_s": now_s, **more}
    path = chaos.chroot + paths.launch("alpha", NodeId(name))
    chaos.zk.create(path, json.dumps(doc).encode())


def test_a_forged_launch_record_deletes_nothing(chaos: ChaosStage) -> None:
    """Not a stranger's server, not one in use, and nothing that is no server at all."""
    cloud = chaos.cloud("a", quota={"instances": 50, "cores": 100, "ram": 200000})
    chaos.provider("alpha", "a", pool={"max_servers": 6}, idle_list_period=1)
    chaos.launcher("alpha")
    (user,) = come(chaos.client(), 1)
    chaos.until(lambda: at_work([user]), "somebody to work", LATER_S)
    used = chaos.nodes()[user.nodes[0]]["external_id"]
    with _account(chaos, cloud) as stranger:
        stranger.compute.create_keypair(name="theirs")
        theirs = stranger.compute.create_server(
            name="theirs",
            image_id=stranger.image.find_image("debian-12").id,
            flavor_id=stranger.compute.find_flavor("m1.small").id,
            networks=[{"uuid": stranger.network.find_network("public").id}],
        )
        for name, server in zip(_FORGED, (theirs.id, used, "../os-keypairs/theirs"), strict=True):
            _forge(chaos, name, server=server)
        _looked_at(chaos, cloud)
        keys = [one.name for one in stranger.compute.keypairs()]
        servers = {one.id for one in stranger.compute.servers()}
    trouble = all_go([user], LATER_S)
    chaos.until(lambda: cloud.servers() == 1, "the used server to go", LATER_S)
    verdict = chaos.judged(forged=_FORGED)

    assert trouble == []
    assert "theirs" in keys
    assert {theirs.id, used} <= servers
    assert not verdict.breaches, str(verdict)


def test_a_copied_installation_sweeps_nothing_of_the_first(
    chaos: ChaosStage, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """An empty store with the first one's name: a restored backup, a clone, a mistake."""
    cloud = chaos.cloud("a", quota={"instances": 50, "cores": 100, "ram": 200000})
    chaos.label("small", min_ready=1)
    chaos.provider("alpha", "a", pool={"max_servers": 6}, idle_list_period=1)
    chaos.launcher("alpha")
    people = come(chaos.client(), 2)
    chaos.until(lambda: len(at_work(people)) == 2, "two to work", LATER_S)
    chaos.ready_nodes("small", 1, LATER_S)
    name, _ = chaos.zk.get(chaos.chroot + paths.INSTALLATION)
    folder = tmp_path_factory.mktemp("copy")
    with chaos_stage(folder, chaos.ensemble, f"/{folder.name}") as copy:
        copy.clouds.update(chaos.clouds)
        copy.config.update({**chaos.config, "zookeeper": copy.config["zookeeper"]})
        copy.config["labels"] = {"small": {}}
        copy.zk.create(copy.chroot + paths.INSTALLATION, name, makepath=True)
        copy.launcher("alpha", wait=False)
        launcher: Callable[[], object] = lambda: copy.children(paths.replicas("alpha"))  # noqa: E731
        copy.until(lambda: launcher() or not copy.processes[0].alive, "the copy to start", LATER_S)
        _looked_at(chaos, cloud)
        copy.clouds.clear()
    trouble = all_go(people, LATER_S)
    chaos.at_rest()
    verdict = chaos.judged()

    assert trouble == []
    assert not verdict.breaches, str(verdict)

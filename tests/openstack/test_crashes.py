"""Deaths on a real OpenStack: a launcher in the middle of boots, and the hypervisor under nodes."""

from collections.abc import Iterator

import pytest

from remuda.model import tags
from remuda.model.ids import NodeId
from remuda.store import paths
from requestor import connect
from tests.openstack.lab.control import slowly
from tests.openstack.stages import BOOTED_S, LabStage, open_lab_stage

pytestmark = [pytest.mark.openstack, pytest.mark.chaos, pytest.mark.timeout(300)]


@pytest.fixture
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LabStage]:
    """Give one provider; each test starts and kills its own launchers."""
    with open_lab_stage(tmp_path_factory, "crashes") as made:
        made.account("lab")
        yield made


def test_a_killed_launcher_is_taken_over_in_the_middle_of_boots(stage: LabStage) -> None:
    """With kill -9: the other replica adopts, nothing is made twice, requests are served (I7)."""
    stage.provider("alpha", "lab", labels=("slow",), launch_timeout=100)
    first = stage.launcher("alpha")
    stage.lab.rule(boot={"spawn": "12"}, metadata={"remuda_label": "slow"}, times=3)
    with connect(stage.server.hosts) as client:
        pending = [client.request("slow") for _ in range(3)]

        def booting() -> dict[str, object] | None:
            found = stage.records(paths.launches("alpha"))
            ours = {name: doc for name, doc in found.items() if doc["step"] == "booting"}
            return ours if len(ours) == len(pending) else None

        launches = stage.until(booting, "all launches to boot", BOOTED_S) or {}
        second = stage.launcher("alpha")
        first.kill()
        for one in pending:
            one.wait(BOOTED_S)
        taken = [one.accept() for one in pending]
        nodes = {node.id for each in taken for node in each}
        names = sorted(one.name for one in stage.clouds["lab"].details())
        adopted = {event["node"] for event in second.events("node.adopted")}
        for each in taken:
            each.release()

    assert nodes == launches.keys()
    assert adopted == launches.keys()
    assert names == sorted(tags.server_name(NodeId(one)) for one in nodes)
    stage.emptied()


def test_a_dead_hypervisor_costs_no_more_than_its_machines(stage: LabStage) -> None:
    """All of Nova is killed: refused calls, then stopped servers; the pool fills up again."""
    stage.label("small", min_ready=2)
    stage.provider("alpha", "lab")
    launcher = stage.launcher("alpha")
    before = set(stage.ready_nodes("small", 2, BOOTED_S))

    stage.lab.restart("nova")

    def renewed() -> bool:
        found = stage.free("small").keys()
        return len(found) == len(before) and not found & before

    stage.until(renewed, "new machines", 2 * BOOTED_S)
    stage.until(
        slowly(lambda: stage.clouds["lab"].servers() == len(before)), "the dead to go", BOOTED_S
    )
    assert launcher.alive
    stage.label("small", min_ready=0)


def test_a_build_that_cannot_even_be_deleted_blocks_nobody(stage: LabStage) -> None:
    """Nova accepts the deletion and waits behind the build; another machine serves meanwhile."""
    stage.provider("alpha", "lab", labels=("glued",), boot_timeout=10, launch_timeout=60)
    stage.launcher("alpha")
    rule = stage.lab.rule(boot={"spawn": "stuck"}, metadata={"remuda_label": "glued"}, times=1)
    with (
        connect(stage.server.hosts) as client,
        client.request("glued", deadline_s=BOOTED_S) as nodes,
    ):
        left = {one.name: one.status for one in stage.clouds["lab"].details()}
        served = tags.server_name(NodeId(nodes[0].id))

    assert stage.lab.hits(rule) == 1
    assert left.pop(served) == "ACTIVE"
    assert list(left.values()) == ["BUILD"]
    stage.lab.restart("nova")  # as its operator has to
    stage.emptied(2 * BOOTED_S)


def test_floating_ips_are_given_proven_and_taken_back(stage: LabStage) -> None:
    """The node answers there; with the node its address goes."""
    stage.account("lab-fip")
    pool = {"networks": ["private"], "floating_ips": True}
    stage.provider("alpha", "lab-fip", pool=pool, clean_floating_ips=True)
    stage.launcher("alpha")
    network = stage.lab.account("lab-fip").network
    with connect(stage.server.hosts) as client:
        with client.request("small", deadline_s=BOOTED_S) as nodes:
            address = nodes[0].address
            given = {one.floating_ip_address for one in network.ips()}
        stage.until(slowly(lambda: not list(network.ips())), "the address to go", BOOTED_S)

    assert address.startswith("127.20.")
    assert given == {address}
    stage.emptied()

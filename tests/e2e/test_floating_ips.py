"""Nodes that are reached at floating IPs: what they cost, and that none is lost or doubled."""

from collections.abc import Iterator

import pytest

from remuda.store import paths
from requestor import connect
from tests.support.stage import SOON_S, Stage, open_stage

pytestmark = [pytest.mark.e2e, pytest.mark.ssh, pytest.mark.zk, pytest.mark.chaos]

_NODES = 6


@pytest.fixture
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """Give one provider whose pool gives floating IPs; each test starts its launcher."""
    with open_stage(tmp_path_factory, "floating") as made:
        made.cloud("a", networks=[{"name": "private"}, {"name": "outside", "external": True}])
        made.label("small")
        pool = {"networks": ["private"], "floating_ips": True}
        # Without the sweep every look at our addresses is one that a node's life needs.
        made.provider("alpha", "a", pool=pool, api_timeout=3, clean_floating_ips=False)
        yield made


def calls(stage: Stage, operation: str) -> int:
    """Return how often Neutron was asked for this."""
    found = stage.clouds["a"].calls()["network"]
    return int(found.get(operation, {}).get("calls", 0))


def addresses(stage: Stage) -> int:
    """Count the floating IPs that there are."""
    (region,) = stage.clouds["a"].ask("GET", "/state")["regions"].values()
    return int(region["floating_ips"])


def gone(stage: Stage) -> None:
    """Wait until nodes, servers and addresses are gone."""
    stage.until(lambda: not stage.nodes(), "all nodes to go", SOON_S)
    assert (stage.clouds["a"].servers(), addresses(stage)) == (0, 0)


def test_floating_ip_costs_two_calls_and_looks_are_shared(stage: Stage) -> None:
    """However many nodes: no look at our addresses, and ports of many with one look."""
    stage.launcher("alpha")
    with (
        connect(stage.server.hosts) as client,
        client.request({"small": _NODES}, deadline_s=2 * SOON_S) as nodes,
    ):
        given = {node.address for node in nodes}
        assert addresses(stage) == len(given) == _NODES
    gone(stage)

    assert calls(stage, "floatingip.create") == calls(stage, "floatingip.delete") == _NODES
    assert calls(stage, "floatingip.list") == 0
    assert calls(stage, "port.list") < _NODES


def test_floating_ip_whose_reply_was_lost_is_found_at_its_port(stage: Stage) -> None:
    """It is looked for before another is made."""
    lost = stage.clouds["a"].fault("floatingip.create", "lose_reply", count=1)
    stage.launcher("alpha")
    with (
        connect(stage.server.hosts) as client,
        client.request("small", deadline_s=2 * SOON_S) as nodes,
    ):
        assert nodes[0].address
        assert (stage.clouds["a"].fired(lost), addresses(stage)) == (1, 1)
    gone(stage)

    assert calls(stage, "floatingip.create") == 1


def test_floating_ip_of_a_dead_launchers_node_goes_with_it(stage: Stage) -> None:
    """The record of a ready node says which one it is: no look is needed."""
    stage.label("small", min_ready=1)
    first = stage.launcher("alpha")
    stage.ready_nodes("small", 1)
    (record,) = stage.records(paths.launches("alpha")).values()
    assert record["floating_ip"]

    first.kill()
    stage.label("small", min_ready=0, max_ready_age=1)
    stage.launcher("alpha")
    gone(stage)

    assert calls(stage, "floatingip.list") == 0


def test_floating_ip_of_a_boot_that_a_dead_launcher_began_is_not_doubled(stage: Stage) -> None:
    """Whoever takes the node over sees its address, and takes it back in the end."""
    stage.clouds["a"].fault("server.boot", "ssh", mode="refuse")
    first = stage.launcher("alpha")
    with connect(stage.server.hosts) as client:
        pending = client.request("small")
        stage.until(lambda: addresses(stage) == 1, "an address to be given", SOON_S)
        first.kill()
        second = stage.launcher("alpha")
        stage.until(lambda: second.events("node.adopted"), "the node to be adopted", SOON_S)
        pending.cancel()
    # Not sooner: a machine that is given up before it is adopted is made anew for its request.
    stage.config["providers"]["alpha"]["login-timeout"] = 10
    stage.write()
    gone(stage)

    assert calls(stage, "floatingip.create") == 1

"""Zuul 14's own client classes: the life of a nodeset from request to grave, and its accidents."""

import pytest

from remuda.model.ids import NodeId, RequestId
from remuda.store import paths
from tests.conformance.zuul_child import Zuul
from tests.support.stage import SESSION_S, Stage

pytestmark = [pytest.mark.e2e, pytest.mark.ssh, pytest.mark.zk]


def test_a_nodeset_lives_from_request_to_grave(stage: Stage, zuul: Zuul) -> None:
    """Fulfilled once, accepted, in use, used, and its machines are gone from cloud and tree."""
    request = zuul.request("small", "big", "small")
    done = zuul.wait(request)
    info = zuul.call("nodeset_info", request=request)
    accepted = zuul.accept(request)
    zuul.call("use", request=request)
    in_use = [stage.read(paths.node(NodeId(node["id"]))) for node in accepted]
    zuul.call("give_back", request=request)
    ids = {node["id"] for node in accepted}

    assert done["state"] == "fulfilled"
    assert done["announced"] == 1
    assert {"nodes": done["nodes"], "provider": "alpha", "zone": "zone-a"} == info
    assert [node["label"] for node in accepted] == ["small", "big", "small"]
    assert done["nodes"] == [node["id"] for node in accepted]
    assert len(ids) == len(accepted)
    assert [doc and doc["state"] for doc in in_use] == ["in-use"] * 3
    assert stage.read(paths.request(RequestId(request))) is None
    stage.until(lambda: not ids & stage.nodes().keys(), "the used nodes to go")


def test_a_node_shows_all_that_zuul_needs(zuul: Zuul) -> None:
    """Address, port, user, host key, interpreter, resources; hold_expiration is there as null."""
    request = zuul.request("small")
    zuul.wait(request)
    (node,) = zuul.accept(request)
    zuul.call("give_back", request=request)

    assert "(absent)" not in node.values()
    assert node["interface_ip"] == node["public_ipv4"]
    assert (
        node["connection_type"],
        node["connection_port"],
        node["username"],
    ) == ("ssh", 22, "root")
    assert [key.split()[0] for key in node["host_keys"]] == ["ssh-ed25519"]
    assert node["python_path"] == "auto"
    assert node["hold_expiration"] is None
    assert node["resources"] == {"cores": 1, "ram": 2048, "instances": 1}
    assert (node["tenant_name"], node["requestor"]) == ("t1", "sys1")
    assert request == node["allocated_to"]


def test_a_node_that_was_accepted_and_never_used_is_lent_again(stage: Stage, zuul: Zuul) -> None:
    """Zuul unlocks it, still ready and allocated to a request that is gone."""
    request = zuul.request("big")
    zuul.wait(request)
    (node,) = zuul.accept(request)
    zuul.call("give_back", request=request)

    stage.until(lambda: node["id"] in stage.free("big"), "the node to be free again")


def test_an_autohold_expires(stage: Stage, zuul: Zuul) -> None:
    """The seconds that Zuul writes count from the hold; then the node goes."""
    request = zuul.request("only-a")
    zuul.wait(request)
    (node,) = zuul.accept(request)
    zuul.call("use", request=request)
    zuul.call("hold", request=request, expiration=20)  # it is looked at before
    held = stage.read(paths.node(NodeId(node["id"])))

    assert held is not None
    assert (held["state"], held["hold_expiration"], held["comment"]) == ("hold", 20, "debug me")
    assert held["hold_job"] == "t1 example.org/p unit .*"
    stage.until(lambda: node["id"] not in stage.nodes(), "the hold to be over")


def test_an_autohold_without_expiry_stays_until_it_is_deleted(stage: Stage, zuul: Zuul) -> None:
    """Other nodes come and go meanwhile; deleting the hold frees the machine."""
    request = zuul.request("only-a")
    zuul.wait(request)
    (node,) = zuul.accept(request)
    zuul.call("use", request=request)
    hold = zuul.call("hold", request=request)
    other = zuul.request("only-a")
    zuul.wait(other)
    zuul.finish(other)
    stage.until(lambda: [n["state"] for n in stage.nodes(label="only-a").values()] == ["hold"],
                "only the held node to be left")  # fmt: skip

    assert zuul.call("delete_hold", hold=hold)
    stage.until(lambda: node["id"] not in stage.nodes(), "the node that was held to go")


def test_the_nodes_of_a_dead_executor_are_deleted(stage: Stage, zuul: Zuul) -> None:
    """In use without a lock means that nobody uses it; until then nobody touches it."""
    request = zuul.request("only-a")
    (name,) = zuul.wait(request)["nodes"]
    log = stage.folder / "executor.log"
    hosts = stage.server.hosts[0]
    with Zuul(hosts, log, scheduler=False, session_s=SESSION_S) as executor:
        executor.call("adopt", request=request, labels=["only-a"])
        executor.accept(request)
        executor.call("use", request=request)
        assert stage.nodes()[name]["state"] == "in-use"
    stage.until(lambda: name not in stage.nodes(), "the dead executor's node to go")


def test_a_request_cancelled_while_pending_leaves_its_node_for_others(
    stage: Stage, zuul: Zuul
) -> None:
    """Nothing is announced, the request is not made again, the next request gets a node."""
    stage.clouds["a"].fault("server.boot", "boot_slow", seconds=10.0, count=1)
    request = zuul.request("only-a")
    stage.until(
        lambda: (stage.read(paths.request(RequestId(request))) or {}).get("state") == "pending",
        "the request to be taken",
    )
    zuul.call("cancel", request=request)
    again = zuul.request("only-a")
    done = zuul.wait(again)
    zuul.finish(again)

    assert done["state"] == "fulfilled"
    assert stage.read(paths.request(RequestId(request))) is None
    stage.until(
        lambda: not stage.children(paths.claims("alpha")), "the claim of a gone request to go"
    )


def test_a_request_cancelled_after_it_was_fulfilled_gives_its_node_back(
    stage: Stage, zuul: Zuul
) -> None:
    """What is free already serves the next request: no new machine is made."""
    request = zuul.request("only-b")
    (name,) = zuul.wait(request)["nodes"]
    zuul.call("cancel", request=request)
    stage.until(lambda: name in stage.free("only-b"), "the node to be free")
    again = zuul.request("only-b")
    (same,) = zuul.wait(again)["nodes"]
    zuul.finish(again)

    assert name == same

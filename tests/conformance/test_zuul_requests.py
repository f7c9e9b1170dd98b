"""Zuul 14's own client classes: which request is served by whom, when, and what survives."""

import json
from typing import Any

import pytest

from remuda.model.ids import NodeId, RequestId
from remuda.store import paths
from tests.conformance.zuul_child import Zuul
from tests.support.stage import Stage

pytestmark = [pytest.mark.e2e, pytest.mark.ssh, pytest.mark.zk]


def record(stage: Stage, request: str) -> dict[str, Any]:
    """Return the record of a request that must be there."""
    doc = stage.read(paths.request(RequestId(request)))
    assert doc is not None
    return doc


def test_a_label_that_nobody_makes_fails_quickly(zuul: Zuul) -> None:
    """The scheduler hears of it at once; the request is Zuul's to delete."""
    request = zuul.request("no-such-label")

    assert zuul.wait(request)["state"] == "failed"
    zuul.call("cancel", request=request)


def test_labels_that_no_single_provider_has_together_fail(stage: Stage, zuul: Zuul) -> None:
    """A nodeset comes from one provider; each of these labels alone is served."""
    request = zuul.request("only-a", "only-b")

    assert zuul.wait(request)["state"] == "failed"
    declined = record(stage, request)["declined_by"]
    assert {"alpha", "beta", "gamma"} == {
        one.split("PoolWorker.")[1].split("-")[0] for one in declined
    }
    zuul.call("cancel", request=request)


@pytest.mark.parametrize("provider", ["alpha", "beta"])
def test_a_pinned_request_is_served_by_its_provider(
    stage: Stage, zuul: Zuul, provider: str
) -> None:
    """Also by the less preferred one."""
    request = zuul.request("small", provider=provider)
    (name,) = zuul.wait(request)["nodes"]

    assert provider == stage.nodes()[name]["provider"]
    zuul.finish(request)


def test_a_pin_to_a_provider_that_is_not_there_is_only_a_preference(zuul: Zuul) -> None:
    """Somebody else serves it."""
    request = zuul.request("small", provider="gone")

    assert zuul.wait(request)["state"] == "fulfilled"
    zuul.finish(request)


def test_what_zuul_wrote_survives_to_the_last_digit(stage: Stage, zuul: Zuul) -> None:
    """Trace ids of 128 bits, the tenant, and keys that we have never heard of (I10)."""
    submitted = zuul.call("request", labels=["only-a"], tenant="tenant-x")
    path = paths.request(RequestId(submitted["id"]))
    data, _ = stage.zk.get(path)
    before = json.loads(data)
    zuul.wait(submitted["id"])
    after = record(stage, submitted["id"])
    zuul.finish(submitted["id"])

    # A launcher may have begun before we looked; whatever is not ours is Zuul's to the last digit.
    theirs = before.keys() - {"state", "state_time", "nodes", "declined_by"}
    assert {key: before[key] for key in theirs} == {key: after[key] for key in theirs}
    assert submitted["span_info"] == after["requestor_data"]["span_info"]
    assert (after["state"], after["node_types"]) == ("fulfilled", ["only-a"])
    assert after["tenant_name"] == "tenant-x"


def test_unknown_keys_survive_in_requests_and_nodes(stage: Stage, zuul: Zuul) -> None:
    """Somebody's later version writes more than we know: requests and nodes keep it (I10)."""
    doc = {
        "node_types": ["only-a"],
        "state": "requested",
        "state_time": 1.5,
        "requestor": "somebody",
        "requestor_data": {"n": 2**127 + 1},
        "provider": None,
        "relative_priority": 0,
        "event_id": None,
        "a_new_key": {"deep": [1, 2.5, None, "ü"]},
    }
    path = stage.zk.create(f"{paths.REQUESTS}/200-", json.dumps(doc).encode(), sequence=True)
    name = path.rpartition("/")[2]
    stage.until(lambda: record(stage, name)["state"] == "fulfilled", "the request")
    after = record(stage, name)
    (node_id,) = after["nodes"]
    node_path = paths.node(NodeId(node_id))
    stage.rewrite(node_path, lambda doc: {**doc, "a_new_key": 2**64})
    stage.zk.delete(path)
    stage.until(lambda: node_id in stage.free("only-a"), "the node to be free again")

    assert doc["a_new_key"] == after["a_new_key"]
    assert doc["requestor_data"] == after["requestor_data"]
    assert "tenant_name" not in after
    assert stage.nodes()[node_id]["a_new_key"] == 2**64
    stage.rewrite(node_path, lambda doc: {**doc, "state": "deleting"})
    stage.until(lambda: node_id not in stage.nodes(), "the node to go")
    assert zuul.call("complaints") == []


def test_the_queue_is_served_by_priority_then_relative_priority(stage: Stage, zuul: Zuul) -> None:
    """With one machine at a time, the order of service is the order of the format (I4)."""
    using = zuul.request("single")
    zuul.wait(using)
    zuul.accept(using)
    zuul.call("use", request=using)
    low = zuul.request("single", priority=300)
    later = zuul.request("single", relative_priority=2)
    sooner = zuul.request("single", relative_priority=3)
    high = zuul.request("single", priority=100, relative_priority=9)
    waiting = [high, sooner, later, low]

    def explained() -> bool:
        verdicts = [stage.verdict("gamma", one) for one in waiting]
        return all(doc is not None and doc["ruling"] == "waiting" for doc in verdicts)

    stage.until(explained, "a verdict on each waiting request")
    reason = (stage.verdict("gamma", low) or {})["reason"]
    assert zuul.call("revise", request=sooner, relative_priority=1)
    zuul.call("give_back", request=using)
    served = []
    for one in waiting:
        assert zuul.wait(one)["state"] == "fulfilled"
        served.append([other for other in waiting if stage.read(paths.request(RequestId(other)))])
        zuul.finish(one)

    assert reason == "pool main has 1 of 1 instances in use, 1 more needed"
    assert [waiting[n:] for n in range(len(waiting))] == served


def test_a_request_without_reuse_gets_machines_made_for_it(stage: Stage) -> None:
    """Nodepool's own kind of request: what is ready already is not good enough."""
    before = set(stage.ready_nodes("big", 1))
    doc = {
        "node_types": ["big"],
        "state": "requested",
        "state_time": 1.5,
        "requestor": "somebody",
        "requestor_data": None,
        "provider": None,
        "relative_priority": 0,
        "event_id": None,
        "reuse": False,
    }
    path = stage.zk.create(f"{paths.REQUESTS}/200-", json.dumps(doc).encode(), sequence=True)
    name = path.rpartition("/")[2]
    stage.until(lambda: record(stage, name)["state"] == "fulfilled", "the request")
    (node_id,) = record(stage, name)["nodes"]
    stage.zk.delete(path)

    assert node_id not in before
    assert before <= stage.free("big").keys()


def test_the_label_page_lists_what_is_made(zuul: Zuul) -> None:
    """From the pool components alone."""
    assert zuul.call("labels") == ["big", "only-a", "only-b", "single", "small"]


def test_a_foreign_request_does_not_send_the_scheduler_into_a_loop(
    stage: Stage, zuul: Zuul
) -> None:
    """Jenkins' request lacks keys that Zuul insists on: it is completed on sight."""
    zuul.call("complaints")
    doc = {
        "node_types": ["only-a"],
        "declined_by": [],
        "state_time": 1.54e9,
        "reuse": True,
        "requestor": "jenkins",
        "state": "requested",
        "nodes": [],
        "jenkins_label": "nodepool-only-a",
        "build_id": "folder/job#12",
    }
    path = stage.zk.create(
        f"{paths.REQUESTS}/500-", json.dumps(doc).encode(), sequence=True, ephemeral=True
    )
    name = path.rpartition("/")[2]
    stage.until(lambda: "event_id" in record(stage, name), "the request to be completed")
    request = zuul.request("small")
    done = zuul.wait(request)
    zuul.finish(request)
    stage.until(lambda: record(stage, name)["state"] == "fulfilled", "the foreign request")
    after = record(stage, name)
    stage.zk.delete(path)
    complaints = zuul.call("complaints")

    assert done["state"] == "fulfilled"
    assert (after["jenkins_label"], after["build_id"]) == ("nodepool-only-a", "folder/job#12")
    # It may see the record in the instant before it is completed, but not more often than that.
    assert len(complaints) < 5
    assert not [text for text in complaints if "KeyError" not in text]


def test_an_empty_node_that_a_lock_recipe_left_disturbs_nobody(stage: Stage, zuul: Zuul) -> None:
    """``ensure_path`` of a lock directory recreates a deleted node without data."""
    empty = paths.node(NodeId("0000000077"))
    stage.zk.ensure_path(f"{empty}/lock")
    request = zuul.request("small")
    zuul.wait(request)
    zuul.finish(request)

    assert zuul.call("complaints") == []

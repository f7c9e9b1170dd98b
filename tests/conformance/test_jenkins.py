"""The Jenkins plugin's wire behaviour against our launcher."""

from collections.abc import Iterator

import pytest

from remuda.model.ids import NodeId, RequestId
from remuda.store import paths
from tests.conformance.jenkins import Jenkins, Lock
from tests.support.stage import Stage

pytestmark = [pytest.mark.e2e, pytest.mark.ssh, pytest.mark.zk]


@pytest.fixture
def jenkins(stage: Stage) -> Iterator[Jenkins]:
    """Give one Jenkins."""
    with Jenkins(stage.server.hosts[0]) as made:
        yield made


def test_a_build_gets_a_node_and_gives_it_back(stage: Stage, jenkins: Jenkins) -> None:
    """Every type is right, the lock is free when the request says fulfilled, used is the end."""
    node = jenkins.accept(jenkins.request("only-a"))
    seen = jenkins.read(node)
    contenders = stage.children(paths.node_lock(NodeId(node)))
    jenkins.release(node)

    assert seen["state"] == "in-use"
    assert seen["type"] == ["only-a"]
    assert len(seen["host_keys"][0].split()) == 2
    assert len(contenders) == 1
    stage.until(lambda: node not in stage.nodes(), "the used node to go")


def test_the_keys_that_jenkins_drops_are_not_missed(stage: Stage, jenkins: Jenkins) -> None:
    """Resources, interpreter and all else are lost for good; limits and deletion still work."""
    node = jenkins.accept(jenkins.request("only-a"))
    doc = stage.nodes()[node]
    used = stage.status("alpha")["pools"]["main"]
    jenkins.release(node)

    assert not {"resources", "python_path", "attributes", "tenant_name"} & doc.keys()
    assert used["instances"] >= 1
    assert used["cores"] >= used["instances"]
    stage.until(lambda: node not in stage.nodes(), "the used node to go")


def test_a_request_is_completed_and_its_own_keys_stay(jenkins: Jenkins) -> None:
    """The cure for Zuul's scheduler leaves Jenkins what it wrote."""
    request = jenkins.request("only-a", build="folder/other#1")
    doc = jenkins.wait(request)
    node = jenkins.accept(request)
    jenkins.release(node)

    assert {"requestor_data": None, "event_id": None, "provider": None}.items() <= doc.items()
    assert (doc["requestor"], doc["build_id"]) == ("jenkins", "folder/other#1")
    assert "tenant_name" not in doc


def test_jenkins_waits_for_a_lock_taken_by_the_other_recipe(stage: Stage, jenkins: Jenkins) -> None:
    """Kazoo's contenders and its own queue up in one line."""
    directory = "/nodepool/nodes/0000000042/lock"
    ours = stage.zk.Lock(directory)
    ours.acquire()
    theirs = Lock(jenkins.zk, directory, "folder/job#1")
    waiting = stage.zk.handler.spawn(theirs.acquire)
    stage.until(lambda: len(stage.children(directory)) == 2, "both to be in line")
    still_ours = waiting.is_alive()
    ours.release()
    waiting.join(60.0)
    kazoos = stage.zk.Lock(directory).acquire(blocking=False)
    theirs.release()
    stage.zk.delete("/nodepool/nodes/0000000042", recursive=True)

    assert still_ours
    assert not waiting.is_alive()
    assert not kazoos


def test_a_hold_ends_at_its_point_in_time(stage: Stage, jenkins: Jenkins) -> None:
    """Epoch milliseconds, and a state_time that is older than the hold."""
    node = jenkins.accept(jenkins.request("only-a"))
    jenkins.hold(node, seconds=20.0)  # it is looked at before
    held = stage.nodes()[node]

    assert held["state"] == "hold"
    stage.until(lambda: node not in stage.nodes(), "the hold to be over")


def test_a_hold_is_kept_until_its_point_in_time(stage: Stage, jenkins: Jenkins) -> None:
    """While others of the label come and go; the janitor ends it without taking the lock."""
    node = jenkins.accept(jenkins.request("only-a"))
    jenkins.hold(node, seconds=3600.0)
    other = jenkins.accept(jenkins.request("only-a"))
    jenkins.release(other)
    stage.until(lambda: other not in stage.nodes(), "the other node to go")
    kept = stage.nodes()[node]["state"]
    jenkins.janitor(node)

    assert kept == "hold"
    stage.until(lambda: node not in stage.nodes(), "the node that was held to go")


def test_used_under_a_lock_waits_for_the_unlock(stage: Stage, jenkins: Jenkins) -> None:
    """The janitor may be wrong about a build that still runs: nobody's machine dies (I5)."""
    node = jenkins.accept(jenkins.request("only-a"))
    jenkins.janitor(node)
    other = jenkins.accept(jenkins.request("only-a"))
    jenkins.release(other)
    stage.until(lambda: other not in stage.nodes(), "the other node to go")
    kept = node in stage.nodes()
    jenkins.unlock(node)

    assert kept
    stage.until(lambda: node not in stage.nodes(), "the used node to go")


def test_everything_of_a_dead_jenkins_is_cleared_away(stage: Stage) -> None:
    """Its ephemeral requests and its locks go with its session; its machines follow."""
    hosts = stage.server.hosts[0]
    with Jenkins(hosts) as jenkins:
        node = jenkins.accept(jenkins.request("only-a"))
        waiting = jenkins.request("single")
        done = jenkins.wait(waiting)

    assert stage.read(paths.request(RequestId(waiting))) is None
    stage.until(lambda: node not in stage.nodes(), "the node in use to go")
    stage.until(lambda: done["nodes"][0] in stage.free("single"), "the unused one to be free")


def test_a_label_that_nobody_makes_fails(jenkins: Jenkins) -> None:
    """The final state that makes the build fail at once instead of after 500 s."""
    assert jenkins.wait(jenkins.request("no-such-label"))["state"] == "failed"

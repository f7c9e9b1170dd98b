"""Several launchers for one provider, and launchers that die, sleep, or lose ZooKeeper."""

import signal
from collections import Counter
from collections.abc import Iterator

import pytest

from remuda.store import paths
from requestor import connect
from tests.support.processes import Process
from tests.support.stage import SERVED_S, Stage, open_stage

pytestmark = [pytest.mark.e2e, pytest.mark.ssh, pytest.mark.zk, pytest.mark.chaos]

#: Less than systemd's patience before it kills, 90 s.
_STOPPED_S = 60.0
#: What is to be seen while machines boot has to be over by then.
_BOOTS_S = 30.0


@pytest.fixture
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """Give one provider; each test starts and kills its own launchers."""
    with open_stage(tmp_path_factory, "replicas") as made:
        made.cloud("a", boot_seconds=1.0, quota={"instances": 50, "cores": 100, "ram": 200000})
        made.label("small", min_ready=3)
        made.provider("alpha", "a", labels=("small", "slow"), api_timeout=3)
        yield made


def replicas(stage: Stage) -> list[str]:
    """Return the launchers that alpha has, by their ephemeral znodes."""
    return stage.children(paths.replicas("alpha"))


def creates(stage: Stage) -> int:
    """Return how often the cloud was asked for a server."""
    return int(stage.clouds["a"].calls()["compute"]["server.create"]["calls"])


def booting(stage: Stage, n: int) -> dict[str, dict[str, object]]:
    """Wait until *n* launches have their server."""

    def asked() -> dict[str, dict[str, object]] | None:
        found = stage.records(paths.launches("alpha"))
        done = {name: doc for name, doc in found.items() if doc["step"] == "booting"}
        return done if len(done) == n else None

    return stage.until(asked, f"{n} launches to boot") or {}


def test_two_replicas_share_the_work_and_never_double_it(stage: Stage) -> None:
    """Min-ready and requests are served once, whoever does it (I1)."""
    for _ in range(2):
        stage.launcher("alpha", wait=False)
    for process in stage.processes:
        stage.at_work(process)
    stage.ready_nodes("small", 3)
    with connect(stage.server.hosts) as client:
        pending = [client.request("small") for _ in range(5)]
        for one in pending:
            one.wait(SERVED_S)
        taken = Counter(node.id for one in pending for node in one.accept())
        fulfilled = [
            event["request"]
            for process in stage.processes
            for event in process.events("request.fulfilled")
        ]
    stage.until(lambda: len(stage.nodes()) == len(stage.free("small")), "used nodes to go")

    assert len(replicas(stage)) == 2
    assert set(taken.values()) == {1}
    assert len(taken) == 5
    assert sorted(fulfilled) == sorted(set(fulfilled))
    assert len(stage.free("small")) == 3
    assert stage.clouds["a"].servers() == 3


def test_a_killed_launcher_is_taken_over_and_its_boots_go_on(stage: Stage) -> None:
    """The other resumes soon after the session's time-out; nothing is made twice (I7)."""
    # Before anything is asked for; and for longer than another launcher takes to be there.
    stage.clouds["a"].fault("server.boot", "boot_slow", seconds=_BOOTS_S)
    first = stage.launcher("alpha")
    launches = booting(stage, 3)
    second = stage.launcher("alpha", wait=False)
    stage.until(lambda: len(replicas(stage)) == 2, "the second replica")
    first.kill()
    stage.until(lambda: len(second.events("node.adopted")) == 3, "the launches to be adopted")
    found = stage.ready_nodes("small", 3)

    assert found.keys() == launches.keys()
    assert creates(stage) == 3


def test_a_launcher_killed_alone_resumes_when_it_is_started_again(stage: Stage) -> None:
    """A claimed request is served by the machine that was asked for before the crash (I7)."""
    stage.label("small")
    stage.clouds["a"].fault("server.boot", "boot_slow", seconds=10.0)
    first = stage.launcher("alpha")
    with connect(stage.server.hosts) as client:
        request = client.request("slow")
        launches = booting(stage, 1)
        first.kill()
        stage.launcher("alpha", wait=False)
        request.wait(SERVED_S)
        (node,) = request.accept()

    assert {node.id} == launches.keys()
    assert creates(stage) == 1


def test_a_launcher_that_slept_past_its_session_harms_nothing(stage: Stage) -> None:
    """The other serves meanwhile; the sleeper finds its session lost and joins in."""
    first = stage.launcher("alpha")
    second = stage.launcher("alpha")
    stage.ready_nodes("small", 3)
    before = replicas(stage)
    first.freeze()
    stage.until(lambda: len(replicas(stage)) == 1, "the sleeper's session to be over")
    with (
        connect(stage.server.hosts) as client,
        client.request({"small": 3}, deadline_s=SERVED_S) as nodes,
    ):
        taken = {node.id for node in nodes}
        first.thaw()
        stage.until(lambda: len(replicas(stage)) == 2, "the sleeper to be back")
        stage.ready_nodes("small", 3)
        assert {stage.nodes()[name]["state"] for name in taken} == {"in-use"}
    stage.until(lambda: not taken & stage.nodes().keys(), "the used nodes to go")

    assert before == replicas(stage)
    assert second.alive
    assert first.alive
    assert stage.clouds["a"].servers() == len(stage.nodes())


def test_sigterm_ends_a_launcher_at_once_and_leaves_nothing_undone(stage: Stage) -> None:
    """It waits for no boot, and ends with 0; its machines are taken up by the next one."""
    stage.clouds["a"].fault("server.boot", "boot_slow", seconds=10.0)
    first = stage.launcher("alpha")
    launches = booting(stage, 3)
    code = first.stop(_STOPPED_S)
    still = booting(stage, 3)
    stage.launcher("alpha", wait=False)
    found = stage.ready_nodes("small", 3)

    assert code == 0
    assert still.keys() == launches.keys()
    assert found.keys() == launches.keys()
    assert creates(stage) == 3


def test_a_launcher_waits_for_zookeeper_and_survives_its_absence(stage: Stage) -> None:
    """Started before it, and while it is killed and restarted with its data (I7)."""
    stage.server.kill()
    launcher = stage.launcher("alpha", wait=False)
    stage.until(lambda: launcher.events("store.waiting"), "the launcher to say that it waits")
    stage.server.start()
    ready = stage.ready_nodes("small", 3)
    stage.server.kill()
    stage.until(lambda: "suspended" in launcher.text(), "the launcher to notice")
    stage.server.start()
    with (
        connect(stage.server.hosts) as client,
        client.request("small", deadline_s=SERVED_S) as nodes,
    ):
        lent = nodes[0].id
    stage.ready_nodes("small", 3)

    assert lent in ready
    assert launcher.alive
    assert launcher.child.poll() is None


def test_a_lost_session_is_replaced_and_the_work_goes_on(stage: Stage) -> None:
    """Its ephemerals come back under the same names' owners, ready machines are kept."""
    launcher = stage.launcher("alpha")
    ready = stage.ready_nodes("small", 3)
    launcher.freeze()
    stage.until(lambda: not replicas(stage), "the session to be over")
    launcher.thaw()
    stage.until(lambda: len(replicas(stage)) == 1, "the launcher to register again")
    with (
        connect(stage.server.hosts) as client,
        client.request("small", deadline_s=SERVED_S) as nodes,
    ):
        lent = nodes[0].id

    assert lent in ready
    assert len(stage.children(paths.POOL_COMPONENTS)) == 1


def test_stopping_is_quick_even_without_zookeeper(stage: Stage) -> None:
    """A supervisor must never have to use SIGKILL."""
    launcher: Process = stage.launcher("alpha")
    stage.server.kill()
    stage.until(lambda: "suspended" in launcher.text(), "the launcher to notice")
    launcher.signal(signal.SIGTERM)
    code = launcher.child.wait(_STOPPED_S)
    stage.server.start()

    assert code == 0

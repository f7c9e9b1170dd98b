"""What others may write about holds, against real processes: nobody is blinded, nothing dies."""

import json
import uuid
from collections.abc import Iterator

import pytest
from kazoo.client import KazooClient

from remuda.model.autohold import AUTOHOLDS_MAX
from remuda.store import paths
from tests.e2e.test_holds import done, holds, remuda, take
from tests.support.stage import Stage, open_stage

pytestmark = [pytest.mark.e2e, pytest.mark.ssh, pytest.mark.zk]

#: In one request; a transaction of a thousand would be too large.
_BATCH = 100


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """Give a cloud with its launcher, which counts what is kept."""
    with open_stage(tmp_path_factory, "hold-attacks") as made:
        made.cloud("a", system="minimal")
        made.label("job")
        made.provider("alpha", "a", labels={"job": {}})
        made.config["holds"] = {"max-per-owner": 5, "warn-before": "10m"}
        made.launcher("alpha")
        yield made


@pytest.fixture
def stranger(stage: Stage) -> Iterator[KazooClient]:
    """Give somebody who writes to ZooKeeper without us."""
    client = stage.looking(stage.hosts)
    yield client
    client.stop()
    client.close()


def test_limits_are_kept_on_when_their_ledger_is_gone(stage: Stage, stranger: KazooClient) -> None:
    """It is made again, and the hold that met that is granted all the same."""
    node = take(stage)
    ledger = paths.hold_ledger("alpha")
    stranger.set(ledger, b"\xff" * 1000)
    assert "is kept for ci-1" in done(stage, "hold", node, "--reason", "x", "--for", "5m")
    stranger.delete(ledger)
    other = take(stage)
    assert "is kept for ci-1" in done(stage, "hold", other, "--reason", "x", "--for", "5m")
    assert stranger.exists(ledger)
    for one in (node, other):
        done(stage, "release", one)
        stage.until(lambda one=one: holds(stage)[one]["state"] == "hold", "it to be held")
        done(stage, "release", one)


def test_a_machine_in_use_that_somebody_calls_a_hold_that_is_over_lives_on(
    stage: Stage, stranger: KazooClient
) -> None:
    """Its lock is not passed over before people were warned; its user gives it back as ever."""
    node = take(stage)
    path, stem = paths.node(node), f"{uuid.uuid4().hex}__lock__"
    # Another than whoever waits for the end of our job, and lets go when it sees a hold.
    place = f"{paths.node_lock(node)}/{stem}"
    user = stranger.create(place, ephemeral=True, sequence=True)
    forged = {"state": "hold", "hold_job": "eve", "hold_expiration": 1, "state_time": 1.0}
    stage.rewrite(path, lambda doc: {**doc, **forged})
    kept = stage.until(lambda: holds(stage).get(node), "the hold to be on record")
    assert kept["ends_at_s"] > kept["since_at_s"] + 600.0
    stage.until(lambda: holds(stage)[node]["warned_at_s"], "people on it to be warned")
    assert node in stage.nodes("hold")
    assert stranger.exists(user)
    stranger.delete(user)
    done(stage, "release", node, "--force")
    stage.until(lambda: node not in stage.nodes(), "the machine to go")


def test_an_autohold_beyond_a_thousand_waits_for_room_and_then_fires(
    stage: Stage, stranger: KazooClient
) -> None:
    """Whoever made the thousand: the one that is made next comes in when one of them goes."""
    made = json.loads(
        done(stage, "autohold", "add", "--label", "other", "--reason", "x", "--json")
    )["id"]
    record = stranger.get(paths.autohold(made))[0]
    names = [f"{number:04d}" for number in range(AUTOHOLDS_MAX - 1)]
    for start in range(0, len(names), _BATCH):
        batch = stranger.transaction()
        for name in names[start : start + _BATCH]:
            batch.create(paths.autohold(name), record)
        assert all(isinstance(one, str) for one in batch.commit())
    full = remuda(stage, "autohold", "add", "--label", "job", "--reason", "x")
    assert (full.returncode, "launchers look at no more" in full.stderr) == (2, True)
    mine = json.loads(record) | {"label": "job", "for_s": 30.0}
    stranger.create(paths.autohold("a-mine"), json.dumps(mine).encode())
    assert "not yet at a-mine (1)" in done(stage, "autohold", "list")
    stage.until(
        lambda: any("there are too many" in text for _, text in stage.logs()), "a warning of it"
    )

    done(stage, "autohold", "remove", made)

    def fired() -> bool:
        # How soon its launcher has read the one that waited is not for us to see.
        ran = remuda(stage, "run", "job", "--identity", str(stage.key), "--", "false")
        assert ran.returncode == 1
        found = json.loads(stranger.get(paths.autohold("a-mine"))[0])
        return bool(found.get("fired"))

    stage.until(fired, "the autohold to fire")
    assert "not yet at" not in done(stage, "autohold", "list")

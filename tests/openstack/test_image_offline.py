"""Images that are tried offline on a real OpenStack, where each machine has its own network.

A mirror on this host is what a machine can reach of the outside. What becomes of such an image
where no machine can be cut off: ``test_image_ways.py``.
"""

from collections.abc import Iterator
from typing import Final

import pytest

from sandbox.machines.ownnet import end_name, why_no_network
from tests.openstack.imagestages import (
    BUILD_S,
    CHECK,
    TRIALS,
    await_current,
    boots,
    builder,
    current,
    give_back,
    host_network,
    proof,
    recipe,
    server,
    take,
    uploads,
    verdict,
)
from tests.openstack.lab.seed import OWN_GATEWAY, OWN_NETWORK
from tests.openstack.stages import BOOTED_S, LabStage, open_lab_stage
from tests.support.ownnet import CACHE, cached_checks, ends, fetching_check, serve_blob

pytestmark = [
    pytest.mark.openstack,
    pytest.mark.timeout(900),
    pytest.mark.skipif(bool(why_no_network()), reason=why_no_network() or "can be tested"),
]

CACHED: Final = "cached"
FETCHING: Final = "fetching"


@pytest.fixture(scope="module")
def fetch() -> Iterator[str]:
    """Serve what machines fetch; return the command."""
    with serve_blob(OWN_GATEWAY) as command:
        yield command


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory, fetch: str) -> Iterator[LabStage]:
    """Give a project on that network with its launcher and a builder, and two images."""
    with open_lab_stage(tmp_path_factory, "offline") as made:
        made.account("lab")
        made.label("ours", checks=[CHECK])
        boots(made, "alpha", "lab", ("ours",), pool={"networks": [OWN_NETWORK]})
        pool = made.config["providers"]["alpha"]["pools"]["main"]
        pool["labels"]["ours"] = {**pool["labels"]["ours"], "image": {"built": CACHED}}
        cached(made, fetch)
        fetching(made, fetch)
        made.launcher("alpha", wait=False)
        builder(made)
        yield made


def cached(stage: LabStage, fetch: str) -> None:
    """Have an image made that brings what its checks want."""
    step = {"command": f"{fetch} -o {CACHE}", "timeout": 60, "as-root": True}
    checks = cached_checks(fetch)
    recipe(stage, proof(CACHED), step, name=CACHED, offline=True, offline_checks=checks)


def fetching(stage: LabStage, fetch: str) -> None:
    """Have one made that does not."""
    checks = [fetching_check(fetch)]
    recipe(
        stage, proof(FETCHING), name=FETCHING, offline=True, checks=checks, offline_checks=checks
    )


def test_an_image_whose_cache_does_is_current_and_booted(stage: LabStage, fetch: str) -> None:
    """It has passed on a machine that reached nobody; who boots it has a network as ever."""
    before = host_network()
    await_current(stage, 1, "alpha", name=CACHED)
    trial = uploads(stage, 1, CACHED)["native"]["verdicts"]["alpha"]
    log = stage.remuda("image", "log", f"{CACHED}/1", "--provider", "alpha").stdout
    node, said = take(stage, "ours")
    mine = end_name(server(stage, node).id, 0)

    assert trial["verdict"] == "passed"
    assert [one["name"] for one in trial["times"]["offline"]] == ["cache", "no mirror"]
    assert "none can be reached" in log
    shown = stage.remuda("image", "show", f"{CACHED}/1").stdout
    assert "alpha: offline: passed 2 checks in " in shown
    assert said == CACHED
    online = stage.remuda("ssh", node, "--requestor", "ci-1", "--", f"{fetch} | cmp - {CACHE}")
    assert online.returncode == 0, online.stderr
    assert mine in ends()
    give_back(stage, node)
    stage.until(lambda: mine not in ends(), "the machine's interface to go", BOOTED_S)
    assert host_network() == before


def test_one_that_fetches_all_the_same_is_refused(stage: LabStage) -> None:
    """The same check has passed with a network; the sentence says what was missing."""
    stage.until(lambda: verdict(stage, FETCHING) == "failed", "its refusal", TRIALS * BUILD_S)

    found = uploads(stage, 1, FETCHING)["native"]
    why = found["verdicts"]["alpha"]["why"]
    assert found["state"] == "rejected"
    assert why.startswith("offline: fetches: "), why
    assert "curl: (7) " in why
    assert current(stage, "alpha", FETCHING) is None
    log = stage.remuda("image", "log", f"{FETCHING}/1", "--provider", "alpha").stdout
    places = [log.index(f"== {one}") for one in ("candidate", "offline", "network taken away")]
    assert places == sorted(places)
    assert "none can be reached" in log
    assert "recipe to blame" in log

"""What `remuda explain` says of what a machine fetched, and of those like it."""

from dataclasses import replace

import pytest

from remuda.cli.explaining import explain
from remuda.model import launch as launches
from remuda.model.fetched import Fetches
from remuda.model.ids import NodeId
from remuda.model.jobreport import job_report, report_fields
from remuda.model.node import NodeState
from remuda.model.tally import PLAIN, PLAIN_BUILD, BuildTally, Counts, Tally, encode_tally
from remuda.store import paths
from remuda.store.api import Set
from tests.support.commands import CommandHarness
from tests.support.keeping import Granting

MIB = 2**20
COUNTED = BuildTally(
    launches={"small": Counts(ok=2)},
    jobs={"small": Counts(ok=2)},
    fetched_setups={"small": Fetches(2, 20 * MIB)},
    fetched_jobs={"small": Fetches(2, 6 * MIB)},
)


def used(harness: CommandHarness, *, job: int | None = None, **launch: object) -> NodeId:
    """Put a node on record that is in use, with its launch; its job reported so many bytes."""
    report = (
        {}
        if job is None
        else report_fields(job_report(ok=True, why="", at_s=1.0, fetched_bytes=job))
    )
    node = NodeId(harness.launcher.ready_node("small", state=NodeState.IN_USE, **report))
    Granting(harness.launcher).put(node, None)
    path = paths.launch("alpha", node)
    stored = harness.launcher.store.read(path)
    assert stored is not None
    changed = replace(launches.decode(node, stored.value), **launch)  # type: ignore[arg-type]
    put(harness, path, launches.encode(changed))
    return node


def put(harness: CommandHarness, path: str, data: bytes) -> None:
    """Put a record there."""
    harness.launcher.store.ensure(path)
    harness.launcher.store.commit([Set(path=path, data=data, version=-1)])


@pytest.fixture
def harness() -> CommandHarness:
    """A harness whose launcher has counted machines without an image, and those of a build."""
    one = CommandHarness()
    one.launcher.register("small")
    plain = Tally(image=PLAIN, provider="alpha", builds={PLAIN_BUILD: COUNTED})
    put(one, paths.plain_tally("alpha"), encode_tally(plain))
    lean = BuildTally(launches={"small": Counts(ok=1)}, fetched_setups={"small": Fetches(1, 512)})
    built = Tally(image="tools", provider="alpha", builds={42: lean})
    put(one, paths.tally("tools", "alpha"), encode_tally(built))
    return one


def test_what_a_machine_fetched_is_explained(harness: CommandHarness) -> None:
    """Its setup, its job, and what machines without an image do."""
    node = used(harness, job=3 * MIB, setup_fetched=10 * MIB)
    said = harness.call(explain, node).stdout
    assert "its setup fetched 10.0 MiB and its job fetched 3.0 MiB, as it says itself" in said
    assert (
        "on the mean of small without an image of ours a setup fetches 10.0 MiB and a job fetches"
        " 3.0 MiB" in said
    )
    assert harness.json(explain, node)["fetched"] == {
        "setup_bytes": 10 * MIB,
        "job_bytes": 3 * MIB,
        "label": "small",
        "build": None,
        "alike": {
            "setup": {"machines": 2, "mean_bytes": 10 * MIB},
            "job": {"machines": 2, "mean_bytes": 3 * MIB},
        },
    }


def test_machines_of_a_build_are_compared_with_those_of_it(harness: CommandHarness) -> None:
    """Of the job nobody has said anything."""
    said = harness.call(explain, used(harness, image_build="tools/42", image_place="p" * 12)).stdout
    assert "on the mean of small of build tools/42 a setup fetches 512 B" in said
    assert "a job fetches" not in said
    assert "its setup" not in said


def test_what_nobody_knows_is_not_said(harness: CommandHarness) -> None:
    """The launch is gone, or what is counted cannot be read."""
    node = harness.launcher.ready_node("small", state=NodeState.IN_USE)
    assert "fetche" not in harness.call(explain, node).stdout
    assert harness.json(explain, node)["fetched"] is None
    put(harness, paths.tally("tools", "alpha"), b"{")
    put(harness, paths.plain_tally("alpha"), b"{")
    for build in ("tools/42", "nonsense", None):
        node = used(harness, image_build=build)
        assert "fetche" not in harness.call(explain, node).stdout
        assert harness.json(explain, node)["fetched"]["alike"]["job"]["mean_bytes"] is None
    put(harness, paths.launch("alpha", NodeId(node)), b"{")
    assert harness.json(explain, node)["fetched"] is None

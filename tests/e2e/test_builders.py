"""Builders as processes: they begin, share, reload and end; their hands are scripted."""

import json
import signal
import urllib.error
import urllib.request
from collections.abc import Iterator

import pytest

from remuda.model.image import BuildId
from remuda.store import paths
from tests.support.processes import Process
from tests.support.stage import Doc, Stage, open_stage

pytestmark = pytest.mark.e2e


@pytest.fixture
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """Give a ZooKeeper, a cloud that nobody asks, and the words of a launcher that lives."""
    with open_stage(tmp_path_factory, "builders") as stage:
        stage.cloud("a")
        stage.provider("alpha", "a")
        # No launcher is needed to see what a builder does: only that one is there.
        stage.zk.create(f"{paths.replicas('alpha')}/l1", b"{}", ephemeral=True, makepath=True)
        yield stage


def images(stage: Stage, *names: str) -> None:
    """Configure these images, and no others."""
    one = {"base": "debian-12", "flavor": "m1.small"}
    stage.config["images"] = dict.fromkeys(names, one)
    stage.write()


def builder(stage: Stage, number: int = 1) -> Process:
    """Start a builder."""
    process = Process.python(
        f"builder {number}",
        "tests.support.scripted_builder",
        *("--config", str(stage.write()), "--log-format", "json"),
        log=stage.folder / f"builder-{number}.log",
    )
    stage.processes.append(process)
    return process


def build(stage: Stage, image: str, number: int = 1) -> Doc | None:
    """Return a build that somebody has taken, or None."""
    doc = stage.read(paths.build(BuildId(image, number)))
    return doc if doc is not None and doc["state"] == "building" else None


def page(process: Process, name: str) -> Doc | None:
    """Return a page of a builder's status endpoint, or None if it does not answer well yet."""
    urls = [event["url"] for event in process.events("builder.started")]
    if not urls:
        return None
    try:
        with urllib.request.urlopen(f"{urls[-1]}/{name}", timeout=30.0) as reply:  # noqa: S310
            doc: Doc = json.load(reply)
    except (urllib.error.URLError, OSError):
        return None
    return doc


def ended(stage: Stage, process: Process) -> int:
    """Wait until a process has ended, and return its exit code."""
    stage.until(lambda: not process.alive, f"{process.name} to end")
    code = process.child.returncode
    assert code is not None
    return int(code)


def test_a_builder_makes_znodes_begins_a_build_and_ends_at_once(stage: Stage) -> None:
    """The hand waits for a machine when the signal comes; its request goes with the session."""
    images(stage, "base")
    process = builder(stage)

    doc = stage.until(lambda: build(stage, "base"), "a build to be begun")
    assert doc is not None
    assert doc["provider"] == "alpha"
    assert stage.children(paths.BUILDERS) == [doc["owner"]]
    assert stage.children(paths.pointers("base")) == []
    requests = stage.until(lambda: stage.records(paths.REQUESTS), "a request")
    ((name, request),) = requests.items()
    assert name.startswith("900-")
    assert request["node_types"] == ["make/base"]
    assert request["requestor"] == "builder/base"
    assert stage.until(lambda: page(process, "ready"), "the builder to be ready")

    def shown() -> Doc | None:
        return ((page(process, "status") or {}).get("under_way") or {}).get("base/1")

    assert (stage.until(shown, "the build to be shown") or {})["owner"] == doc["owner"]

    process.signal(signal.SIGTERM)
    assert ended(stage, process) == 0
    assert stage.children(paths.BUILDERS) == []
    assert stage.children(paths.REQUESTS) == []


def test_a_reload_begins_what_is_new(stage: Stage) -> None:
    """What runs goes on; a configuration that cannot be used changes nothing."""
    images(stage, "base")
    process = builder(stage)
    first = stage.until(lambda: build(stage, "base"), "a build to be begun")

    stage.write("images: [")
    process.signal(signal.SIGHUP)
    stage.until(lambda: process.events("config.invalid"), "the mistake to be told")
    images(stage, "base", "more")
    process.signal(signal.SIGHUP)
    stage.until(lambda: build(stage, "more"), "the new image to be begun")

    assert build(stage, "base") == first
    process.signal(signal.SIGTERM)
    assert ended(stage, process) == 0


def test_two_builders_share_and_one_takes_over(stage: Stage) -> None:
    """A killed builder's builds are the other's when its session is over."""
    names = [f"image-{number}" for number in range(8)]
    images(stage, *names)
    one, two = builder(stage, 1), builder(stage, 2)
    stage.until(lambda: page(one, "ready") and page(two, "ready"), "both to be ready")
    stage.until(lambda: all(build(stage, name) for name in names), "all images to be begun")
    owners = {name: (build(stage, name) or {})["owner"] for name in names}
    here = {event["replica"] for event in two.events("builder.started")}
    theirs = [name for name, owner in owners.items() if owner not in here]

    one.signal(signal.SIGKILL)
    stage.until(lambda: len(stage.children(paths.BUILDERS)) == 1, "the session to be over")
    for name in theirs:
        taken = stage.until(
            lambda name=name: (doc := build(stage, name)) and doc["owner"] in here and doc,  # type: ignore[misc]
            f"{name} to be taken over",
        )
        assert taken["attempt"] == 1
        assert taken["failure"]["message"] == "its builder died"
    assert all(build(stage, name) for name in set(names) - set(theirs))
    two.signal(signal.SIGTERM)
    assert ended(stage, two) == 0

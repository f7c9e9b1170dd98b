"""A job's machine becomes an image that later jobs boot: everything real, from its command on."""

import json
import signal
import subprocess
import sys
from collections.abc import Iterator

import pytest

from remuda.model.image import BuildId
from remuda.store import paths
from tests.e2e.test_images import builder
from tests.support.stage import Doc, Stage, open_stage

pytestmark = [pytest.mark.e2e, pytest.mark.ssh, pytest.mark.zk]

#: A snapshot, and a machine that proves it.
CAPTURE_S = 240.0
IMAGE = "oneiric"
LABELS = ("job", "vault", "ours")


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """Give a cloud with its launcher and a builder, and a label that boots what is captured."""
    with open_stage(tmp_path_factory, "capture") as made:
        # Machines with all of this host's files would be searched for minutes.
        made.cloud("a", system="minimal")
        made.label("job")
        made.label("vault", secret=True)
        made.label("ours", checks=[{"name": "left", "script": {"inline": "test -s /srv/left\n"}}])
        made.provider(
            "alpha", "a", labels={"job": {}, "vault": {}, "ours": {"image": {"built": IMAGE}}}
        )
        rule = {"labels": ["[jvo].*"], "requestors": ["ci-.*"]}
        made.config["images"] = {IMAGE: {"capture": rule, "flavor": "m1.small"}}
        made.launcher("alpha")
        builder(made)
        yield made


def remuda(stage: Stage, *words: str, me: str = "ci-1") -> subprocess.CompletedProcess[str]:
    """Run a command as a job would."""
    group = 2 if words[0] == "image" else 1
    zookeeper = ["--zookeeper", ",".join(stage.hosts)]
    return subprocess.run(
        [sys.executable, "-m", "remuda", *words[:group], *zookeeper, *words[group:]],
        capture_output=True,
        text=True,
        timeout=CAPTURE_S + 60.0,
        check=False,
        env={"REMUDA_REQUESTOR": me, "PATH": "/usr/bin:/bin:/usr/sbin:/sbin"},
    )


def take(stage: Stage, label: str = "job", me: str = "ci-1") -> str:
    """Take a machine, as a job does that goes on elsewhere; return its node."""
    taken = remuda(stage, "request", label, "--wait", "--detach", "--keep", "20m", me=me)
    assert taken.returncode == 0, taken.stderr
    return taken.stdout.split()[0]


def on(stage: Stage, node: str, script: str) -> None:
    """Run a script on a machine."""
    done = remuda(stage, "ssh", node, "--identity", str(stage.key), "--", script)
    assert done.returncode == 0, done.stderr


def capture(stage: Stage, node: str, *more: str, me: str = "ci-1") -> tuple[int, str]:
    """Ask for an image; return the exit code and what was said."""
    ran = remuda(stage, "image", "capture", node, "--as", IMAGE, *more, me=me)
    return ran.returncode, ran.stdout + ran.stderr


def launch(stage: Stage, node: str) -> Doc:
    """Return the launch of a node."""
    found = stage.read(f"{paths.launches('alpha')}/{node}")
    assert found is not None
    return found


def the_build(stage: Stage, number: int) -> Doc:
    """Return a build."""
    found = stage.read(paths.build(BuildId(IMAGE, number)))
    assert found is not None
    return found


def test_what_may_not_be_captured_is_refused_by_its_rule(stage: Stage) -> None:
    """Somebody else's node, a secret label, a name that nobody gave, attached volumes."""
    node = take(stage)
    code, said = capture(stage, node, me="ci-2")
    assert (code, "is of ci-1, not of ci-2" in said) == (2, True), said
    ran = remuda(stage, "image", "capture", node, "--as", "other")
    assert (ran.returncode, "there is no image 'other'" in ran.stderr) == (2, True), ran.stderr

    stage.clouds["a"].attach(launch(stage, node)["server"], "b6ce3b0e-0000-4000-8000-000000000001")
    # Found by the launcher, if a listing has shown them by now, else by the builder.
    code, said = capture(stage, node)
    assert (code, "volumes attached" in said) in {(2, True), (4, True)}, said

    vault = take(stage, "vault")
    code, said = capture(stage, vault)
    assert (code, "label vault: its jobs work with secrets" in said) == (2, True), said
    stranger = take(stage, me="ada@host")
    code, said = capture(stage, stranger, me="ada@host")
    assert (code, "ada@host is none of those who may" in said) == (2, True), said
    assert remuda(stage, "release", node, vault).returncode == 0
    assert remuda(stage, "release", stranger, me="ada@host").returncode == 0


def test_what_a_job_leaves_is_what_later_jobs_find(stage: Stage) -> None:
    """A file that it wrote; nothing of its machine's identity or of whom it let in."""
    node = take(stage)
    on(stage, node, "sudo sh -c 'echo from the job >/srv/left'")
    code, said = capture(stage, node, "--wait", "--json")
    assert code == 0, said
    events = [json.loads(line) for line in said.splitlines()]
    assert "capture kept" in [one["event"] for one in events]
    assert events[-1]["event"] == "current", events

    # The node is the job's until it gives it back.
    assert stage.nodes("in-use", "job")[node]
    number = int(events[-1]["build"].rpartition("/")[2])
    found = the_build(stage, number)
    assert found["why"] == "capture"
    assert found["captured"]["node"] == node
    assert found["captured"]["requestor"] == "ci-1"
    shown = remuda(stage, "image", "show", f"{IMAGE}/{number}")
    assert f"node {node} (job in alpha), held by ci-1" in shown.stdout
    assert remuda(stage, "release", node).returncode == 0
    stage.until(lambda: node not in stage.nodes(), "the node to be deleted")

    again = take(stage, "ours")
    on(stage, again, "grep -q 'from the job' /srv/left")
    on(stage, again, "test $(grep -c . ~/.ssh/authorized_keys) = 1")
    assert remuda(stage, "release", again).returncode == 0


def test_a_machine_of_a_captured_build_hands_its_parent_on(stage: Stage) -> None:
    """So that what was wrong with that one is revoked with it; and both are asked for at once."""
    first, second = take(stage, "ours"), take(stage, "ours")
    above = len(stage.children(paths.builds(IMAGE)))
    for node in (first, second):
        assert capture(stage, node, "--no-wait")[0] == 0

    def both() -> list[Doc] | None:
        numbers = range(above + 1, above + 3)
        found = [stage.read(paths.build(BuildId(IMAGE, number))) for number in numbers]
        return [one for one in found if one and one["state"] == "built"] if all(found) else None

    stage.until(lambda: len(both() or ()) == 2, "both snapshots", CAPTURE_S)
    builds = both() or []
    assert [one["captured"]["node"] for one in builds] == [first, second]
    booted = [launch(stage, node)["image_build"] for node in (first, second)]
    assert [one["parent"] for one in builds] == booted
    assert all(one.startswith(f"{IMAGE}/") for one in booted)

    def newest() -> bool:
        pointer = stage.read(paths.pointer(IMAGE, "alpha"))
        return pointer is not None and pointer["current"] == above + 2

    stage.until(newest, "the later one to be current", CAPTURE_S)
    assert remuda(stage, "release", first, second).returncode == 0


def locked(stage: Stage, node: str) -> None:
    """Let a package tool be at work: it is waited for before anything is done to a machine."""
    hold = "flock /var/lib/dpkg/lock-frontend sleep 600 >/dev/null 2>&1 </dev/null &"
    on(stage, node, f"sudo sh -c '{hold}'")


def let_in(stage: Stage, node: str) -> int:
    """Wait until a builder is on the machine; return the number of its build."""

    def begun() -> int | None:
        build = launch(stage, node).get("capture", {}).get("build")
        guest = launch(stage, node).get("guest")
        return int(build.rpartition("/")[2]) if build and guest else None

    return stage.until(begun, "the builder to be let in", CAPTURE_S) or 0


def test_a_job_that_gives_its_node_back_ends_its_capture(stage: Stage) -> None:
    """With a sentence; the node goes as always."""
    node = take(stage)
    locked(stage, node)
    assert capture(stage, node, "--no-wait")[0] == 0
    number = let_in(stage, node)
    assert remuda(stage, "release", node).returncode == 0
    stage.until(lambda: node not in stage.nodes(), "the node to be deleted", CAPTURE_S)
    stage.until(lambda: the_build(stage, number)["state"] == "failed", "it to fail", CAPTURE_S)
    failure = the_build(stage, number)["failure"]
    assert failure["blame"] == "job", failure
    assert f"node {node}" in failure["message"]


def test_a_job_that_has_locked_the_launcher_out_is_told_so(stage: Stage) -> None:
    """It is its machine."""
    node = take(stage)
    on(stage, node, ": >~/.ssh/authorized_keys")
    code, said = capture(stage, node)
    assert (code, "the launcher is not let into the machine" in said) == (4, True), said
    assert remuda(stage, "release", node).returncode == 0


def test_a_killed_builder_is_followed_by_another(stage: Stage) -> None:
    """The machine is there still, and not quieted: its capture begins anew."""
    node = take(stage)
    on(stage, node, "sudo sh -c 'echo again >/srv/left'")
    (dying,) = [one for one in stage.processes if one.name.startswith("builder")]
    locked(stage, node)
    assert capture(stage, node, "--no-wait")[0] == 0
    number = let_in(stage, node)
    dying.signal(signal.SIGKILL)
    builder(stage)
    stage.until(lambda: the_build(stage, number)["attempt"] == 1, "it to begin anew", CAPTURE_S)
    on(stage, node, "sudo pkill -x sleep")
    stage.until(lambda: the_build(stage, number)["state"] == "built", "its snapshot", CAPTURE_S)
    assert remuda(stage, "release", node).returncode == 0

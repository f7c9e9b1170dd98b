"""An image whose file a command writes: real commands, a builder, launchers and clouds."""

import json
import signal
from collections.abc import Iterator

import pytest

from remuda.model.image import BuildId
from remuda.store import paths
from tests.e2e.test_images import BUILD_S, build, builder, pointer, remuda
from tests.support.processes import is_over
from tests.support.stage import Doc, Stage, open_stage

pytestmark = pytest.mark.e2e

TOKEN = "a-token-that-nobody-shall-see"
#: What the sandbox boots is a tar, which is raw data to everybody else.
GOOD = """\
#!/bin/sh -e
echo "token $TOKEN"
mkdir -p tree/srv
cp "$1" tree/srv/proof
tar --numeric-owner --owner=0 --group=0 -C tree -cf "$REMUDA_OUTPUT" .
"""


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """Give two clouds with their launchers, a label that boots the image, and a builder."""
    with open_stage(tmp_path_factory, "files") as stage:
        proof = {"name": "proof", "script": {"inline": "#!/bin/sh\ntest -s /srv/proof\n"}}
        stage.label("ours", min_ready=1, checks=[proof])
        for cloud, provider in (("a", "alpha"), ("b", "beta")):
            stage.cloud(cloud, system="minimal")
            stage.provider(provider, cloud, labels={"ours": {"image": {"built": "base"}}})
        (stage.folder / "token").write_text(TOKEN)
        (stage.folder / "token").chmod(0o600)
        (stage.folder / "proof").write_text("proof\n")
        arguments = [str(stage.folder / "proof")]
        command(stage, script={"inline": GOOD, "arguments": arguments}, secrets=["TOKEN"])
        for provider in ("alpha", "beta"):
            stage.launcher(provider)
        builder(stage)
        yield stage


def command(stage: Stage, **how: object) -> None:
    """Have the image made by a command; who runs reads that by itself."""
    reads = [{"path": str(stage.folder / "proof")}]
    one = {
        "command": {"disk-format": "raw", "max-size": "64MiB", "reads": reads, **how},
        "flavor": "m1.small",
        "secrets": {"TOKEN": {"file": str(stage.folder / "token")}} if "secrets" in how else {},
    }
    stage.config["images"] = {"base": one}
    stage.write()


def test_a_file_is_brought_to_each_cloud_proven_and_booted(stage: Stage) -> None:
    """From an empty ZooKeeper; nobody but the recipe says anything."""
    for provider in ("alpha", "beta"):
        path = paths.pointer("base", provider)
        stage.until(lambda path=path: stage.read(path), f"{provider} to boot it", 2 * BUILD_S)  # type: ignore[misc]

    made = build(stage, 1, "built")
    assert made is not None
    uploads = stage.records(paths.uploads(BuildId("base", 1)))
    assert {one["state"] for one in uploads.values()} == {"usable"}
    assert sorted(one["method"] for one in uploads.values()) == ["carry", "native"]
    assert {one["sha256"] for one in uploads.values()} == {made["file"]["sha256"]}
    # The label's check looks for what the command has packed. Two launchers that can boot it at
    # the same moment may both make the one machine; nobody throws a checked one away for that.
    stage.until(lambda: stage.free("ours"), "a free node of ours", BUILD_S)


def test_its_record_and_its_log_say_what_it_is(stage: Stage) -> None:
    """And that it is still that; what was secret is masked."""
    shown = json.loads(remuda(stage, "image", "show", "base/1", "--json"))
    assert shown["file"]["disk_format"] == "raw"
    assert shown["file"]["sha256"] in remuda(stage, "image", "show", "base/1")
    told = remuda(stage, "image", "log", "base/1")
    assert "== command" in told
    assert TOKEN not in told
    stated = json.loads(remuda(stage, "image", "provenance", "base/1", "--json"))
    (subject,) = stated["subject"]
    assert subject["digest"]["sha256"] == shown["file"]["sha256"]
    trial = remuda(stage, "image", "log", "base/1", "--provider", "beta")
    assert "first machine" in trial


def test_another_content_of_what_it_reads_is_another_build(stage: Stage) -> None:
    """Without a moment in which nothing could be booted."""
    (stage.folder / "proof").write_text("another proof\n")
    stage.until(lambda: pointer(stage, 2), "the second build to become current", 2 * BUILD_S)


def test_what_is_no_disk_is_never_sent(stage: Stage) -> None:
    """The record says why, and what is booted stays."""
    command(stage, run='echo "no disk" >"$REMUDA_OUTPUT"', **{"disk-format": "qcow2"})
    found = stage.until(lambda: build(stage, 3, "failed"), "the build to fail", BUILD_S)
    assert found is not None
    assert found["failure"]["blame"] == "recipe"
    assert "it is declared to be qcow2, and is not" in remuda(stage, "image", "show", "base/3")
    assert pointer(stage, 2)


def _begun(stage: Stage, number: int, attempt: int) -> int | None:
    """Return the process of a command that waits, once it is there."""
    found = build(stage, number, "building")
    mark = stage.folder / "pid"
    if found is None or found.get("attempt", 0) != attempt or not mark.exists():
        return None
    text = mark.read_text().strip()
    return int(text) if text else None


def test_a_killed_builder_leaves_no_command_behind(stage: Stage) -> None:
    """The next one of this host ends it, and begins the build anew; so does a stop."""
    mark = stage.folder / "pid"
    command(stage, run=f"setsid sh -c 'echo $$ >{mark}.new; mv {mark}.new {mark}; sleep 600'")
    first = stage.until(lambda: _begun(stage, 4, 0), "the command to run", BUILD_S)
    assert first is not None
    (dying,) = [one for one in stage.processes if one.name.startswith("builder")]
    mark.unlink()
    dying.signal(signal.SIGKILL)
    stage.until(lambda: not dying.alive, "the builder to die")
    following = builder(stage)

    def again() -> Doc | None:
        found = build(stage, 4, "building")
        return found if found is not None and found["attempt"] == 1 else None

    found = stage.until(again, "the build to be begun anew", BUILD_S)
    assert found is not None
    assert found["failure"]["blame"] == "builder"
    assert is_over(first)
    second = stage.until(lambda: _begun(stage, 4, 1), "the command to run again", BUILD_S)
    assert second is not None

    following.signal(signal.SIGTERM)
    stage.until(lambda: not following.alive, "the builder to end", BUILD_S)
    assert following.child.returncode == 0
    assert is_over(second)
    assert not list(stage.folder.glob("remuda-builder-*/commands/*"))

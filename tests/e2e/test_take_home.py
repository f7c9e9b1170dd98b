"""A failed machine is taken home: an image that another project boots, and its quota is free."""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager

import pytest

from remuda.cloud.api import GoneError, ServerStatus
from remuda.cloud.image_store import StoredImage
from remuda.cloud.openstack import OpenStackCloud
from remuda.model import tags
from remuda.store import paths
from tests.e2e.test_images import builder
from tests.support.accounts import account, boots_in
from tests.support.stage import Doc, Stage, open_stage

pytestmark = [pytest.mark.e2e, pytest.mark.ssh, pytest.mark.zk]

#: A snapshot, or a machine that boots from one.
IMAGE_S = 240.0
EVIDENCE = "of the failure"
PLANTED = "never-in-any-image-7f3c"


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """Give a cloud with two projects, a launcher and a builder in one of them."""
    users = [{"name": "ci", "projects": ["ci"]}, {"name": "dev", "projects": ["devs"]}]
    with open_stage(tmp_path_factory, "take-home") as made:
        made.cloud("a", system="minimal", users=users)
        made.label("vault", secret=True)
        made.provider("alpha", "a", labels={"job": {}, "vault": {}})
        secret = made.folder / "planted"
        secret.write_text(PLANTED)
        secret.chmod(0o600)
        made.config["holds"] = {
            "snapshots": {"max-age": "20d", "secrets": {"PLANTED": {"file": str(secret)}}}
        }
        made.launcher("alpha")
        builder(made)
        yield made


def remuda(stage: Stage, *words: str, me: str = "ada") -> subprocess.CompletedProcess[str]:
    """Run a command as a developer would."""
    return subprocess.run(
        [
            *(sys.executable, "-m", "remuda", words[0]),
            *("--zookeeper", ",".join(stage.hosts)),
            *words[1:],
        ],
        capture_output=True,
        text=True,
        timeout=IMAGE_S + 60.0,
        check=False,
        env={"REMUDA_REQUESTOR": me, "PATH": "/usr/bin:/bin:/usr/sbin:/sbin"},
    )


def failed(stage: Stage, label: str, script: str) -> str:
    """Let a job fail that leaves something on its machine; return the node that is held."""
    before = set(stage.nodes("hold"))
    words = ("--hold-on-failure=1h", "--identity", str(stage.key), "--", "sh", "-c")
    ran = remuda(stage, "run", label, *words, f"{script}; exit 3")
    assert ran.returncode == 3, ran.stderr
    (node,) = set(stage.nodes("hold")) - before
    return node


def own_key(stage: Stage, node: str, but: str | None = None) -> str:
    """Wait for a host key that a machine has made itself, and that is not *but*; return it."""

    def made() -> str | None:
        launch = stage.read(f"{paths.launches('alpha')}/{node}") or {}
        change = (launch.get("hold") or {}).get("host_key") or {}
        key: str | None = change.get("key") if change.get("step") == "changed" else None
        return None if key == but else key

    return stage.until(made, "a host key that is in no user data", IMAGE_S) or ""


def on(stage: Stage, node: str, script: str) -> None:
    """Run a script on a machine."""
    done = remuda(stage, "ssh", node, "--identity", str(stage.key), "--", script)
    assert done.returncode == 0, done.stderr


def cloud_of(stage: Stage, user: str) -> AbstractContextManager[OpenStackCloud]:
    """Give the cloud as one of its users sees it; empty: as the installation does."""
    return account(stage.folder / "clouds.yaml", f"cloud-a{user}")


def project(stage: Stage, user: str) -> str:
    """Return the id of a user's project."""
    with cloud_of(stage, user) as cloud:
        return cloud.image_store().project()


def image_of(stage: Stage, image: str) -> StoredImage | None:
    """Return an image as its owner sees it; None: it is gone."""
    with cloud_of(stage, "") as cloud:
        try:
            return cloud.image_store().get_image(image)
        except GoneError:
            return None


def taken(stage: Stage, node: str) -> Doc | None:
    """Return the record of a take-home image."""
    return stage.read(f"{paths.TAKE_HOME}/{node}")


def test_a_failed_machine_boots_in_another_project(stage: Stage) -> None:
    """Shared, named, with its evidence and without our keys; quota is free; opened; given back."""
    node = failed(stage, "job", f"echo {EVIDENCE} | sudo tee /var/log/job.log /tmp/core.1")
    devs = project(stage, "-dev")
    capsule = str(stage.folder / "failed.tar.gz")
    known = remuda(stage, "capsule", node, "--out", capsule)
    assert known.returncode == 0, known.stderr
    alive = remuda(stage, "open", capsule)
    assert (alive.returncode, f"node {node} is held still" in alive.stderr) == (2, True), alive
    ran = remuda(stage, "hold", node, "--snapshot", "--share-with", devs, "--for", "14d", "--json")
    assert ran.returncode == 0, ran.stderr
    answer = json.loads(ran.stdout)
    image = answer["image"]
    assert (answer["cloud"], answer["flavor"], answer["login"]) == ("cloud-a", "m1.small", "root")
    assert answer["shared"] is True
    assert answer["trouble"] is None
    assert any(f"server create --image {image} --flavor m1.small" in s for s in answer["commands"])
    stage.until(lambda: node not in stage.nodes(), "the machine to go", IMAGE_S)
    stage.until(lambda: stage.clouds["a"].servers() == 0, "its server to be gone", IMAGE_S)

    with cloud_of(stage, "-dev") as cloud:
        server = boots_in(cloud, image)
        stage.until(
            lambda: cloud.get_server(server).status is ServerStatus.ACTIVE, "it to boot", IMAGE_S
        )
        cloud.delete_server(server)

    more = remuda(stage, "extend", node, "--for", "2d", "--json")
    assert more.returncode == 0, more.stderr
    ends_s = json.loads(more.stdout)["ends_at_s"]
    assert ends_s == pytest.approx(answer["ends_at_s"] + 2 * 86_400.0)
    seen = image_of(stage, image)
    assert seen is not None
    assert seen.properties[tags.ENDS] == str(round(ends_s))
    longer = remuda(stage, "extend", node, "--for", "9d")
    assert (longer.returncode, "is kept for 20d at most" in longer.stderr) == (2, True)

    opened = remuda(stage, "open", capsule, "--for", "1h", "--json")
    assert opened.returncode == 0, opened.stderr
    again = json.loads(opened.stdout)["node"]
    assert stage.nodes("hold")[again]["hold_job"] == "ada"
    on(stage, again, f"grep -q '{EVIDENCE}' /var/log/job.log")
    on(stage, again, "test $(grep -c . ~/.ssh/authorized_keys) = 1")
    assert remuda(stage, "release", again).returncode == 0

    stranger = remuda(stage, "release", node, me="eve")
    assert (stranger.returncode, "is of ada, not eve" in stranger.stderr) == (2, True), stranger
    released = remuda(stage, "release", node)
    assert (released.returncode, image in released.stdout) == (0, True), released.stderr
    stage.until(lambda: taken(stage, node) is None, "its record to go", IMAGE_S)
    assert image_of(stage, image) is None
    gone = remuda(stage, "open", capsule)
    assert (gone.returncode, "no image was kept" in gone.stderr) == (2, True), gone.stderr


def test_what_may_not_be_taken_home_is_refused_with_one_sentence(stage: Stage) -> None:
    """A secret label, a project that is none, too long, public; the hold stays as it is."""
    vault = failed(stage, "vault", "true")
    refusals = {
        (vault, "--for", "1d"): "no image is made of label vault: its jobs work with secrets",
        (vault, "--for", "21d"): "no image is made of label vault",
    }
    node = failed(stage, "job", f"echo {PLANTED} >/var/tmp/left")
    refusals |= {
        (node, "--share-with", "devs"): "a project is named by its id",
        (node, "--for", "21d"): "is kept for 20d at most, not for 21d",
        (node, "--public"): "no image may be made public",
    }
    for words, why in refusals.items():
        ran = remuda(stage, "hold", words[0], "--snapshot", *words[1:])
        assert (ran.returncode, why in ran.stderr) == (2, True), ran.stderr
        assert ran.stderr.count("\n") == 1, ran.stderr

    ran = remuda(stage, "hold", node, "--snapshot")
    assert (ran.returncode, "secret in /var/tmp/left" in ran.stderr) == (1, True), ran.stderr
    assert "the hold is as it was" in ran.stderr
    on(stage, node, "rm /var/tmp/left")
    assert PLANTED not in ran.stdout + ran.stderr
    assert {node, vault} <= set(stage.nodes("hold"))
    assert PLANTED not in json.dumps(taken(stage, node))
    assert remuda(stage, "release", node, vault).returncode == 0


def test_a_snapshot_that_the_cloud_refuses_leaves_the_hold(stage: Stage) -> None:
    """Its machine runs again, and lets its people in; an image may be asked for once more."""
    node = failed(stage, "job", "true")
    first = own_key(stage, node)
    stage.clouds["a"].fault("server.snapshot", "snapshot_error", count=1)
    ran = remuda(stage, "hold", node, "--snapshot")
    assert ran.returncode == 1, ran.stderr
    assert f"node {node} is not taken home" in ran.stderr
    assert node in stage.nodes("hold")
    assert "the hold is as it was" in ran.stderr
    on(stage, node, "true")  # whichever of both host keys it shows
    assert own_key(stage, node, but=first)
    on(stage, node, "true")
    stage.clouds["a"].heal()
    again = remuda(stage, "hold", node, "--snapshot", "--json")
    assert again.returncode == 0, again.stderr
    image = json.loads(again.stdout)["image"]
    assert remuda(stage, "release", node).returncode == 0
    stage.until(lambda: taken(stage, node) is None, "its record to go", IMAGE_S)
    assert image_of(stage, image) is None

"""A developer's way onto a held machine: keys, certificates, and off again; everything real."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from remuda.store import paths
from tests.support.stage import Stage, open_stage

pytestmark = [pytest.mark.e2e, pytest.mark.ssh, pytest.mark.zk]

COMMAND_S = 90.0
#: The exit code of ssh that is not let in.
SHUT = 255


def make_key(file: Path) -> Path:
    """Make a key pair."""
    words = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "ada@host", "-f", str(file)]
    subprocess.run(words, check=True, timeout=COMMAND_S)
    return file


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """Give a cloud with its launcher, an authority, and a developer in the configuration."""
    with open_stage(tmp_path_factory, "keys") as made:
        made.cloud("a", system="minimal")
        made.provider("alpha", "a", labels={"job": {"username": "debian"}})
        authority = make_key(made.folder / "ca")
        public = make_key(made.folder / "bob").with_suffix(".pub")
        made.config["developers"] = {"bob": {"file": str(public)}}
        made.config["holds"] = {"certificates": {"ca-key-file": str(authority)}}
        made.launcher("alpha")
        yield made


def remuda(stage: Stage, *words: str, me: str = "ada") -> subprocess.CompletedProcess[str]:
    """Run a command as a developer would, who has no key of his own and no agent."""
    group = 2 if words[0] == "key" else 1
    zookeeper = ["--zookeeper", ",".join(stage.hosts)]
    return subprocess.run(
        [sys.executable, "-m", "remuda", *words[:group], *zookeeper, *words[group:]],
        capture_output=True,
        text=True,
        timeout=COMMAND_S,
        check=False,
        env={
            "REMUDA_REQUESTOR": me,
            "HOME": str(stage.folder),
            "PATH": "/usr/bin:/bin:/usr/sbin:/sbin",
        },
    )


def on(stage: Stage, node: str, identity: Path | None, script: str) -> tuple[int, str]:
    """Run a script on a machine."""
    with_key = () if identity is None else ("--identity", str(identity))
    ran = remuda(stage, "ssh", node, *with_key, "--", script)
    return ran.returncode, ran.stdout + ran.stderr


def test_a_developer_gets_a_shell_and_loses_it_again(stage: Stage) -> None:
    """With a key, with a certificate, on another account; what is refused changes nothing."""
    taken = remuda(stage, "request", "job", "--wait", "--detach", "--keep", "20m")
    assert taken.returncode == 0, taken.stderr
    node = taken.stdout.split()[0]
    own = make_key(stage.folder / "ada")

    early = remuda(stage, "key", "add", node, "--key", f"{own}.pub")
    assert (early.returncode, "that are held" in early.stderr) == (2, True), early.stderr
    kept = remuda(stage, "hold", node, "--reason", "unit tests hang", "--for", "1h")
    assert kept.returncode == 0, kept.stderr
    assert remuda(stage, "release", node, "--failed", "unit tests").returncode == 0
    stage.until(lambda: node in stage.nodes("hold"), "the node to be held")

    # A key of her own, on the account of the label.
    assert on(stage, node, own, "true")[0] == SHUT
    added = remuda(stage, "key", "add", node, "--key", f"{own}.pub", "--json")
    assert added.returncode == 0, added.stderr
    (said,) = json.loads(added.stdout)
    assert (said["account"], said["name"]) == ("debian", "ada@host")
    assert on(stage, node, own, "id -un") == (0, "debian\n")
    listed = remuda(stage, "key", "list", node)
    assert f"{said['fingerprint']} (ada@host) opens debian" in listed.stdout

    # Another's, by name, on another account; and accounts and names that there are not.
    root = remuda(stage, "key", "add", node, "--developer", "bob", "--account", "root")
    assert root.returncode == 0, root.stderr
    grep = "sudo grep -c ' remuda-key-' /root/.ssh/authorized_keys"
    assert on(stage, node, own, grep) == (0, "1\n")
    for words, why in (
        (("--developer", "eve"), "has no such name in developers"),
        (("--developer", "bob", "--account", "nobody-here"), "no account nobody-here"),
        (("--key", str(own)), "holds a private key"),
    ):
        refused = remuda(stage, "key", "add", node, *words)
        assert (refused.returncode, why in refused.stderr) == (2, True), refused.stderr

    # Without any key: a certificate, for this machine, which leaves nothing of itself there.
    code, answer = on(stage, node, None, "id -un")
    assert (code, answer) == (0, "debian\n")

    def kept() -> bool:
        launch = stage.read(f"{paths.launches('alpha')}/{node}")
        assert launch is not None
        assert "PRIVATE" not in json.dumps(launch)
        keys = launch["hold"]["keys"]
        return [one["name"] for one in keys if not one.get("refused")] == ["ada@host", "bob"]

    stage.until(kept, "the wish for the certificate to be taken back")

    # And off again.
    gone = remuda(stage, "key", "remove", node, said["fingerprint"])
    assert gone.returncode == 0, gone.stderr
    assert on(stage, node, own, "true")[0] == SHUT
    assert on(stage, node, None, "grep -c ' remuda-key-' .ssh/authorized_keys || true")[0] == 0
    assert remuda(stage, "release", node).returncode == 0
    stage.until(lambda: node not in stage.nodes(), "the node to be deleted")

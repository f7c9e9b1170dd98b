"""Plain machines: an ordinary sshd per server, without any privilege."""

from __future__ import annotations

import base64
import getpass
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest

from tests.sandbox.running import Sandbox, running, why_no_sshd
from tests.support.deadline import wait_for

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.skipif(bool(why_no_sshd()), reason=why_no_sshd() or "can be tested"),
]
_SOON_S: Final = 60.0
#: A high port needs no privilege.
_CONFIG: Final = {"machines": "plain", "ssh_port": 2299}


@pytest.fixture
def key(tmp_path: Path) -> Path:
    """A private key; its public half is beside it."""
    path = tmp_path / "id"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(path)], check=True)
    return path


@pytest.fixture
def sandbox(tmp_path: Path) -> Iterator[Sandbox]:
    """A sandbox of plain machines."""
    with running(tmp_path / "s", _CONFIG) as process:
        yield process


def active(sandbox: Sandbox, key: Path, user_data: str = "", image: str = "debian-12") -> Any:
    """Boot a machine with *key*."""
    cloud = sandbox.connect()
    if cloud.compute.find_keypair("k") is None:
        public = key.with_suffix(".pub").read_text()
        cloud.compute.create_keypair(name="k", public_key=public)
    server = cloud.compute.create_server(
        name="plain", networks="auto", key_name="k",
        image_id=cloud.image.find_image(image).id,
        flavor_id=cloud.compute.find_flavor("m1.tiny").id,
        user_data=base64.b64encode(user_data.encode()).decode(),
    )  # fmt: skip
    return cloud.compute.wait_for_server(server, interval=0.05, wait=_SOON_S)


def ssh(server: Any, key: Path, command: str) -> str:
    """Run a command on the machine, as soon as it listens."""
    address = server.addresses["public"][0]["addr"]
    words = [
        "ssh", "-q", "-p", "2299", "-i", str(key), "-o", "BatchMode=yes",
        "-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null",
        f"{getpass.getuser()}@{address}", command,
    ]  # fmt: skip

    def done() -> subprocess.CompletedProcess[str] | None:
        result = subprocess.run(words, capture_output=True, text=True, check=False, timeout=_SOON_S)
        return result if result.returncode == 0 else None

    return str(wait_for(done, _SOON_S, f"ssh to {address}").stdout.strip())  # type: ignore[union-attr]


def processes(mark: str) -> list[str]:
    """Return the processes with *mark* in their command line."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = path.read_bytes().split(b"\0")
        except OSError:
            continue
        if mark.encode() in words:
            found.append(path.parent.name)
    return found


def test_machine_has_its_own_home(sandbox: Sandbox, key: Path) -> None:
    """Files are written below it, scripts run in it, a snapshot carries it on."""
    server = active(
        sandbox,
        key,
        "#cloud-config\nwrite_files: [{path: /etc/f, content: hello}]\nruncmd: [touch ran]\n",
    )

    assert ssh(server, key, "pwd").endswith("/home")
    assert ssh(server, key, "cat etc/f") == "hello"
    wait_for(lambda: ssh(server, key, "ls ran || true") == "ran", _SOON_S, "user data to run")
    assert ssh(server, key, "echo $TMPDIR").rpartition("/")[2] == "tmp"
    ssh(server, key, "touch made")
    sandbox.connect().create_image_snapshot("snap", server, wait=True, timeout=_SOON_S)
    assert "made" in ssh(active(sandbox, key, image="snap"), key, "ls")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_nothing_is_left_behind(tmp_path: Path, key: Path, number: signal.Signals) -> None:
    """Daemons a session started end with the machine, and its folder goes too."""
    mark = f"86397.{int(number)}"
    with running(tmp_path / "s", _CONFIG) as sandbox:
        server = active(sandbox, key)
        ssh(server, key, f"setsid nohup sleep {mark} >/dev/null 2>&1 </dev/null & echo")
        wait_for(lambda: processes(mark), _SOON_S, "the daemon to run")

        sandbox.stop(number)

    wait_for(lambda: not processes(mark), _SOON_S, "the machine to be gone")
    wait_for(lambda: not sandbox.leftovers(), _SOON_S, "its folder to go")


def test_delete_ends_everything_of_the_machine(sandbox: Sandbox, key: Path) -> None:
    """Also what put itself into a session of its own."""
    server, mark = active(sandbox, key), "86396.5"
    ssh(server, key, f"setsid nohup sleep {mark} >/dev/null 2>&1 </dev/null & echo")
    wait_for(lambda: processes(mark), _SOON_S, "the daemon to run")

    cloud = sandbox.connect()
    cloud.compute.delete_server(server)
    cloud.compute.wait_for_delete(server, interval=0.05, wait=_SOON_S)

    assert processes(mark) == []

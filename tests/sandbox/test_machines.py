"""Real machines: log in, snapshot, misbehave, and leave nothing behind."""

from __future__ import annotations

import base64
import io
import os
import signal
import socket
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import paramiko
import pytest
from openstack.connection import Connection

from tests.sandbox.running import Sandbox, running, why_no_machines
from tests.support.deadline import wait_for

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.ssh,
    pytest.mark.skipif(bool(why_no_machines()), reason=why_no_machines() or "can be tested"),
]
_SOON_S: Final = 60.0


class Key:
    """A key pair made by ssh-keygen."""

    def __init__(self, path: Path) -> None:
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(path)], check=True)
        self.private = path.read_text()
        self.public = path.with_suffix(".pub").read_text().strip()

    @property
    def blob(self) -> str:
        """The public key as paramiko shows it."""
        return self.public.split()[1]


@pytest.fixture(scope="module")
def key(tmp_path_factory: pytest.TempPathFactory) -> Key:
    """The key of all logins."""
    return Key(tmp_path_factory.mktemp("key") / "id")


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory, key: Key) -> Iterator[Sandbox]:
    """A sandbox of namespace machines."""
    config = {"machines": "namespace", "quota": {"instances": 50, "cores": 50}}
    with running(tmp_path_factory.mktemp("real"), config) as sandbox:
        sandbox.connect().compute.create_keypair(name="k", public_key=key.public)
        yield sandbox


@pytest.fixture
def cloud(real: Sandbox) -> Iterator[Connection]:
    """A connection; afterwards all servers are gone."""
    connection = real.connect()
    yield connection
    real.control("DELETE", "/faults")
    for server in list(connection.compute.servers()):
        connection.compute.delete_server(server)
    wait_for(lambda: not list(connection.compute.servers()), _SOON_S, "servers to be gone")
    assert real.children() == []


def active(cloud: Connection, name: str = "m", *, image: str = "debian-12", **more: Any) -> Any:
    """Boot a machine and wait until it is ACTIVE."""
    user_data = more.pop("user_data", "")
    server = cloud.compute.create_server(
        name=name,
        image_id=cloud.image.find_image(image).id,
        flavor_id=cloud.compute.find_flavor("m1.tiny").id,
        networks="auto",
        key_name="k",
        user_data=base64.b64encode(user_data.encode()).decode(),
        **more,
    )
    return cloud.compute.wait_for_server(server, interval=0.05, wait=_SOON_S)


def address_of(server: Any) -> str:
    """Return the address to log in at."""
    return str(server.addresses["public"][0]["addr"])


def login(sandbox: Sandbox, address: str, key: Key, user: str = "root") -> paramiko.SSHClient:
    """Log in, as soon as sshd listens."""
    port = int(sandbox.control("GET", "/state")["ssh_port"])
    client = paramiko.SSHClient()
    client.set_missing_host_key_policy(paramiko.AutoAddPolicy())  # noqa: S507 - looked at later

    def connected() -> bool:
        try:
            client.connect(
                address, port=port, username=user, timeout=_SOON_S, banner_timeout=_SOON_S,
                auth_timeout=_SOON_S, allow_agent=False, look_for_keys=False,
                pkey=paramiko.Ed25519Key.from_private_key(io.StringIO(key.private)),
            )  # fmt: skip
        except paramiko.AuthenticationException:
            raise
        except (paramiko.SSHException, OSError, EOFError):
            return False  # behind a floating address it is a connection that is closed at once
        return True

    wait_for(connected, _SOON_S, f"sshd at {address}")
    return client


def run(client: paramiko.SSHClient, command: str) -> str:
    """Run a command; return what it printed."""
    _, out, err = client.exec_command(command, timeout=_SOON_S)
    text = out.read().decode()
    assert out.channel.recv_exit_status() == 0, err.read().decode()
    return text.strip()


def try_port(address: str, port: int = 22) -> str:
    """Say what comes of a connection: refused, reset, silence, no answer, no route, or a banner."""
    with socket.socket() as sock:
        sock.settimeout(0.5)
        try:
            sock.connect((address, port))
        except ConnectionRefusedError:
            return "refused"
        except TimeoutError:
            return "no answer"
        except OSError:
            return "no route"
        try:
            return sock.recv(20).decode()
        except TimeoutError:
            return "silence"
        except ConnectionResetError:
            return "reset"


def test_machine_is_its_own(real: Sandbox, cloud: Connection, key: Key) -> None:
    """Own host name, processes and files; root and an ordinary user with sudo."""
    server = active(cloud, "Box 1")
    client = login(real, address_of(server), key)

    assert run(client, "hostname") == "box-1"
    assert int(run(client, "ls -d /proc/[0-9]* | wc -l")) < 15
    assert run(client, "touch /usr/made-here && ls /usr/made-here") == "/usr/made-here"
    assert not Path("/usr/made-here").exists()
    assert run(client, "ls /home") == "debian"
    assert run(login(real, address_of(server), key, "debian"), "id -un") == "debian"


#: The classic way out of a chroot: a second one, while a file descriptor of the first root is kept.
_WAY_OUT = """
perl -e '
mkdir "/tmp/inner"; opendir(my $root, "/") or die; chroot("/tmp/inner") or die "chroot: $!";
chdir($root) or die; chdir("..") for 1 .. 64; chroot(".") or die "chroot: $!";
open(my $mark, ">", "MARK") or die "MARK: $!"; print $mark "escaped"; close $mark; print "done";
'
"""


def test_root_cannot_leave_the_machine(
    real: Sandbox, cloud: Connection, key: Key, tmp_path: Path
) -> None:
    """No second chroot, no mount, no device and no knob of the kernel leads to the host."""
    mark = tmp_path / "mark"
    client = login(real, address_of(active(cloud)), key)

    # The folder is there inside as well, so that the write itself cannot fail.
    run(client, f"mkdir -p {tmp_path}")
    assert run(client, _WAY_OUT.replace("MARK", str(mark))) == "done"
    assert not mark.exists()
    assert run(client, f"cat {mark}") == "escaped"
    for attempt in (
        "mount -t tmpfs none /mnt",
        "mount -o remount,rw /proc/sys",
        "mount -t devtmpfs none /mnt",
        "mknod /root/disk b 254 0",
        "umount -l /",
        "echo '|/bin/true' >/proc/sys/kernel/core_pattern",
        "echo h >/proc/sysrq-trigger",
        "unshare --mount true",
    ):
        assert run(client, f"({attempt}) >/dev/null 2>&1 && echo done || echo refused") == "refused"
    table = run(client, "cat /proc/self/mountinfo")
    assert {line.split()[3] for line in table.splitlines() if line.split()[4] == "/"} == {"/"}
    assert "overlay" in next(line for line in table.splitlines() if line.split()[4] == "/")


def test_user_data_with_host_key(
    real: Sandbox, cloud: Connection, key: Key, tmp_path: Path
) -> None:
    """The host key is known before the boot; files are there and commands have run."""
    host_key = Key(tmp_path / "host")
    private = "".join(f"    {line}\n" for line in host_key.private.splitlines())
    user_data = (
        f"#cloud-config\nhostname: known\nssh_keys:\n  ed25519_private: |\n{private}"
        f"  ed25519_public: {host_key.public}\n"
        "write_files:\n- {path: /lib/sandbox-test/f, content: hello}\n"
        "runcmd:\n- [touch, /root/ran]\n- echo on the console\n"
    )

    server = active(cloud, user_data=user_data)
    client = login(real, address_of(server), key)

    assert client.get_transport().get_remote_server_key().get_base64() == host_key.blob  # type: ignore[union-attr]
    assert run(client, "hostname; cat /lib/sandbox-test/f") == "known\nhello"
    assert run(client, "readlink /lib") == "usr/lib"
    console = wait_for(
        lambda: next(
            iter(t for t in [console_of(cloud, server)] if "Cloud-init finished" in t), None
        ),
        _SOON_S,
        "cloud-init to finish",
    )
    assert host_key.blob in console
    assert "on the console" in console
    assert run(client, "ls /root/ran") == "/root/ran"


def console_of(cloud: Connection, server: Any) -> str:
    """Return the console log."""
    return str(cloud.compute.get_server_console_output(server)["output"])


def test_snapshot_has_what_was_installed(real: Sandbox, cloud: Connection, key: Key) -> None:
    """A server booted from it has the file, lacks the removed one, and has its own host key."""
    first = active(cloud, "first")
    client = login(real, address_of(first), key)
    run(client, "echo 42 >/opt/answer; rm -rf /usr/share/doc/bash; useradd -m jenkins")
    before = client.get_transport().get_remote_server_key()  # type: ignore[union-attr]
    image = cloud.create_image_snapshot("snap", first, wait=True, timeout=_SOON_S)

    assert image.status == "active"
    assert cloud.image.get_image(image.id).properties["image_type"] == "snapshot"
    second = login(real, address_of(active(cloud, "second", image="snap")), key)
    assert run(second, "cat /opt/answer; hostname; id -un jenkins") == "42\nsecond\njenkins"
    assert run(second, "test ! -e /usr/share/doc/bash && echo gone") == "gone"
    assert second.get_transport().get_remote_server_key() != before  # type: ignore[union-attr]
    cloud.image.delete_image(image.id)


def test_reboot_keeps_the_disk_and_runs_no_user_data_again(
    real: Sandbox, cloud: Connection, key: Key
) -> None:
    """As a real machine, and sshd is back at the same address."""
    server = active(cloud, user_data="#!/bin/sh\necho once >>/root/runs\n")
    client = login(real, address_of(server), key)
    wait_for(lambda: run(client, "cat /root/runs || true") == "once", _SOON_S, "user data")
    run(client, "echo x >/root/kept")

    cloud.compute.reboot_server(server, "HARD")
    # Not wait_for_server: it would be content with the ACTIVE it remembers from before.
    wait_for(lambda: cloud.compute.get_server(server.id).status == "ACTIVE", _SOON_S, "the reboot")

    again = login(real, address_of(server), key)
    assert run(again, "cat /root/kept /root/runs") == "x\nonce"


def test_floating_ip_leads_to_the_machine(real: Sandbox, cloud: Connection, key: Key) -> None:
    """SSH over the floating address reaches the fixed one."""
    server = active(cloud, "behind")
    port = next(iter(cloud.network.ports(device_id=server.id)))
    public = cloud.network.find_network("public")
    address = cloud.network.create_ip(floating_network_id=public.id, port_id=port.id)

    assert run(login(real, address.floating_ip_address, key), "hostname") == "behind"
    cloud.network.delete_ip(address)
    wait_for(lambda: try_port(address.floating_ip_address) == "refused", _SOON_S, "it to be closed")


@pytest.mark.parametrize(
    ("mode", "seen"),
    [
        ("refuse", "refused"),
        ("blackhole", "no answer"),
        ("mute", "silence"),
        ("no_route", "no route"),
    ],
)
def test_unreachable_machines(real: Sandbox, cloud: Connection, mode: str, seen: str) -> None:
    """ACTIVE, but each is unreachable in its own way."""
    real.fault("ssh", effect={"mode": mode})

    assert try_port(address_of(active(cloud))) == seen


@pytest.mark.parametrize("kind", ["no_key", "wrong_key"])
def test_key_is_not_let_in(real: Sandbox, cloud: Connection, key: Key, kind: str) -> None:
    """Sshd answers, and refuses."""
    real.fault(kind)

    with pytest.raises(paramiko.AuthenticationException):
        login(real, address_of(active(cloud)), key)


def test_machine_that_dies(real: Sandbox, cloud: Connection) -> None:
    """ACTIVE for a while, then SHUTOFF and refusing."""
    real.fault("dies", effect={"seconds": 0.2})
    server = active(cloud)

    wait_for(lambda: cloud.compute.get_server(server.id).status == "SHUTOFF", _SOON_S, "its death")
    assert try_port(address_of(server)) == "refused"


def test_power_off_from_inside_is_noticed(real: Sandbox, cloud: Connection, key: Key) -> None:
    """Nova finds the server SHUTOFF."""
    server = active(cloud)
    login(real, address_of(server), key).exec_command("kill 1")

    wait_for(lambda: cloud.compute.get_server(server.id).status == "SHUTOFF", _SOON_S, "SHUTOFF")


def test_machine_cannot_leave_processes_behind(real: Sandbox, cloud: Connection, key: Key) -> None:
    """Not even daemons of their own session survive a delete."""
    server = active(cloud)
    mark = f"86399.{os.getpid()}"
    run(
        login(real, address_of(server), key),
        f"setsid nohup sleep {mark} >/dev/null 2>&1 </dev/null & echo",
    )
    wait_for(lambda: running_with(mark), _SOON_S, "the daemon to run")

    cloud.compute.delete_server(server)
    cloud.compute.wait_for_delete(server, interval=0.05, wait=_SOON_S)

    assert running_with(mark) == []


def running_with(mark: str) -> list[str]:
    """Return the processes that have *mark* in their command line."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = path.read_bytes().split(b"\0")
        except OSError:
            continue
        if mark.encode() in words:
            found.append(path.parent.name)
    return found


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL])
def test_nothing_is_left_behind(tmp_path: Path, key: Key, number: signal.Signals) -> None:
    """However it ends: no process, no mount, no folder."""

    def mounts() -> list[str]:
        lines = Path("/proc/self/mountinfo").read_text().splitlines()
        return [line for line in lines if " sandbox " in line or "/machines/" in line]

    before = mounts()
    with running(tmp_path / "s", {"machines": "namespace"}) as sandbox:
        cloud = sandbox.connect()
        cloud.compute.create_keypair(name="k", public_key=key.public)
        address = address_of(active(cloud))
        mark = f"86398.{number}"
        run(
            login(sandbox, address, key),
            f"setsid nohup sleep {mark} >/dev/null 2>&1 </dev/null & echo",
        )
        wait_for(lambda: running_with(mark), _SOON_S, "the daemon to run")

        status = sandbox.stop(number)

    assert status == (0 if number != signal.SIGKILL else -signal.SIGKILL)
    wait_for(lambda: not running_with(mark), _SOON_S, "the machine to be gone")
    wait_for(lambda: try_port(address) == "refused", _SOON_S, "its address to be free")
    assert mounts() == before
    assert sandbox.leftovers() == []


def eventually(look: Callable[[], bool], what: str) -> None:
    """Wait for something to become true."""
    wait_for(look, _SOON_S, what)


def test_many_machines_end_quickly(tmp_path: Path) -> None:
    """Twelve of them, at once."""
    config = {"machines": "namespace", "quota": {"instances": 50, "cores": 50}}
    with running(tmp_path, config) as sandbox:
        cloud = sandbox.connect()
        cloud.compute.create_server(
            name="many", min_count=12, networks="auto",
            image_id=cloud.image.find_image("debian-12").id,
            flavor_id=cloud.compute.find_flavor("m1.tiny").id,
        )  # fmt: skip
        eventually(
            lambda: [s.status for s in cloud.compute.servers()] == ["ACTIVE"] * 12, "12 machines"
        )
        assert len(sandbox.children()) == 12
        assert sandbox.stop() == 0

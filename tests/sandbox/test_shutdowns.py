"""Machines that are shut down, cleanly or not, and what their images carry of it."""

from __future__ import annotations

import base64
import socket
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any, Final

import pytest
from openstack.connection import Connection

from tests.sandbox.running import Sandbox, running, why_no_machines, why_no_sshd
from tests.support.deadline import wait_for

pytestmark = pytest.mark.e2e
_SOON_S: Final = 60.0
#: Tells when it was asked to end, and ends. The shell complains of its child's end, to somebody who
#: may have ended as well: that would kill it.
_OBEDIENT: Final = """#!/bin/sh
exec 2>/dev/null
trap 'echo yes >{where}/ended; exit 0' TERM
echo it is up
while :; do sleep 0.1; done
"""
_STUBBORN: Final = """#!/bin/sh
trap '' TERM
echo it is up
while :; do sleep 0.1; done
"""


@dataclass(frozen=True)
class Kind:
    """A kind of machines: where its scripts can write, and where a snapshot has that."""

    name: str
    where: str
    packed: str
    mark: str


NAMESPACE = Kind("namespace", "/var/log", "./var/log", "./var/log/unclean-shutdown")
PLAIN = Kind("plain", "$HOME", ".", "./.unclean-shutdown")
#: A limit that nobody reaches, but on one image.
CONFIG: Final[dict[str, Any]] = {
    "ssh_port": 2299,
    "shutdown_seconds": 600,
    "images": [
        {"name": "patient"},
        {"name": "hasty", "properties": {"os_shutdown_timeout": "1"}},
    ],
}


@pytest.fixture(
    scope="module",
    params=[
        pytest.param(
            NAMESPACE,
            marks=pytest.mark.skipif(bool(why_no_machines()), reason=why_no_machines() or "can be"),
        ),
        pytest.param(
            PLAIN, marks=pytest.mark.skipif(bool(why_no_sshd()), reason=why_no_sshd() or "can be")
        ),
    ],
    ids=lambda kind: kind.name,
)
def kind(request: pytest.FixtureRequest) -> Kind:
    """Each kind of real machine."""
    found: Kind = request.param
    return found


@pytest.fixture(scope="module")
def box(kind: Kind, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    """A sandbox of that kind."""
    config = {**CONFIG, "machines": kind.name}
    with running(tmp_path_factory.mktemp(kind.name), config) as sandbox:
        yield sandbox


@pytest.fixture
def cloud(box: Sandbox) -> Iterator[Connection]:
    """A connection; afterwards all servers are gone."""
    connection = box.connect()
    yield connection
    box.control("DELETE", "/faults")
    for server in list(connection.compute.servers()):
        connection.compute.delete_server(server)
    wait_for(lambda: not list(connection.compute.servers()), _SOON_S, "servers to be gone")


def boot(cloud: Connection, image: str, script: str = "") -> Any:
    """Boot a machine whose script runs, and wait until it does."""
    server = cloud.compute.create_server(
        name="m",
        image_id=cloud.image.find_image(image).id,
        flavor_id=cloud.compute.find_flavor("m1.tiny").id,
        networks="auto",
        user_data=base64.b64encode(script.encode()).decode(),
    )
    server = cloud.compute.wait_for_server(server, interval=0.05, wait=_SOON_S)
    if script:
        wait_for(lambda: "it is up" in console(cloud, server), _SOON_S, "the script")
    return server


def console(cloud: Connection, server: Any) -> str:
    """Return what a machine printed."""
    return str(cloud.compute.get_server_console_output(server.id)["output"])


def stop(cloud: Connection, server: Any) -> None:
    """Stop a server and wait until it is idle."""
    cloud.compute.stop_server(server)

    def stopped() -> bool:
        seen = cloud.compute.get_server(server.id)
        return bool(seen.status == "SHUTOFF" and seen.task_state is None)

    wait_for(stopped, _SOON_S, "the server to stop")


def packed(cloud: Connection, server: Any, name: str) -> tuple[Any, bytes]:
    """Make an image of a server; return it and its data."""
    image = cloud.create_image_snapshot(name, server, wait=True, timeout=_SOON_S)
    return image, cloud.image.download_image(image).content


def names(data: bytes) -> set[str]:
    """Return the files in an image's data."""
    with tarfile.open(fileobj=BytesIO(data)) as tar:
        return set(tar.getnames())


def test_a_machine_that_is_stopped_ends_by_itself(cloud: Connection, kind: Kind) -> None:
    """What runs in it is asked to end, and is waited for; images have the size of images."""
    server = boot(cloud, "patient", _OBEDIENT.format(where=kind.where))

    stop(cloud, server)
    image, data = packed(cloud, server, "clean")

    assert f"{kind.packed}/ended" in names(data)
    assert kind.mark not in names(data)
    assert image.size == len(data) >= 4 << 20


def test_a_machine_that_does_not_end_loses_its_power(cloud: Connection, kind: Kind) -> None:
    """After the limit that its image names; the disk has a mark, and the next boot tells of it."""
    server = boot(cloud, "hasty", _STUBBORN)

    stop(cloud, server)
    _, data = packed(cloud, server, "torn")
    cloud.compute.start_server(server)
    wait_for(lambda: "recovery complete" in console(cloud, server), _SOON_S, "the recovery")
    clone = boot(cloud, "torn")

    assert kind.mark in names(data)
    wait_for(lambda: "recovery complete" in console(cloud, clone), _SOON_S, "the clone's recovery")


def test_a_dirty_stop_can_be_asked_for(box: Sandbox, cloud: Connection, kind: Kind) -> None:
    """Though the machine would have ended by itself."""
    server = boot(cloud, "patient", _OBEDIENT.format(where=kind.where))
    box.fault("dirty_stop", effect={"seconds": 0.2})

    stop(cloud, server)
    _, data = packed(cloud, server, "dirty")

    assert kind.mark in names(data)
    assert f"{kind.packed}/ended" not in names(data)


def test_nothing_boots_from_a_spoiled_image_nor_from_its_copy(
    box: Sandbox, cloud: Connection, tmp_path: Path
) -> None:
    """ACTIVE, and nothing listens; the mark is in the bytes."""
    port = int(box.control("GET", "/state")["ssh_port"])
    server = boot(cloud, "patient")
    box.fault("snapshot_unbootable", count=1)
    _, data = packed(cloud, server, "spoiled")
    path = tmp_path / "copy"
    path.write_bytes(data)
    cloud.create_image(
        "copy", filename=str(path), disk_format="raw", container_format="bare", wait=True
    )

    for name in ("spoiled", "copy"):
        address = boot(cloud, name).addresses["public"][0]["addr"]
        with socket.socket() as sock, pytest.raises(ConnectionRefusedError):
            sock.connect((address, port))

"""Servers in tests of the API: made, waited for, gone."""

from __future__ import annotations

from typing import Any, Final

from openstack.connection import Connection

from tests.support.deadline import wait_for

SOON_S: Final = 60.0


def boot(cloud: Connection, name: str = "s", **more: Any) -> Any:
    """Create a server on the public network; do not wait for it."""
    wanted: dict[str, Any] = {
        "image_id": cloud.image.find_image("debian-12").id,
        "flavor_id": cloud.compute.find_flavor("m1.tiny").id,
        "networks": [{"uuid": cloud.network.find_network("public").id}],
        **more,
    }
    return cloud.compute.create_server(name=name, **wanted)


def active(cloud: Connection, name: str = "s", **more: Any) -> Any:
    """Create a server and wait until it is ACTIVE."""
    return cloud.compute.wait_for_server(boot(cloud, name, **more), interval=0.05, wait=SOON_S)


def in_state(cloud: Connection, server: Any, status: str) -> Any:
    """Wait for a status, whichever others are seen before."""
    return wait_for(
        lambda: next(
            iter(s for s in [cloud.compute.get_server(server.id)] if s.status == status), None
        ),
        SOON_S,
        f"server in {status}",
    )


def gone(cloud: Connection, server: Any) -> None:
    """Wait until nobody knows the server any more."""
    cloud.compute.wait_for_delete(server, interval=0.05, wait=SOON_S)

"""The cloud's contents: accounts, endpoints, flavors, networks, an image. Safe to run again."""

import io
import tarfile
from collections.abc import Callable
from typing import Any, Final

import openstack

from tests.openstack.lab import minimal
from tests.openstack.lab.layout import PASSWORD, REGIONS, Layout
from tests.support.deadline import wait_for

_COMPUTE_UP_S: Final = 120.0
_SERVICES: Final = (
    ("glance", "image", ""),
    ("placement", "placement", ""),
    ("neutron", "network", ""),
    ("nova", "compute", "/v2.1"),
    ("swift", "object-store", "/v1/AUTH_%(tenant_id)s"),
)
_ROLES: Final = {
    ("service", "service"): ("admin", "service"),
    ("demo", "demo"): ("member", "reader"),
    ("other", "other"): ("member", "reader"),
}
#: Servers on it have a network namespace each. Addresses that nobody's network has (RFC 5737),
#: clear of those of sandboxes.
OWN_NETWORK: Final = "own"
OWN_GATEWAY: Final = "192.0.2.1"
_NETWORKS: Final = (
    ("public", "127.10.0.0/16", None, {"is_shared": True}),
    ("private", "127.11.0.0/16", "127.11.0.1", {"is_shared": True}),
    (OWN_NETWORK, "192.0.2.0/24", OWN_GATEWAY, {"is_shared": True}),
    (
        "external",
        "127.20.0.0/16",
        "127.20.0.1",
        {
            "is_router_external": True,
            "provider_network_type": "flat",
            "provider_physical_network": "ext",
        },
    ),
)
#: For servers that boot from volumes.
DISKLESS: Final = "m1.diskless"
#: Name, cores, RAM in MiB, disk in GiB.
_FLAVORS: Final = (
    ("m1.tiny", 1, 512, 1),
    ("m1.small", 1, 2048, 20),
    ("m1.medium", 2, 4096, 40),
    ("m1.large", 4, 8192, 80),
    (DISKLESS, 1, 512, 0),
)
IMAGE: Final = "debian-12"
OLDER_IMAGE: Final = "debian-11"
#: What images are built from; no pattern that means the others meets it.
MINIMAL_IMAGE: Final = "minimal-debian-12"


def connect(layout: Layout, cloud: str) -> Any:
    """Return the SDK's connection to an account, whatever the environment says."""
    config = openstack.config.OpenStackConfig(
        config_files=[str(layout.clouds_file)], load_envvars=False
    )
    return openstack.connection.Connection(config=config.get_one(cloud=cloud))


def accounts(layout: Layout) -> None:
    """Make roles, projects, users, services and endpoints; needs Keystone only."""
    identity = connect(layout, "lab-admin").identity
    roles = {each.name: each for each in identity.roles()}
    for role in {"service", "member", "reader", "admin"} - roles.keys():
        roles[role] = identity.create_role(name=role)
    for (user, project), granted in _ROLES.items():
        held = identity.find_project(project) or identity.create_project(
            name=project, domain_id="default"
        )
        who = identity.find_user(user) or identity.create_user(
            name=user, password=PASSWORD, domain_id="default"
        )
        for role in granted:
            identity.assign_project_role_to_user(held, who, roles[role])
    _endpoints(identity, layout)


def _endpoints(identity: Any, layout: Layout) -> None:
    for region in REGIONS:
        if region not in {each.id for each in identity.regions()}:
            identity.create_region(id=region)
    have = {(each.region_id, each.interface, each.url) for each in identity.endpoints()}
    for name, kind, path in (*_SERVICES, ("keystone", "identity", "/v3")):
        service = identity.find_service(name) or identity.create_service(name=name, type=kind)
        url = layout.url(name) + path
        for region in REGIONS:
            for interface in ("public", "internal", "admin"):
                if (region, interface, url) not in have:
                    identity.create_endpoint(
                        service_id=service.id, interface=interface, region_id=region, url=url
                    )


def contents(layout: Layout) -> None:
    """Make what servers are made of, and wait until one could be placed."""
    admin = connect(layout, "lab-admin")
    _networks(admin)
    for number, (name, cores, ram, disk) in enumerate(_FLAVORS, 1):
        if not admin.compute.find_flavor(name):
            admin.compute.create_flavor(name=name, vcpus=cores, ram=ram, disk=disk, id=str(number))
    for name in (OLDER_IMAGE, IMAGE):
        _image(admin, name, _base_image)
    if not minimal.why_none():
        _image(admin, MINIMAL_IMAGE, minimal.minimal_image)
    wait_for(lambda: _can_place(admin), _COMPUTE_UP_S, "a compute host")


def _networks(admin: Any) -> None:
    network = admin.network
    for name, cidr, gateway, more in _NETWORKS:
        made = network.find_network(name) or network.create_network(name=name, **more)
        # Neutron takes subnets of the loopback as long as they have no DHCP.
        if not network.find_subnet(f"{name}-v4"):
            network.create_subnet(
                name=f"{name}-v4",
                network_id=made.id,
                cidr=cidr,
                gateway_ip=gateway,
                is_dhcp_enabled=False,
                ip_version=4,
            )
    if not network.find_router("router"):
        outside = network.find_network("external").id
        router = network.create_router(name="router", external_gateway_info={"network_id": outside})
        network.add_interface_to_router(router, subnet_id=network.find_subnet("private-v4").id)


def _image(admin: Any, name: str, make: Callable[[], bytes]) -> None:
    if admin.image.find_image(name):
        return
    admin.image.create_image(
        name=name,
        data=make(),
        disk_format="raw",
        container_format="bare",
        visibility="public",
        wait=True,
        properties={"os_distro": "debian"},
    )


def _base_image() -> bytes:
    """Return a layer on top of the host's own root file system (see ``inside/labdisk.py``)."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        data = b"debian-12 lab image\n"
        info = tarfile.TarInfo("./etc/lab-image")
        info.size = len(data)
        tar.addfile(info, io.BytesIO(data))
    return buffer.getvalue()


def _can_place(admin: Any) -> bool:
    up = [
        each
        for each in admin.compute.services()
        if each.binary == "nova-compute" and each.state == "up"
    ]
    return bool(
        up and list(admin.compute.hypervisors()) and list(admin.placement.resource_providers())
    )

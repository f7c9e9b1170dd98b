"""What a sandbox is made of, as values; ``config_file.py`` reads them from YAML."""

from __future__ import annotations

import secrets
import uuid
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Final

from sandbox.faults import Rule

#: Ids that are not given are derived from names, so that they are the same after a restart.
_NAMES: Final = uuid.UUID("5a6d6e78-0000-4000-8000-000000000000")


class MachineKind(StrEnum):
    """What answers behind a server's address."""

    AUTO = "auto"  # namespace where it works, else plain, else none
    NAMESPACE = "namespace"  # own mounts, processes and host name over an overlay
    PLAIN = "plain"  # an ordinary sshd as the current user
    NONE = "none"  # nothing, or a banner


class System(StrEnum):
    """What namespace machines see of this machine."""

    AUTO = "auto"  # minimal where there is a dpkg, else host
    HOST = "host"  # all of it
    MINIMAL = "minimal"  # what a minimal Debian has; quick to search


def stable_id(*names: str) -> str:
    """Return the UUID that always belongs to *names*."""
    return str(uuid.uuid5(_NAMES, "/".join(names)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """How long things take, in seconds; None: what the next more general one says.

    A boot takes the longest of what the image, the flavor and the cloud say.
    """

    boot_s: float | None = None
    ssh_s: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FlavorConfig:
    """A flavor; RAM in MiB, disk in GiB."""

    name: str
    id: str
    vcpus: int
    ram: int
    disk: int
    extra_specs: tuple[tuple[str, str], ...] = ()
    timing: Timing = Timing()


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageConfig:
    """An image that is there from the beginning.

    Attributes:
        tar: Path of a tar that is unpacked into the machine; empty: nothing is.
        created_at_s: Seconds since the epoch; None: when the sandbox starts.
    """

    name: str
    id: str
    properties: tuple[tuple[str, str], ...] = ()
    visibility: str = "public"
    project: str = ""
    created_at_s: float | None = None
    min_disk: int = 0
    min_ram: int = 0
    size: int = 2 * 2**20
    tar: str = ""
    timing: Timing = Timing()


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkConfig:
    """A network with one subnet; *cidr* empty: a part of the address range."""

    name: str
    external: bool = False
    shared: bool = True
    project: str = ""
    cidr: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class UserConfig:
    """Somebody who can log in; the first project is the default one.

    Attributes:
        password: Empty: one is made up when the sandbox starts (:func:`with_secrets`).
    """

    name: str
    password: str = field(default="", repr=False)
    projects: tuple[str, ...] = ("demo",)
    roles: tuple[str, ...] = ("member", "reader")


@dataclass(frozen=True, slots=True, kw_only=True)
class AccessRule:
    """A call that a restricted credential may make.

    Attributes:
        service: Type of the service in the catalogue.
        path: Of the whole URL; ``*`` and ``{name}`` stand for one part of it, ``**`` for any.
    """

    service: str
    method: str
    path: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CredentialConfig:
    """An application credential of a user in a project.

    Attributes:
        access_rules: What it is good for; None or empty: for everything that its user may do.
    """

    id: str
    name: str
    secret: str = field(repr=False)
    user: str
    project: str
    access_rules: tuple[AccessRule, ...] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Quota:
    """What one project may have in one region; -1: no limit; RAM in MiB."""

    instances: int = 10
    cores: int = 20
    ram: int = 51200
    key_pairs: int = 100
    metadata_items: int = 128
    server_groups: int = 10
    network: int = 100
    subnet: int = 100
    port: int = 500
    router: int = 10
    floatingip: int = 50
    security_group: int = 10
    security_group_rule: int = 100
    images: int = 100
    images_mib: int = -1


DEFAULT_FLAVORS: Final = (
    FlavorConfig(name="m1.tiny", id="1", vcpus=1, ram=512, disk=1),
    FlavorConfig(name="m1.small", id="2", vcpus=1, ram=2048, disk=20),
    FlavorConfig(name="m1.medium", id="3", vcpus=2, ram=4096, disk=40),
    FlavorConfig(name="m1.large", id="4", vcpus=4, ram=8192, disk=80),
)
DEFAULT_IMAGES: Final = tuple(
    ImageConfig(
        name=name,
        id=stable_id("image", name),
        properties=(("os_distro", distro), ("os_version", version)),
    )
    for name, distro, version in (
        ("debian-12", "debian", "12"),
        ("ubuntu-24.04", "ubuntu", "24.04"),
        ("centos-stream-9", "centos", "9"),
    )
)
DEFAULT_NETWORKS: Final = (NetworkConfig(name="public", external=True),)
DEFAULT_USERS: Final = (
    UserConfig(name="demo"),
    UserConfig(name="admin", projects=("admin", "demo"), roles=("admin", "member", "reader")),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """One sandbox.

    Attributes:
        address_range: An IPv4 network within 127.0.0.0/8, or ``auto``: the first free one of
            127.77.0.0/16, 127.78.0.0/16 ….
        ssh_port: 0: 22 where it can be bound, else 2222.
        ssh_user: The ordinary user in a namespace machine, besides root.
        banner: Machines of kind none accept connections and send an SSH banner.
        boot_jitter: A boot takes up to this part longer or shorter (0.2: ±20 %).
        clock_offset_s: How far its clock is ahead of this machine's; negative: behind.
        shutdown_s: How long a machine may take to end by itself when it is stopped.
        workers: Threads that do blocking work (disks, processes, tar).
        faults: Rules in force from the start.
        control_token: What the control endpoint asks for; empty: one is made up at the start.
    """

    cloud: str = "sandbox"
    regions: tuple[str, ...] = ("RegionOne",)
    users: tuple[UserConfig, ...] = DEFAULT_USERS
    credentials: tuple[CredentialConfig, ...] = ()
    flavors: tuple[FlavorConfig, ...] = DEFAULT_FLAVORS
    images: tuple[ImageConfig, ...] = DEFAULT_IMAGES
    networks: tuple[NetworkConfig, ...] = DEFAULT_NETWORKS
    zones: tuple[str, ...] = ("nova",)
    quota: Quota = field(default_factory=Quota)
    machines: MachineKind = MachineKind.AUTO
    system: System = System.HOST
    address_range: str = "auto"
    ssh_port: int = 0
    ssh_user: str = "debian"
    banner: bool = False
    timing: Timing = Timing(boot_s=0.5, ssh_s=0.0)
    boot_jitter: float = 0.1
    delete_s: float = 0.1
    snapshot_s: float = 0.2
    shutdown_s: float = 60.0
    seed: int = 0
    page_size_max: int = 1000
    token_lifetime_s: float = 3600.0
    clock_offset_s: float = 0.0
    workers: int = 4
    faults: tuple[Rule, ...] = ()
    control_token: str = field(default="", repr=False)

    @property
    def projects(self) -> tuple[str, ...]:
        """All projects anybody may use, in the order in which they are first named."""
        return tuple(dict.fromkeys(name for user in self.users for name in user.projects))


def with_secrets(config: Config) -> Config:
    """Return *config* with a password for each user and a control token, made up where missing.

    Everybody on the machine reaches loopback, its own test machines included: a password that
    stands in the documentation would let them all in.
    """
    users = (
        replace(user, password=user.password or secrets.token_urlsafe(16)) for user in config.users
    )
    return replace(
        config,
        users=tuple(users),
        control_token=config.control_token or secrets.token_urlsafe(16),
    )

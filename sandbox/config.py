"""What a sandbox is made of, and how its file says it (``config_file.py`` reads that)."""

from __future__ import annotations

import ipaddress
import secrets
import uuid
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Final, Literal

from pydantic import AfterValidator, BeforeValidator, PlainValidator, ValidationInfo

from sandbox.clock import from_iso
from sandbox.faults import Rule, with_ids
from sandbox.reading import (
    NUMBER_MAX,
    SECTION,
    Flag,
    Number,
    Pairs,
    Section,
    Text,
    Texts,
    given,
    key,
    number,
    read,
    whole,
)

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


def _named(kind: str) -> BeforeValidator:
    """Return what gives a section of a *kind* the id of its name, if it has none."""

    def identify(value: object) -> object:
        doc = given(value)
        return (
            {"id": stable_id(kind, str(doc.get("name"))), **doc} if isinstance(doc, dict) else doc
        )

    return BeforeValidator(identify)


def _unless_empty(default: str) -> AfterValidator:
    return AfterValidator(lambda value: value or (default,))


def _moment(value: object) -> float:
    try:
        # YAML turns an unquoted time into a datetime or date; both print as ISO 8601.
        return from_iso(str(value).replace("Z", "+00:00"))
    except ValueError:
        raise ValueError(f"{value!r} is not a time such as 2026-01-31T12:00:00Z") from None


def _tar(name: str, info: ValidationInfo) -> str:
    """Return the path of a file below the folder of the configuration."""
    file = Path(info.context or "") / name
    if name and not file.is_file():
        raise ValueError(f"there is no file {file}")
    return str(file) if name else ""


def _cidr(text: str) -> str:
    if text and not _on_loopback(text):
        raise ValueError(f"{text!r} is not a network within 127.0.0.0/8")
    return text


def _range(text: str) -> str:
    if text != "auto" and not _on_loopback(text):
        raise ValueError(f"{text!r} is not auto or a network within 127.0.0.0/8")
    return text


def _on_loopback(text: str) -> bool:
    try:
        network = ipaddress.IPv4Network(text)
    except ValueError:
        return False
    return network.subnet_of(ipaddress.IPv4Network("127.0.0.0/8"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing(Section):
    """How long things take, in seconds; None: what the next more general one says.

    A boot takes the longest of what the image, the flavor and the cloud say.
    """

    boot_s: Annotated[Number | None, key("boot_seconds")] = None
    ssh_s: Annotated[Number | None, key("ssh_seconds")] = None

    @property
    def timing(self) -> Timing:
        """The times alone, of what has more to it."""
        return Timing(boot_s=self.boot_s, ssh_s=self.ssh_s)


@dataclass(frozen=True, slots=True, kw_only=True)
class FlavorConfig(Timing):
    """A flavor; RAM in MiB, disk in GiB."""

    name: Text
    id: Text
    vcpus: Annotated[int, whole(1)] = 1
    ram: Annotated[int, whole(1)] = 2048
    disk: Annotated[int, whole()] = 20
    extra_specs: Pairs = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageConfig(Timing):
    """An image that is there from the beginning.

    Attributes:
        tar: Path of a tar that is unpacked into the machine; empty: nothing is.
        created_at_s: Seconds since the epoch; None: when the sandbox starts.
    """

    name: Text
    id: Text
    properties: Pairs = ()
    visibility: Literal["public", "private", "shared", "community"] = "public"
    project: Text = ""
    created_at_s: Annotated[float | None, PlainValidator(_moment), key("created_at")] = None
    min_disk: Annotated[int, whole()] = 0
    min_ram: Annotated[int, whole()] = 0
    size: Annotated[int, whole()] = 2 * 2**20
    tar: Annotated[Text, AfterValidator(_tar)] = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkConfig(Section):
    """A network with one subnet; *cidr* empty: a part of the address range."""

    name: Text
    external: Flag = False
    shared: Flag = True
    project: Text = ""
    cidr: Annotated[Text, AfterValidator(_cidr)] = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class UserConfig(Section):
    """Somebody who can log in; the first project is the default one.

    Attributes:
        password: Empty: one is made up when the sandbox starts (:func:`with_secrets`).
    """

    name: Text
    password: Text = field(default="", repr=False)
    projects: Texts = ("demo",)
    roles: Texts = ("member", "reader")


@dataclass(frozen=True, slots=True, kw_only=True)
class AccessRule(Section):
    """A call that a restricted credential may make.

    Attributes:
        service: Type of the service in the catalogue.
        path: Of the whole URL; ``*`` and ``{name}`` stand for one part of it, ``**`` for any.
    """

    service: Text
    method: Text
    path: Text


@dataclass(frozen=True, slots=True, kw_only=True)
class CredentialConfig(Section):
    """An application credential of a user in a project.

    Attributes:
        access_rules: What it is good for; None or empty: for everything that its user may do.
    """

    id: Text
    name: Text
    secret: Text = field(repr=False)
    user: Text = "demo"
    project: Text = "demo"
    access_rules: tuple[Annotated[AccessRule, SECTION], ...] | None = None


Limit = Annotated[int, whole(-1)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Quota(Section):
    """What one project may have in one region; -1: no limit; RAM in MiB."""

    instances: Limit = 10
    cores: Limit = 20
    ram: Limit = 51200
    key_pairs: Limit = 100
    metadata_items: Limit = 128
    server_groups: Limit = 10
    network: Limit = 100
    subnet: Limit = 100
    port: Limit = 500
    router: Limit = 10
    floatingip: Limit = 50
    security_group: Limit = 10
    security_group_rule: Limit = 100
    images: Limit = 100
    images_mib: Limit = -1
    objects_mib: Limit = 10_240


def change_quota(current: Quota, doc: Mapping[str, Any], *, path: str = "") -> Quota:
    """Read a quota; what is not given stays as in *current*.

    Raises:
        BadInputError: With all mistakes in it.
    """
    changed = {name: limit for name, limit in doc.items() if limit is not None}
    return read(Quota, {**asdict(current), **changed}, path=path)


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
class Config(Timing):
    """One sandbox.

    Attributes:
        address_range: An IPv4 network within 127.0.0.0/8, or ``auto``: the first free one of
            127.77.0.0/16, 127.78.0.0/16 ….
        own_network: Each namespace machine has a network of its own, with an address out of
            198.18.0.0/15; no floating IP works then, and no machine is mute or a black hole.
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

    boot_s: Annotated[Number | None, key("boot_seconds")] = 0.5
    ssh_s: Annotated[Number | None, key("ssh_seconds")] = 0.0
    cloud: Text = "sandbox"
    regions: Annotated[Texts, _unless_empty("RegionOne")] = ("RegionOne",)
    users: tuple[Annotated[UserConfig, SECTION], ...] = DEFAULT_USERS
    credentials: Annotated[
        tuple[Annotated[CredentialConfig, _named("credential")], ...],
        key("application_credentials"),
    ] = ()
    flavors: tuple[Annotated[FlavorConfig, _named("flavor")], ...] = DEFAULT_FLAVORS
    images: tuple[Annotated[ImageConfig, _named("image")], ...] = DEFAULT_IMAGES
    networks: tuple[Annotated[NetworkConfig, SECTION], ...] = DEFAULT_NETWORKS
    zones: Annotated[Texts, _unless_empty("nova"), key("availability_zones")] = ("nova",)
    quota: Annotated[Quota, SECTION] = field(default_factory=Quota)
    machines: MachineKind = MachineKind.AUTO
    system: System = System.HOST
    address_range: Annotated[Text, AfterValidator(_range)] = "auto"
    own_network: Flag = False
    ssh_port: Annotated[int, whole(0, 65535)] = 0
    ssh_user: Text = "debian"
    banner: Flag = False
    boot_jitter: Annotated[float, number(0.0, 1.0)] = 0.1
    delete_s: Annotated[Number, key("delete_seconds")] = 0.1
    snapshot_s: Annotated[Number, key("snapshot_seconds")] = 0.2
    shutdown_s: Annotated[Number, key("shutdown_seconds")] = 60.0
    seed: Annotated[int, whole()] = 0
    page_size_max: Annotated[int, whole(1)] = 1000
    token_lifetime_s: Annotated[float, number(0.1), key("token_lifetime")] = 3600.0
    clock_offset_s: Annotated[float, number(-NUMBER_MAX), key("clock_offset")] = 0.0
    workers: Annotated[int, whole(1, 64)] = 4
    faults: Annotated[tuple[Rule, ...], BeforeValidator(with_ids)] = ()
    control_token: Text = field(default="", repr=False)

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

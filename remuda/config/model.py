"""The configuration as values: what a file may say, with its units, defaults and meaning.

The models are frozen. ``remuda.config.loader`` reads a file into them and reports every problem
with its place; ``docs/configuration.md`` and the JSON Schema are generated from them.

Names in the file are written with dashes (``min-ready``); in code with underscores.
Durations are numbers of seconds or text such as ``90s``, ``10m``, ``8h``, ``2d`` and are held as
seconds; sizes are text such as ``512MiB`` or ``8GiB`` and are held as MiB.
"""

from typing import Annotated, Final, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from remuda.config.units import parse_duration, parse_size

Duration = Annotated[float, BeforeValidator(parse_duration)]
SizeMib = Annotated[int, BeforeValidator(parse_size)]

#: Label, provider and pool names appear in znode names, metric names and server metadata.
NAME_PATTERN: Final = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$"
Name = Annotated[str, Field(pattern=NAME_PATTERN)]


def _dashed(name: str) -> str:
    return name.replace("_", "-")


class Section(BaseModel):
    """A mapping of the file; unknown keys are errors."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        alias_generator=_dashed,
        validate_by_name=True,
        validate_by_alias=True,
    )


class Tls(Section):
    """Client certificate for ZooKeeper; all three are PEM files."""

    cert: str = Field(description="Client certificate file.")
    key: str = Field(description="Its private key file.")
    ca: str = Field(description="Certificates of the authorities that sign the servers'.")


class Zookeeper(Section):
    """Where ZooKeeper is."""

    hosts: tuple[str, ...] = Field(
        default=("127.0.0.1:2181",), min_length=1, description="Servers, as host:port."
    )
    chroot: str | None = Field(
        default=None, pattern=r"^/[^\s]+[^/]$", description="Path below which all of ours lies."
    )
    tls: Tls | None = Field(default=None, description="Turns on TLS with a client certificate.")
    session_timeout: Duration = Field(
        default=10.0,
        ge=2,
        le=300,
        description="After this long without contact our leases are gone and others take over.",
    )


class ScriptFrom(Section):
    """A script from a file or written in place."""

    file: str | None = Field(default=None, description="File, relative to the configuration.")
    inline: str | None = Field(default=None, description="The script itself.")
    timeout: Duration = Field(default=300.0, gt=0, le=6 * 3600, description="Killed after this.")
    as_root: bool = Field(default=False, description="Run with sudo unless logged in as root.")


class DiskCheck(Section):
    """Free space on a file system of the machine."""

    path: str = Field(default="/", description="Where to look.")
    free: SizeMib = Field(default=1024, ge=1, description="At least this much must be free.")


class DnsCheck(Section):
    """A name must resolve on the machine."""

    name: str = Field(description="Host name to resolve.")


class NetworkCheck(Section):
    """A TCP connection must be possible from the machine."""

    host: str = Field(description="Host name or address to connect to.")
    port: int = Field(default=443, ge=1, le=65535, description="TCP port.")


class ClockCheck(Section):
    """The machine's clock must agree with the launcher's."""

    skew: Duration = Field(default=30.0, gt=0, description="Largest difference allowed.")


class CheckFrom(Section):
    """One check: exactly one of the kinds."""

    name: str | None = Field(default=None, description="For messages; else made from the kind.")
    disk: DiskCheck | None = Field(default=None, description="Free disk space.")
    dns: DnsCheck | None = Field(default=None, description="A name resolves.")
    network: NetworkCheck | None = Field(default=None, description="A TCP connection works.")
    clock: ClockCheck | None = Field(default=None, description="The clock is right.")
    script: ScriptFrom | None = Field(default=None, description="Exit code 0 means it passed.")
    timeout: Duration = Field(default=30.0, gt=0, le=3600, description="Fails after this.")


class Label(Section):
    """What a test asks for by name."""

    min_ready: int = Field(
        default=0, ge=0, le=10_000, description="Ready nodes held ahead of demand, over all pools."
    )
    max_ready_age: Duration | None = Field(
        default=None, gt=0, description="A ready node older than this is replaced."
    )
    recheck: Duration | None = Field(
        default=300.0, gt=0, description="A waiting ready node is looked at again this often."
    )
    setup: ScriptFrom | None = Field(default=None, description="Runs on each node before checks.")
    checks: tuple[CheckFrom, ...] = Field(default=(), description="Must all pass before ready.")


class ImageFrom(Section):
    """Which image: one of id, name, or the newest that matches."""

    id: str | None = Field(default=None, description="Image id.")
    name: str | None = Field(default=None, description="Exact name; of several the newest.")
    match: str | None = Field(
        default=None, description="Regular expression for the whole name; the newest match wins."
    )
    properties: dict[str, str] = Field(
        default_factory=dict, description="Properties that must be equal; the newest match wins."
    )


class FlavorFrom(Section):
    """Which flavor: by name, or the smallest with at least these."""

    name: str | None = Field(
        default=None, description="Flavor name; with minimums: a part of the name."
    )
    ram: SizeMib = Field(default=0, ge=0, description="At least this much memory.")
    cores: int = Field(default=0, ge=0, description="At least so many cores.")
    disk: SizeMib = Field(default=0, ge=0, description="At least this much disk.")


class Volume(Section):
    """Boot from a volume that is deleted with the server."""

    size: SizeMib = Field(default=50 * 1024, ge=1024, description="Size of the volume.")


def _named_image(value: object) -> object:
    return {"name": value} if isinstance(value, str) else value


def _named_flavor(value: object) -> object:
    return {"name": value} if isinstance(value, str) else value


def _plain_volume(value: object) -> object:
    return ({} if value else None) if isinstance(value, bool) else value


class PoolLabel(Section):
    """How this pool makes a node of a label."""

    image: Annotated[ImageFrom, BeforeValidator(_named_image)] = Field(
        description="Image name, or a mapping that says how to find it."
    )
    flavor: Annotated[FlavorFrom, BeforeValidator(_named_flavor)] = Field(
        description="Flavor name, or a mapping with minimums."
    )
    username: str = Field(default="root", description="Login user of the image.")
    connection_type: Literal["ssh", "winrm", "network_cli"] = Field(
        default="ssh", description="How users connect; we prove nodes over ssh only."
    )
    connection_port: int = Field(default=22, ge=1, le=65535, description="Port of the login.")
    python_path: str = Field(default="auto", description="Interpreter for Ansible.")
    shell_type: str | None = Field(default=None, description="Shell type for Ansible.")
    key_name: str | None = Field(default=None, description="Keypair of the cloud; else the pool's.")
    config_drive: bool | None = Field(default=None, description="Ask for a configuration drive.")
    user_data: str | None = Field(default=None, description="Given to the server at boot.")
    user_data_file: str | None = Field(default=None, description="The same, from a file.")
    instance_properties: dict[str, str] = Field(
        default_factory=dict, description="Metadata of the server."
    )
    dynamic_instance_properties: dict[str, str] = Field(
        default_factory=dict,
        description="Metadata made from {label}, {provider}, {pool}, {request} and {requestor}.",
    )
    console_log: bool = Field(
        default=True, description="Keep the console's output when a launch fails."
    )
    boot_from_volume: Annotated[Volume | None, BeforeValidator(_plain_volume)] = Field(
        default=None, description="true, or a mapping with the size."
    )
    networks: tuple[str, ...] | None = Field(default=None, description="Instead of the pool's.")
    security_groups: tuple[str, ...] | None = Field(
        default=None, description="Instead of the pool's."
    )
    host_keys: Literal["inject", "scan", "ignore"] = Field(
        default="inject",
        description="inject: made by us and given through user data (cloud-init images); "
        "scan: what is met first is pinned; ignore: not looked at.",
    )
    setup: ScriptFrom | None = Field(default=None, description="Instead of the label's.")
    checks: tuple[CheckFrom, ...] = Field(default=(), description="Besides the label's.")


class Pool(Section):
    """A slice of a provider, with its own limits."""

    max_servers: int | None = Field(default=None, ge=0, description="0: the pool is closed.")
    max_cores: int | None = Field(default=None, ge=0, description="Cores of all its nodes.")
    max_ram: SizeMib | None = Field(default=None, ge=0, description="Memory of all its nodes.")
    max_volumes: int | None = Field(default=None, ge=0, description="Volumes of all its nodes.")
    max_volume_size: SizeMib | None = Field(default=None, ge=0, description="Their total size.")
    ignore_provider_quota: bool = Field(
        default=False, description="Do not ask the cloud for its quota."
    )
    priority: int | None = Field(default=None, description="Lower is preferred; else provider's.")
    networks: tuple[str, ...] = Field(default=(), description="Names or ids; else the default.")
    security_groups: tuple[str, ...] = Field(default=(), description="Names or ids.")
    availability_zones: tuple[str, ...] = Field(default=(), description="Else all of the cloud's.")
    floating_ips: bool = Field(default=False, description="Give each node a floating IP.")
    key_name: str | None = Field(default=None, description="Keypair of the cloud.")
    node_attributes: dict[str, str] = Field(
        default_factory=dict, description="Copied to the node record, e.g. executor-zone for Zuul."
    )
    labels: dict[Name, PoolLabel] = Field(min_length=1, description="What it can make, and how.")


class Provider(Section):
    """One region of one account."""

    cloud: str = Field(description="Name in clouds.yaml.")
    region: str | None = Field(default=None, description="Region, if the cloud has several.")
    priority: int = Field(default=100, description="Lower is preferred.")
    launch_timeout: Duration = Field(
        default=900.0, gt=0, le=6 * 3600, description="From the intent to a proven node."
    )
    boot_timeout: Duration = Field(
        default=600.0, gt=0, le=6 * 3600, description="Until the cloud calls the server active."
    )
    launch_attempts: int = Field(
        default=3, ge=1, le=20, description="Failed launches for one request before declining it."
    )
    max_concurrency: int = Field(
        default=20, ge=0, le=1000, description="Launches under way at once; 0: make nothing."
    )
    rate: float = Field(default=10.0, gt=0, le=1000, description="API calls per second.")
    list_period: Duration = Field(
        default=3.0, ge=0.2, le=300, description="Between listings while something is under way."
    )
    idle_list_period: Duration = Field(
        default=60.0, ge=1, le=3600, description="Between listings when nothing is under way."
    )
    ssh_key_file: str | None = Field(
        default=None, description="Private key whose public half the nodes accept."
    )
    inject_key: bool = Field(
        default=True, description="Give our public key to nodes through user data."
    )
    port_cleanup_interval: Duration | None = Field(
        default=None, gt=0, description="Remove ports that are down for so long; none: never."
    )
    clean_floating_ips: bool = Field(
        default=False, description="Remove unattached floating IPs that we made."
    )
    api_timeout: Duration = Field(default=60.0, gt=0, le=600, description="Of one API call.")
    pools: dict[Name, Pool] = Field(min_length=1, description="Its slices.")


class Web(Section):
    """The status endpoint of a launcher."""

    listen: str = Field(default="127.0.0.1", description="Address to listen on.")
    port: int = Field(default=0, ge=0, le=65535, description="0: any free port; it is logged.")


class Statsd(Section):
    """Where to send statsd packets."""

    host: str = Field(description="Host name or address.")
    port: int = Field(default=8125, ge=1, le=65535, description="UDP port.")
    prefix: str = Field(default="nodepool", description="Before every name.")


class Config(Section):
    """The whole file."""

    zookeeper: Zookeeper = Field(default_factory=Zookeeper, description="Where ZooKeeper is.")
    clouds_file: str | None = Field(
        default=None, description="clouds.yaml to use; else where the OpenStack client looks."
    )
    labels: dict[Name, Label] = Field(min_length=1, description="What tests may ask for.")
    providers: dict[Name, Provider] = Field(min_length=1, description="Who makes nodes.")
    max_hold_age: Duration | None = Field(default=None, gt=0, description="Upper bound of a hold.")
    web: Web = Field(default_factory=Web, description="Status endpoint of launchers.")
    statsd: Statsd | None = Field(default=None, description="Send statsd packets, too.")

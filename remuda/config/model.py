"""The configuration as values: what a file may say, with its units, defaults and meaning.

The models are frozen. ``remuda.config.loader`` reads a file into them and reports every problem
with its place; ``docs/configuration.md`` and the JSON Schema are generated from them.

Names in the file are written with dashes (``min-ready``); in code with underscores.
Durations are numbers of seconds or text such as ``90s``, ``10m``, ``8h``, ``2d`` and are held as
seconds; sizes are text such as ``512MiB`` or ``8GiB`` and are held as MiB. Names of files of this
host are absolute once the loader has read them.
"""

import string
from typing import Annotated, ClassVar, Final, Literal

from pydantic import AfterValidator, BeforeValidator, Field

from remuda.config.base import (
    NAME_PATTERN,
    AsWritten,
    Choice,
    Duration,
    HostFile,
    InstallationId,
    Metadata,
    Name,
    Named,
    NovaNamed,
    Number,
    Section,
    SizeMib,
    Whole,
    switch,
)
from remuda.config.capsules import Capsules
from remuda.config.developers import DeveloperFrom
from remuda.config.endpoints import ProviderWeb, Web
from remuda.config.holds import HoldsFrom
from remuda.config.images import ImageDefaults, RecipeFrom
from remuda.config.name_guesses import meant_name
from remuda.config.parts import (
    CheckFrom,
    ClockCheck,
    DiskCheck,
    DnsCheck,
    FlavorFrom,
    FlavorNamed,
    ImageFrom,
    NetworkCheck,
    NodeImageFrom,
    ScriptFrom,
    Tls,
    Volume,
    Zookeeper,
    named,
)
from remuda.config.signing import ImageSigning
from remuda.config.units import WrongValueError

__all__ = [
    "NAME_PATTERN",
    "CheckFrom",
    "ClockCheck",
    "Config",
    "DiskCheck",
    "DnsCheck",
    "Duration",
    "FlavorFrom",
    "ImageFrom",
    "Label",
    "Name",
    "NetworkCheck",
    "NodeImageFrom",
    "Pool",
    "PoolLabel",
    "Provider",
    "ScriptFrom",
    "Section",
    "SizeMib",
    "Statsd",
    "Tls",
    "Volume",
    "Web",
    "Zookeeper",
]

#: Nova takes 65,535 bytes in base64; the rest is for the host keys and the key that we add.
USER_DATA_BYTES_MAX: Final = 40_000
#: Of one label; more is a slip of the finger.
MIN_READY_MAX: Final = 10_000
#: What dynamic-instance-properties may name.
DYNAMIC_FIELDS: Final = ("label", "provider", "pool", "request")


def _plain_volume(value: object) -> object:
    wanted = switch(value)
    if wanted is None:
        return value
    return {} if wanted else None


def _over_ssh(value: object) -> object:
    """Refuse what Nodepool takes and we could never call ready."""
    if value == "winrm":
        raise WrongValueError(
            "is not possible: a node is ready once it is proven over SSH",
            hint="write ssh, with an SSH server in the image (Windows has OpenSSH)",
        )
    return value


def _templates(values: dict[str, str]) -> dict[str, str]:
    for key, template in values.items():
        _check_template(key, template)
    return values


def _check_template(key: str, template: str) -> None:
    known = ", ".join("{" + name + "}" for name in DYNAMIC_FIELDS)
    try:
        fields = [
            "".join((name, f"!{conversion}" * bool(conversion), f":{spec}" * bool(spec)))
            for _, name, spec, conversion in string.Formatter().parse(template)
            if name is not None
        ]
    except ValueError:
        raise WrongValueError(
            f"has unbalanced braces in {key!r}", hint="a plain brace is written {{ or }}"
        ) from None
    for name in fields:
        if name not in DYNAMIC_FIELDS:
            near = meant_name(name, DYNAMIC_FIELDS)
            meant = f"did you mean {{{near}}}? " if near else ""
            raise WrongValueError(
                f"has an unknown {{{name[:40]}}} in {key!r}", hint=f"{meant}known here: {known}"
            )


class Label(Section):
    """What a test asks for by name."""

    min_ready: Whole = Field(
        default=0,
        ge=0,
        le=MIN_READY_MAX,
        description="Ready nodes held ahead of demand, over all pools.",
    )
    max_ready_age: Duration | None = Field(
        default=None, gt=0, description="A ready node older than this is replaced; null: never."
    )
    max_surplus_age: Duration | None = Field(
        default=1800.0,
        ge=60,
        description="Ready nodes beyond what min-ready asks for are given up, one by one, when no "
        "other has become ready for this long; null: never.",
    )
    recheck: Duration | None = Field(
        default=300.0,
        gt=0,
        description="A waiting ready node is looked at again this often; null: never.",
    )
    max_check_age: Duration | None = Field(
        default=None,
        ge=1,
        description="A ready node that was looked at longer ago than this is looked at once more "
        "before a request gets it; null: not.",
    )
    setup: ScriptFrom | None = Field(default=None, description="Runs on each node before checks.")
    checks: tuple[CheckFrom, ...] = Field(default=(), description="Must all pass before ready.")
    secret: bool = Field(
        default=False,
        description="Jobs on these machines work with secrets: no image is captured of one.",
    )


class PoolLabel(Section):
    """How this pool makes a node of a label."""

    choices: ClassVar[tuple[Choice, ...]] = (Choice(("user-data", "user-data-file"), least=0),)

    image: Annotated[
        NodeImageFrom, BeforeValidator(named, json_schema_input_type=str | NodeImageFrom)
    ] = Field(description="Image name, or a mapping that says how to find it.")
    flavor: FlavorNamed = Field(description="Flavor name, or a mapping with minimums.")
    username: Named = Field(default="root", description="Login user of the image.")
    connection_type: Annotated[Literal["ssh", "network_cli"], BeforeValidator(_over_ssh)] = Field(
        default="ssh", description="How users connect; both are over SSH, as our proof is."
    )
    connection_port: Whole = Field(default=22, ge=1, le=65535, description="Port of the login.")
    python_path: Named = Field(default="auto", description="Interpreter for Ansible.")
    shell_type: Named | None = Field(default=None, description="Shell type for Ansible.")
    key_name: NovaNamed | None = Field(
        default=None, description="Keypair of the cloud; else the pool's."
    )
    config_drive: bool | None = Field(default=None, description="Ask for a configuration drive.")
    user_data: Annotated[str | None, AsWritten()] = Field(
        default=None, max_length=USER_DATA_BYTES_MAX, description="Given to the server at boot."
    )
    user_data_file: Annotated[
        str | None, HostFile(fills="user-data", bytes_max=USER_DATA_BYTES_MAX)
    ] = Field(default=None, description="The same, from a file; relative to the configuration.")
    instance_properties: Metadata = Field(
        default_factory=dict, description="Metadata of the server."
    )
    dynamic_instance_properties: Annotated[Metadata, AfterValidator(_templates)] = Field(
        default_factory=dict,
        description="Metadata made from {label}, {provider}, {pool}; {request} where a node is "
        "made for one request alone.",
    )
    console_log: bool = Field(
        default=True, description="Keep the console's output when a launch fails."
    )
    boot_from_volume: Annotated[
        Volume | None,
        BeforeValidator(_plain_volume, json_schema_input_type=bool | Volume | None),
    ] = Field(default=None, description="true, or a mapping with the size.")
    networks: tuple[Named, ...] | None = Field(default=None, description="Instead of the pool's.")
    security_groups: tuple[NovaNamed, ...] | None = Field(
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

    max_servers: Whole | None = Field(default=None, ge=0, description="0: the pool is closed.")
    max_cores: Whole | None = Field(default=None, ge=0, description="Cores of all its nodes.")
    max_ram: SizeMib | None = Field(default=None, ge=0, description="Memory of all its nodes.")
    max_volumes: Whole | None = Field(default=None, ge=0, description="Volumes of all its nodes.")
    max_volume_size: SizeMib | None = Field(default=None, ge=0, description="Their total size.")
    ignore_provider_quota: bool = Field(
        default=False, description="Do not ask the cloud for its quota."
    )
    priority: Whole | None = Field(default=None, description="Lower is preferred; else provider's.")
    networks: tuple[Named, ...] = Field(default=(), description="Names or ids; else the default.")
    security_groups: tuple[NovaNamed, ...] = Field(default=(), description="Names or ids.")
    availability_zones: tuple[NovaNamed, ...] = Field(
        default=(), description="Taken in turn; else the cloud chooses."
    )
    floating_ips: bool = Field(default=False, description="Give each node a floating IP.")
    key_name: NovaNamed | None = Field(default=None, description="Keypair of the cloud.")
    node_attributes: dict[str, str] = Field(
        default_factory=dict, description="Copied to the node record, e.g. executor-zone for Zuul."
    )
    labels: dict[Name, PoolLabel] = Field(min_length=1, description="What it can make, and how.")


class Provider(Section):
    """One region of one account."""

    cloud: Named = Field(description="Name in clouds.yaml.")
    region: Named | None = Field(
        default=None, description="Region; null: the one that clouds.yaml names."
    )
    priority: Whole = Field(default=100, description="Lower is preferred.")
    launch_timeout: Duration = Field(
        default=900.0,
        gt=0,
        le=6 * 3600,
        description="From the intent to a proven node, without the time in which it waits for us: "
        "for a free thread, or for our connection to ZooKeeper.",
    )
    boot_timeout: Duration = Field(
        default=600.0,
        gt=0,
        le=6 * 3600,
        description="Until the cloud calls the server active; judged by a listing begun after it.",
    )
    login_timeout: Duration = Field(
        default=120.0,
        gt=0,
        le=6 * 3600,
        description="From a running server with its address, floating IP included, to the first "
        "login, or to its host key where nobody logs in; waits for us do not count. Tells networks "
        "that lead nowhere. More is wanted where sshd starts late: emulated machines, and images "
        "that prepare a lot before it.",
    )
    launch_attempts: Whole = Field(
        default=3,
        ge=1,
        le=20,
        description="Failed launches on account of one request before it is declined, for each "
        "node that it wants; of several labels, each has its own.",
    )
    max_concurrency: Whole = Field(
        default=20,
        ge=0,
        le=1000,
        description="Launches under way at once, and proofs, of which 96 at most; 0: make nothing.",
    )
    rate: Number = Field(
        default=10.0,
        gt=0,
        le=1000,
        description="API calls per second; listings go first, and nobody has more than a share.",
    )
    list_period: Duration = Field(
        default=3.0, ge=0.2, le=300, description="Between listings while something is under way."
    )
    idle_list_period: Duration = Field(
        default=60.0, ge=1, le=3600, description="Between listings when nothing is under way."
    )
    ssh_key_file: Annotated[str | None, HostFile(secret=True)] = Field(
        default=None,
        description="Private key to log in with; null: setup and checks are not possible, and a "
        "node is ready when its SSH port answers with the right host key.",
    )
    inject_key: bool = Field(
        default=True, description="Give our public key to nodes through user data."
    )
    port_cleanup_interval: Duration | None = Field(
        default=None, gt=0, description="Remove ports that are down for so long; null: never."
    )
    clean_floating_ips: bool = Field(
        default=True,
        description=(
            "Remove the floating IPs that we made and nobody has any more, every ten minutes, "
            "while a pool gives them or the launcher has seen a node with one since its start; "
            "else that is done only for want of room."
        ),
    )
    api_timeout: Duration = Field(
        default=60.0,
        gt=0,
        le=600,
        description="Of one API call, for the whole answer; before that, for its turn at the rate.",
    )
    web: ProviderWeb = Field(
        default_factory=ProviderWeb,
        description="Status endpoint of its launchers, so that those of several providers can "
        "share a host.",
    )
    pools: dict[Name, Pool] = Field(min_length=1, description="Its slices.")


class Statsd(Section):
    """Where to send statsd packets."""

    host: Named = Field(description="Host name or address.")
    port: Whole = Field(default=8125, ge=1, le=65535, description="UDP port.")
    prefix: str = Field(default="nodepool", description="Before every name.")


class UserConfig(Section):
    """The part of the file that who only asks for nodes needs."""

    zookeeper: Zookeeper = Field(default_factory=Zookeeper, description="Where ZooKeeper is.")


class Config(UserConfig):
    """The whole file."""

    installation: InstallationId | None = Field(
        default=None,
        description="Id that /remuda/installation must hold; a launcher refuses to start on another"
        " ZooKeeper, whose records would make our servers look like leaks. null: not looked at.",
    )
    clouds_file: Annotated[str | None, HostFile(secret=True)] = Field(
        default=None,
        description="clouds.yaml to use; else the one that OS_CLIENT_CONFIG_FILE names, the one "
        "beside this file, or where the OpenStack client looks.",
    )
    labels: dict[Name, Label] = Field(min_length=1, description="What tests may ask for.")
    providers: dict[Name, Provider] = Field(min_length=1, description="Who makes nodes.")
    max_hold_age: Duration | None = Field(14 * 86400.0, gt=0, description="Upper bound of a hold.")
    developers: dict[Name, DeveloperFrom] = Field(
        default_factory=dict, description="Whose keys may be put onto held machines, by name."
    )
    holds: HoldsFrom = Field(default_factory=HoldsFrom, description="Machines kept for people.")
    web: Web = Field(default_factory=Web, description="Status endpoint of launchers and builders.")
    statsd: Statsd | None = Field(default=None, description="Send statsd packets, too.")
    capsules: Capsules = Field(
        default_factory=Capsules, description="What is kept of machines that fail."
    )
    image_defaults: ImageDefaults = Field(
        default_factory=ImageDefaults, description="What holds for all images."
    )
    image_signing: ImageSigning = Field(
        default_factory=ImageSigning, description="Signatures of what is stated of builds."
    )
    images: dict[Name, RecipeFrom] = Field(
        default_factory=dict, description="What builders make, for labels to name as built."
    )

    def web_of(self, provider: str | None) -> Web:
        """Return the endpoint of a launcher of *provider*; None: of a builder."""
        if provider not in self.providers:
            return self.web
        own = self.providers[provider].web
        return Web(
            listen=self.web.listen if own.listen is None else own.listen,
            port=self.web.port if own.port is None else own.port,
        )

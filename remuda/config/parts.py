"""The small sections: ZooKeeper, scripts, checks, and how an image or a flavor is found."""

import hashlib
import re
from typing import Annotated, ClassVar, Final, Literal

from pydantic import AfterValidator, BeforeValidator, Field, WithJsonSchema

from remuda.config.addresses import CHROOT, HOST_PORT, chroot_path, host_port
from remuda.config.base import (
    AsWritten,
    Choice,
    Duration,
    HostFile,
    Name,
    Named,
    Section,
    SizeMib,
    Whole,
)
from remuda.config.patterns import repeats_repeats
from remuda.config.units import WrongValueError
from remuda.secret import Secret

#: A script travels over SSH to every node; more than this is data and belongs into the image.
SCRIPT_BYTES_MAX: Final = 256 * 1024

_IDENTITY: Final = re.compile(
    r"sasl:[^\s:]+|x509:\S.*|world:anyone|digest:[^\s:]+:[A-Za-z0-9+/]{27}="
)


def name_and_password(text: str) -> tuple[str, str] | None:
    """Return what the first line of *text* holds as ``name:password``, or None."""
    name, _, password = text.partition("\n")[0].strip().partition(":")
    return (name, password) if name and password else None


def _regular_expression(value: str) -> str:
    if not value.strip():
        raise WrongValueError(
            "is empty, and matches nothing that has a name", hint="write for example debian-12-.*"
        )
    try:
        endless = repeats_repeats(value)
    except re.error as error:
        where = "" if error.pos is None else f" at character {error.pos + 1}"
        raise WrongValueError(
            f"is not a regular expression: {error.msg}{where}",
            hint=r"a plain dot, bracket or star is written \. \[ \*",
        ) from None
    if endless:
        raise WrongValueError(
            "repeats what is repeated already, as in (a+)+: comparing a name with it may never end",
            hint="write each * and + only once around the same text",
        )
    return value


def named(value: object) -> object:
    """Return the section that the name *value* is short for; other values as they are."""
    return {"name": value} if isinstance(value, str) else value


HostPort = Annotated[
    str,
    AfterValidator(host_port),
    WithJsonSchema({"type": "string", "pattern": f"^({HOST_PORT.pattern})$"}),
]
Chroot = Annotated[
    str,
    AfterValidator(chroot_path),
    WithJsonSchema({"type": "string", "pattern": f"^({CHROOT.pattern})$"}),
]
Pattern = Annotated[str, AfterValidator(_regular_expression)]


class Tls(Section):
    """Client certificate for ZooKeeper; all three are PEM files."""

    cert: Annotated[str, HostFile()] = Field(description="Client certificate file.")
    key: Annotated[str, HostFile(secret=True)] = Field(description="Its private key file.")
    ca: Annotated[str, HostFile()] = Field(
        description="Certificates of the authorities that sign the servers'; no others count."
    )
    check_hostname: bool = Field(
        default=True,
        description="The server's certificate must name the host (or IP address) that hosts names; "
        "false: any certificate of these authorities will do, so each holder can be ZooKeeper.",
    )


def _hidden(value: str | None) -> str | None:
    return None if value is None else Secret(value)


def _identity(value: str) -> str:
    if _IDENTITY.fullmatch(value) is None:
        raise WrongValueError(
            "is not an identity of ZooKeeper",
            hint="write sasl:NAME, x509:SUBJECT, world:anyone, or digest:NAME:HASH with the 28 "
            "characters of printf %s NAME:PASSWORD | openssl sha1 -binary | base64",
            private=True,  # a password where its hash should be
        )
    return value


IdentityText = Annotated[
    str,
    AfterValidator(_identity),
    WithJsonSchema({"type": "string", "pattern": f"^({_IDENTITY.pattern})$"}),
]


class Roles(Section):
    """Who may do what in ZooKeeper; the same in the file of everybody who shares the tree."""

    launchers: tuple[IdentityText, ...] = Field(
        min_length=1, description="Who launchers authenticate as; they may do everything."
    )
    requestors: tuple[IdentityText, ...] = Field(
        min_length=1,
        description="Who asks for nodes: they may make and remove requests, write and lock nodes, "
        "and read the rest but the evidence of failed launches.",
    )


class Zookeeper(Section):
    """Where ZooKeeper is."""

    choices: ClassVar[tuple[Choice, ...]] = (
        Choice(("auth-file", "auth"), least=0),
        Choice(("creator-only", "acl"), least=0),
    )

    hosts: tuple[HostPort, ...] = Field(
        default=("127.0.0.1:2181",), min_length=1, description="Servers, as host:port."
    )
    chroot: Chroot | None = Field(
        default=None,
        description="Path below which all of ours lies, e.g. /ci.",
    )
    tls: Tls | None = Field(default=None, description="Turns on TLS with a client certificate.")
    auth_file: Annotated[str | None, HostFile(secret=True)] = Field(
        default=None,
        description="File with name:password in its first line, to authenticate with.",
    )
    auth: Annotated[str | None, AfterValidator(_hidden)] = Field(
        default=None,
        repr=False,
        description="The same from the environment: ${NAME}. A password written here is refused.",
    )
    auth_scheme: Literal["digest", "sasl"] = Field(
        default="digest",
        description="How name and password are shown: digest (ZooKeeper's own), or sasl "
        "(DIGEST-MD5, which does not send the password; needs the extra remuda[sasl]).",
    )
    creator_only: bool = Field(
        default=False,
        description="Close znodes that we make to all who do not authenticate as we do.",
    )
    acl: Roles | None = Field(
        default=None,
        description="Who may do what; null: who authenticates keeps /remuda to himself and lets "
        "everybody read it (but the evidence of failed launches), and all else is open.",
    )
    session_timeout: Duration = Field(
        default=10.0,
        ge=2,
        le=300,
        description="After this long without contact our leases are gone and others take over.",
    )


class ScriptText(Section):
    """A script from a file or written in place.

    The loader puts the file's text into ``inline``, so that a value carries its script whichever
    way it was given, and differs when the file has changed.
    """

    choices: ClassVar[tuple[Choice, ...]] = (Choice(("file", "inline")),)

    file: Annotated[str | None, HostFile(fills="inline", bytes_max=SCRIPT_BYTES_MAX)] = Field(
        default=None, description="File, relative to the configuration."
    )
    inline: Annotated[str | None, AsWritten()] = Field(
        default=None, description="The script itself."
    )

    @property
    def text(self) -> str:
        """The script, whichever way it was given.

        Raises:
            ValueError: If the value was made by hand with a file only: just the loader reads files.
        """
        if self.inline is None:
            raise ValueError(f"the script {self.file} was never read")
        return self.inline

    @property
    def sha256(self) -> str:
        """Hash of the text, in hexadecimal; raises what ``text`` raises."""
        return hashlib.sha256(self.text.encode()).hexdigest()


class ScriptFrom(ScriptText):
    """A script from a file or written in place."""

    timeout: Duration = Field(default=300.0, gt=0, le=6 * 3600, description="Killed after this.")
    as_root: bool = Field(default=False, description="Run with sudo unless logged in as root.")


class DiskCheck(Section):
    """Free space on a file system of the machine."""

    path: Named = Field(default="/", description="Where to look.")
    free: SizeMib = Field(default=1024, ge=1, description="At least this much must be free.")


class DnsCheck(Section):
    """A name must resolve on the machine."""

    name: Named = Field(description="Host name to resolve.")


class NetworkCheck(Section):
    """A TCP connection must be possible from the machine."""

    host: Named = Field(description="Host name or address to connect to.")
    port: Whole = Field(default=443, ge=1, le=65535, description="TCP port.")


class ClockCheck(Section):
    """The machine's clock must agree with the launcher's."""

    skew: Duration = Field(default=30.0, gt=0, description="Largest difference allowed.")


class CheckFrom(Section):
    """One check: exactly one of the kinds."""

    choices: ClassVar[tuple[Choice, ...]] = (Choice(("disk", "dns", "network", "clock", "script")),)

    name: Named | None = Field(default=None, description="For messages; else made from the kind.")
    disk: DiskCheck | None = Field(default=None, description="Free disk space.")
    dns: DnsCheck | None = Field(default=None, description="A name resolves.")
    network: NetworkCheck | None = Field(default=None, description="A TCP connection works.")
    clock: ClockCheck | None = Field(default=None, description="The clock is right.")
    script: ScriptFrom | None = Field(default=None, description="Exit code 0 means it passed.")
    timeout: Duration = Field(default=30.0, gt=0, le=3600, description="Fails after this.")


class ImageFrom(Section):
    """Which image: one of id, name, or the newest that matches."""

    choices: ClassVar[tuple[Choice, ...]] = (
        Choice(("id", "name", "match")),
        Choice(("id", "properties"), least=0),
    )

    id: Named | None = Field(default=None, description="Image id.")
    name: Named | None = Field(default=None, description="Exact name; of several the newest.")
    match: Pattern | None = Field(
        default=None, description="Regular expression for the whole name; the newest match wins."
    )
    properties: dict[str, str] = Field(
        default_factory=dict, description="Beside name or match: properties that must be equal."
    )


class NodeImageFrom(ImageFrom):
    """Which image: one of id, name, the newest that matches, or one of ours."""

    choices: ClassVar[tuple[Choice, ...]] = (
        Choice(("id", "name", "match", "built")),
        Choice(("id", "properties"), least=0),
        Choice(("built", "properties"), least=0),
    )

    built: Name | None = Field(
        default=None, description="One of images:; its current build in this provider."
    )


class FlavorFrom(Section):
    """Which flavor: by name, or the smallest with at least these."""

    choices: ClassVar[tuple[Choice, ...]] = (Choice(("name", "ram", "cores", "disk"), most=None),)

    name: Named | None = Field(
        default=None, description="Flavor name; with minimums: a part of the name."
    )
    ram: SizeMib = Field(default=0, ge=0, description="At least this much memory.")
    cores: Whole = Field(default=0, ge=0, description="At least so many cores.")
    disk: SizeMib = Field(default=0, ge=0, description="At least this much disk.")


#: How a flavor is written: its name, or the section.
FlavorNamed = Annotated[FlavorFrom, BeforeValidator(named, json_schema_input_type=str | FlavorFrom)]


class Volume(Section):
    """Boot from a volume that is deleted with the server."""

    size: SizeMib = Field(default=50 * 1024, ge=1024, description="Size of the volume.")

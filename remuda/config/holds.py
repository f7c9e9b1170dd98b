"""How long machines are kept for people, and how many."""

from typing import Annotated

from pydantic import Field

from remuda.config.base import Duration, HostFile, Section, Whole
from remuda.config.parts import Pattern
from remuda.config.snapshots import SnapshotsFrom


class ExtendFrom(Section):
    """How often a hold may be made longer, and by how much."""

    times: Whole = Field(default=1, ge=0, le=4, description="So often by its owner; 0: never.")
    by: Duration = Field(
        default=8 * 3600.0,
        ge=60,
        le=366 * 86400,
        description="So much at most each time, and if nobody says how much. By so much also once "
        "by itself, if somebody is logged in on the machine at the end.",
    )


class AutoholdFrom(Section):
    """What holds that wait for a failure leave to requests."""

    keep_free: Whole = Field(
        default=1,
        ge=0,
        le=10_000,
        description="A failed machine is kept only if its pool has room for so many more of its "
        "label: the last room is for requests. 0: it is kept anyway.",
    )


class CertificatesFrom(Section):
    """Short-lived SSH certificates for who logs in to a held machine."""

    ca_key_file: Annotated[str, HostFile(secret=True)] = Field(
        description="Private key of the authority, ed25519, ECDSA or RSA, without a passphrase. "
        "New machines trust it, each for its own hold alone."
    )
    most: Duration = Field(
        default=8 * 3600.0,
        ge=60,
        le=7 * 86400,
        description="No certificate is good for longer, nor beyond the end of its hold.",
    )


class HoldsFrom(Section):
    """Machines that are kept for people after their job. `max-hold-age` is the upper bound."""

    max: Whole | None = Field(
        default=None, ge=0, description="Machines of one provider; null: no limit."
    )
    max_per_owner: Whole | None = Field(
        default=None, ge=0, description="Of one provider for one owner; null: no limit."
    )
    max_per_label: Whole | None = Field(
        default=None, ge=0, description="Of one provider of one label; null: no limit."
    )
    default_for: Duration = Field(
        default=86400.0,
        ge=60,
        le=366 * 86400,
        description="How long a machine is kept if whoever holds it does not say.",
    )
    warn_before: Duration = Field(
        default=1800.0,
        ge=0,
        le=7 * 86400,
        description="So long before the end people who are logged in are told, on their terminals. "
        "Holds of Zuul and Jenkins beyond a limit end after this. 0: nobody is told.",
    )
    extend: ExtendFrom = Field(default_factory=ExtendFrom, description="More time.")
    idle_end: Duration | None = Field(
        default=None,
        ge=600,
        le=366 * 86400,
        description="Once nobody was logged in for so long, the hold ends; null: it does not.",
    )
    operators: tuple[Pattern, ...] = Field(
        default=(),
        description="Who may extend holds of others, and put keys onto their machines: regular "
        "expressions, each for a whole name. Names are unproven.",
    )
    change_host_key: bool = Field(
        default=True,
        description="Held machines that got their host key from us make themselves another one: "
        "whoever was on them can read the first one through the metadata service.",
    )
    certificates: CertificatesFrom | None = Field(
        default=None, description="Certificates for `remuda ssh`; null: none are made."
    )
    autohold: AutoholdFrom = Field(
        default_factory=AutoholdFrom, description="Holds that wait for a failure."
    )
    snapshots: SnapshotsFrom | None = Field(
        default=None,
        description="Held machines that become images of their developers; null: none does.",
    )

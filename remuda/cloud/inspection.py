"""What an operator wants to know of a cloud before trusting it; no launcher asks for this.

It stands beside :mod:`remuda.cloud.api`, so that the contract of a launcher's cloud stays small.
Implementations (the openstacksdk adapter, the fake of the tests) pass the same contract tests.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol


class Service(StrEnum):
    """The services that we need, by their names in the catalogue."""

    COMPUTE = "compute"
    IMAGE = "image"
    NETWORK = "network"


class CloudRight(StrEnum):
    """What a launcher (or a builder) has to be allowed, besides looking."""

    CREATE = "create"
    DELETE = "delete"
    SNAPSHOT = "snapshot"


class Told(StrEnum):
    """What a cloud says of a right when it is asked without side effects."""

    YES = "yes"
    NO = "no"
    UNTOLD = "untold"  # only doing it would tell


@dataclass(frozen=True, slots=True, kw_only=True)
class Permission:
    """Whether we have a right, and in which words the cloud said so."""

    told: Told
    why: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountIdentity:
    """Who we are to the cloud.

    Attributes:
        roles: Names of what we are in the project.
        region: None: the account names none, the catalogue's first one is taken.
        endpoints: Base URL by service; services that the catalogue lacks are missing.
        expires_s: When the token ends, by the cloud's clock, seconds since the epoch.
    """

    user: str
    project: str
    project_id: str
    auth_url: str
    user_domain: str | None = None
    project_domain: str | None = None
    roles: tuple[str, ...] = ()
    region: str | None = None
    endpoints: Mapping[str, str] = field(default_factory=dict)
    expires_s: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenNetwork:
    """A network that the account can see.

    Attributes:
        external: Floating IPs come from here.
        usable: Nova considers it when an order names no network.
    """

    id: str
    name: str
    external: bool = False
    usable: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class SecurityGroup:
    """A security group of the project."""

    id: str
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FloatingRoom:
    """How many floating IPs the project may have and has; limit None: unlimited."""

    limit: int | None
    used: int


class Inspector(Protocol):
    """Looks at one region of one account.

    Every method may raise TryLaterError, UnauthorizedError, CloudConfigError or CloudError.
    Nothing is remembered: every call asks the cloud.
    """

    def identity(self) -> AccountIdentity:
        """Log in, unless that was done already, and return who we are."""

    def ping(self, service: Service) -> float | None:
        """Make one cheap call and return the cloud's wall clock, if the answer tells it."""

    def networks(self) -> tuple[SeenNetwork, ...]:
        """Return the networks that servers or floating IPs may use."""

    def security_groups(self) -> tuple[SecurityGroup, ...]:
        """Return the project's security groups."""

    def key_pairs(self) -> tuple[str, ...]:
        """Return the names of the user's key pairs (they belong to users, not to projects)."""

    def floating_room(self) -> FloatingRoom | None:
        """Return the quota of floating IPs, or None if the cloud does not tell us."""

    def may(self, right: CloudRight) -> Permission:
        """Say whether we have a right, without doing anything."""

"""What a plan may do for the provider as a whole."""

from dataclasses import dataclass

from launcher.policy import Key


@dataclass(frozen=True, slots=True, kw_only=True)
class Survey:
    """Look up images, flavors and quota; *only*: what these name alone, as orders were refused."""

    only: frozenset[Key] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Tidy:
    """Remove what dead processes left in ZooKeeper, and in the cloud besides servers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rescue:
    """Give back the requests that a dead provider had claimed."""

    provider: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Publish:
    """Write the status of this provider for the others."""

    status: bytes
    outline: str

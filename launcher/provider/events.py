"""What becomes of what is done for the provider as a whole."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from launcher.policy import Key, Policy
from launcher.provider.cloud import Recipe
from remuda.cloud.api import CloudError, Quota


@dataclass(frozen=True, slots=True, kw_only=True)
class Surveyed:
    """What can be made, and how much room the account has; *error*: the cloud did not tell.

    Attributes:
        quota_why: Why the cloud did not tell its quota alone, or None.
        only: What was looked up, and the quota was not; None: everything.
    """

    begun_s: float
    recipes: Mapping[Key, Recipe] = field(default_factory=dict)
    broken: Mapping[Key, str] = field(default_factory=dict)
    quota: Quota | None = None
    quota_why: str | None = None
    ours: tuple[int, int, int] = (0, 0, 0)
    error: CloudError | None = None
    policy: Policy | None = None
    only: frozenset[Key] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Tidied:
    """A round of tidying ended.

    Attributes:
        seen: Leftovers of the cloud to be deleted if the next round still shows them.
        removed: Records removed from ZooKeeper.
        freed: Requests given back that were pending, but claimed by nobody.
        claimants: Providers that have claims on requests, living or not.
    """

    seen: frozenset[str]
    removed: int
    ports: int
    floating_ips: int
    freed: int = 0
    claimants: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Rescued:
    """The claims of a dead provider were given back; *again*: not all of them yet."""

    provider: str
    again: bool

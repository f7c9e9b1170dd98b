"""What a plan may do for the provider as a whole."""

from dataclasses import dataclass
from typing import Final

from launcher.lanes import STATUS, SURVEY, TIDYING, Kinds, Lane, aside
from launcher.policy import Key
from remuda.frame.work import WorkKind


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


@dataclass(frozen=True, slots=True, kw_only=True)
class DropPermit:
    """Remove an operator's permission to sweep: it is used up, or too old."""

    version: int


#: In which threads each kind of action is done, and what it keeps busy meanwhile.
KINDS: Final[Kinds] = {
    **aside(DropPermit),
    Survey: WorkKind(Lane.OTHER, lambda _: SURVEY),
    Tidy: WorkKind(Lane.OTHER, lambda _: TIDYING),
    Rescue: WorkKind(Lane.OTHER, lambda action: ("rescue", action.provider)),
    Publish: WorkKind(None, lambda _: STATUS),
}

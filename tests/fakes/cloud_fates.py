"""What can be asked to go wrong in the fake cloud."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class Create(StrEnum):
    """What becomes of one create call."""

    OK = "ok"
    NO_ROOM = "no room"
    BAD_ORDER = "bad order"
    TRY_LATER = "try later"
    UNAUTHORIZED = "unauthorized"
    LOST_REPLY = "lost reply"  # the server is made; the caller gets UnknownOutcomeError
    LOST_CALL = "lost call"  # nothing is made; the caller gets UnknownOutcomeError as well


class BootEnd(StrEnum):
    """How one boot ends."""

    ACTIVE = "active"
    ERROR = "error"
    HANG = "hang"  # stays building
    VANISH = "vanish"  # is listed no more
    STOP = "stop"  # becomes active and stops at the same moment


class Delete(StrEnum):
    """What becomes of one delete call."""

    OK = "ok"
    REFUSED = "refused"  # TryLaterError, nothing done
    IGNORED = "ignored"  # accepted, nothing done: the server stays until it is asked for again
    SLOW = "slow"  # accepted, takes ten times as long


class Listing(StrEnum):
    """How one listing lies or fails."""

    OK = "ok"
    EMPTY = "empty"
    OMITS = "omits"  # a random third of the servers is missing
    FAILS = "fails"  # TryLaterError


@dataclass(frozen=True, slots=True, kw_only=True)
class Boot:
    """One boot.

    Attributes:
        seconds: Until it ends; None: the cloud's usual time.
        fault: Nova's words if it ends in ERROR.
    """

    end: BootEnd = BootEnd.ACTIVE
    seconds: float | None = None
    fault: str = "Build of instance aborted: the fake said so"


@dataclass(frozen=True, slots=True, kw_only=True)
class Chaos:
    """Probabilities of faults, drawn with the cloud's seed when no script says otherwise.

    What is left to 1 in each mapping goes well.
    """

    creates: Mapping[Create, float] = field(default_factory=dict)
    boots: Mapping[BootEnd, float] = field(default_factory=dict)
    deletes: Mapping[Delete, float] = field(default_factory=dict)
    listings: Mapping[Listing, float] = field(default_factory=dict)
    boot_factor_max: float = 1.0  # a boot takes between one and so many times the usual time

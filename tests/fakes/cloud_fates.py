"""What the fake cloud remembers of a server, and what can be asked to go wrong in it."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TypeVar

from remuda.cloud.api import (
    BadOrderError,
    CloudError,
    Image,
    NoRoomError,
    ServerSpec,
    TryLaterError,
    UnauthorizedError,
    UnknownOutcomeError,
)

#: In Nova's schema of POST /servers: characters of user data in base64, and of all other texts.
_USER_DATA_MAX, _TEXT_MAX = 65_535, 255
_METADATA_KEY = re.compile(r"[a-zA-Z0-9_:. -]{1,255}")
#: Nova's default quota.
_METADATA_ITEMS_MAX = 128

Fate = TypeVar("Fate", bound=StrEnum)


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


def create_error(fate: Create) -> CloudError | None:
    """Return what a create call of that fate raises."""
    errors: Mapping[Create, CloudError] = {
        Create.NO_ROOM: NoRoomError("fake: HTTP 403: Quota exceeded for instances"),
        Create.BAD_ORDER: BadOrderError("fake: HTTP 400: the order is rejected"),
        Create.TRY_LATER: TryLaterError("fake: HTTP 429: too fast", retry_after_s=2.0),
        Create.UNAUTHORIZED: UnauthorizedError("fake: HTTP 401: credentials are refused"),
        Create.LOST_REPLY: UnknownOutcomeError("fake: the reply is lost"),
        Create.LOST_CALL: UnknownOutcomeError("fake: the call is lost"),
    }
    return errors.get(fate)


def check_room(resource: str, needed: int, limit: int | None) -> None:
    """Refuse, in Nova's words, what does not fit.

    Raises:
        NoRoomError: If more is needed than the limit allows.
    """
    if limit is not None and needed > limit:
        raise NoRoomError(f"fake: HTTP 403: Quota exceeded for {resource}: {needed} of {limit}")


def check_sizes(order: ServerSpec, images: Iterable[Image]) -> None:
    """Refuse an image that is too large for its machine, as Nova does.

    Raises:
        BadOrderError: If it is.
    """
    flavor, volume_gib = order.flavor, order.volume_gib
    if volume_gib is None and not flavor.disk_gib:
        raise BadOrderError("fake: HTTP 403: only volume-backed servers are allowed")
    for each in images:
        if each.id != order.image.id:
            continue
        if each.min_ram_mib > flavor.ram_mib:
            raise BadOrderError("fake: HTTP 400: Flavor's memory is too small")
        if each.min_disk_gib > (volume_gib or flavor.disk_gib):
            raise BadOrderError("fake: HTTP 400: Flavor's disk is too small for requested image")


def check_texts(order: ServerSpec) -> None:
    """Refuse what Nova's schema of a create call, or its quota of metadata, refuses.

    Raises:
        BadOrderError: If a text is too long, or written as it must not be.
    """
    if -(-len(order.user_data or "") // 3) * 4 > _USER_DATA_MAX:
        raise BadOrderError("fake: HTTP 400: user_data is too long")
    for key, value in order.tags.items():
        if _METADATA_KEY.fullmatch(key) is None or len(value) > _TEXT_MAX:
            raise BadOrderError("fake: HTTP 400: Invalid input for field/attribute metadata")
    if len(order.tags) > _METADATA_ITEMS_MAX:
        raise BadOrderError("fake: HTTP 403: Maximum number of metadata items exceeds 128")
    named = (order.key_name, order.az)
    for name in (order.name, *order.security_groups, *(each for each in named if each)):
        if not 1 <= len(name) <= _TEXT_MAX or name != name.strip() or not name.isprintable():
            raise BadOrderError("fake: HTTP 400: Invalid input for field/attribute name")


def drawn(chance: float, rates: Mapping[Fate, float], usual: Fate) -> Fate:
    """Return what a number from 0 to 1 means by these rates; what they leave is as usual."""
    for fate, rate in rates.items():
        chance -= rate
        if chance < 0:
            return fate
    return usual

"""Cron expressions in time zones: when do they fire, and how long is it between two times?

The fields are those of Debian's cron, read by cronsim: a time that a change of the clocks leaves
out fires once the clocks have gone on, and one that comes twice fires the first time only.
"""

import functools
import itertools
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo, available_timezones

from cronsim import CronSim, CronSimError

from remuda.config.name_guesses import meant_name
from remuda.config.units import WrongValueError

#: Nobody reads a longer one.
_CHARS_MAX: Final = 200
_FIELDS: Final = 5
_HINT: Final = "write minute, hour, day, month, weekday: '30 2 * * *' or '0 4 * * MON-FRI'"
#: Where searches begin that no instant is given for: the year after it is a leap year.
_START_S: Final = datetime(2027, 1, 1, tzinfo=UTC).timestamp()
#: Instants beyond are no dates; a search there finds nothing.
_LAST_S: Final = datetime(9900, 1, 1, tzinfo=UTC).timestamp()
#: So many times in a row are looked at for the longest pause: of days, more than two years.
_LOOKED_AT: Final = 800
#: A time that comes twice is met again by a search from the second one; once for each minute.
_REPEATS_MAX: Final = 1_500
#: What lies between two days' midnights is not all pause; an hour more for changes of the clocks.
_DAY_S: Final = 86_400.0 + 3_600.0


def parse_cron(text: str) -> str:
    """Return *text* if it is a cron expression that fires some day.

    Raises:
        WrongValueError: If it is not; the hint says what would be.
    """
    if len(text) > _CHARS_MAX or len(text.split()) != _FIELDS:
        raise WrongValueError("is not a cron expression: it has five fields", hint=_HINT)
    try:
        found = next(CronSim(text, datetime.fromtimestamp(_START_S, UTC)), None)
    except CronSimError as error:
        said = str(error)
        raise WrongValueError(
            f"is not a cron expression, or never fires: {said[:1].lower()}{said[1:]}", hint=_HINT
        ) from None
    if found is None:
        raise WrongValueError("never fires: no date is such a day", hint=_HINT)
    return text


def parse_zone(name: str) -> str:
    """Return *name* if this host knows it as a time zone that is the same on every host.

    Raises:
        WrongValueError: If it does not; the hint has the nearest name.
    """
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError):  # KeyError: not there; OSError: a folder, as Europe
        known = available_timezones()
        near = meant_name(name, sorted(known))
        if not known:
            hint = "this host knows none: install the package tzdata"
        else:
            hint = f"did you mean {near!r}?" if near else "write for example UTC or Europe/Berlin"
        raise WrongValueError("is not a time zone", hint=hint) from None
    if name == "localtime":
        raise WrongValueError(
            "is another time zone on each host", hint="write for example Europe/Berlin"
        )
    return name


@functools.lru_cache(maxsize=4_096)  # builders ask the same at every look; the answer never changes
def first_after(cron: str, zone: str, instant_s: float) -> float | None:
    """Return the first time after *instant_s* at which *cron* fires in *zone*.

    All times are seconds since the epoch; the arguments are such as ``parse_cron`` and
    ``parse_zone`` let pass. None: it does not fire in the next fifty years.
    """
    if not 0 <= instant_s < _LAST_S:
        return None
    # The search begins at a full minute: cronsim knows no smaller ones.
    begin = datetime.fromtimestamp(instant_s // 60 * 60, ZoneInfo(zone))
    times = itertools.islice(_times(cron, begin), _REPEATS_MAX)
    return next((at_s for at_s in times if at_s > instant_s), None)


@functools.lru_cache(maxsize=4_096)  # files say the same of many images
def longest_pause_s(cron: str, zone: str) -> float:
    """Return the longest time between two firings in a row, s, as far as it can be told.

    It may be longer still, by a day or two: where *cron* fires often, but not on all days, only
    whole days without a firing are counted.
    """
    hours = " ".join(("0", "0", *cron.split()[2:]))
    return max(_pause_s(cron, zone), _pause_s(hours, zone) - _DAY_S)


def _pause_s(cron: str, zone: str) -> float:
    begin = datetime.fromtimestamp(_START_S, ZoneInfo(zone))
    times = itertools.islice(_times(cron, begin), _LOOKED_AT)
    return max((later - at for at, later in itertools.pairwise(times)), default=0.0)


def _times(cron: str, begin: datetime) -> Iterator[float]:
    """Yield when *cron* fires, seconds since the epoch, from a minute before *begin* on."""
    before = (begin.astimezone(UTC) - timedelta(minutes=1)).astimezone(begin.tzinfo)
    for found in CronSim(cron, before):
        yield found.timestamp()

"""When is the next build of an image due, and when may one be rolled out? Pure: time comes in.

Nothing is remembered but the time of the last build. However many firings were missed, one build
is due, and none of them later. Clocks may jump: a last build further in the future than clocks
differ was dated by a clock that was wrong, and says nothing; the image then waits for its next
turn, so that a jump does not make all images due at once.
"""

import hashlib
from typing import Final

from remuda.config.cron import first_after
from remuda.config.images import RolloutWindow, ScheduleFrom

#: Clocks of hosts differ by less, s; a last build that is so far ahead is just believed.
_AHEAD_S_MAX: Final = 86_400.0
#: After a clock was wrong: a turn that is longer past than this is missed, s. Builders look more
#: often.
_TURN_S: Final = 3_600.0


def next_due_s(
    schedule: ScheduleFrom | None, *, name: str, last_s: float | None, now_s: float
) -> float | None:
    """Return when the next build is due; not after *now_s* means now, None never.

    Args:
        schedule: None: only when somebody asks for a build.
        name: The image: each has its own place within the jitter.
        last_s: When its last build began, seconds since the epoch; None: there was none.
        now_s: Seconds since the epoch.
    """
    if schedule is None:
        return None
    if last_s is None:
        return now_s
    believed = last_s <= now_s + _AHEAD_S_MAX
    if schedule.cron is not None:
        offset_s = _share(name) * schedule.jitter
        from_s = last_s if believed else now_s - _TURN_S
        fires_s = first_after(schedule.cron, schedule.time_zone, max(0.0, from_s - offset_s))
        return None if fires_s is None else fires_s + offset_s
    age_s = _max_age_s(schedule)
    if believed:
        # It is a maximum: the jitter makes it shorter, never longer.
        return last_s + age_s - _share(name) * min(schedule.jitter, age_s / 2)
    since_s = (now_s - _share(name) * age_s) % age_s
    return now_s - since_s + (0.0 if since_s <= _TURN_S else age_s)


def opens_s(window: RolloutWindow | None, now_s: float) -> float | None:
    """Return when *window* is open next: *now_s* itself if it is open; None: never again."""
    if window is None:
        return now_s
    opened_s = first_after(window.opens, window.time_zone, max(0.0, now_s - window.lasts))
    return None if opened_s is None else max(now_s, opened_s)


def _max_age_s(schedule: ScheduleFrom) -> float:
    if schedule.max_age is None:
        raise ValueError("a schedule has cron or max-age: just the loader makes sure of it")
    return schedule.max_age


def _share(name: str) -> float:
    """Return a number from 0 to below 1 that is always the same for *name*."""
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:6]) / 2**48

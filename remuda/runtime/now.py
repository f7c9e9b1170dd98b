"""The present as a value: judgements are told what time it is."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Now:
    """The present, in both kinds of time (seconds)."""

    wall_s: float
    mono_s: float

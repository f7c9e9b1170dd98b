"""What the judgements need of a recipe; the configuration makes it."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from remuda.config.fingerprint import Trees
from remuda.images.canary import CanaryPlan
from remuda.model.capture import Captured


def never(_after_s: float) -> float | None:
    """Return no time: the image has no schedule."""
    return None


def always(now_s: float) -> float:
    """Return now: the roll-out window is always open."""
    return now_s


#: What a cloud spoils again and again is left alone at most so many times as long as at first.
BACKOFF_TIMES_MAX: Final = 4
_BACKOFF_S_MAX: Final = 6 * 3600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ImagePolicy:
    """How one image is made, proven, kept and swapped in. Durations are seconds.

    Attributes:
        fingerprint: Hash of the recipe with its files.
        copied: What its fingerprint means by each file and folder that steps copy.
        groups: Providers that share a making, in the order in which they may make it. A group of
            several is built once and copied; for a build of its own, each provider is a group.
        copies: Those that only copy: nothing is made there, whatever becomes of the others.
        parent: The image that it starts from, or None: a base of the cloud's.
        follow_base: Whether another base, or parent, is a reason to build.
        skip_same: Whether a build that would be what is booted already is not kept.
        full_every: So many builds after one from the base there is another one; between them they
            start from the current build of the image. 1: each starts from the base.
        next_due_s: When it is due by its schedule, after a given time; None: never. Pure.
        window_s: When its pointers may move next, from a given time on; that time: now. Pure.
        age_s_max: It is built when the last one is so old.
        fresh_s_max: There is an alarm when what launches boot is so old.
        keep: Proven builds that are kept in each place, the newest.
        paused: Whether it is neither built nor swapped in for now.
        ttl_s: It is made on first use, and goes when it is unused for so long; None: built ahead.
        canary: How a newer proven build is tried on a part of the requests before it becomes
            current; None: it becomes current at once.
        auto: Whether a newer proven build becomes current without a word.
        attempts_max: How often a build, or a copy, may be lost by us.
        tries_max: How often a candidate has to fail in a provider to be rejected there.
        backoff_s, backoff_s_max: Wait after a failed build, doubled with each one; and after a
            fault of the cloud's.
        evidence_s: How long records of what failed are kept, and images of what was revoked.
        grace_s: How long an upload is retiring at least.
        on_host: Whether a command on the builder's own host writes its file: no machine is filled.
        capture_refusal: Which rule it breaks to make it of a job's machine, or None; None: it has
            a recipe.
        snapshot_s_max: How long a snapshot of a dead builder may remain unfinished; or, made of a
            job's machine, be there without a builder that can sign it.
        failures_alarm: So many failed builds in a row are worth an alarm.
    """

    image: str
    fingerprint: str
    groups: tuple[tuple[str, ...], ...]
    copied: Trees = field(default_factory=dict)
    copies: frozenset[str] = frozenset()
    on_host: bool = False
    parent: str | None = None
    follow_base: bool = True
    skip_same: bool = True
    full_every: int = 1
    next_due_s: Callable[[float], float | None] = never
    window_s: Callable[[float], float] = always
    age_s_max: float | None = None
    fresh_s_max: float | None = None
    keep: int = 2
    paused: bool = False
    ttl_s: float | None = None
    canary: CanaryPlan | None = None
    auto: bool = True
    attempts_max: int = 3
    tries_max: int = 2
    backoff_s: float = 300.0
    backoff_s_max: float = _BACKOFF_S_MAX
    evidence_s: float = 7 * 86400.0
    grace_s: float = 300.0
    snapshot_s_max: float = 7200.0
    failures_alarm: int = 3
    capture_refusal: Callable[[Captured], str | None] | None = None

    @property
    def providers(self) -> tuple[str, ...]:
        """Every provider that is to have it."""
        return tuple(provider for group in self.groups for provider in group)


def pause_s_max(policy: ImagePolicy | None) -> float:
    """Return the longest that anything of an image is left alone before it is tried again."""
    if policy is None:
        return _BACKOFF_S_MAX
    return max(BACKOFF_TIMES_MAX * policy.backoff_s, policy.backoff_s_max)

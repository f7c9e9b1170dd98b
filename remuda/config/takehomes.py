"""Which held machines may become take-home images, and for whom: one rule, for everybody.

A launcher judges by it what a holder wishes, and a builder once more, by its own configuration.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from remuda.config.images import SecretFrom
from remuda.config.model import Config
from remuda.config.patterns import means
from remuda.config.snapshots import SnapshotsFrom
from remuda.model.holdwish import SnapshotWish
from remuda.model.takehome import PROJECT, EndWish, TakeHome
from remuda.moments import lasting, when

NONE_ALLOWED: Final = (
    "no machine becomes an image here: the configuration has no 'snapshots' in 'holds'"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class SnapshotRules:
    """What a configuration allows.

    Attributes:
        allowed: None: nothing.
        secret_labels: Those whose jobs work with secrets.
        operators: Who may have images of others kept for longer, as patterns.
    """

    allowed: SnapshotsFrom | None = None
    secret_labels: frozenset[str] = frozenset()
    secrets: Mapping[str, SecretFrom] = field(default_factory=dict)
    operators: tuple[str, ...] = ()

    def refusal(self, label: str, requestor: str, wish: SnapshotWish) -> str | None:
        """Return the rule that a wish breaks, as one sentence; None: it may be granted."""
        allowed = self.allowed
        if allowed is None:
            return NONE_ALLOWED
        if label in self.secret_labels:
            return f"no image is made of label {label}: its jobs work with secrets"
        if not _matches(allowed.labels, label):
            return f"label {label} is none of those of which images may be taken home"
        if not _matches(allowed.requestors, requestor):
            return f"{requestor or 'nobody'} is none of those whose machines may be taken home"
        if wish.for_s > allowed.max_age:
            most, wanted = lasting(allowed.max_age), lasting(wish.for_s)
            longer = "longer" if wanted == most else f"for {wanted}"
            return f"an image is kept for {most} at most, not {longer}"
        return _stranger(allowed, wish)

    def longer(
        self, one: TakeHome, wish: EndWish, *, now_s: float
    ) -> tuple[float | None, str | None]:
        """Return when a whole image ends once a wish for more time is answered; and why not later.

        The maximum counts from when it was whole.
        """
        allowed, ends_s = self.allowed, one.ends_s or 0.0
        if allowed is None:
            return one.ends_s, NONE_ALLOWED
        if not one.held_for.is_of(wish.by) and not _matches(self.operators, wish.by):
            return one.ends_s, (
                f"it is of {one.by or 'nobody'}: only they, or an operator, may change it"
            )
        if now_s >= ends_s:
            return one.ends_s, "it is over"
        latest_s = one.since_s + allowed.max_age
        wanted_s = ends_s + wish.for_s if wish.for_s else latest_s
        if wanted_s > latest_s or wanted_s <= ends_s:
            return one.ends_s, (
                f"an image is kept for {lasting(allowed.max_age)} at most, this one until"
                f" {when(latest_s)} (holds: snapshots: max-age)"
            )
        return round(wanted_s, 3), None


def _stranger(allowed: SnapshotsFrom, wish: SnapshotWish) -> str | None:
    """Return why an image may not be theirs whom a wish names, or None."""
    if wish.public and not allowed.public:
        return "no image may be made public: 'public' is false in 'snapshots'"
    if wish.share_with is None:
        return None
    if wish.public:
        return "an image is shared with one project, or public: not both"
    if not allowed.share:
        return "no image may be shared with another project: 'share' is false in 'snapshots'"
    if not PROJECT.fullmatch(wish.share_with):
        # Glance takes any text for a project, and nobody would ever find the image.
        return "a project is named by its id ('openstack project show NAME' tells it)"
    return None


def rules_of(config: Config) -> SnapshotRules:
    """Return the rules of a configuration."""
    allowed = config.holds.snapshots
    return SnapshotRules(
        allowed=allowed,
        secret_labels=frozenset(name for name, one in config.labels.items() if one.secret),
        secrets={} if allowed is None else allowed.secrets,
        operators=tuple(config.holds.operators),
    )


def providers_of(config: Config) -> frozenset[str]:
    """Return the providers whose held machines may become images."""
    return frozenset() if config.holds.snapshots is None else frozenset(config.providers)


def _matches(patterns: Iterable[str], name: str) -> bool:
    return any(means(one, name) for one in patterns)

"""How much this builder takes at once: places in lanes, and machines that it waits for."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Final

from builder.actions import TAKES, Action
from builder.build.actions import TakeBuild
from builder.lanes import LANE_SIZES, Lane
from builder.upload.actions import TryUpload
from builder.world import World

_FULL: Final = "this builder has its hands full"
_WAITING: Final = "this builder waits already for as many machines as it may, in"


def _provider(action: Action) -> str:
    """Return the provider that is to give a machine for what is taken, if one is."""
    match action:
        case TakeBuild() | TryUpload():
            return action.provider
        case _:
            return ""


@dataclass(slots=True)
class Capacity:
    """Counts what is ours, and what is about to be.

    Attributes:
        taking: What we are about to own, by lane and by the provider that is to give a machine, if
            one is.
    """

    world: World
    taking: Counter[tuple[Lane, str]] = field(default_factory=Counter)

    def begun(self, action: Action) -> None:
        """Note that something is being taken, if that is what is done."""
        if type(action) in TAKES:
            self.taking[TAKES[type(action)], _provider(action)] += 1

    def ended(self, action: Action) -> None:
        """Note that it was, or could not be."""
        if type(action) in TAKES:
            self.taking[TAKES[type(action)], _provider(action)] -= 1

    def full(self, action: Action, *, place: bool) -> str | None:
        """Return why there is no place for an action now, or None.

        Args:
            action: What is to be begun.
            place: Whether its lane has a place for it.
        """
        if not place:
            return _FULL
        taken = TAKES.get(type(action))
        if taken is None:
            return None
        taking = sum(count for (one, _), count in self.taking.items() if one is taken)
        if self._owned(taken) + taking >= LANE_SIZES[taken]:
            return _FULL
        return self._crowded(action, taken)

    def by_share(self, action: Action) -> Action:
        """Return what is taken by the first provider for which we may wait, or what was asked."""
        way: TakeBuild | TryUpload | None
        match action:
            case TakeBuild() | TryUpload():
                way = action
            case _:
                return action
        while way is not None and self._crowded(way, TAKES[type(way)]) is not None:
            way = way.instead
        return way or action

    def _crowded(self, action: Action, taken: Lane) -> str | None:
        """Return why we wait for no more machines of a provider, or None."""
        provider = _provider(action)
        waiting = self._waiting(taken, provider) + self.taking[taken, provider]
        if provider and waiting >= self._share(taken):
            return f"{_WAITING} {provider}"
        return None

    def _share(self, lane: Lane) -> int:
        """Return how many hands may wait for one provider: the others are to have some left."""
        return max(1, LANE_SIZES[lane] // max(1, len(self.world.configured.providers)))

    def _waiting(self, lane: Lane, provider: str) -> int:
        """Count what is ours and waits for a machine of a provider, or may for all we know."""
        records, me = self.world.records, self.world.me
        if lane is Lane.MAKE:
            builds = (one.value for one in records.builds.values())
            return sum(
                (one.owner, one.provider, one.node) == (me, provider, None) for one in builds
            )
        uploads = (one.value for one in records.uploads.values())
        return sum((one.owner, one.trying) == (me, provider) for one in uploads)

    def _owned(self, lane: Lane) -> int:
        """Count what is ours to do in a lane, whether its hand has begun or not."""
        records, me = self.world.records, self.world.me
        if lane is Lane.MAKE:
            return sum(one.value.owner == me for one in records.builds.values())
        tried = lane is Lane.TRY
        return sum(
            one.value.owner == me and (one.value.trying is not None) is tried
            for one in records.uploads.values()
        )

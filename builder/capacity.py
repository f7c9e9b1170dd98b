"""How much this builder takes at once: places in lanes, and machines that it waits for."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Final

from builder.actions import TAKES, Action
from builder.build.actions import TakeBuild
from builder.lanes import LANE_SIZES, Lane
from builder.upload.actions import TryUpload
from builder.world import World
from remuda.model.build import Build

_FULL: Final = "this builder has its hands full"
_WAITING: Final = "this builder waits already for as many machines as it may, in"
#: Commands that one builder runs at once: each works its disk and a processor hard.
COMMANDS_MAX: Final = 2
_RUNNING: Final = f"this builder runs {COMMANDS_MAX} commands already"
#: In place of a provider's name: this host.
_ON_HOST: Final = "(here)"


def _provider(action: Action) -> str:
    """Return who is to give a machine for what is taken, if anybody is: a provider, or this host.

    No provider has an empty name, nor that of :data:`_ON_HOST`.
    """
    match action:
        case TakeBuild(on_host=True):
            return _ON_HOST
        case TakeBuild() | TryUpload():
            return action.provider
        case _:
            return ""


@dataclass(slots=True)
class Capacity:
    """Counts what is ours, and what is about to be.

    Attributes:
        taking: What we are about to own, by lane and by who is to give a machine, if anybody is.
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
        if provider == _ON_HOST:
            running = self._running() + self.taking[taken, _ON_HOST]
            return _RUNNING if running >= COMMANDS_MAX else None
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
                (one.owner, one.provider, one.node) == (me, provider, None)
                and not self._on_host(one)
                for one in builds
            )
        uploads = (one.value for one in records.uploads.values())
        return sum((one.owner, one.trying) == (me, provider) for one in uploads)

    def _running(self) -> int:
        """Count the builds of ours that are made on this host."""
        builds = (one.value for one in self.world.records.builds.values())
        return sum(one.owner == self.world.me and self._on_host(one) for one in builds)

    def _on_host(self, build: Build) -> bool:
        """Whether a command makes a build, by the recipe that it was begun by."""
        known = self.world.build_recipes.begun.get(build.id)
        if known is not None:
            return known.policy.on_host
        policy = self.world.configured.policies.get(build.id.image)
        return policy is not None and policy.on_host

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

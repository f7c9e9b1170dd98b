"""When a builder looks around: at clouds, at the images in places, at the files of recipes."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from builder.actions import KINDS
from builder.image.actions import MakeImage
from builder.image.writes import lacking
from builder.place.actions import ListPlace, Look
from builder.recipe.actions import ReadRecipes
from builder.world import World
from remuda.config.fingerprint import copied_paths
from remuda.config.images import BaseFrom
from remuda.config.recipes import parent_of
from remuda.model.build import BuildState
from remuda.model.upload import UploadState

LOOK_S: Final = 60.0
#: After a cloud that did not answer.
LOOK_AGAIN_S: Final = 20.0
LIST_S: Final = 60.0
#: While a decision waits for what two listings show.
LIST_SOON_S: Final = 5.0
READ_S: Final = 60.0
#: After one that could not be started.
REFUSED_S: Final = 1.0
_RECIPES: Final = "recipes"

#: What is done from time to time, whatever is judged.
PeriodicAction = Look | ListPlace | ReadRecipes


@dataclass(slots=True)
class Periodic:
    """Says which actions are due; all times are monotonic."""

    world: World
    _begun: dict[str, float] = field(default_factory=dict)
    _refused: dict[str, float] = field(default_factory=dict)
    _asked: dict[str, Mapping[str, BaseFrom]] = field(default_factory=dict)

    def due(self, now_s: float) -> list[PeriodicAction]:
        """Return the actions whose time has come, first what has waited longest."""
        found = [(due_s, action) for action, due_s in self._all() if due_s <= now_s]
        return [action for _, action in sorted(found, key=lambda one: one[0])]

    def begun(self, action: PeriodicAction, now_s: float, *, started: bool) -> None:
        """Note that an action was begun, or refused for now."""
        name = self._name(action)
        if not started:
            self._refused[name] = now_s
            return
        self._refused.pop(name, None)
        self._begun[name] = now_s
        if isinstance(action, Look):
            self._asked[action.provider] = action.bases

    def missing(self) -> list[MakeImage]:
        """Return the images of the configuration, or with builds, that are not wholly on record."""
        world = self.world
        return [MakeImage(name) for name in lacking(world.records, world.configured.recipes)]

    def next_s(self) -> float:
        """Return when the next one is due."""
        return min((due_s for _, due_s in self._all()), default=float("inf"))

    def again(self) -> None:
        """Look at everything anew: the configuration has changed."""
        self._begun.clear()
        self._refused.clear()

    def _all(self) -> Iterator[tuple[PeriodicAction, float]]:
        """Yield each action that is not under way, and when it is due."""
        for action, period_s in self._wanted():
            name = self._name(action)
            if name not in self.world.busy:
                begun_s = self._begun.get(name)
                due_s = float("-inf") if begun_s is None else begun_s + period_s
                yield action, max(due_s, self._refused.get(name, float("-inf")) + REFUSED_S)

    def _wanted(self) -> Iterator[tuple[PeriodicAction, float]]:
        world = self.world
        for name in world.configured.providers:
            seen = world.places.seen.get(name)
            away = seen is not None and seen.trouble is not None
            look = self._look(name)
            if look.bases != self._asked.get(name):
                yield look, 0.0  # other recipes start from other things
            else:
                yield look, LOOK_AGAIN_S if away else LOOK_S
        awaited = self._awaited()
        for place, name in self._places().items():
            soon = place in awaited
            yield ListPlace(place=place, provider=name), LIST_SOON_S if soon else LIST_S
        copying = any(copied_paths(one) for one in world.configured.recipes.values())
        if copying or _RECIPES not in self._begun:
            yield ReadRecipes(), READ_S

    def _look(self, provider: str) -> Look:
        recipes = self.world.configured.recipes.items()
        return Look(
            provider=provider,
            bases={
                image: base
                for image, one in recipes
                if provider in one.makings
                and (base := one.makings[provider].base) is not None
                and not parent_of(base)
            },
            image_bytes=max(
                (one.value.size_bytes or 0 for one in self.world.records.uploads.values()),
                default=0,
            ),
        )

    def _places(self) -> dict[str, str]:
        """Return the places that are known, each with a provider that can be asked, if any can."""
        found: dict[str, str] = {}
        for name, one in sorted(self.world.places.seen.items()):
            if one.place is not None and (one.trouble is None or one.place not in found):
                found[one.place] = name
        return found

    def _awaited(self) -> set[str]:
        """Return the places of which a judgement waits for listings."""
        records = self.world.records
        builds = {
            one.value.place
            for one in records.builds.values()
            if one.value.state in {BuildState.SNAPSHOTTING, BuildState.RETIRING}
            and str(one.value.id) not in self.world.busy
        }
        uploads = {
            one.value.id.place
            for one in records.uploads.values()
            if one.value.state is UploadState.DELETING
        }
        return {one for one in {*builds, *uploads} if one is not None}

    def _name(self, action: PeriodicAction) -> str:
        return str(KINDS[type(action)].subject(action))

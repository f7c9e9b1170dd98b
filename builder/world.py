"""All that a builder knows: records, who lives, what clouds said, what its hands are at."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from builder.actions import Action, Plan
from builder.build.record import BuildRecipes
from builder.lanes import Lane, new_lanes
from builder.place.record import KnownPlaces
from builder.place.view import ProviderFacts
from builder.recipe.compile import ConfiguredImages
from builder.records import Records
from builder.view import WorldView
from remuda.frame.alarms import Alarms
from remuda.frame.lanes import Lanes
from remuda.frame.work import Busy
from remuda.images.words import CONFIGURATION_OF
from remuda.membership.attendance import Attendance
from remuda.membership.rendezvous import assignee
from remuda.model.ids import ReplicaId

#: What a plan says of what is another builder's to do begins with this.
ELSEWHERE: Final = "another builder"


@dataclass(slots=True)
class World:
    """Everything that the judgements may see; only the brain's thread changes it.

    Attributes:
        me: Our id among the builders.
        builders: Who is seen to live.
        launchers: Those that live, by provider.
        launcher_troubles: Why a provider is out of service, as its launchers say.
        places: What clouds said.
        busy: What a hand, or a transaction, of ours is at work on; *lanes*: how many hands are.
        build_recipes: By what our builds are made.
        dirty: Something has changed that nobody has judged.
        plan: The last one.
        started_s: Wall clock at our start.
    """

    me: ReplicaId
    configured: ConfiguredImages
    records: Records = field(default_factory=Records)
    builders: set[ReplicaId] = field(default_factory=set)
    launchers: dict[str, set[ReplicaId]] = field(default_factory=dict)
    launcher_troubles: dict[str, str] = field(default_factory=dict)
    places: KnownPlaces = field(default_factory=KnownPlaces)
    busy: Busy[Action] = field(default_factory=Busy)
    lanes: Lanes[Lane, str] = field(default_factory=new_lanes)
    build_recipes: BuildRecipes = field(default_factory=BuildRecipes)
    attendance: Attendance = field(default_factory=Attendance)
    alarms: Alarms = field(default_factory=Alarms)
    dirty: bool = True
    config_error: str | None = None
    plan: Plan = field(default_factory=Plan)
    started_s: float = 0.0

    def view(self, now_s: float) -> WorldView:
        """Return this moment; it is for one judgement, for its records go on changing."""
        living = frozenset({*self.builders, self.me})
        return WorldView(
            now_s=now_s,
            me=self.me,
            builders=living,
            mine=lambda thing: assignee(thing, living) == self.me,
            library=self.records.library(),
            policies=self.configured.policies,
            providers=self.providers(),
            listings=self.places.listings,
            bases=self.places.bases,
            busy=frozenset(str(one) for one in self.busy),
            reading=frozenset(one.image for one in self.records.reading),
            take_homes={node: one.value for node, one in self.records.take_homes.items()},
            take_home_ends=frozenset(self.records.take_home_ends),
            take_home_more=frozenset(self.records.take_home_more),
        )

    def providers(self) -> Mapping[str, ProviderFacts]:
        """Return the providers of recipes of which we know where their images lie."""
        return {
            name: ProviderFacts(
                name=name,
                place=one.place,
                realm=one.realm,
                trouble=one.trouble or self.unserved(name),
                full=one.full,
            )
            for name in self.configured.providers
            if (one := self.places.seen.get(name)) is not None and one.place is not None
        }

    def unserved(self, provider: str) -> str | None:
        """Return why no machine comes from a provider, whatever its cloud can do, or None."""
        if not self.launchers.get(provider):
            return f"no launcher of {provider} is running"
        return self.launcher_troubles.get(provider)

    def outlook(self) -> Mapping[str, str]:
        """Return what hinders providers, bases and us as a whole, for people, by name."""
        found = dict(self.configured.unusable)
        if self.config_error is not None:
            found[f"{CONFIGURATION_OF}{self.me}"] = self.config_error
        for name in self.configured.providers:
            one = self.places.seen.get(name)
            trouble = "its cloud was not asked yet" if one is None else one.trouble or one.full
            trouble = trouble or self.unserved(name)
            if trouble is not None:
                found[f"provider {name}"] = trouble
        for (image, provider), why in self.places.missing.items():
            found[f"base of {image} in {provider}"] = why
        for place, why in self.places.listing_troubles.items():
            found[f"listing of {place}"] = why
        return found

    def adopt(self, configured: ConfiguredImages) -> None:
        """Go on by other recipes; what cannot be read just now is made by what it was before."""
        old, kept = self.configured, dict(configured.policies)
        for image in configured.unusable:
            if image in old.policies and old.recipes.get(image) == configured.recipes.get(image):
                kept[image] = old.policies[image]
        self.configured = replace(configured, policies=kept)
        starting = {(n, p) for n, one in configured.recipes.items() for p in one.makings}
        self.places.forget(providers=set(self.configured.providers), starting=starting)
        self.dirty = True

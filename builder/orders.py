"""What hands are told: made of what is known when they begin, and taken back when it is over."""

from dataclasses import dataclass, field
from threading import Event

from builder.decide.actions import Copy, EraseImage, KeepSnapshot, Make, SweepImage, Validate
from builder.decide.making import other_places, unwanted
from builder.decide.world import BuilderWorld
from builder.errands import Action
from builder.hands_api import AdoptOrder, CopyOrder, EraseOrder, MakeOrder, SweepOrder, TrialOrder
from builder.known import Known
from remuda.config.recipes import ImageRecipe
from remuda.model.build import BuildState
from remuda.model.image import UploadId
from remuda.model.upload import UploadState

_BEING_MADE = frozenset({BuildState.BUILDING, BuildState.SNAPSHOTTING})


def ours(known: Known, action: Action) -> bool:
    """Whether what a hand of ours works on is still ours to work on."""
    match action:
        case Make():
            build = known.records.builds.get(action.id)
            return build is not None and (
                build.value.owner == known.me
                and build.value.state in _BEING_MADE
                and unwanted(build.value) is None
            )
        case Copy():
            upload = known.records.uploads.get(action.id)
            return upload is not None and (
                upload.value.owner == known.me and upload.value.state is UploadState.MAKING
            )
        case Validate():
            upload = known.records.uploads.get(action.id)
            return upload is not None and (
                upload.value.owner == known.me and upload.value.trying == action.provider
            )
        case _:
            return True


@dataclass(slots=True)
class Orders:
    """Makes orders, and tells hands when to stop."""

    known: Known
    _stops: dict[str, tuple[Action, Event]] = field(default_factory=dict)

    def make(self, world: BuilderWorld, action: Make) -> MakeOrder | None:
        """Return the order for a build, or None if its recipe is not known any more."""
        making = self.known.making(action.id)
        if making is None:
            return None
        stored = self.known.records.builds[action.id]
        build = stored.value
        parent = None
        if build.parent is not None:
            parent = self.known.records.uploads.get(UploadId(build.parent, build.place or ""))
            if parent is None:
                return None
        self.known.makings[action.id] = making
        return MakeOrder(
            build=stored,
            recipe=making.recipe,
            policy=making.policy,
            parent=parent,
            also=other_places(world, build),
            stop=self._stop(action),
        )

    def adopt(self, world: BuilderWorld, action: KeepSnapshot) -> AdoptOrder | None:
        """Return the order for a snapshot, or None if nobody can look at it."""
        build = self.known.records.builds[action.id]
        provider = _provider(world, build.value.place or "")
        if provider is None:
            return None
        policy = world.policies.get(action.id.image)
        return AdoptOrder(action=action, build=build, policy=policy, provider=provider)

    def copy(self, world: BuilderWorld, action: Copy) -> CopyOrder | None:
        """Return the order for a copy, or None if nobody can make or read it."""
        records = self.known.records
        stored = records.uploads[action.id]
        source_id = UploadId(action.id.build, stored.value.source or "")
        source = records.uploads.get(source_id)
        here, there = _provider(world, action.id.place), _provider(world, source_id.place)
        if source is None or here is None or there is None:
            return None
        return CopyOrder(
            upload=stored,
            source=source,
            here=here,
            there=there,
            policy=world.policies.get(action.id.build.image),
            stop=self._stop(action),
            carried_sha512=next(
                (
                    one.carried_sha512
                    for one in world.uploads(action.id.build)
                    if one.carried_sha512 is not None and one.id != action.id
                ),
                None,
            ),
        )

    def trial(self, world: BuilderWorld, action: Validate) -> TrialOrder | None:
        """Return the order for a trial, or None if its recipe, or its build, is gone."""
        image, records = action.id.build.image, self.known.records
        recipe = self._tried_by(action)
        policy, build = world.policies.get(image), records.builds.get(action.id.build)
        if recipe is None or policy is None or build is None:
            return None
        lying = {one.name for one in world.at(action.id.place)}
        return TrialOrder(
            upload=records.uploads[action.id],
            build=build,
            provider=action.provider,
            recipe=recipe,
            policy=policy,
            checks=self.known.configured.checks.get((image, action.provider), ()),
            wanted=tuple(one for one in policy.providers if one in lying),
            avoid=action.avoid,
            stop=self._stop(action),
        )

    def _tried_by(self, action: Validate) -> ImageRecipe | None:
        """Return the recipe that a build was made by, if we know it: its checks fit the build.

        Else, and for a provider that has only come since then, that of now.
        """
        known = self.known.makings.get(action.id.build)
        now = self.known.configured.recipes.get(action.id.build.image)
        recipes = (None if known is None else known.recipe, now)
        return next((one for one in recipes if one and action.provider in one.makings), None)

    def erase(self, world: BuilderWorld, action: EraseImage) -> EraseOrder | None:
        """Return the order for a deletion, or None if nobody can do it."""
        provider = _provider(world, action.id.place)
        if provider is None:
            return None
        upload = self.known.records.uploads[action.id]
        return EraseOrder(action=action, upload=upload, provider=provider)

    def sweep(self, world: BuilderWorld, action: SweepImage) -> SweepOrder | None:
        """Return the order for a deletion, or None if nobody can do it."""
        provider, listing = _provider(world, action.place), world.listing(action.place)
        image = listing.images.get(action.cloud_image)
        if provider is None or image is None:
            return None
        return SweepOrder(action=action, image=image, listed_s=listing.before_s, provider=provider)

    def watch(self) -> None:
        """Tell hands to stop whose work somebody else has taken over, or nobody wants."""
        for action, stop in self._stops.values():
            if not stop.is_set() and not ours(self.known, action):
                stop.set()

    def stop_all(self) -> None:
        """Tell all hands to stop."""
        for _, stop in self._stops.values():
            stop.set()

    def ended(self, action: Action) -> None:
        """Forget the hand of an action."""
        known = self._stops.get(str(action.id))
        if known is not None and known[0] is action:
            del self._stops[str(action.id)]

    def _stop(self, action: Make | Copy | Validate) -> Event:
        stop = Event()
        self._stops[str(action.id)] = action, stop
        return stop


def _provider(world: BuilderWorld, place: str) -> str | None:
    """Return a provider that lies in a place, one without trouble if there is one."""
    some = sorted(world.at(place), key=lambda one: one.trouble is not None)
    return some[0].name if some else None

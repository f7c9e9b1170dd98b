"""What hands are told: made of what is known when they begin, and taken back when it is over."""

from dataclasses import dataclass, field
from threading import Event

from builder.actions import Action
from builder.build.actions import KeepSnapshot, Make
from builder.build.lifecycle import other_places, unwanted
from builder.build.tasks import AdoptTask, MakeTask
from builder.place.actions import SweepImage
from builder.place.tasks import SweepTask
from builder.upload.actions import Copy, EraseImage, Validate
from builder.upload.tasks import CopyTask, EraseTask, TrialTask
from builder.view import WorldView
from builder.world import World
from remuda.config.recipes import ImageRecipe
from remuda.model.build import BuildState
from remuda.model.image import UploadId
from remuda.model.upload import UploadState

_BEING_MADE = frozenset({BuildState.BUILDING, BuildState.SNAPSHOTTING})


def ours(world: World, action: Action) -> bool:
    """Whether what a hand of ours works on is still ours to work on."""
    match action:
        case Make():
            build = world.records.builds.get(action.id)
            return build is not None and (
                build.value.owner == world.me
                and build.value.state in _BEING_MADE
                and unwanted(build.value) is None
            )
        case Copy():
            upload = world.records.uploads.get(action.id)
            return upload is not None and (
                upload.value.owner == world.me and upload.value.state is UploadState.MAKING
            )
        case Validate():
            upload = world.records.uploads.get(action.id)
            return upload is not None and (
                upload.value.owner == world.me and upload.value.trying == action.provider
            )
        case _:
            return True


@dataclass(slots=True)
class Orders:
    """Makes orders, and tells hands when to stop."""

    world: World
    _stops: dict[str, tuple[Action, Event]] = field(default_factory=dict)

    def make(self, view: WorldView, action: Make) -> MakeTask | None:
        """Return the order for a build, or None if its recipe is not known any more."""
        making = self.world.making(action.id)
        if making is None:
            return None
        stored = self.world.records.builds[action.id]
        build = stored.value
        parent = None
        if build.parent is not None:
            parent = self.world.records.uploads.get(UploadId(build.parent, build.place or ""))
            if parent is None:
                return None
        self.world.makings[action.id] = making
        return MakeTask(
            build=stored,
            recipe=making.recipe,
            policy=making.policy,
            parent=parent,
            also=other_places(view, build),
            stop=self._stop(action),
        )

    def adopt(self, view: WorldView, action: KeepSnapshot) -> AdoptTask | None:
        """Return the order for a snapshot, or None if nobody can look at it."""
        build = self.world.records.builds[action.id]
        provider = _provider(view, build.value.place or "")
        if provider is None:
            return None
        policy = view.policies.get(action.id.image)
        return AdoptTask(action=action, build=build, policy=policy, provider=provider)

    def copy(self, view: WorldView, action: Copy) -> CopyTask | None:
        """Return the order for a copy, or None if nobody can make or read it."""
        records = self.world.records
        stored = records.uploads[action.id]
        source_id = UploadId(action.id.build, stored.value.source or "")
        source = records.uploads.get(source_id)
        here, there = _provider(view, action.id.place), _provider(view, source_id.place)
        if source is None or here is None or there is None:
            return None
        return CopyTask(
            upload=stored,
            source=source,
            here=here,
            there=there,
            policy=view.policies.get(action.id.build.image),
            stop=self._stop(action),
            carried_sha512=next(
                (
                    one.carried_sha512
                    for one in view.uploads(action.id.build)
                    if one.carried_sha512 is not None and one.id != action.id
                ),
                None,
            ),
        )

    def trial(self, view: WorldView, action: Validate) -> TrialTask | None:
        """Return the order for a trial, or None if its recipe, or its build, is gone."""
        image, records = action.id.build.image, self.world.records
        recipe = self._tried_by(action)
        policy, build = view.policies.get(image), records.builds.get(action.id.build)
        if recipe is None or policy is None or build is None:
            return None
        lying = {one.name for one in view.at(action.id.place)}
        return TrialTask(
            upload=records.uploads[action.id],
            build=build,
            provider=action.provider,
            recipe=recipe,
            policy=policy,
            checks=self.world.configured.checks.get((image, action.provider), ()),
            wanted=tuple(one for one in policy.providers if one in lying),
            avoid=action.avoid,
            stop=self._stop(action),
        )

    def _tried_by(self, action: Validate) -> ImageRecipe | None:
        """Return the recipe that a build was made by, if we know it: its checks fit the build.

        Else, and for a provider that has only come since then, that of now.
        """
        known = self.world.makings.get(action.id.build)
        now = self.world.configured.recipes.get(action.id.build.image)
        recipes = (None if known is None else known.recipe, now)
        return next((one for one in recipes if one and action.provider in one.makings), None)

    def erase(self, view: WorldView, action: EraseImage) -> EraseTask | None:
        """Return the order for a deletion, or None if nobody can do it."""
        provider = _provider(view, action.id.place)
        if provider is None:
            return None
        upload = self.world.records.uploads[action.id]
        return EraseTask(action=action, upload=upload, provider=provider)

    def sweep(self, view: WorldView, action: SweepImage) -> SweepTask | None:
        """Return the order for a deletion, or None if nobody can do it."""
        provider, listing = _provider(view, action.place), view.listing(action.place)
        image = listing.images.get(action.cloud_image)
        if provider is None or image is None:
            return None
        return SweepTask(action=action, image=image, listed_s=listing.before_s, provider=provider)

    def watch(self) -> None:
        """Tell hands to stop whose work somebody else has taken over, or nobody wants."""
        for action, stop in self._stops.values():
            if not stop.is_set() and not ours(self.world, action):
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


def _provider(view: WorldView, place: str) -> str | None:
    """Return a provider that lies in a place, one without trouble if there is one."""
    some = sorted(view.at(place), key=lambda one: one.trouble is not None)
    return some[0].name if some else None

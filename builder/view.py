"""What a builder knows at one moment: what is judged."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import chain
from typing import Final

from builder.place.view import NOT_LISTED, ImageListing, ProviderFacts
from builder.policy import ImagePolicy
from remuda.images.library import Library
from remuda.images.moves import Shelf
from remuda.model.build import Base, Build
from remuda.model.capture import Capture
from remuda.model.ids import NodeId, ReplicaId
from remuda.model.image import BuildId, UploadId
from remuda.model.launch import Launch, Step
from remuda.model.takehome import TakeHome
from remuda.model.upload import Upload
from remuda.store import paths

#: No call of an owner is on its way for longer.
ASKED_S_MAX: Final = 3600.0
#: So far clocks may differ.
_SKEW_S: Final = 600.0


@dataclass(slots=True)
class _Index:
    """The records in order, made when they are first asked for: each image is asked for often."""

    builds: dict[str, list[Build]] | None = None
    asking: dict[tuple[str, NodeId], Launch] | None = None
    uploads: dict[BuildId, list[Upload]] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class WorldView:
    """One moment, as a builder knows it; any part of it may be old.

    Attributes:
        now_s: Wall clock, seconds since the epoch.
        me, builders: Who asks, and who is alive, this one included.
        mine: Whether a thing that nobody has taken is ours to take; see ADR 0002.
        policies: The recipes of the configuration, by image.
        listings: By place.
        bases: What each image's base is now, by image and provider.
        busy: Names of what a hand of ours is at work on.
        reading: Images of which builds are being read: some may be new.
        take_homes: The take-home images on record, by node; *take_home_ends*: those that somebody
            wants gone; *take_home_more*: that somebody wants kept for longer.
    """

    now_s: float
    me: ReplicaId
    builders: frozenset[ReplicaId]
    mine: Callable[[str], bool]
    library: Library
    policies: Mapping[str, ImagePolicy] = field(default_factory=dict)
    providers: Mapping[str, ProviderFacts] = field(default_factory=dict)
    listings: Mapping[str, ImageListing] = field(default_factory=dict)
    bases: Mapping[tuple[str, str], Base] = field(default_factory=dict)
    busy: frozenset[str] = frozenset()
    reading: frozenset[str] = frozenset()
    take_homes: Mapping[NodeId, TakeHome] = field(default_factory=dict)
    take_home_ends: frozenset[NodeId] = frozenset()
    take_home_more: frozenset[NodeId] = frozenset()
    _index: _Index = field(default_factory=_Index, init=False, repr=False, compare=False)

    def builds(self, image: str | None = None) -> Iterator[Build]:
        """Yield the builds of an image, or all, oldest first."""
        if self._index.builds is None:
            self._index.builds = {}
            for build_id in sorted(self.library.builds):
                some = self._index.builds.setdefault(build_id.image, [])
                some.append(self.library.builds[build_id].value)
        if image is None:
            return chain.from_iterable(self._index.builds.values())
        return iter(self._index.builds.get(image, ()))

    def uploads(self, build_id: BuildId | None = None) -> Iterator[Upload]:
        """Yield the uploads of a build, or all."""
        if self._index.uploads is None:
            self._index.uploads = {}
            for upload_id in sorted(self.library.uploads):
                some = self._index.uploads.setdefault(upload_id.build, [])
                some.append(self.library.uploads[upload_id].value)
        if build_id is None:
            return chain.from_iterable(self._index.uploads.values())
        return iter(self._index.uploads.get(build_id, ()))

    @property
    def asking(self) -> Mapping[tuple[str, NodeId], Launch]:
        """The launches whose holders ask for an image that is not refused, by provider and node."""
        if self._index.asking is None:
            self._index.asking = {
                (provider, one.id): one
                for provider, one in self.library.launches
                if one.capture is not None and one.capture.refused is None
            }
        return self._index.asking

    def captures(self, image: str) -> Iterator[tuple[str, Launch, Capture]]:
        """Yield what holders ask for of an image, with provider and launch, oldest first."""
        found = [
            (one.capture.ask.at_s, node, provider, one, one.capture)
            for (provider, node), one in self.asking.items()
            if one.capture is not None and one.capture.ask.image == image
            if one.step is Step.DONE
        ]
        for _, _, provider, launch, capture in sorted(found, key=lambda one: one[:3]):
            yield provider, launch, capture

    def counted(self, until_s: float, longest_s: float) -> float:
        """Return until when something waits that waits so long at most.

        What lies further ahead was written by a clock that was ahead. It tells nothing, and is
        over: to count from now would move the end along with now.
        """
        return until_s if until_s <= self.now_s + longest_s + _SKEW_S else 0.0

    def shelf(self, image: str, facts: ProviderFacts) -> Shelf:
        """Return one image in one provider."""
        pointer = self.library.pointers.get((image, facts.name))
        builds = {one.id.number: one for one in self.builds(image)}
        uploads = (one for build in builds.values() for one in self.uploads(build.id))
        return Shelf(
            image=image,
            provider=facts.name,
            place=facts.place,
            pointer=None if pointer is None else pointer.value,
            builds=builds,
            uploads={one.id.build.number: one for one in uploads if one.id.place == facts.place},
        )

    def build(self, build_id: BuildId) -> Build | None:
        """Return a build."""
        stored = self.library.builds.get(build_id)
        return None if stored is None else stored.value

    def upload(self, upload_id: UploadId) -> Upload | None:
        """Return an upload."""
        stored = self.library.uploads.get(upload_id)
        return None if stored is None else stored.value

    def unreadable_below(self, build_id: BuildId) -> str | None:
        """Return the path of an upload of a build that cannot be read, or None."""
        below = f"{paths.uploads(build_id)}/"
        return next((one for one in self.library.unreadable if one.startswith(below)), None)

    def known(self) -> set[UploadId]:
        """Return the uploads whose builds are on record, too."""
        return {one for one in self.library.uploads if one.build in self.library.builds}

    def listing(self, place: str | None) -> ImageListing:
        """Return the listings of a place; of one that was never listed, two that tell nothing."""
        return self.listings.get(place or "", NOT_LISTED)

    def at(self, place: str) -> tuple[ProviderFacts, ...]:
        """Return the providers whose images lie there."""
        return tuple(one for _, one in sorted(self.providers.items()) if one.place == place)

    def provider_at(self, place: str) -> str | None:
        """Return a provider whose images lie there, one without trouble if there is one."""
        some = sorted(self.at(place), key=lambda one: one.trouble is not None)
        return some[0].name if some else None

    def paused(self, image: str) -> str | None:
        """Return by whom an image is paused, or None if it is not."""
        policy, stored = self.policies.get(image), self.library.images.get(image)
        if stored is not None and stored.value.paused is not None:
            return f"paused by {stored.value.paused.who}: {stored.value.paused.why}"
        return "paused in the configuration" if policy is not None and policy.paused else None

    def dead(self, owner: ReplicaId | None) -> bool:
        """Whether whoever works on something is no more."""
        return owner is None or owner not in self.builders

"""What the builders that live say of images, put together: why something waits, and alarms."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Final

from remuda.model.builderstatus import BuilderStatus, decode_builder
from remuda.model.codec import CorruptRecordError
from remuda.model.ids import ReplicaId
from remuda.store import paths
from remuda.store.api import Store, Stored

#: A builder that cannot use its file as it is now goes on by what that was before, and says so by
#: this and its id; no image is called so.
CONFIGURATION_OF: Final = "configuration of "
#: Why no build is begun, when no builder says why.
NO_BUILDER: Final = "no builder is running"
NOT_CONFIGURED: Final = "no builder has it in its configuration"
#: What the records say better: who it is that works on it.
_AT_WORK: Final = "being worked on"


@dataclass(frozen=True, slots=True, kw_only=True)
class BuilderWords:
    """The words of all builders; each judges all images, so that they differ for a moment only.

    Attributes:
        living: Who lives.
        waits: Why, by the name of what waits, as in :class:`BuilderStatus`.
        alarms: What people should see to, by image.
        providers: Those of each image in their configurations; None: nobody says so.
        corrupt: Those whose words cannot be read, with the reason.
        left_out: How many waits there was no room for.
    """

    living: frozenset[ReplicaId] = frozenset()
    waits: Mapping[str, str] = field(default_factory=dict)
    alarms: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    providers: Mapping[str, Collection[str]] | None = None
    corrupt: Mapping[str, str] = field(default_factory=dict)
    left_out: int = 0

    def of(self, name: str) -> str | None:
        """Return why something waits, or None if nobody says so, or somebody is at work on it."""
        why = self.waits.get(name)
        return None if why is None or why.startswith(_AT_WORK) else why

    def not_begun(self, image: str) -> str | None:
        """Return why no build of an image is begun, or None if nobody says so."""
        if not self.living:
            return NO_BUILDER
        if self.providers is not None and image not in self.providers:
            return NOT_CONFIGURED
        return self.of(image)

    def of_group(self, image: str, provider: str) -> str | None:
        """Return why no build of an image is begun for a provider, or None."""
        for name, why in self.waits.items():
            group = name.removeprefix(f"{image} for ")
            if group != name and provider in group.split(", "):
                return why
        return self.of(image)

    def configured(self, image: str) -> Collection[str]:
        """Return the providers that are to have an image, as far as anybody says so."""
        return () if self.providers is None else self.providers.get(image, ())

    def orphan(self, image: str, provider: str) -> bool:
        """Whether an image is not configured for a provider any more; False: nobody knows."""
        return self.providers is not None and provider not in self.providers.get(image, ())

    def dead(self, owner: ReplicaId | None) -> bool:
        """Whether whoever works on something is no more; False: nobody was asked."""
        return bool(self.living) and owner not in self.living

    def about(self, image: str, providers: Collection[str]) -> dict[str, str]:
        """Return all words about an image, and about the providers that it is in, by name."""
        names = {f"provider {one}" for one in providers}
        names |= {f"base of {image} in {one}" for one in providers}
        starts = (f"{image}/", f"{image} for ", f"pointer of {image} in ", CONFIGURATION_OF)
        return {
            name: why
            for name, why in sorted(self.waits.items())
            if name == image or name in names or name.startswith(starts)
        }

    def unread(self) -> dict[str, str]:
        """Return what is wrong with the configurations that builders cannot use, by name."""
        waits = sorted(self.waits.items())
        return {name: why for name, why in waits if name.startswith(CONFIGURATION_OF)}

    def about_build(self, build: str) -> dict[str, str]:
        """Return all words about a build and its uploads, by name."""
        return {
            name: why
            for name, why in sorted(self.waits.items())
            if name == build or name.startswith(f"{build} in ")
        }


#: No builder was asked.
NOBODY: Final = BuilderWords()


def put_together(
    said: Mapping[ReplicaId, BuilderStatus], corrupt: Mapping[str, str] | None = None
) -> BuilderWords:
    """Return the words of several builders; what one leaves to another, only that one speaks of."""
    waits: dict[str, str] = {}
    alarms: dict[str, dict[str, None]] = {}
    providers: dict[str, set[str]] = {}
    for _, one in sorted(said.items()):
        waits = {**one.waits, **waits}
        for image, texts in one.alarms.items():
            alarms.setdefault(image, {}).update(dict.fromkeys(texts))
        for image, some in (one.providers or {}).items():
            providers.setdefault(image, set()).update(some)
    broken = dict(corrupt or {})
    # One that says nothing may have what the others do not.
    silent = any(one.providers is None for one in said.values()) or broken
    return BuilderWords(
        living=frozenset({*said, *map(ReplicaId, broken)}),
        waits=waits,
        alarms={image: tuple(texts) for image, texts in sorted(alarms.items())},
        providers=None if silent or not said else providers,
        corrupt=broken,
        left_out=sum(one.left_out for one in said.values()),
    )


def words_of(found: Mapping[str, Stored[bytes]]) -> BuilderWords:
    """Return what the builders say that live now.

    Args:
        found: The records of builders, by name; of who is gone nothing counts.
    """
    said: dict[ReplicaId, BuilderStatus] = {}
    corrupt: dict[str, str] = {}
    for name, stored in found.items():
        if not stored.owner:
            continue  # what goes with nobody's session tells of nobody
        try:
            said[ReplicaId(name)] = decode_builder(ReplicaId(name), stored.value)
        except CorruptRecordError as error:
            corrupt[name] = error.why
    return put_together(said, corrupt)


def read_words(store: Store) -> BuilderWords:
    """Return what the builders say that live now.

    Raises:
        StoreAwayError: If ZooKeeper does not answer.
    """
    names = store.children(paths.BUILDERS)
    found = store.read_many([paths.builder(ReplicaId(one)) for one in names])
    pairs = zip(names, found, strict=True)
    return words_of({name: stored for name, stored in pairs if stored is not None})

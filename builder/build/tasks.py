"""What the hands of builds are told, and what they do."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from threading import Event
from typing import Protocol

from builder.build.actions import KeepSnapshot
from builder.build.events import AdoptionEnded, MakingEnded
from builder.policy import ImagePolicy
from remuda.config.recipes import ImageRecipe
from remuda.model.build import Build
from remuda.model.ids import ReplicaId
from remuda.model.image import BuildId
from remuda.model.upload import Upload
from remuda.store.api import Stored


@dataclass(frozen=True, slots=True, kw_only=True)
class MakeTask:
    """Make a build of ours, from its machine to the snapshot.

    Attributes:
        recipe, policy: Of the fingerprint that the build has; they stay, whatever is reloaded.
        parent: What it starts from, if that is an image of ours.
        also: In which places else it is wanted.
        places: Where its providers' images lie, as far as that is known.
    """

    build: Stored[Build]
    recipe: ImageRecipe
    policy: ImagePolicy
    parent: Stored[Upload] | None
    also: tuple[str, ...]
    stop: Event
    places: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class AdoptTask:
    """Finish a build of which only a snapshot is left, by a provider that lies where it is.

    Attributes:
        me: The builder that does.
    """

    action: KeepSnapshot
    build: Stored[Build]
    policy: ImagePolicy | None
    provider: str
    me: ReplicaId


class BuildMaker(Protocol):
    """Makes builds."""

    def make(self, task: MakeTask) -> MakingEnded:
        """Make one, and write what came of it."""

    def close(self) -> None:
        """Wait until nothing of it runs on this host any more: its hands are told to end.

        It takes some seconds at most. Other machines are given back by whoever notices.
        """


class SnapshotAdopter(Protocol):
    """Finishes builds of dead builders."""

    def adopt(self, task: AdoptTask) -> AdoptionEnded:
        """Look at a snapshot, hide and trim it, and write that it is whole."""


class BuildLogs(Protocol):
    """Keeps the logs of builds."""

    def erase(self, build: BuildId) -> None:
        """Remove the log of a build whose record is to go; no error if there is none.

        Raises:
            StoreError: If that could not be done.
        """

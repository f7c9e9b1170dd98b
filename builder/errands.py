"""What a builder does besides what is judged: it looks around, and shows itself."""

from collections.abc import Mapping
from dataclasses import dataclass

from builder.actions import JudgedAction
from builder.events import Event
from builder.recipe.compile import ConfiguredImages
from remuda.config.images import BaseFrom
from remuda.config.model import Config
from remuda.frame.work import Finished, HandCrashed, Written
from remuda.membership.membership import Registered


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """Ask a provider's cloud where its images lie, for room, and for what recipes start from.

    Attributes:
        bases: What to find, by image; those that start from an image of ours are not in it.
        image_bytes: As large as the largest image of ours that is known; 0: none is.
    """

    provider: str
    bases: Mapping[str, BaseFrom]
    image_bytes: int = 0

    @property
    def id(self) -> str:
        """What it is done to."""
        return self.provider


@dataclass(frozen=True, slots=True, kw_only=True)
class ListPlace:
    """List our images in a place, by one of its providers."""

    place: str
    provider: str

    @property
    def id(self) -> str:
        """What it is done to."""
        return self.place


@dataclass(frozen=True, slots=True)
class ReadRecipes:
    """Read the files that recipes copy anew: what they hold is part of what is made."""

    id: str = "recipes"


@dataclass(frozen=True, slots=True)
class MakeImage:
    """Put an image of the configuration on record."""

    id: str


@dataclass(frozen=True, slots=True)
class Publish:
    """Show what we are, and why what we judge waits."""

    data: bytes
    id: str = "status"


Errand = Look | ListPlace | ReadRecipes | MakeImage | Publish
Action = JudgedAction | Errand


@dataclass(frozen=True, slots=True, kw_only=True)
class RecipesRead:
    """The recipes of a configuration, with what their files hold now."""

    config: Config
    configured: ConfiguredImages


HandEvent = Event | RecipesRead | Written[Action]
#: What the inbox of a builder hears.
News = Written[Action] | Registered | Finished[Action, HandEvent] | HandCrashed[Action]

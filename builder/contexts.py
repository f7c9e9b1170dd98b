"""What the starters and the results of every noun work with."""

from collections.abc import Callable
from dataclasses import dataclass

from builder.actions import Action
from builder.events import HandEvent
from builder.hands.api import Hands
from builder.lanes import Lane
from builder.stops import Stops
from builder.world import World
from remuda.config.model import Config
from remuda.frame.sender import Sender
from remuda.frame.workers import Workers
from remuda.runtime.log import Log


@dataclass(frozen=True, slots=True)
class Refused:
    """An action could not be begun, and waits; the reason is for people."""

    why: str


@dataclass(frozen=True, slots=True)
class Instead:
    """Another action is to be begun in place of one that cannot be."""

    action: Action


@dataclass(frozen=True, slots=True)
class Needless:
    """There is nothing left to do."""


#: Why an action was not begun.
NotStarted = Refused | Instead | Needless


@dataclass(frozen=True, slots=True, kw_only=True)
class StartContext:
    """What starters work with.

    Attributes:
        read_recipes: The hand that reads the files of recipes.
    """

    world: World
    hands: Hands
    workers: Workers[Action, HandEvent, Lane]
    sender: Sender[Action]
    stops: Stops
    read_recipes: Callable[[], HandEvent]


@dataclass(frozen=True, slots=True, kw_only=True)
class ResultContext:
    """What results are taken in by.

    Attributes:
        config: Returns the configuration of now: recipes of another one are not taken in.
        published: Told whether our words are in our ephemeral now.
    """

    world: World
    log: Log
    config: Callable[[], Config]
    published: Callable[[bytes | None], None]

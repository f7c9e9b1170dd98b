"""What the results of hands, and the answers to transactions, do to what is known."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from builder.actions import Action
from builder.build import results as build_results
from builder.build.actions import BeginBuild
from builder.contexts import ResultContext
from builder.crashes import CRASHED
from builder.delays import key_of
from builder.events import End
from builder.image import results as image_results
from builder.image.actions import MakeImage
from builder.place import results as place_results
from builder.place.events import ImagesListed, ProviderSeen
from builder.recipe import results as recipe_results
from builder.recipe.events import RecipesRead
from builder.start import Starter
from builder.status import results as status_results
from builder.status.actions import Publish
from remuda.frame.intake import Intake
from remuda.frame.work import HandCrashed, Written, word
from remuda.metrics.sink import Metrics
from remuda.runtime.now import Now
from remuda.store.api import NOTHING_WRITTEN, StoreError

#: What each event does that brings something to know. The others say only that a hand has ended:
#: what came of it is on record, and it is not begun again at once.
BROUGHT: Final[Mapping[type, Callable[[ResultContext, Any], None]]] = {
    ProviderSeen: place_results.seen,
    ImagesListed: place_results.listed,
    RecipesRead: recipe_results.read,
}
#: How it is told that an action was written; every other one is told alike.
TOLD: Final[Mapping[type, Callable[[ResultContext, Any], None]]] = {
    BeginBuild: build_results.begun,
    MakeImage: image_results.recorded,
}


@dataclass(slots=True, kw_only=True)
class Results:
    """Takes in what comes back."""

    context: ResultContext
    starter: Starter
    metrics: Metrics
    intake: Intake[Action] = field(init=False)

    def __post_init__(self) -> None:
        """Have all ends taken in as those of every daemon."""
        tree = self.starter.context.sender.tree
        self.intake = Intake(dispatch=self.starter.dispatch, tree=tree, learner=self)

    def take(self, end: End, now: Now) -> None:
        """Take in one of them."""
        self.intake.take(end, now)

    def freed(self, action: Action) -> None:
        """See Learner."""
        self.starter.freed(action)

    def brought(self, action: Action, event: Any, now: Now) -> None:
        """See Learner."""
        take_in = BROUGHT.get(type(event))
        if take_in is not None:
            take_in(self.context, event)
            return
        self.context.log.info(
            "hand.ended", action=word(action), subject=str(action.id), why=event.why
        )
        self.starter.delays.end(key_of(action), now.mono_s, event.why)

    def crashed(self, event: HandCrashed[Action], now: Now) -> None:
        """See Learner: the action waits, and counts as an attempt where attempts count."""
        self.starter.crashes.note(event.action)
        self.starter.delays.crashed(key_of(event.action), now.mono_s, CRASHED)
        self.context.world.dirty = True

    def written(self, event: Written[Action], now: Now) -> None:
        """See Learner."""
        action, result = event.action, event.result
        if isinstance(action, Publish):
            status_results.answered(self.context, action, result)
            self.starter.delays.done(key_of(action))
        elif isinstance(result, StoreError):
            self._refused(action, result, now)
        else:
            self.starter.delays.done(key_of(action))
            self.starter.crashes.written(action)
            TOLD.get(type(action), _tell_written)(self.context, action)

    def _refused(self, action: Action, error: StoreError, now: Now) -> None:
        """Let it wait: mostly somebody else was faster, and then a record changes soon."""
        what = word(action)
        if isinstance(error, NOTHING_WRITTEN):
            self.metrics.count_lost_write("", what)
        self.context.log.info(
            "record.not-written", action=what, subject=str(action.id), why=str(error)
        )
        self.starter.delays.end(key_of(action), now.mono_s, str(error))
        self.context.world.dirty = True


def _tell_written(context: ResultContext, action: Any) -> None:
    context.log.info("record.written", action=word(action), subject=str(action.id))

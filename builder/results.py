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
from builder.events import HandEvent, News
from builder.image import results as image_results
from builder.image.actions import MakeImage
from builder.place import results as place_results
from builder.place.events import ImagesListed, ProviderSeen
from builder.recipe import results as recipe_results
from builder.recipe.events import RecipesRead
from builder.start import Starter
from builder.status import results as status_results
from builder.status.actions import Publish
from remuda.frame.work import Finished, HandCrashed, Written, word
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
    _handlers: dict[type, Callable[[Any, Now], None]] = field(init=False)

    def __post_init__(self) -> None:
        """Make the table of handlers: every kind of news has one."""
        self._handlers = {
            Finished: self._finished,
            HandCrashed: self._crashed,
            Written: self._written,
        }

    def take(self, news: News, now: Now) -> None:
        """Take in one of them."""
        self._handlers[type(news)](news, now)

    def _finished(self, news: Finished[Action, HandEvent], now: Now) -> None:
        event = self.starter.finished(news)
        if isinstance(event, HandCrashed):
            self.starter.crashes.note(news.action)
            self._tell_crash(event, now)
        elif isinstance(event, Written):
            self._answered(event, now)
        elif event is not None:
            self._brought(news.action, event, now)

    def _brought(self, action: Action, event: Any, now: Now) -> None:
        take_in = BROUGHT.get(type(event))
        if take_in is not None:
            take_in(self.context, event)
            return
        self.context.log.info(
            "hand.ended", action=word(action), subject=str(action.id), why=event.why
        )
        self.starter.delays.end(key_of(action), now.mono_s, event.why)

    def _crashed(self, news: HandCrashed[Action], now: Now) -> None:
        """A bug of ours: the action waits, and counts as an attempt where attempts count."""
        if self.starter.ended(news.action):
            self.starter.crashes.note(news.action)
        self._tell_crash(news, now)

    def _tell_crash(self, news: HandCrashed[Action], now: Now) -> None:
        self.starter.dispatch.tell(news)
        self.starter.delays.crashed(key_of(news.action), now.mono_s, CRASHED)
        self.context.world.dirty = True

    def _written(self, news: Written[Action], now: Now) -> None:
        self.starter.ended(news.action)
        self._answered(news, now)

    def _answered(self, news: Written[Action], now: Now) -> None:
        action, result = news.action, news.result
        if isinstance(action, Publish):
            status_results.answered(self.context, action, result)
            self.starter.delays.done(key_of(action))
        elif isinstance(result, StoreError):
            self._refused(action, result, now)
            if news.uprooted:
                self.starter.context.sender.tree.restore(result, now.mono_s)
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

"""What the results of hands, and the answers to transactions, do to what is known."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from builder.actions import Action
from builder.build.actions import BeginBuild, KeepSnapshot, Make
from builder.crashes import CRASHED
from builder.events import HandEvent, News
from builder.image.actions import MakeImage
from builder.place.actions import SweepImage
from builder.place.events import ImagesListed, ProviderSeen
from builder.recipe.events import RecipesRead
from builder.start import Starter, key_of
from builder.status.actions import Publish
from builder.upload.actions import CondemnUpload, Copy, EraseImage, RetireUpload, Validate
from builder.world import World
from remuda.config.model import Config
from remuda.frame.work import Finished, HandCrashed, Written, word
from remuda.metrics.sink import Metrics
from remuda.runtime.log import Log
from remuda.runtime.now import Now
from remuda.store.api import NOTHING_WRITTEN, StoreError

#: Whatever these bring back, the record says what came of them; they are not begun again at once.
_JUDGED_BY_RECORD = (
    *(Make, Copy, Validate, KeepSnapshot),
    *(RetireUpload, CondemnUpload, EraseImage, SweepImage),
)


@dataclass(slots=True)
class Results:
    """Takes in what comes back.

    Attributes:
        config: Returns the configuration of now: recipes of another one are not taken in.
        published: Told whether our words are in our ephemeral now.
    """

    world: World
    starter: Starter
    log: Log
    metrics: Metrics
    config: Callable[[], Config]
    published: Callable[[bytes | None], None]
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
            self._told(event, now)
        elif isinstance(event, Written):
            self._answered(event, now)
        elif event is not None:
            self._brought(news.action, event, now)

    def _brought(self, action: Action, event: HandEvent, now: Now) -> None:
        match event:
            case ProviderSeen():
                self._seen(event)
            case ImagesListed():
                self.world.take_listing(event)
            case RecipesRead():
                if event.config is self.config():
                    self.world.adopt(event.configured)
            case _:
                why = getattr(event, "why", None)
                what = word(action)
                self.log.info("hand.ended", action=what, subject=str(action.id), why=why)
                if isinstance(action, _JUDGED_BY_RECORD):
                    self.starter.delays.end(key_of(action), now.mono_s, why)

    def _seen(self, event: ProviderSeen) -> None:
        before = self.world.seen.get(event.provider)
        if event.trouble is not None and (before is None or before.trouble != event.trouble):
            self.log.warning("provider.trouble", provider=event.provider, why=event.trouble)
        elif event.trouble is None and before is not None and before.trouble is not None:
            self.log.info("provider.back", provider=event.provider)
        self.world.take_seen(event)

    def _crashed(self, news: HandCrashed[Action], now: Now) -> None:
        """A bug of ours: the action waits, and counts as an attempt where attempts count."""
        if self.starter.ended(news.action):
            self.starter.crashes.note(news.action)
        self._told(news, now)

    def _told(self, news: HandCrashed[Action], now: Now) -> None:
        self.starter.dispatch.tell(news)
        self.starter.delays.crashed(key_of(news.action), now.mono_s, CRASHED)
        self.world.dirty = True

    def _written(self, news: Written[Action], now: Now) -> None:
        self.starter.ended(news.action)
        self._answered(news, now)

    def _answered(self, news: Written[Action], now: Now) -> None:
        action, result = news.action, news.result
        if isinstance(action, Publish):
            self.published(None if isinstance(result, StoreError) else action.data)
            self.starter.delays.done(key_of(action))
        elif isinstance(result, StoreError):
            self._refused(action, result, now)
            if news.uprooted:
                self.starter.sender.tree.restore(result, now.mono_s)
        else:
            self.starter.delays.done(key_of(action))
            self.starter.crashes.written(action)
            self._tell_written(action)

    def _tell_written(self, action: Action) -> None:
        match action:
            case BeginBuild():
                self.log.info("build.begun", build=str(action.id), why=str(action.why))
            case MakeImage():
                self.log.info("image.recorded", image=action.id)
            case _:
                self.log.info("record.written", action=word(action), subject=str(action.id))

    def _refused(self, action: Action, error: StoreError, now: Now) -> None:
        """Let it wait: mostly somebody else was faster, and then a record changes soon."""
        what = word(action)
        if isinstance(error, NOTHING_WRITTEN):
            self.metrics.count_lost_write("", what)
        self.log.info("record.not-written", action=what, subject=str(action.id), why=str(error))
        self.starter.delays.end(key_of(action), now.mono_s, str(error))
        self.world.dirty = True

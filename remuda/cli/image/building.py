"""`remuda image build`: have images made, and with `--wait` see what comes of it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

import click

from remuda.cli import output
from remuda.cli.context import CommandContext, with_context
from remuda.cli.durations import duration
from remuda.cli.errors import EXIT_STORE_AWAY, EXIT_TIMEOUT, CommandFailedError, MistakeError
from remuda.cli.image.arguments import JSON, WHY, ImageCommand, configured, image_names, word
from remuda.cli.image.completing import complete_images
from remuda.cli.image.for_builders import change_image, require_there
from remuda.cli.image.record_writer import same_word
from remuda.cli.terminal import say
from remuda.config.recipes import ImageRecipe
from remuda.images import library
from remuda.images.buildlog import read_progress
from remuda.images.catalogue import Catalogue
from remuda.images.following import AWAY_S
from remuda.images.moves import MoveRefusedError
from remuda.images.state import BuildResult, Outcome, build_result, newest_for
from remuda.images.words import NO_BUILDER, NOT_CONFIGURED, BuilderWords, read_words
from remuda.insight import tree
from remuda.insight.live import LiveTrees
from remuda.model.codec import CorruptRecordError
from remuda.model.image import BuildId, ImageRecord
from remuda.store import paths
from remuda.store.api import NotPermittedError, Store, StoreAwayError
from remuda.visible import visible

EXIT_REFUSED: Final = 1
#: Levels below an image's own record: builds, number, uploads, place.
_DEPTH: Final = 4
#: Logs and clocks are looked at this often at least, and news this often at most.
_LOOK_S: Final = 2.0
_GATHER_S: Final = 0.3

TellProgress = Callable[[str, Mapping[str, Any]], None]


@dataclass(slots=True)
class AwaitedImage:
    """What is known of one image that is waited for.

    Attributes:
        expected: The providers in which a build above *above* is to become current.
        results: What has come of it, by provider.
        steps: How many steps of each build were told.
        idle: Why no build is begun, as far as anybody says so; None: one is, or nobody does.
    """

    image: str
    above: int
    expected: set[str]
    results: dict[str, BuildResult] = field(default_factory=dict)
    steps: dict[BuildId, int] = field(default_factory=dict)
    idle: str | None = None

    @property
    def open(self) -> bool:
        """Whether something is still to come; before any build is there, everything is."""
        ended = {one for one, found in self.results.items() if found.outcome is not Outcome.OPEN}
        return not self.expected or not self.expected <= ended

    @property
    def failed(self) -> bool:
        """Whether it came to nothing somewhere."""
        return any(one.outcome is Outcome.FAILED for one in self.results.values())


@click.command(
    cls=ImageCommand,
    examples=(
        "remuda image build debian-ci --why 'new toolchain'",
        "remuda image build debian-ci ubuntu-ci --wait --timeout 2h",
    ),
)
@click.argument(
    "images",
    callback=image_names,
    metavar="IMAGE...",
    nargs=-1,
    required=True,
    shell_complete=complete_images,
)
@click.option("--wait", is_flag=True, help="Until it is current in every provider, or has failed.")
@click.option(
    "--timeout", metavar="DURATION", callback=duration, help="Wait no longer; exit code 5."
)
@WHY
@JSON
@with_context
def build(
    *,
    context: CommandContext,
    images: tuple[str, ...],
    wait: bool,
    timeout: float | None,
    why: str,
    as_json: bool,
) -> None:
    """Have images built now, whatever their schedules say."""
    if timeout is not None and not wait:
        raise MistakeError("--timeout says how long to wait: it needs --wait")
    with context.store() as store:
        before = {image: require_there(store, context, image) for image in images}
        recipes, words = configured(context), read_words(store)
        _refuse_if_gone(images, recipes, words)
        if wait:
            _refuse_if_paused(before, recipes)
        waiting = [_ask_for_build(store, context, image, before[image], why) for image in images]
        tell = teller(as_json=as_json)
        for one in waiting:
            _tell_asked(one, before[one.image], words, tell)
        if not wait:
            return
        end_s = None if timeout is None else context.clock.monotonic_s() + timeout
        wait_until_current(store, context, waiting, end_s, tell)
    if any(one.failed for one in waiting):
        raise click.exceptions.Exit(EXIT_REFUSED)


def teller(*, as_json: bool) -> TellProgress:
    """Return what tells people, or programs, what happens."""

    def tell(sentence: str, event: Mapping[str, Any]) -> None:
        if as_json:
            output.emit_line(event)
        else:
            say(visible(sentence))

    return tell


def _refuse_if_gone(
    images: Sequence[str], recipes: Mapping[str, ImageRecipe], words: BuilderWords
) -> None:
    """Refuse what nobody would ever build: it has a record, but no recipe any more."""
    for image in images:
        recipe = recipes.get(image)
        if recipe is not None and recipe.capture is not None:
            raise MoveRefusedError(
                f"{image} is captured of jobs' machines, and has no recipe to build it by: remuda "
                f"image capture NODE --as {image}"
            )
        if image not in recipes and words.providers is not None and not words.configured(image):
            raise MoveRefusedError(
                f"{image} is not in the configuration of any builder; nothing was asked for"
            )


def _refuse_if_paused(before: Mapping[str, Catalogue], recipes: Mapping[str, ImageRecipe]) -> None:
    for image, seen in before.items():
        recipe = recipes.get(image)
        if recipe is not None and recipe.paused:
            raise MoveRefusedError(
                f"{image} is paused in the configuration; nothing was asked for, first: take "
                "'paused' out of it"
            )
        record = seen.library.images.get(image)
        if record is not None and record.value.paused is not None:
            by = record.value.paused
            raise MoveRefusedError(
                f"{image} is paused by {by.who}: {by.why}; nothing was asked for, first: remuda "
                f"image resume {image}"
            )


def _ask_for_build(
    store: Store, context: CommandContext, image: str, before: Catalogue, why: str
) -> AwaitedImage:
    said = word(context, why)

    def judge(record: ImageRecord) -> ImageRecord:
        return replace(record, wanted=said, wanted_above=record.last_build)

    was = change_image(store, context, image, judge, lambda one: same_word(one.wanted, said))
    return AwaitedImage(
        image=image, above=was.last_build, expected=_expected(store, context, image, before)
    )


def _expected(store: Store, context: CommandContext, image: str, before: Catalogue) -> set[str]:
    """Return where a build is to become current: by the file, else by the records.

    A provider that has left the configuration keeps its records; without a launcher nothing comes
    of it, and nobody is to wait for it.
    """
    recipe = configured(context).get(image)
    if recipe is not None:
        return set(recipe.makings)
    alive = {one.provider for one in tree.pools(tree.reader(store)).records.values()}
    return {
        one
        for one in before.providers(image)
        if one in alive and newest_for(before, image, one) is not None
    }


def _tell_asked(
    one: AwaitedImage, before: Catalogue, words: BuilderWords, tell: TellProgress
) -> None:
    record = before.library.images.get(one.image)
    paused = None if record is None else record.value.paused
    if not words.living:
        one.idle = NO_BUILDER  # which is not said twice
    but = "" if one.idle is None else f", but {one.idle}"
    but = but if paused is None else f", but it is paused by {paused.who}: {paused.why}"
    tell(
        f"{one.image}: a build above {one.above} is wanted{but}",
        {"event": "wanted", "image": one.image, "above": one.above, "paused": paused is not None},
    )


def wait_until_current(
    store: Store,
    context: CommandContext,
    waiting: Sequence[AwaitedImage],
    end_s: float | None,
    tell: TellProgress,
) -> None:
    """Look until nothing is open any more, saying what happens.

    Raises:
        CommandFailedError: If the time is over, or ZooKeeper stays away.
    """
    roots = {paths.image(one.image): _DEPTH for one in waiting}
    with LiveTrees(store, roots) as trees:
        news, seen_s = 0, context.clock.monotonic_s()
        while True:
            now_s = context.clock.now_s()
            answered = [_look(store, one, now_s, tell) for one in waiting]
            if all(answered):
                seen_s = context.clock.monotonic_s()
            elif context.clock.monotonic_s() - seen_s > AWAY_S:
                raise CommandFailedError(
                    "ZooKeeper stays away, so that nobody knows what comes of it; the builds are "
                    "wanted all the same",
                    EXIT_STORE_AWAY,
                )
            still = [one for one in waiting if one.open]
            if not still:
                return
            left_s = None if end_s is None else end_s - context.clock.monotonic_s()
            if left_s is not None and left_s <= 0:
                raise CommandFailedError(_overdue(still), EXIT_TIMEOUT)
            news = trees.wait_news(news, _LOOK_S if left_s is None else min(_LOOK_S, left_s))
            trees.pause(_GATHER_S)


def _overdue(still: Sequence[AwaitedImage]) -> str:
    names = ", ".join(one.image for one in still)
    idle = dict.fromkeys(one.idle for one in still)
    why = next(iter(idle)) if len(idle) == 1 else None
    reason = "; builders go on" if why is None else f": {why}"
    return f"{names} did not become current in time{reason}"


def _look(store: Store, one: AwaitedImage, now_s: float, tell: TellProgress) -> bool:
    """Read an image anew, and say what is new of it; False: ZooKeeper did not answer."""
    try:
        seen = Catalogue(library.read(store, only=[one.image], launched=False))
        words = read_words(store)
        new = [build for build in seen.builds.get(one.image, {}).values() if _is_new(one, build.id)]
        one.expected.update(*(build.group for build in new))
        results = {
            provider: build_result(
                seen, one.image, provider, above=one.above, now_s=now_s, words=words
            )
            for provider in sorted(one.expected)
        }
        # What was read first may be older than a pointer, which then names a build that it lacks.
        named = (result.build for result in results.values() if result.build is not None)
        for build_id in sorted({*(build.id for build in new), *named}):
            if _is_new(one, build_id):
                _tell_steps(store, one, build_id, tell)
        _tell_idle(one, _idle(seen, one, words), tell)
    except StoreAwayError:
        return False
    for provider, result in results.items():
        before = one.results.get(provider)
        one.results[provider] = result
        if before != result and result.build is not None:
            _tell_result(provider, result, tell)
    return True


def _is_new(one: AwaitedImage, build_id: BuildId) -> bool:
    return build_id.number > one.above


def _idle(seen: Catalogue, one: AwaitedImage, words: BuilderWords) -> str | None:
    """Return why nobody works on a build, or None: somebody does, or says nothing of it."""
    if not words.living:
        return NO_BUILDER
    if any(number > one.above for number in seen.builds.get(one.image, {})):
        return None  # it says itself what it waits for
    record = seen.library.images.get(one.image)
    if record is not None and record.value.paused is not None:
        return f"it was paused by {record.value.paused.who}: {record.value.paused.why}"
    if words.providers is not None and one.image not in words.providers:
        return NOT_CONFIGURED
    groups = (words.of_group(one.image, provider) for provider in sorted(one.expected))
    return next((why for why in groups if why is not None), words.of(one.image))


def _tell_idle(one: AwaitedImage, why: str | None, tell: TellProgress) -> None:
    """Say why nothing is begun, when that is another reason than before."""
    before, one.idle = one.idle, why
    if why is not None and why != before:
        event = {"event": "waits", "image": one.image, "why": why}
        tell(f"{one.image} waits: {why}", event)


def _tell_result(provider: str, result: BuildResult, tell: TellProgress) -> None:
    said = {
        Outcome.CURRENT: " is current there",
        Outcome.TRIED: f": {result.why}, and becomes current there if they go well",
        Outcome.FAILED: f" failed: {result.why or 'why is not on record'}",
        # Mostly somebody is at work on it: that is no waiting.
        Outcome.OPEN: f": {result.why or 'it is under way'}",
    }
    tell(
        f"{result.build} in {provider}{said[result.outcome]}",
        {
            "event": str(result.outcome),
            "build": str(result.build),
            "provider": provider,
            "why": result.why,
        },
    )


def _tell_steps(store: Store, one: AwaitedImage, build_id: BuildId, tell: TellProgress) -> None:
    try:
        progress = read_progress(store, build_id)
    except (CorruptRecordError, NotPermittedError):
        return  # logs are for who may do what launchers may
    if progress is None:
        return
    count = progress.steps_dropped + len(progress.steps)
    told = one.steps.get(build_id, 0)
    # Another writer begins anew, with fewer steps than were told.
    told = 0 if told > count else told
    for step in progress.steps[max(0, told - progress.steps_dropped) :]:
        tell(
            f"{build_id}: {step.name}",
            {
                "event": "step",
                "build": str(build_id),
                "step": step.name,
                "began_at_s": step.since_s or None,
            },
        )
    one.steps[build_id] = count

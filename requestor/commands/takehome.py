"""`remuda hold NODE --snapshot`: take the machine of a hold home, as an image."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, TypeVar

import click

from remuda.cli import output
from remuda.cli.context import CommandContext
from remuda.cli.durations import duration
from remuda.cli.errors import EXIT_TIMEOUT, CommandFailedError, MistakeError
from remuda.cli.terminal import say
from remuda.cli.views.takehomes import take_home_json
from remuda.insight.takehomes import commands, said
from remuda.model.ids import NodeId
from remuda.model.node import NodeState
from remuda.store.api import Store
from requestor.holding import write_wish
from requestor.takinghome import (
    TakeHomeError,
    WishedImage,
    await_answer,
    await_image,
    refuse_if_taken,
)

F = TypeVar("F", bound=Callable[..., Any])

#: An image is kept so long if nobody says how long.
FOR_S: Final = 7 * 86_400.0
_OPTIONS: Final = (
    click.option(
        "--snapshot",
        is_flag=True,
        help="Make an image of the machine, which goes after that; --for is the image's.",
    ),
    click.option(
        "--share-with",
        metavar="PROJECT",
        help="Id of the project of the same cloud that is to boot the image.",
    ),
    click.option("--public", is_flag=True, help="Let everybody in the cloud boot the image."),
    click.option(
        "--timeout",
        "timeout_s",
        metavar="DURATION",
        callback=duration,
        help="Wait no longer for the image; exit code 5. It is made all the same.",
    ),
    click.option("--force", is_flag=True, help="An image even of what is held for others."),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """The options of :func:`snapshot_options`, as one value; None: none is wished."""

    share_with: str | None
    public: bool
    timeout_s: float | None
    force: bool


def snapshot_options(command: F) -> F:
    """Add the options that say whose image a held machine is to become."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def snapshot_of(options: dict[str, Any]) -> Snapshot | None:
    """Take the options of :func:`snapshot_options` out of *options*.

    Raises:
        MistakeError: If they mean nothing without ``--snapshot``.
    """
    wanted = options.pop("snapshot")
    found = Snapshot(**{name: options.pop(name) for name in Snapshot.__slots__})
    if wanted:
        return found
    if found != Snapshot(share_with=None, public=False, timeout_s=None, force=False):
        raise MistakeError("--share-with, --public, --timeout and --force go with --snapshot")
    return None


def take_home(
    store: Store,
    context: CommandContext,
    node: NodeId,
    snapshot: Snapshot,
    image: WishedImage,
    *,
    as_json: bool,
) -> None:
    """Wish it, wait for the launcher's answer and then for the image; say where it is.

    Raises:
        MistakeError: It is not ours to wish, or refused.
        CommandFailedError: There is no image, or none in time.
    """
    clock = context.clock
    try:
        refuse_if_taken(store, node)
        make = image.of(force=snapshot.force, now_s=clock.now_s())
        wished = write_wish(store, node, make)
        await_answer(store, clock, wished)
    except TakeHomeError as error:
        raise MistakeError(f"node {node} is not taken home: {error}") from error
    if wished.node.state is not NodeState.HOLD:
        say(f"node {node} is taken home once its job lets it go; `remuda holds` shows its image")
        return
    ends_s = None if snapshot.timeout_s is None else clock.monotonic_s() + snapshot.timeout_s
    try:
        one = await_image(
            store,
            clock,
            wished,
            ends_s=ends_s,
            tell=lambda one: None if as_json else say(f"node {node}: {said(one)}"),
        )
    except TakeHomeError as error:
        raise CommandFailedError(f"node {node} is not taken home: {error}", 1) from error
    if one is None:
        raise CommandFailedError(f"there is no image of node {node} yet", EXIT_TIMEOUT)
    if as_json:
        output.emit_json({**take_home_json(one), "commands": list(commands(one))})
        return
    say(f"node {node} is {said(one)}")
    for line in commands(one):
        say(f"  {line}")
    say(
        f"`remuda open {node}` boots it here, `remuda extend {node}` keeps it for longer, "
        f"`remuda release {node}` deletes it"
    )

"""`remuda hold NODE --snapshot`: take the machine of a hold home, as an image."""

from collections.abc import Callable
from typing import Any, Final, TypeVar

import click

from remuda.cli import output
from remuda.cli.context import CommandContext, with_context
from remuda.cli.durations import duration
from remuda.cli.errors import EXIT_TIMEOUT, CommandFailedError, MistakeError
from remuda.cli.terminal import say
from remuda.insight.takehomes import commands, said
from remuda.insight.tree import decode_node
from remuda.model.ids import NodeId
from remuda.model.takehome import TakeHome
from remuda.store import paths
from remuda.store.api import Store
from requestor.commands.ending import RequestorCommand
from requestor.commands.options import owner_options
from requestor.owning import node_owner
from requestor.takinghome import (
    TakeHomeError,
    WishedImage,
    await_answer,
    await_image,
    wish_take_home,
)

F = TypeVar("F", bound=Callable[..., Any])

_WEEK_S: Final = 7 * 86_400.0
_OPTIONS: Final = (
    click.option(
        "--snapshot", is_flag=True, help="Make an image of the machine, which goes after that."
    ),
    click.option(
        "--share-with",
        metavar="PROJECT",
        help="Id of the project of the same cloud that is to boot the image.",
    ),
    click.option("--public", is_flag=True, help="Let everybody in the cloud boot the image."),
)


def snapshot_options(command: F) -> F:
    """Add the options that say whose image a held machine is to become."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


@click.command(
    cls=RequestorCommand,
    examples=(
        "remuda hold 3000000001 --snapshot --for 14d",
        "remuda hold 3000000001 --snapshot --share-with 0123456789abcdef0123456789abcdef",
    ),
)
@click.argument("node")
@snapshot_options
@click.option(
    "--for",
    "for_s",
    metavar="DURATION",
    callback=duration,
    default="7d",
    show_default=True,
    help="How long the image is kept.",
)
@click.option(
    "--timeout",
    "timeout_s",
    metavar="DURATION",
    callback=duration,
    help="Wait no longer for the image; exit code 5. It is made all the same.",
)
@owner_options("Even what is somebody else's.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON (docs/cli.md).")
@with_context
def hold(
    *,
    context: CommandContext,
    node: str,
    snapshot: bool,
    share_with: str | None,
    public: bool,
    for_s: float | None,
    timeout_s: float | None,
    me: str,
    force: bool,
    as_json: bool,
) -> None:
    """Take the machine of the hold NODE home, as an image; its quota is free at once.

    The machine is stopped and goes as soon as there is an image. Identity and our keys are taken
    off it; what it shows of its failure stays.
    """
    if not snapshot:
        raise MistakeError("say what is to become of it: --snapshot")
    wanted = WishedImage(by=me, for_s=for_s or _WEEK_S, share_with=share_with, public=public)
    with context.store() as store:
        one = take_home(
            store, context, NodeId(node), wanted, timeout_s=timeout_s, tell=not as_json, force=force
        )
    if as_json:
        output.emit_json({**image_doc(one), "commands": list(commands(one))})
        return
    say(f"node {node} is {said(one)}")
    for line in commands(one):
        say(f"  {line}")


def take_home(
    store: Store,
    context: CommandContext,
    node: NodeId,
    wanted: WishedImage,
    *,
    timeout_s: float | None,
    tell: bool,
    force: bool,
) -> TakeHome:
    """Wish it, wait for the launcher's answer and then for the image; return that.

    Raises:
        MistakeError: It is not ours to wish, or refused.
        CommandFailedError: There is no image, or none in time.
    """
    if wanted.public and wanted.share_with is not None:
        raise MistakeError("either --share-with or --public")
    (stored,) = store.read_many([paths.node(node)])
    if stored is None or not stored.value:
        raise MistakeError(f"there is no node {node}")
    record = decode_node(node, stored.value)
    owner = node_owner(record, me=wanted.by)
    if owner is not None and not force:
        raise MistakeError(f"node {node} is held for {owner}, not {wanted.by}; --force does it")
    clock = context.clock
    try:
        token = wish_take_home(store, node, wanted, now_s=clock.now_s())
        await_answer(store, clock, node, record.provider or "", token)
    except TakeHomeError as error:
        raise MistakeError(f"node {node} is not taken home: {error}") from error
    ends_s = None if timeout_s is None else clock.monotonic_s() + timeout_s
    try:
        one = await_image(
            store,
            clock,
            node,
            token,
            ends_s=ends_s,
            tell=lambda one: say(f"node {node}: {said(one)}") if tell else None,
        )
    except TakeHomeError as error:
        raise CommandFailedError(f"node {node} is not taken home: {error}", 1) from error
    if one is None:
        raise CommandFailedError(f"there is no image of node {node} yet", EXIT_TIMEOUT)
    return one


def image_doc(one: TakeHome) -> dict[str, Any]:
    """Return an image as JSON tells it."""
    return {
        "node": one.node,
        "state": str(one.state),
        "label": one.label,
        "provider": one.provider,
        "cloud": one.cloud,
        "region": one.region or None,
        "image": one.cloud_image,
        "flavor": one.flavor,
        "login": one.username,
        "shared_with": one.wish.share_with,
        "public": one.wish.public,
        "shared": one.shared,
        "trouble": one.trouble or one.failure,
        "owner": one.by,
        "reason": one.reason,
        "until": one.ends_s,
    }

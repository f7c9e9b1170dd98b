"""`remuda image capture`: have an image made of the machine of a node that we hold."""

import uuid
from typing import Final

import click

from remuda.cli.completing import complete_in_use
from remuda.cli.context import CommandContext, with_context
from remuda.cli.durations import duration
from remuda.cli.errors import EXIT_TIMEOUT, CommandFailedError, MistakeError
from remuda.cli.image.arguments import JSON, image_name
from remuda.cli.image.building import AwaitedImage, TellProgress, teller, wait_until_current
from remuda.cli.image.completing import complete_images
from remuda.cli.node_change import known_node
from remuda.cli.znode_names import as_shown
from remuda.images.capturefate import CaptureFate, Fate
from remuda.model import node as node_record
from remuda.model.capture import CaptureAsk, ask_fields
from remuda.model.ids import NodeId
from remuda.model.image import BuildId
from remuda.model.node import Node, NodeState
from remuda.store import paths
from remuda.store.api import Check, MissingError, Set, StaleWriteError, Store
from remuda.store.locks import holder
from requestor.capturing import ANSWER_S, CaptureWatch, capture_ask, nothing_asked, outcome_of
from requestor.commands.ending import RequestorCommand
from requestor.context import default_requestor
from requestor.owning import node_owner

EXIT_NOT_CURRENT: Final = 1
#: Somebody wrote in between; more often than this is no accident.
_ATTEMPTS_MAX: Final = 5
_AWAY_S: Final = 60.0


@click.command(
    cls=RequestorCommand,
    examples=(
        "remuda image capture 3000000001 --as oneiric",
        "remuda image capture 3000000001 --as oneiric --wait --timeout 1h",
    ),
)
@click.argument("node", callback=as_shown, shell_complete=complete_in_use)
@click.option(
    "--as",
    "image",
    metavar="IMAGE",
    required=True,
    callback=image_name,
    shell_complete=complete_images,
    help="Its name: an image of the configuration that may be captured of such machines.",
)
@click.option("--wait", is_flag=True, help="Until it is current in every provider, or has failed.")
@click.option("--no-wait", is_flag=True, help="Only for the launcher's answer.")
@click.option(
    "--timeout",
    "timeout_s",
    metavar="DURATION",
    callback=duration,
    help="Wait no longer; exit code 5.",
)
@click.option(
    "--requestor",
    "me",
    metavar="NAME",
    envvar="REMUDA_REQUESTOR",
    default=default_requestor,
    help="Who we are. [env: REMUDA_REQUESTOR; default: USER@HOST]",
)
@JSON
@with_context
def capture(
    *,
    context: CommandContext,
    node: str,
    image: str,
    wait: bool,
    no_wait: bool,
    timeout_s: float | None,
    me: str,
    as_json: bool,
) -> None:
    """Have an image made of the machine of NODE, which we hold.

    The machine is made quiet and stopped, and is of no more use; the node stays ours. It can be
    given back once there is a snapshot, for which this waits.
    """
    if no_wait and (wait or timeout_s is not None):
        raise MistakeError("--no-wait goes neither with --wait nor with --timeout")
    tell = teller(as_json=as_json)
    clock = context.clock
    ends_s = None if timeout_s is None else clock.monotonic_s() + timeout_s
    with context.store() as store:
        held, ask = _ask(store, NodeId(node), image, me=me, now_s=clock.now_s())
        watch = CaptureWatch(store, clock, provider=held.provider or "", node=held.id, ask=ask)
        fate = watch.wait(
            until_s=clock.monotonic_s() + ANSWER_S if no_wait else ends_s,
            away_s=_AWAY_S,
            answered=no_wait,
            tell=lambda fate: _tell(held, image, fate, tell),
        )
        outcome_of(held.id, image, fate)
        if no_wait and fate.fate is Fate.ASKED:
            raise CommandFailedError(
                f"the launcher of node {node} has not answered in {ANSWER_S:g} s; it may yet take "
                "it, as long as the node is held",
                EXIT_TIMEOUT,
            )
        if no_wait:
            return
        if fate.open:
            raise CommandFailedError(
                f"there is no snapshot of node {node} in time: {fate.why}", EXIT_TIMEOUT
            )
        if wait and fate.build is not None:
            _wait(store, context, fate.build, ends_s, tell)


def _ask(
    store: Store, node_id: NodeId, image: str, *, me: str, now_s: float
) -> tuple[Node, CaptureAsk]:
    """Write what we ask into the record of a node that we hold.

    Raises:
        MistakeError: If there is none, or it is not ours.
        CaptureFailedError: If an image is made of it already, or was.
        CommandFailedError: If it changes all the time.
        StoreAwayError: If ZooKeeper does not answer.
    """
    token = uuid.uuid4().hex
    for _ in range(_ATTEMPTS_MAX):
        found = known_node(store, node_id)
        _refuse_if_not_held(found.value, me=me)
        first = holder(store.children(paths.node_lock(node_id)))
        if first is None:
            raise MistakeError(f"nobody holds node {node_id}: the session of its user is over")
        contender = f"{paths.node_lock(node_id)}/{first}"
        ask = capture_ask(image, token=token, contender=contender, at_s=now_s)
        asked = found.value.with_fields(**ask_fields(ask))
        data = node_record.encode(asked)
        try:
            store.commit(
                [
                    Check(path=contender),
                    *nothing_asked(store, asked, ask),
                    Set(path=found.path, data=data, version=found.version),
                ]
            )
        except (StaleWriteError, MissingError):
            continue
        return asked, ask
    raise CommandFailedError(f"node {node_id} changes all the time; try again", 1)


def _refuse_if_not_held(node: Node, *, me: str) -> None:
    """Refuse a node that is not in use by us.

    Raises:
        MistakeError: With the rule that it breaks.
    """
    owner = node_owner(node, me=me)
    if owner is not None:
        raise MistakeError(
            f"node {node.id} is of {owner}, not of {me}: only who holds a node may have an image "
            "made of it"
        )
    if node.state is not NodeState.IN_USE:
        raise MistakeError(
            f"node {node.id} is {node.state}: an image is made only of a node in use, by who holds "
            "it"
        )


def _tell(node: Node, image: str, fate: CaptureFate, tell: TellProgress) -> None:
    if fate.fate in {Fate.REFUSED, Fate.FAILED}:
        return  # that is said at the end
    build = "" if fate.build is None else f" as {fate.build}"
    if fate.fate is Fate.KEPT:
        said = f"there is a snapshot of node {node.id}{build}: it can be given back"
    elif fate.build is not None:
        said = f"node {node.id} is captured{build}: {fate.why}; its machine is stopped by that"
    else:
        said = f"node {node.id} is to be captured as {image}: {fate.why}"
    event = {
        "event": f"capture {fate.fate}",
        "node": node.id,
        "image": image,
        "build": None if fate.build is None else str(fate.build),
        "why": fate.why or None,
    }
    tell(said, event)


def _wait(
    store: Store,
    context: CommandContext,
    build: BuildId,
    ends_s: float | None,
    tell: TellProgress,
) -> None:
    """Wait until the build is current everywhere.

    Raises:
        CommandFailedError: If the time is over, or ZooKeeper stays away.
        click.exceptions.Exit: If it has failed somewhere.
    """
    awaited = AwaitedImage(image=build.image, above=build.number - 1, expected=set())
    wait_until_current(store, context, [awaited], ends_s, tell)
    if awaited.failed:
        raise click.exceptions.Exit(EXIT_NOT_CURRENT)

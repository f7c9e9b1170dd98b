"""`remuda autohold`: have the next failures of some jobs leave their machines."""

import uuid

import click

from remuda.cli import output
from remuda.cli.completing import complete_autoholds
from remuda.cli.context import CommandContext, with_context
from remuda.cli.durations import duration
from remuda.cli.errors import MistakeError
from remuda.cli.terminal import say
from remuda.cli.views.holds import autohold_json, autoholds_sheet
from remuda.cli.znode_names import meant_name, shown_name
from remuda.model.autohold import (
    AUTOHOLDS_MAX,
    COUNT_MAX,
    PATTERNS,
    Autohold,
    decode_autohold,
    encode_autohold,
    key_fault,
    pattern_fault,
)
from remuda.model.codec import CorruptRecordError
from remuda.model.fields import IDENTIFIER
from remuda.model.holdwish import FOR_S_MAX, KEYS_MAX
from remuda.model.publickey import PublicKeyError, parse_key
from remuda.store import paths
from remuda.store.api import Create, Delete, MissingError, Store
from requestor.commands.ending import RequestorCommand
from requestor.commands.hold_time import refuse_too_long
from requestor.commands.options import owner_options
from requestor.context import default_requestor
from requestor.holding import check_time


@click.group()
def autohold() -> None:
    """Have the next failures of some jobs leave their machines, for people.

    A job has failed if `remuda run` ended with another exit code than 0, if it was reported to
    have, or if its scheduler holds its node. The last room of a pool is for requests: then a
    failed machine goes as always.
    """


@autohold.command(
    cls=RequestorCommand,
    examples=(
        "remuda autohold add --label small --job 'unit*' --reason flaky --for 12h",
        "remuda autohold add --requestor 'ci-*' --reason hangs --count 2 --until 3d",
    ),
)
@click.option("--label", metavar="PATTERN", help="Of these labels.")
@click.option("--requestor", "whose", metavar="PATTERN", help="Of these requestors.")
@click.option("--job", metavar="PATTERN", help="Of these jobs.")
@click.option("--reason", required=True, help="Why, for people.")
@click.option("--count", default=1, show_default=True, type=click.IntRange(1, COUNT_MAX))
@click.option(
    "--for",
    "for_s",
    metavar="DURATION",
    default="1d",
    show_default=True,
    callback=duration,
    help="How long each machine is kept.",
)
@click.option(
    "--until",
    "until_s",
    metavar="DURATION",
    default="7d",
    show_default=True,
    callback=duration,
    help="Wait no longer for failures.",
)
@click.option("--key", "keys", multiple=True, help="Developer, or line of a public key.")
@click.option(
    "--owner",
    metavar="NAME",
    envvar="REMUDA_REQUESTOR",
    default=default_requestor,
    help="For whom. [env: REMUDA_REQUESTOR; default: USER@HOST]",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON (docs/cli.md).")
@with_context
def add(
    *,
    context: CommandContext,
    label: str | None,
    whose: str | None,
    job: str | None,
    reason: str,
    count: int,
    for_s: float,
    until_s: float,
    keys: tuple[str, ...],
    owner: str,
    as_json: bool,
) -> None:
    """Wait for failures; all patterns that are given must match."""
    patterns = dict(zip(PATTERNS, (label, whose, job), strict=True))
    _check(patterns, keys)
    now_s = context.clock.now_s()
    made = Autohold(
        id=uuid.uuid4().hex[:12],
        owner=owner,
        reason=reason,
        count=count,
        for_s=check_time(for_s),
        made_s=now_s,
        until_s=now_s + until_s,
        keys=keys,
        label=label,
        requestor=whose,
        job=job,
    )
    if until_s > FOR_S_MAX:
        raise MistakeError("--until: nothing waits for longer than 366d")
    with context.store() as store:
        refuse_too_long(store, for_s, "--for")
        store.ensure(paths.AUTOHOLDS)
        if len(store.children(paths.AUTOHOLDS)) >= AUTOHOLDS_MAX:
            raise MistakeError(
                f"there are {AUTOHOLDS_MAX} autoholds, and launchers look at no more: remove some "
                "(remuda autohold list)"
            )
        store.commit([Create(path=paths.autohold(made.id), data=encode_autohold(made))])
    if as_json:
        output.emit_json(autohold_json(made, now_s))
        return
    what = "failure" if count == 1 else f"{count} failures"
    say(f"autohold {made.id} waits for the next {what} of {made.said}")


def _check(patterns: dict[str, str | None], keys: tuple[str, ...]) -> None:
    """Refuse what no launcher would read.

    Raises:
        MistakeError: With what is wrong.
    """
    if not any(patterns.values()):
        raise MistakeError("--label, --requestor or --job is needed: else it keeps every failure")
    for name, pattern in patterns.items():
        fault = None if pattern is None else pattern_fault(pattern)
        if fault is not None:
            raise MistakeError(f"--{name}: {fault}")
    if len(keys) > KEYS_MAX:
        raise MistakeError(f"--key: {KEYS_MAX} at most")
    for one in keys:
        _check_key(one)


def _check_key(key: str) -> None:
    """Refuse a key that no machine would get, before anybody relies on it.

    Raises:
        MistakeError: With what is wrong; nothing of a line is shown.
    """
    fault = key_fault(key)
    if fault is None and not key.isprintable():
        fault = "a key is one line that can be printed"
    if fault is None and " " not in key and not IDENTIFIER.fullmatch(key):
        fault = f"{key!r} is no name of a developer, and no line as in a .pub file"
    if fault is not None:
        raise MistakeError(f"--key: {fault}")
    if " " in key:
        try:
            parse_key(key)
        except PublicKeyError as error:
            raise MistakeError(f"--key: what was given {error}") from error


@autohold.command(name="list", cls=RequestorCommand, examples=("remuda autohold list",))
@click.option("--json", "as_json", is_flag=True, help="Print JSON (docs/cli.md).")
@with_context
def list_autoholds(*, context: CommandContext, as_json: bool) -> None:
    """List autoholds, and which nodes they have kept."""
    with context.store() as store:
        sheet = autoholds_sheet(store, now_s=context.clock.now_s())
    if as_json:
        output.emit_json(sheet.data)
    else:
        output.show([sheet])


@autohold.command(cls=RequestorCommand, examples=("remuda autohold remove 3f2a91c07b44",))
@click.argument("autohold_id", metavar="ID", shell_complete=complete_autoholds)
@owner_options("Also what is somebody else's, and what cannot be read.")
@with_context
def remove(*, context: CommandContext, autohold_id: str, me: str, force: bool) -> None:
    """Wait no longer; what it has kept is held on.

    ID is as `remuda autohold list` shows it.
    """
    with context.store() as store:
        try:
            name = meant_name(autohold_id, lambda: store.children(paths.AUTOHOLDS))
        except ValueError as error:
            raise MistakeError(f"{autohold_id[:80]!r} is no id of an autohold") from error
        if not force:
            _refuse_if_not_ours(store, name, me=me)
        try:
            store.commit([Delete(path=paths.autohold(name))])
        except MissingError as error:
            raise MistakeError(f"there is no autohold {shown_name(name)}") from error
    say(f"autohold {shown_name(name)} is removed")


def _refuse_if_not_ours(store: Store, name: str, *, me: str) -> None:
    stored, said = store.read(paths.autohold(name)), f"autohold {shown_name(name)}"
    if stored is None:
        raise MistakeError(f"there is no {said}")
    try:
        owner = decode_autohold(name, stored.value).owner
    except CorruptRecordError as error:
        raise MistakeError(f"{said} cannot be read; --force removes it anyway") from error
    if owner != me:
        raise MistakeError(f"{said} is of {owner}, not of {me}; --force removes it anyway")

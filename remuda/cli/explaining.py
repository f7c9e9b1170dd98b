"""`remuda explain`: why does a request wait?"""

from collections.abc import Iterable
from dataclasses import replace

import click

from remuda.cli import output
from remuda.cli.caveats import NO_LAUNCHER, unknown
from remuda.cli.completing import complete_nodes
from remuda.cli.context import CommandContext, with_context
from remuda.cli.errors import CommandFailedError, MistakeError, PlainCommand
from remuda.cli.node_explaining import read_node_explanation
from remuda.cli.output import Sheet, age
from remuda.cli.views.boots import state_notes
from remuda.cli.views.launch_progress import launch_progress_text
from remuda.cli.views.requests import labels_text
from remuda.cli.znode_names import as_shown
from remuda.insight import tree
from remuda.insight.explanation import Explanation, expected_in_s
from remuda.insight.explanation import explain as read_explanation
from remuda.insight.holding import room_of
from remuda.insight.imagenotes import ImageNotes, read_image_notes
from remuda.insight.launch_progress import launch_progress_for
from remuda.insight.tree import TreeReader, reader
from remuda.model.ids import RequestId
from remuda.model.imageask import ImageUse
from remuda.model.job import whose
from remuda.model.request import RequestState
from remuda.model.status import Verdict


@click.command(
    cls=PlainCommand,
    examples=("remuda explain 200-0000000042", "remuda explain 200-0000000042 --json"),
)
@click.argument("request", metavar="REQUEST|NODE", callback=as_shown, shell_complete=complete_nodes)
@click.option("--json", "as_json", is_flag=True, help="Print JSON (docs/cli.md).")
@with_context
def explain(*, context: CommandContext, request: str, as_json: bool) -> None:
    """Say why REQUEST waits: each provider's verdict with the numbers that decided it.

    Of NODE, say who has it, or for whom it is kept, why and until when.
    """
    if request.isdecimal():
        _explain_node(context, request, as_json=as_json)
        return
    now_s = context.clock.now_s()
    with context.store() as store:
        found = read_explanation(store, RequestId(request), now_s=now_s)
        absent = found.state is None and found.broken is None
        gone = f"there is no request {request}; it was served, cancelled, or never was, or it "
        missing = unknown(reader(store), f"{gone}failed long ago") if absent else ""
        notes = read_image_notes(store, RequestId(request), found.verdicts, now_s=now_s)
        made = launch_progress_for(store, RequestId(request), found.verdicts)
        held = _held_sentences(reader(store), found.verdicts)
    if found.state is None and found.broken is not None:
        raise CommandFailedError(f"request {request}: {found.sentence}", 1)
    if absent:
        raise MistakeError(missing)
    if as_json:
        making = [one.as_json() for one in made]
        output.emit_json({**found.as_json(), **notes.as_json(), "making": making})
    else:
        sheet = explanation_sheet(found, now_s=now_s)
        told = [
            f"node {one.node} in {one.provider}, {launch_progress_text(one, now_s)}" for one in made
        ]
        output.show(
            [replace(sheet, notes=[*sheet.notes, *held, *told, *_image_sentences(notes, now_s)])]
        )


def _explain_node(context: CommandContext, node: str, *, as_json: bool) -> None:
    with context.store() as store:
        found = read_node_explanation(store, node)
    if as_json:
        output.emit_json(found.as_json())
    else:
        output.show(
            [Sheet(columns=(), rows=[], data=None, notes=found.sentences(context.clock.now_s()))]
        )


def _held_sentences(read: TreeReader, verdicts: Iterable[Verdict]) -> list[str]:
    """Return how many machines people keep where a request waits for the room that they take."""
    waits = [one.provider for one in verdicts if one.numbers.get("held")]
    if not waits:
        return []
    nodes = [*tree.nodes(read).records.values()]
    rooms = ((name, room_of(read, nodes, name, None)) for name in waits)
    return [
        f"in {name} {room.said}: `remuda holds` says for whom and until when"
        for name, room in rooms
        if room.held
    ]


def _image_sentences(notes: ImageNotes, now_s: float) -> list[str]:
    told = []
    if notes.use is not None:
        which = notes.image if notes.build is None else f"{notes.image}, build {notes.build.number}"
        what = "make" if notes.use is ImageUse.MAKE else "try"
        told.append(f"a builder asks for it, to {what} image {which}")
    for one in notes.waits:
        told += state_notes(one, now_s) or [f"{one.image} in {one.provider}: it has come"]
    told += [f"node {node} boots {build}" for node, build in notes.boots]
    for node, image in notes.first:
        build = notes.beside.get(image)
        made = "" if build is None else f"; build {build} is being made beside it"
        told.append(f"node {node} has run the recipe of {image}, which is made on first use{made}")
    told += [f"{build} {text}" for build, text in notes.since.items()]
    return told


def explanation_sheet(found: Explanation, *, now_s: float) -> Sheet:
    """Return the verdicts as a table, with everything else in sentences below it."""
    return Sheet(
        columns=("PROVIDER", "RULING", "WHY", "NUMBERS", "ETA", "SEEN"),
        rows=[_row(one, now_s) for one in found.everybody],
        data=found.as_json(),
        notes=_sentences(found, now_s),
    )


def _row(one: Verdict, now_s: float) -> tuple[str, ...]:
    return (
        one.provider,
        str(one.ruling),
        one.reason,
        ", ".join(f"{name} {value}" for name, value in one.numbers.items()) or "-",
        age(expected_in_s(one, now_s)),
        f"{age(now_s - one.at_s)} ago" if one.at_s else "-",
    )


def _sentences(found: Explanation, now_s: float) -> list[str]:
    waited = "" if found.waited_s is None else f", made {age(found.waited_s)} ago"
    asked = whose(found.requestor, found.job)
    by = f" of {asked}," if asked else ""
    what = labels_text(found.labels) or "?"
    told = [f"request {found.request_id} ({what}){by} is {found.state}{waited}"]
    if found.gone and found.ended_at_s is not None:
        ago = age(now_s - found.ended_at_s)
        told = [f"request {found.request_id} ({what}){by} failed {ago} ago and is deleted"]
    if found.pools == 0 and found.waits:
        told.append(NO_LAUNCHER)
    if found.state is RequestState.FULFILLED:
        told.append("its nodes wait for the requestor to take them")
    if found.position is not None:
        told.append(f"it is number {found.position} of {found.queue_length} that wait")
    if found.eta_s is not None:
        told.append(f"its nodes are expected in {age(found.eta_s)}")
    if not found.verdicts and found.state is not RequestState.FULFILLED:
        told.append(found.sentence)
    elif found.missing_labels:
        told.append(f"no registered pool offers {', '.join(found.missing_labels)}")
    return told

"""`remuda failures`: the evidence of launches that failed, and why requests did.

Launchers keep no secrets with it; that of an older one, or of another hand, is redacted here.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import fields

import click

from remuda.cli import output
from remuda.cli.caveats import tell_what_is_missing, unknown
from remuda.cli.context import CommandContext, with_context
from remuda.cli.errors import MistakeError, PlainCommand
from remuda.cli.known_names import check_filters
from remuda.cli.output import Sheet, age, broken_notes
from remuda.cli.terminal import say
from remuda.cli.views.evidence import evidence
from remuda.cli.views.failed import (
    chosen_requests,
    request_evidence,
    request_json,
    requests_sheet,
)
from remuda.insight import tree
from remuda.insight.imagenotes import what_is_new
from remuda.insight.tree import Level, reader
from remuda.model.capsule import Capsule, CapsuleKind, capsule_doc
from remuda.model.image import BuildId, parse_build
from remuda.redaction import redact, redact_text


@click.command(
    cls=PlainCommand,
    examples=(
        "remuda failures",
        "remuda failures 3000000007",
        "remuda failures 200-0000000042",
        "remuda failures --json",
    ),
)
@click.argument("which", metavar="[NODE|REQUEST]", required=False)
@click.option("--provider", multiple=True, help="Only failures of this provider.")
@click.option("--label", multiple=True, help="Only failures of this label.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON (docs/cli.md).")
@with_context
def failures(
    *,
    context: CommandContext,
    which: str | None,
    provider: tuple[str, ...],
    label: tuple[str, ...],
    as_json: bool,
) -> None:
    """List launches and requests that failed; with NODE or REQUEST, all the evidence."""
    now_s = context.clock.now_s()
    with context.store() as store:
        read = reader(store)
        levels, ended = tree.failures(read), tree.failed_requests(read)
        found = _chosen(levels, which=which, providers=provider, labels=label)
        others = tree.capsules(read)
        jobs = _chosen(others, which=which, providers=provider, labels=label, of=CapsuleKind.JOB)
        requests = chosen_requests(ended, which=which, providers=provider, labels=label)
        if not (found or requests or jobs):
            check_filters(read, labels=label, providers=provider)
            if which is not None:
                none = f"there is no evidence of a failed launch or request {which}"
                raise MistakeError(unknown(read, none))
        tell_what_is_missing(read)
        # Of one only: for all, the list would be read for each build.
        news = {} if which is None else what_is_new(store, _booted([*found, *jobs]))
        since = {str(build): text for build, text in news.items()}
    if as_json:
        told = {
            "launches": [_json(*one, since) for one in found],
            "requests": [request_json(one) for one in requests],
            "jobs": [_json(*one, since) for one in jobs],
        }
        output.emit_json(redact("failures", told))
    elif which is not None:
        for one in requests:
            say(redact_text(request_evidence(one, now_s)))
        for name, report in [*found, *jobs]:
            say(redact_text(evidence(name, report, now_s, since)))
    else:
        broken = {name: why for level in levels.values() for name, why in level.corrupt.items()}
        broken |= {name: why for level in others.values() for name, why in level.corrupt.items()}
        alone = not (requests or jobs)
        sheets = [_sheet(found, now_s, {**broken, **ended.corrupt}, alone=alone)]
        sheets += [_sheet(jobs, now_s, {}, alone=False, title="jobs")] if jobs else []
        output.show([*sheets, *([requests_sheet(requests, now_s)] if requests else [])])


def _json(provider: str, one: Capsule, since: Mapping[str, str]) -> dict[str, object]:
    known = {part.name: None for part in fields(Capsule)}
    return {
        "provider": provider,
        **known,
        **capsule_doc(one),
        "at_s": one.at_s or None,
        "since": since.get(str(one.image)),
    }


def _chosen(
    levels: Mapping[str, Level[Capsule]],
    *,
    which: str | None,
    providers: Sequence[str],
    labels: Sequence[str],
    of: CapsuleKind | None = None,
) -> list[tuple[str, Capsule]]:
    """Return the wanted reports with their providers, the newest first."""
    found = [
        (name, one)
        for name, level in levels.items()
        for one in level.records.values()
        if (which is None or which in (one.node, one.request))
        and (not providers or name in providers)
        and (not labels or one.label in labels)
        and of in (None, one.kind)
    ]
    return sorted(found, key=lambda pair: -pair[1].at_s)


def _sheet(
    found: Sequence[tuple[str, Capsule]],
    now_s: float,
    broken: Mapping[str, str],
    *,
    alone: bool,
    title: str = "launches",
) -> Sheet:
    rows = [
        (
            one.node,
            name,
            one.pool,
            one.label,
            f"{age(now_s - one.at_s)} ago",
            one.result,
            redact_text(one.why),
        )
        for name, one in found
    ]
    return Sheet(
        columns=("NODE", "PROVIDER", "POOL", "LABEL", "WHEN", "RESULT", "WHY"),
        rows=rows,
        data=None,
        notes=[*_whole(found), *broken_notes(broken)]
        or ([] if rows or not alone else ["no failures"]),
        title=None if alone or not rows else title,
    )


def _whole(found: Sequence[tuple[str, Capsule]]) -> list[str]:
    """Return where whole capsules lie; each place is named with its node by `remuda capsule`."""
    stores = Counter(kept.store for _, one in found for kept in one.kept if kept.why is None)
    lost = sum(any(kept.why is not None for kept in one.kept) for _, one in found)
    told = [f"{count} in {store}" for store, count in sorted(stores.items())]
    told += [f"{lost} could not be stored" for _ in (lost,) if lost]
    return [redact_text(f"whole capsules: {', '.join(told)} (remuda capsule NODE)")] if told else []


def _booted(found: Iterable[tuple[str, Capsule]]) -> Iterator[BuildId]:
    """Yield what failed launches booted, where that is an image of ours."""
    for _, one in found:
        build = parse_build(one.image or "")
        if build is not None:
            yield build

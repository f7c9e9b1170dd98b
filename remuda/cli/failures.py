"""`remuda failures`: the evidence of launches that failed.

Launchers keep no secrets with it; that of an older one, or of another hand, is redacted here.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict

import click

from remuda.cli import output
from remuda.cli.failing import MistakeError, PlainCommand
from remuda.cli.guessing import check_filters
from remuda.cli.output import Sheet, age, broken_notes
from remuda.cli.saying import say
from remuda.cli.surroundings import Surroundings, with_surroundings
from remuda.insight import tree
from remuda.insight.tree import Level, reader
from remuda.model.status import FailureReport
from remuda.redaction import redact, redact_text
from remuda.visible import visible, visible_lines


@click.command(
    cls=PlainCommand,
    examples=("remuda failures", "remuda failures 3000000007", "remuda failures --json"),
)
@click.argument("node", required=False)
@click.option("--provider", multiple=True, help="Only launches of this provider.")
@click.option("--label", multiple=True, help="Only launches of this label.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON (docs/cli.md).")
@with_surroundings
def failures(
    *,
    around: Surroundings,
    node: str | None,
    provider: tuple[str, ...],
    label: tuple[str, ...],
    as_json: bool,
) -> None:
    """List launches that failed; with NODE, show all the evidence of one."""
    with around.store() as store:
        read = reader(store)
        levels = tree.failures(read)
        found = _chosen(levels, node=node, providers=provider, labels=label)
        if not found:
            check_filters(read, labels=label, providers=provider)
    if node is not None and not found:
        raise MistakeError(f"there is no evidence of a failed launch of node {node}")
    if as_json:
        data = [{"provider": name, **asdict(one), "at_s": one.at_s or None} for name, one in found]
        output.emit_json(redact("failures", data))
    elif node is not None:
        for name, one in found:
            say(redact_text(_evidence(name, one, around.clock.now_s())))
    else:
        broken = {name: why for level in levels.values() for name, why in level.corrupt.items()}
        output.show([_sheet(found, around.clock.now_s(), broken)])


def _chosen(
    levels: Mapping[str, Level[FailureReport]],
    *,
    node: str | None,
    providers: Sequence[str],
    labels: Sequence[str],
) -> list[tuple[str, FailureReport]]:
    """Return the wanted reports with their providers, the newest first."""
    found = [
        (name, one)
        for name, level in levels.items()
        for one in level.records.values()
        if (node is None or one.node == node)
        and (not providers or name in providers)
        and (not labels or one.label in labels)
    ]
    return sorted(found, key=lambda pair: -pair[1].at_s)


def _sheet(
    found: Sequence[tuple[str, FailureReport]], now_s: float, broken: Mapping[str, str]
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
        notes=broken_notes(broken) or ([] if rows else ["no failed launches"]),
    )


def _evidence(provider: str, one: FailureReport, now_s: float) -> str:
    ago = age(now_s - one.at_s)
    lines = [
        visible(f"node {one.node} ({one.label}, {provider}/{one.pool}) failed {ago} ago"),
        visible(f"result: {one.result}"),
        visible(f"why: {one.why}"),
    ]
    if one.server:
        lines.append(visible(f"server: {one.server}"))
    if one.fault:
        lines.append(visible(f"the cloud says: {one.fault}"))
    for step in one.transcript:
        mark = "ok" if step.get("ok") else "FAILED"
        seconds = step.get("seconds", 0)
        lines.append(visible(f"step {step.get('name', '?')}: {mark} after {seconds:.1f} s"))
        lines += _set_in(str(step.get("output", "")).rstrip()) if step.get("output") else []
    if one.console:
        lines += ["end of the console log:", *_set_in(one.console.rstrip())]
    return "\n".join(lines)


def _set_in(text: str) -> list[str]:
    """Return the lines of *text*, set in, so that none of them passes for one of ours."""
    return [f"  {line}" for line in visible_lines(text).split("\n")]

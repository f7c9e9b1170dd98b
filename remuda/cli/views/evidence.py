"""A capsule as people read it on a terminal; `remuda failures` and `remuda capsule` show it."""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Final

from remuda.cli.output import age
from remuda.model.capsule import LOGS, Capsule, CapsuleKind, Kept
from remuda.model.image import parse_build
from remuda.visible import visible, visible_lines

_BECAME: Final[Mapping[CapsuleKind, str]] = {
    CapsuleKind.LAUNCH: "failed",
    CapsuleKind.JOB: "was left by a failed job",
    CapsuleKind.ASKED: "lives; this was known of it",
}
_KIB: Final = 1024


def evidence(provider: str, one: Capsule, now_s: float, since: Mapping[str, str]) -> str:
    """Return all of a capsule, line by line.

    Args:
        provider: Who made the machine.
        one: The capsule.
        now_s: Wall clock.
        since: What is new in builds, in words, by build.
    """
    ago, became = age(now_s - one.at_s), _BECAME[one.kind]
    lines = [
        visible(f"node {one.node} ({one.label}, {provider}/{one.pool}) {became} {ago} ago"),
        *([] if one.kind is CapsuleKind.ASKED else [visible(f"result: {one.result}")]),
        visible(f"why: {one.why}"),
        *map(visible, _facts(one, since)),
    ]
    for step in one.transcript:
        mark = "ok" if step.get("ok") else "FAILED"
        seconds = step.get("seconds", 0)
        lines.append(visible(f"step {step.get('name', '?')}: {mark} after {seconds:.1f} s"))
        lines += _set_in(str(step.get("output", "")).rstrip()) if step.get("output") else []
    if one.console:
        lines += ["end of the console log:", *_set_in(one.console.rstrip())]
    for name, text in one.logs.items():
        lines += [visible(f"end of {LOGS.get(name, name)}:"), *_set_in(text.rstrip())]
    for name in one.missing:
        lines.append(visible(f"the machine has no {LOGS.get(name, name)} that could be read"))
    if one.untold:
        lines.append(
            visible(f"the machine was not asked for its logs, or not to the end: {one.untold}")
        )
    return "\n".join(lines)


def _facts(one: Capsule, since: Mapping[str, str]) -> Iterator[str]:
    if one.request:
        yield f"for request {one.request}"
    if one.requestor or one.job:
        job = one.job.text if one.job is not None else ""
        whose = f"requestor: {one.requestor}" if one.requestor else ""
        yield ", ".join(part for part in (whose, f"job: {job}" if job else "") if part)
    build = parse_build(one.image or "")
    if build is not None:
        new = f", {since[str(build)]}" if str(build) in since else ""
        yield f"image: build {build}{new}"
    if one.server:
        yield f"server: {one.server}"
    if one.host:
        yield f"hypervisor: {one.host}"
    if one.configuration:
        yield f"configuration: revision {one.configuration}"
    yield from map(where, one.kept)
    begun_s = one.moments[0].at_s if one.moments else 0.0
    for moment in one.moments:
        took = "" if moment.seconds is None else f" (took {moment.seconds:.1f} s)"
        yield f"{_clock(moment.at_s)} +{max(0.0, moment.at_s - begun_s):.1f} s {moment.name}{took}"
    if one.fault:
        yield f"the cloud says: {one.fault}"


def where(kept: Kept) -> str:
    """Return where a whole capsule lies, or why it does not."""
    if kept.why is not None:
        often = f" (tried {kept.tries} times)" if kept.tries > 1 else ""
        return f"whole capsule: not in {kept.store} {kept.place}: {kept.why}{often}"
    return f"whole capsule: {kept.store} {kept.place} ({-(-kept.size_bytes // _KIB)} KiB)"


def _clock(at_s: float) -> str:
    try:
        return datetime.fromtimestamp(at_s, UTC).strftime("%H:%M:%S")
    except (OverflowError, OSError, ValueError):
        return "?"


def _set_in(text: str) -> list[str]:
    """Return the lines of *text*, set in, so that none of them passes for one of ours."""
    return [f"  {line}" for line in visible_lines(text).split("\n")]

"""A check's report: as a table for people, as JSON with stable keys for programs."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from launcher.checking.findings import Finding, Findings, State
from remuda.cli.output import Sheet
from remuda.visible import visible_lines

_COLUMNS: Final = ("RESULT", "ABOUT", "WHAT", "FOUND")
#: Of a console or a script's output so much is shown; JSON has all that was kept.
_LINES_MAX: Final = 40
#: What a report has, in this order, also when it was not found out (null).
FACTS: Final = (
    "identity",
    "time_skew_s",
    "latencies",
    "servers",
    "rights",
    "labels",
    "floating_ips",
    "quota",
    "pools",
    "boots",
)


def report_data(out: Findings, head: Mapping[str, Any]) -> dict[str, Any]:
    """Return the whole report; *head* says what was checked, and when."""
    return {
        **head,
        "ok": not out.count(State.PROBLEM),
        "problems": out.count(State.PROBLEM),
        "warnings": out.count(State.WARNING),
        **{name: out.facts.get(name) for name in FACTS},
        "findings": [_finding(one) for one in out.ordered()],
    }


def _finding(one: Finding) -> dict[str, str]:
    return {
        "state": one.state,
        "area": one.area,
        "subject": one.subject,
        "text": one.text,
        "advice": one.advice,
    }


def report_sheet(out: Findings) -> Sheet:
    """Return the table, each advice on a line below its finding, and evidence below all."""
    rows: list[tuple[str, ...]] = []
    for one in out.ordered():
        rows.append((one.state, one.area, one.subject, one.text))
        if one.advice:
            rows.append(("", "", "", f"→ {one.advice}"))
    notes = [line for boot in out.facts.get("boots") or () for line in _evidence(boot)]
    return Sheet(columns=_COLUMNS, rows=rows, data=None, notes=[*notes, "", summary(out)])


def summary(out: Findings) -> str:
    """Return the whole report in one sentence."""
    problems, warnings = out.count(State.PROBLEM), out.count(State.WARNING)
    untested = out.count(State.UNTESTED)
    parts = [
        _counted(problems, "problem"),
        _counted(warnings, "warning"),
        f"{untested} not tested",
    ]
    return ", ".join(parts)


def _counted(number: int, noun: str) -> str:
    return f"{number or 'no'} {noun}{'' if number == 1 else 's'}"


def _evidence(boot: Mapping[str, Any]) -> Iterator[str]:
    """Yield what a failed boot left: the output of its steps and the end of the console."""
    if boot["ok"]:
        return
    yield ""
    yield f"{boot['pool']}/{boot['label']}: {boot['why']}"
    if boot["fault"]:
        yield f"  the cloud says: {boot['fault']}"
    for step in boot["steps"]:
        yield f"  step {step['name']}: {'ok' if step['ok'] else 'FAILED'}, {step['seconds']:.1f} s"
        if not step["ok"]:
            yield from _tail(step["output"])
    if boot["console"]:
        yield "  end of the console log:"
        yield from _tail(boot["console"])


def _tail(text: str) -> Iterator[str]:
    for line in visible_lines(text.rstrip()).split("\n")[-_LINES_MAX:]:
        yield f"    {line}"

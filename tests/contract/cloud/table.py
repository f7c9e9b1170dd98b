"""The table of contract cases and clouds: what was last seen of each, in ``build/``.

The suite itself keeps it (see ``conftest.py``): each run updates the clouds that it ran on.
"""

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

CLOUDS: Final = ("fake", "sandbox", "openstack")
ROOT: Final = Path(__file__).resolve().parents[3]
TABLE: Final = ROOT / "build" / "contract-table.md"
_NOTES: Final = ROOT / "build" / "contract-table.json"
_NAME: Final = re.compile(r"(?P<file>test_\w+)\.py::test_(?P<test>\w+)\[(?P<params>[^\]]*)\]")
#: As pytest calls them; a test counts as its worst phase.
_MARKS: Final = {"passed": "ok", "skipped": "-", "failed": "**NO**"}

Outcomes = dict[str, dict[str, str]]


def note(outcomes: Outcomes, report: Any) -> None:
    """Take in one report of pytest."""
    found = _NAME.search(report.nodeid)
    if found is None or "contract/cloud" not in report.nodeid:
        return
    params = found["params"].split("-", 1)
    if params[0] not in CLOUDS:
        return
    if report.when != "call" and report.outcome != "failed":
        return  # a cloud that is not there says nothing of the case
    more = f" ({params[1]})" if len(params) > 1 else ""
    case = f"{found['file'].removeprefix('test_')}: {found['test'].replace('_', ' ')}{more}"
    clouds = outcomes.setdefault(case, {})
    if clouds.get(params[0]) != "failed":
        clouds[params[0]] = report.outcome


def write(outcomes: Outcomes) -> None:
    """Merge with what earlier runs saw of other clouds, and write the table."""
    known: Outcomes = json.loads(_NOTES.read_text()) if _NOTES.exists() else {}
    for case, clouds in outcomes.items():
        known.setdefault(case, {}).update(clouds)
    TABLE.parent.mkdir(parents=True, exist_ok=True)
    _NOTES.write_text(json.dumps(known, indent=1, sort_keys=True))
    TABLE.write_text(render(known))


def render(outcomes: Mapping[str, Mapping[str, str]]) -> str:
    """Return the table; a dash: this cloud cannot show it."""
    head = f"| case | {' | '.join(CLOUDS)} |\n|---|{'---|' * len(CLOUDS)}\n"
    rows = "".join(
        f"| {case} | {' | '.join(_MARKS.get(seen.get(cloud, ''), '') for cloud in CLOUDS)} |\n"
        for case, seen in sorted(outcomes.items())
    )
    sums = " | ".join(
        f"{sum(seen.get(cloud) == 'passed' for seen in outcomes.values())} of {len(outcomes)}"
        for cloud in CLOUDS
    )
    return f"{head}{rows}| **passed** | {sums} |\n"

"""What the holder of a node says of the work that was done on it: it went well, or not and why.

It lies in the node's record, under a key of our own, from when it is said until the record goes.
Whoever may write a node's record may write this, too; our requestor does so only under the lock.
Where there is no report, nothing is known.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any, Final

from remuda.model.archivetold import ArchiveTold, read_archive_told
from remuda.model.fetched import believed
from remuda.model.fields import SECONDS_MAX, one_line
from remuda.model.node import Node, NodeState

#: Our own key in the record of a node.
REPORT_KEY: Final = "remuda_report"
#: Longer reasons are cut.
WHY_CHARS_MAX: Final = 300
#: States of a node that somebody works on, or has worked on.
_WORKED_ON: Final = frozenset({NodeState.IN_USE, NodeState.USED, NodeState.HOLD})


class Source(StrEnum):
    """Who tells how the work on a node went."""

    REQUESTOR = "requestor"
    ZUUL = "zuul"


@dataclass(frozen=True, slots=True, kw_only=True)
class JobReport:
    """How the work on a node went.

    Attributes:
        ok: Whether it went well.
        why: For people, one line; mostly empty if it did.
        at_s: When it was said, seconds since the epoch; 0: nobody knows.
        source: Who tells: a user of our requestor, or what Zuul does with the node. Zuul tells of
            failures alone, so that no share can be made of its words.
        fetched_bytes: What the machine received over its network while the work ran, as whoever
            reports says; None: nobody knows.
        archived: What became of the archive of what the work left; None: none was made, or not yet.
    """

    ok: bool
    why: str = ""
    at_s: float = 0.0
    source: Source = Source.REQUESTOR
    fetched_bytes: int | None = None
    archived: ArchiveTold | None = None

    def as_json(self) -> dict[str, Any]:
        """Return it with the stable keys of docs/cli.md."""
        at_s = self.at_s or None
        return {
            "ok": self.ok,
            "why": self.why,
            "at_s": at_s,
            "source": str(self.source),
            "fetched_bytes": self.fetched_bytes,
            "archived": None if self.archived is None else self.archived.as_json(),
        }

    @property
    def word(self) -> str:
        """How records and metrics call it."""
        return word_of(ok=self.ok)


def word_of(*, ok: bool) -> str:
    """Return how records and metrics call what went well, or did not."""
    return "ok" if ok else "failed"


def job_report(
    *,
    ok: bool,
    why: str,
    at_s: float,
    fetched_bytes: object = None,
    archived: ArchiveTold | None = None,
) -> JobReport:
    """Return a report whose reason is one bounded line; bytes that nobody can believe are none."""
    return JobReport(
        ok=ok,
        why=one_line(why, WHY_CHARS_MAX),
        at_s=round(at_s, 3),
        fetched_bytes=believed(fetched_bytes),
        archived=archived,
    )


def report_fields(report: JobReport) -> dict[str, Any]:
    """Return what is set in the record of the node."""
    doc: dict[str, Any] = {"ok": report.ok, "why": report.why, "at_s": report.at_s}
    if report.fetched_bytes is not None:
        doc["fetched_bytes"] = report.fetched_bytes
    if report.archived is not None:
        doc["archived"] = report.archived.as_json()
    return {REPORT_KEY: doc}


def report_of(node: Node) -> JobReport | None:
    """Return what is said of the work on a node that somebody has worked on, or None.

    Zuul, which drops keys that it does not know, tells of failures alone: it holds the nodes of a
    job for people only when the job has failed (``hold_job`` and its ``user_data``). What Jenkins
    holds may have gone well.
    """
    doc = node.doc.get(REPORT_KEY)
    if doc is None and node.state is not NodeState.HOLD:
        return None  # as of nearly all
    if node.state not in _WORKED_ON:
        return None
    if isinstance(doc, Mapping):
        return _read(doc)
    return _zuul_holds(node) if node.state is NodeState.HOLD else None


def told_of(node: Node) -> JobReport | None:
    """Return what our requestor said of the work on a node, whatever state that is in by now."""
    doc = node.doc.get(REPORT_KEY)
    return _read(doc) if isinstance(doc, Mapping) else None


def _read(doc: Mapping[str, Any]) -> JobReport | None:
    ok, why, at_s = doc.get("ok"), doc.get("why"), doc.get("at_s")
    if not isinstance(ok, bool):
        return None
    return job_report(
        ok=ok,
        why=why if isinstance(why, str) else "",
        at_s=_seconds(at_s),
        fetched_bytes=doc.get("fetched_bytes"),
        archived=read_archive_told(doc.get("archived")),
    )


def _seconds(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return 0.0
    return float(value) if math.isfinite(value) and 0 <= value <= SECONDS_MAX else 0.0


def _zuul_holds(node: Node) -> JobReport | None:
    user, job, comment = (node.doc.get(key) for key in ("user_data", "hold_job", "comment"))
    if not (isinstance(user, Mapping) and "zuul_system" in user and isinstance(job, str) and job):
        return None
    reason = f": {comment}" if isinstance(comment, str) and comment else ""
    told = job_report(ok=False, why=f"held by Zuul for {job}{reason}", at_s=node.state_time_s)
    return replace(told, source=Source.ZUUL)

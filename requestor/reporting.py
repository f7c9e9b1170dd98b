"""Saying how the work on a node went: into its record, as long as its lock is ours."""

from remuda.archive.writer import Archived
from remuda.model.archivetold import ArchiveTold
from remuda.model.jobreport import JobReport, report_fields, report_of
from requestor.accept import AcceptedNode
from requestor.context import RequestorContext
from requestor.noting import note_on_node


def archive_told(archived: Archived) -> ArchiveTold:
    """Return what launchers get to know of an archive: numbers, and neither place nor address."""
    return ArchiveTold(
        files=archived.files,
        bytes=archived.bytes,
        failed=archived.failed,
        complete=not archived.why,
    )


def report_node(context: RequestorContext, taken: AcceptedNode, report: JobReport) -> AcceptedNode:
    """Write a report, in place of one that was written before; what is counted stays counted.

    Returns and raises as :func:`requestor.noting.note_on_node` does.
    """
    fields = report_fields(report)
    return note_on_node(context, taken, fields, lambda node: report_of(node) == report)

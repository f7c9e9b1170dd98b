"""The hands of a builder, as its brain knows them; what each is told is in the folder of its noun.

A hand runs in a thread of its lane. It is told the records that were judged, and writes what came
of them at their versions; a write that fails for its version means that somebody else has taken
the work over: then it cleans up and returns. *stop* is set when that is known sooner, and when
the process ends: whoever waits looks at it.
"""

from dataclasses import dataclass

from builder.build.tasks import BuildLogs, BuildMaker, SnapshotAdopter
from builder.place.tasks import CloudLooker, ImageSweeper
from builder.takehome.tasks import TakeHomeMaker
from builder.upload.tasks import CandidateJudge, UploadCopier, UploadRetirer


@dataclass(frozen=True, slots=True, kw_only=True)
class Hands:
    """All of them."""

    making: BuildMaker
    adopting: SnapshotAdopter
    copying: UploadCopier
    validating: CandidateJudge
    retiring: UploadRetirer
    looking: CloudLooker
    sweeping: ImageSweeper
    logs: BuildLogs
    taking_home: TakeHomeMaker

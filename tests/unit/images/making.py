"""Records that refer to uploads, for tests."""

from dataclasses import replace
from typing import Final

from remuda.model.build import Build, BuildState, Why
from remuda.model.ids import NodeId, ReplicaId
from remuda.model.image import BuildId, UploadId, Word
from remuda.model.launch import Launch, Step
from remuda.model.upload import (
    Trial,
    TrialResult,
    Upload,
    UploadState,
)

PLACES: Final = {"pa": "a" * 12, "pb": "b" * 12}
IMAGE, CHILD = "debian", "child"
PASSED: Final = {name: Trial(result=TrialResult.PASSED) for name in PLACES}
WORD: Final = Word(who="ada", why="x", at_s=1.0)


def launch(node: str, upload_id: UploadId) -> Launch:
    """Return an intent to boot an upload."""
    return Launch(
        id=NodeId(node),
        pool="main",
        label="small",
        step=Step.PLANNED,
        owner=ReplicaId("me"),
        planned_s=1.0,
        asked_by_s=1.0,
        image_build=str(upload_id.build),
        image_place=upload_id.place,
    )


def upload(number: int, provider: str = "pa", **more: object) -> Upload:
    """Return a usable upload."""
    first = Upload(
        id=UploadId(BuildId(IMAGE, number), PLACES[provider]),
        state=UploadState.USABLE,
        since_s=1.0,
        trials=PASSED,
    )
    return replace(first, **more)  # type: ignore[arg-type]


def child(number: int, upload_id: UploadId, state: BuildState = BuildState.BUILDING) -> Build:
    """Return a build of another image that starts from an upload."""
    return Build(
        id=BuildId(CHILD, number),
        state=state,
        why=Why.AGE,
        requested_s=1.0,
        since_s=1.0,
        parent=upload_id.build,
        place=upload_id.place,
    )

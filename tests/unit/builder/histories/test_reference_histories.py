"""Any history of images: what goes nothing refers to, and nothing that nobody needs stays for ever.

The judgements are the real ones, and so are the transactions and the hand that ends uploads; who
refers to what the oracle finds out from the bare records (:mod:`...referring`).
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Any, Final

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import (
    run_state_machine_as_test,
)

from builder.place import sweep
from builder.upload.hand_retire import RetiringHand
from remuda.images import library, references, writes
from remuda.images.references import ReferenceKind
from remuda.model.image import UploadId
from remuda.model.pointer import Pointer
from remuda.model.upload import Method, Upload, UploadEvent, UploadState, encode_upload
from remuda.store import paths
from remuda.store.api import Check, Set, Stored
from tests.unit.builder.histories.history import VERBS, History, races, settled
from tests.unit.builder.histories.referring import BrokenRuleError

# A failing history is told as it was found: to make it shorter takes minutes.
History.TestCase.settings = settings(
    max_examples=20,
    stateful_step_count=20,
    deadline=None,
    phases=[Phase.reuse, Phase.generate],
)
TestHistory = History.TestCase


@pytest.mark.parametrize("verb", VERBS)
def test_who_refers_wins_or_loses_but_never_half(verb: str) -> None:
    """The oracle judges every write of every race."""
    races(verb)


# Each rule is seen broken.

Mutate = Callable[[pytest.MonkeyPatch], None]


def forgets(*kinds: ReferenceKind) -> Mutate:
    """Return what looks away from references of some kinds."""

    def mutate(patch: pytest.MonkeyPatch) -> None:
        found = references._all
        patch.setattr(
            references,
            "_all",
            lambda holders: (one for one in found(holders) if one[1].kind not in kinds),
        )

    mutate.__name__ = f"forgets {kinds[0]}"
    return mutate


def only_checks(patch: pytest.MonkeyPatch) -> None:
    """Let who refers leave no trace in what it refers to."""
    touch = writes.touch
    patch.setattr(
        writes,
        "touch",
        lambda seen: [Check(path=one.path, version=one.version) for one in touch(seen)],
    )


def binds_unproven(patch: pytest.MonkeyPatch) -> None:
    """Let a launch boot what was usable when it looked."""
    patch.setattr(
        writes,
        "bind",
        lambda seen, *, candidate=False: Check(path=paths.image(seen.value.id.build.image)),  # noqa: ARG005
    )


def reads_upload_last(patch: pytest.MonkeyPatch) -> None:
    """Read the upload after what may refer to it."""

    def end(self: RetiringHand, upload_id: UploadId, states: Any, why_not: Any) -> None:
        known = library.read(self.store)
        stored = self._upload(upload_id)
        if stored.value.state in states and why_not(upload_id, known.holders()) is None:
            retires = stored.value.state is not UploadState.RETIRING
            event = UploadEvent.RETIRED if retires else UploadEvent.UNREFERENCED
            self._write(stored, stored.value.after(event, now_s=self.clock.now_s()))

    patch.setattr(RetiringHand, "_end", end)


def writes_over(patch: pytest.MonkeyPatch) -> None:
    """Write whatever has become of the upload."""

    def write(self: RetiringHand, before: Stored[Upload], after: Upload) -> None:
        self.store.commit([Set(path=before.path, data=encode_upload(after), version=-1)])

    patch.setattr(RetiringHand, "_write", write)


def believes_unreadable(patch: pytest.MonkeyPatch) -> None:
    """Let what cannot be read refer to nothing."""
    patch.setattr(references, "unknown", lambda _holders: ())


def ends_pins_unseen(patch: pytest.MonkeyPatch) -> None:
    """Let a pin that has an end refer to nothing."""

    def of_pointer(pointer: Pointer) -> Any:
        pinned = pointer.pinned
        bare = pinned is not None and pinned.until_s is not None
        return before(replace(pointer, pinned=None) if bare else pointer)

    before = references.of_pointer
    patch.setattr(references, "of_pointer", of_pointer)


def forgets_sources(patch: pytest.MonkeyPatch) -> None:
    """Let what is shared refer to its source no longer than it is made."""
    before = references._of_upload

    def of_upload(upload: Upload, uploads: Any) -> Any:
        lasting = upload.method is Method.SHARE and upload.state is not UploadState.MAKING
        return before(replace(upload, source=None) if lasting else upload, uploads)

    patch.setattr(references, "_of_upload", of_upload)


def sweeps_anything(patch: pytest.MonkeyPatch) -> None:
    """Take every image for one that no record knows."""
    patch.setattr(sweep, "expected", lambda *_, **__: False)


def ends_by_listing(patch: pytest.MonkeyPatch) -> None:
    """Believe at once that what retires is used by nobody."""
    patch.setattr(references, "why_kept", lambda *_: None)


#: A canary is the newest build, which few histories retire in time; pins go by the same code.
MUTANTS: Final[tuple[Mutate, ...]] = (
    *(forgets(one) for one in ReferenceKind if one is not ReferenceKind.CANARY),
    *(only_checks, binds_unproven, reads_upload_last, writes_over, believes_unreadable),
    *(ends_pins_unseen, forgets_sources, sweeps_anything, ends_by_listing),
)


@pytest.mark.parametrize("mutate", MUTANTS, ids=[one.__name__ for one in MUTANTS])
def test_the_oracle_sees_what_must_not_happen(
    mutate: Mutate, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A rule that is left out is missed within some histories."""
    settled()  # by the rules
    mutate(monkeypatch)
    with pytest.raises(BrokenRuleError):
        run_everything()


def run_everything() -> None:
    """Let all go well, run all races, and then some histories."""
    History().all.settle(4)
    for verb in VERBS:
        races(verb)
    run_state_machine_as_test(  # type: ignore[no-untyped-call]
        History,
        settings=settings(
            max_examples=80,
            stateful_step_count=20,
            deadline=None,
            derandomize=True,
            database=None,
            phases=[Phase.generate],
            report_multiple_bugs=False,
            suppress_health_check=list(HealthCheck),
        ),
    )

"""The parts of a node's view: what each of them does by itself."""

from launcher.node.end import LIVING, Failure
from remuda.metrics.results import Result

FAILED = Failure(result=Result.SSH, cause="no answer", until_s=30.0)


def test_what_a_deletion_waits_for_is_kept_however_often_it_begins() -> None:
    """The record tells of it as well as the answer to our own transaction, in any order."""
    told_first = LIVING.begun().begun(FAILED)
    answered_first = LIVING.begun(FAILED).begun()

    assert (told_first.failure, answered_first.failure) == (FAILED, FAILED)


def test_a_deletion_goes_on_without_evidence() -> None:
    """It is kept, or nobody can have it; what lives does not begin to die by that."""
    living, dying = LIVING.without_evidence(), LIVING.begun(FAILED).without_evidence()

    assert (living.deletion, living.failure) == (None, None)
    assert (dying.deletion is not None, dying.failure) == (True, None)

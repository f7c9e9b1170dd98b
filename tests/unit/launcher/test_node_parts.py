"""The parts of a node's view: what each of them does by itself."""

from dataclasses import replace

from launcher.node.end import LIVING, Failure, Refusal
from launcher.node.patience import Patience
from launcher.node.proof import UNTRIED, Access
from launcher.server.address import NO_FLOATING_IP
from remuda.cloud.api import FloatingIp
from remuda.metrics.results import Result
from remuda.ssh.api import Proof, ProofStep, StepTaken

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


def taken(step: ProofStep, *, ok: bool = False) -> StepTaken:
    """Return one step of a proof."""
    return StepTaken(step=step, name=str(step), seconds=0.1, ok=ok)


def test_who_was_let_in_once_stays_in() -> None:
    """A later attempt that comes not so far takes nothing back: login, proof and keys are kept."""
    failed = Proof(ok=False, steps=(taken(ProofStep.CONNECT),))
    login, script = taken(ProofStep.LOGIN, ok=True), taken(ProofStep.CHECK)
    tried = UNTRIED.tried(failed)
    inside = tried.tried(Proof(ok=False, steps=(login, script))).tried(failed)
    proven = inside.tried(Proof(ok=True, host_keys=("key",), steps=(login,))).tried(failed)

    assert (tried.access, tried.logged_in, tried.last) == (Access.NONE, False, failed)
    assert (inside.access, inside.logged_in, inside.passed) == (Access.LOGGED_IN, True, False)
    assert (proven.passed, proven.host_keys, proven.let_in()) == (True, ("key",), proven)


def test_an_attempt_that_was_cut_short_says_less_than_the_one_before() -> None:
    """What the machine failed is what the longest attempt met."""
    steps = (taken(ProofStep.CONNECT, ok=True), taken(ProofStep.LOGIN))
    before, cut = Proof(ok=False, steps=steps), Proof(ok=False, steps=steps[:1], cut=True)

    assert UNTRIED.tried(before).tried(cut).last == before


def test_a_floating_ip_that_is_given_is_no_longer_refused() -> None:
    """Since then the machine can be reached."""
    refused = replace(NO_FLOATING_IP, refusal=Refusal(result=Result.NETWORK, cause="none left"))
    given = refused.given(FloatingIp(id="fip", address="203.0.113.1"), 7.0)

    assert (given.floating_ip and given.floating_ip.id, given.reached_s) == ("fip", 7.0)
    assert given.refusal is None


def test_a_new_step_is_tried_at_once() -> None:
    """How often the one before was tried does not count; what the machine waited for us does."""
    patience = Patience(retry_s=9.0, tries=3, waited_s=5.0)
    patience.begin_anew()

    assert (patience.retry_s, patience.tries, patience.waited_s) == (0.0, 0, 5.0)

"""What every prover promises, held against the fake and the real one."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from remuda.runtime.ports import free_port
from remuda.ssh.api import OUT_OF_TIME, Login, ProofSpec, ProofStep, Prover, Script, StepTaken
from remuda.ssh.hostkeys import make_host_key
from remuda.ssh.prover import ParamikoProver
from tests.fakes.prover import OTHER, SCANNED, Exit, FakeProver, Machine
from tests.support import sshd as servers


@dataclass(frozen=True, kw_only=True)
class Bench:
    """A prover and machines for it.

    Attributes:
        good: A machine that is up, with the host key it should have.
        absent: Where nothing listens.
        refusing: A machine that is up and does not take our key.
    """

    prover: Prover
    good: Login
    absent: Login
    refusing: Login
    wrong_key: str


def _fake_bench() -> Bench:
    good = Login(address="192.0.2.1", host_keys=(SCANNED,), key_file="never read")
    fails = Exit(code=3, output="first\nlast words\n")
    prover = FakeProver(
        {
            "192.0.2.1": Machine(
                host_key=SCANNED,
                exits={"fails": fails, "prints": Exit(output="hello\n")},
                fetched=4096,
            ),
            "192.0.2.2": Machine(too_early=1000),
            "192.0.2.3": Machine(refuses=1000),
        }
    )
    absent = replace(good, address="192.0.2.2")
    refusing = replace(good, address="192.0.2.3")
    return Bench(prover=prover, good=good, absent=absent, refusing=refusing, wrong_key=OTHER)


@pytest.fixture(
    params=["fake", pytest.param("real", marks=pytest.mark.ssh)],
)
def bench(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Bench]:
    """Return each prover in turn."""
    if request.param == "fake":
        yield _fake_bench()
        return
    good = request.getfixturevalue("login")
    stranger = tmp_path / "stranger"
    servers.make_key(stranger)
    yield Bench(
        prover=ParamikoProver(),
        good=good,
        absent=replace(good, port=free_port()),
        refusing=replace(good, key_file=str(stranger)),
        wrong_key=make_host_key().public,
    )


SETUP = Script(name="setup", text="#!/bin/sh\nexit 0\n")
PASSES = Script(name="passes", text="exit 0")
FAILS = Script(name="fails", text="echo first; echo last words; exit 3")


def _kinds(steps: tuple[StepTaken, ...]) -> list[ProofStep]:
    return [step.step for step in steps]


def test_a_good_machine_is_proven_in_the_stated_order(bench: Bench) -> None:
    """All steps are taken, in order, all passed, and the host key is the expected one."""
    order = ProofSpec(login=bench.good, setup=SETUP, checks=(PASSES, PASSES))

    proof = bench.prover.prove(order)

    assert (proof.ok, proof.why, proof.too_early) == (True, "", False)
    assert bench.good.host_keys == proof.host_keys
    expected = [
        ProofStep.CONNECT,
        ProofStep.HOST_KEY,
        ProofStep.LOGIN,
        ProofStep.SETUP,
        ProofStep.CHECK,
        ProofStep.CHECK,
    ]
    assert expected == _kinds(proof.steps)
    assert all(step.ok for step in proof.steps)
    assert [step.exit_code for step in proof.steps] == [None, None, None, 0, 0, 0]


def test_progress_is_told_step_by_step(bench: Bench) -> None:
    """The callback hears exactly what the proof holds."""
    heard: list[StepTaken] = []

    proof = bench.prover.prove(ProofSpec(login=bench.good, on_step=heard.append))

    assert proof.steps == tuple(heard)


def test_nobody_listening_is_too_early(bench: Bench) -> None:
    """A refused connection is worth another attempt."""
    proof = bench.prover.prove(ProofSpec(login=bench.absent))

    assert (proof.ok, proof.too_early) == (False, True)
    assert proof.why == "connect: Connection refused"
    assert proof.host_keys == ()


def test_a_refused_key_is_too_early(bench: Bench) -> None:
    """The key may be installed a moment after sshd has started."""
    proof = bench.prover.prove(ProofSpec(login=bench.refusing, checks=(PASSES,)))

    assert (proof.ok, proof.too_early) == (False, True)
    assert f"login: our key does not open the account {bench.refusing.user}" == proof.why
    assert _kinds(proof.steps) == [ProofStep.CONNECT, ProofStep.HOST_KEY, ProofStep.LOGIN]


def test_a_wrong_host_key_is_final_and_ends_before_the_login(bench: Bench) -> None:
    """Nothing is tried on a machine that is not ours."""
    login = replace(bench.good, host_keys=(bench.wrong_key,))

    proof = bench.prover.prove(ProofSpec(login=login, setup=SETUP))

    assert (proof.ok, proof.too_early) == (False, False)
    assert _kinds(proof.steps) == [ProofStep.CONNECT, ProofStep.HOST_KEY]
    assert "SHA256:" in proof.why
    assert proof.host_keys == ()


def test_any_of_several_expected_keys_will_do(bench: Bench) -> None:
    """The key that was met is the one that is returned."""
    login = replace(bench.good, host_keys=(bench.wrong_key, *bench.good.host_keys))

    proof = bench.prover.prove(ProofSpec(login=login))

    assert proof.ok
    assert bench.good.host_keys == proof.host_keys


def test_without_expected_keys_the_key_is_scanned(bench: Bench) -> None:
    """What is there comes back, to be pinned."""
    proof = bench.prover.prove(ProofSpec(login=replace(bench.good, host_keys=())))

    assert proof.ok
    assert bench.good.host_keys == proof.host_keys


def test_without_a_login_only_the_host_key_is_met(bench: Bench) -> None:
    """Images without a login can still be known by their key."""
    login = replace(bench.refusing, key_file=None)
    order = ProofSpec(login=login, setup=SETUP, checks=(FAILS,), login_wanted=False)

    proof = bench.prover.prove(order)

    assert proof.ok
    assert _kinds(proof.steps) == [ProofStep.CONNECT, ProofStep.HOST_KEY]


def test_a_failed_check_is_final_and_keeps_the_last_words(bench: Bench) -> None:
    """The checks after it are not run; the exit code and the output are kept."""
    proof = bench.prover.prove(ProofSpec(login=bench.good, checks=(PASSES, FAILS, PASSES)))

    assert (proof.ok, proof.too_early) == (False, False)
    assert [step.name for step in proof.steps[3:]] == ["passes", "fails"]
    assert "last words" in proof.why
    assert (proof.steps[-1].exit_code, proof.steps[-1].output) == (3, "first\nlast words\n")


def test_a_failed_setup_skips_the_checks(bench: Bench) -> None:
    """A machine that could not be set up is not looked at."""
    proof = bench.prover.prove(ProofSpec(login=bench.good, setup=FAILS, checks=(PASSES,)))

    assert (proof.ok, proof.too_early) == (False, False)
    assert proof.steps[-1].step == ProofStep.SETUP


def test_a_judge_may_find_fault_with_what_a_script_printed(bench: Bench) -> None:
    """Exit code 0 is then not enough."""
    picky = Script(name="prints", text="echo hello", judge=lambda heard: f"no {heard.output!r}")

    proof = bench.prover.prove(ProofSpec(login=bench.good, checks=(picky,)))

    assert proof.why == "prints: no 'hello\\n'"
    assert proof.steps[-1].exit_code == 0


@pytest.mark.parametrize("after", [0, 1, 2, 3, 4])
def test_being_stopped_ends_the_proof_at_the_next_step(bench: Bench, after: int) -> None:
    """It is neither proven nor guilty."""
    taken: list[StepTaken] = []
    order = ProofSpec(login=bench.good, setup=SETUP, checks=(PASSES,), on_step=taken.append)

    proof = bench.prover.prove(order, stopped=lambda: len(taken) >= after)

    assert (proof.ok, proof.stopped, proof.too_early) == (False, True, False)
    assert after + 1 == len(proof.steps)


def test_a_proof_whose_time_is_over_takes_no_step(bench: Bench) -> None:
    """The deadline is an instant of the prover's clock; nothing is known of the machine."""
    order = ProofSpec(login=bench.good, setup=SETUP, checks=(PASSES,))

    late = bench.prover.prove(order, deadline_s=float("-inf"))
    early = bench.prover.prove(order, deadline_s=float("inf"))

    assert (late.ok, late.stopped, early.ok) == (False, False, True)
    assert (late.cut, early.cut) == (True, False)
    assert _kinds(late.steps) == [ProofStep.CONNECT]
    assert late.why == f"connect: {OUT_OF_TIME}"


def test_what_an_earlier_attempt_said_outlives_one_that_was_cut_short(bench: Bench) -> None:
    """Its reason is the machine's; but an attempt that came further says more."""
    refused = bench.prover.prove(ProofSpec(login=bench.refusing))
    cut = bench.prover.prove(ProofSpec(login=bench.refusing), deadline_s=float("-inf"))
    again = bench.prover.prove(ProofSpec(login=bench.absent))

    assert cut.or_earlier(refused) is refused
    assert cut.or_earlier(None) is cut
    assert refused.or_earlier(cut) is refused
    assert again.or_earlier(refused) is again


def test_knocking_with_host_keys_tells_whose_machine_it_is(bench: Bench) -> None:
    """One of them has to be presented, and proven."""
    address, port = bench.good.address, bench.good.port
    (right,) = bench.good.host_keys

    several = bench.prover.probe(address, port, host_keys=(bench.wrong_key, right))
    wrong = bench.prover.probe(address, port, host_keys=(bench.wrong_key,))

    assert several is None
    assert wrong is not None
    assert "the host key is" in wrong


def test_knocking_tells_if_a_banner_is_there(bench: Bench) -> None:
    """None is good news."""
    good = bench.prover.probe(bench.good.address, bench.good.port)
    absent = bench.prover.probe(bench.absent.address, bench.absent.port)

    assert good is None
    assert absent == "Connection refused"


def test_what_a_setup_fetched_is_told_and_nothing_without_one(bench: Bench) -> None:
    """By the machine's own counters; no step of its own, so that no record or metric changes."""
    setup = Script(name="setup", text="true")
    proof = bench.prover.prove(ProofSpec(login=bench.good, setup=setup))
    assert proof.ok
    assert isinstance(proof.setup_fetched, int)
    assert [one.name for one in proof.steps] == ["connect", "host-key", "login", "setup"]

    assert bench.prover.prove(ProofSpec(login=bench.good)).setup_fetched is None

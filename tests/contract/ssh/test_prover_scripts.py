"""How scripts run on a real machine: limits, output, environment, root, and what is left."""

import os
from pathlib import Path

import pytest

from remuda.ssh.api import Login, Proof, ProofSpec, Script, StepTaken
from remuda.ssh.prover import ParamikoProver
from tests.contract.ssh.conftest import login_of
from tests.support.deadline import wait_for
from tests.support.processes import is_over
from tests.support.sshd import Sshd

pytestmark = pytest.mark.ssh


def _run(login: Login, script: Script) -> StepTaken:
    return _prove(login, script).steps[-1]


def _prove(login: Login, script: Script) -> Proof:
    return ParamikoProver().prove(ProofSpec(login=login, checks=(script,)))


def _await_end(*pids: int) -> None:
    """Wait until processes that were killed are gone: how soon is the kernel's business."""
    for pid in pids:
        wait_for(lambda pid=pid: is_over(pid), 60.0, f"the end of process {pid}")  # type: ignore[misc]


def test_the_first_line_chooses_the_interpreter(login: Login) -> None:
    """With its one argument, as the kernel does it."""
    text = "#!/usr/bin/env -S bash -e\nhave=(a b)\necho ${#have[@]} $-\nfalse\necho not reached\n"

    step = _run(login, Script(name="x", text=text))

    assert step.exit_code == 1
    assert step.output.startswith("2 ")
    assert "e" in step.output
    assert "not reached" not in step.output


def test_a_missing_interpreter_is_named(login: Login) -> None:
    """The sentence says what the machine lacks."""
    step = _run(login, Script(name="x", text="#!/opt/nowhere/perl\n"))

    assert (step.ok, step.exit_code) == (False, 127)
    assert "/opt/nowhere/perl" in step.why


def test_the_environment_arrives_and_no_command_line_shows_it(login: Login) -> None:
    """Quotes, newlines and names of our own program's variables are no trouble."""
    value = 'it\'s "$HOME" \\ `x`\nsecond'
    text = 'printf "%s|%s|%s" "$SECRET" "$d" "$p"; grep -lsa s3kr1t /proc/*/cmdline && echo SEEN\n'
    environment = (("SECRET", value + "s3kr1t"), ("d", "D"), ("p", "P"), ("text", "T"))

    # The script itself must not hold the word, or grep would find its own command line.
    step = _run(login, Script(name="x", text=text.replace("s3kr1t", "s3k[r]1t"),
                              environment=environment))  # fmt: skip

    assert f"{value}s3kr1t|D|P" == step.output


def test_the_script_has_an_empty_standard_input_and_its_file_is_removed(login: Login) -> None:
    """A command that reads standard input must not eat the script."""
    step = _run(login, Script(name="x", text='cat; echo read on; echo "$0"'))

    assert step.ok
    first, path = step.output.splitlines()
    assert first == "read on"
    assert path.endswith("/script")
    assert not Path(path).parent.exists()


def test_a_script_over_its_limit_is_killed_with_all_its_children(login: Login) -> None:
    """Also those that ignore the polite signal."""
    text = "trap '' TERM; sleep 300 & echo $! $$; echo begun; sleep 300; sleep 300"

    step = _run(login, Script(name="x", text=text, timeout_s=3.0))

    assert (step.ok, step.exit_code, step.why) == (False, None, "killed after 3 s")
    assert 3.0 <= step.seconds < 60
    child, shell = (int(word) for word in step.output.split()[:2])
    _await_end(child, shell)


def test_a_process_left_behind_does_not_hold_up_the_proof(login: Login) -> None:
    """A setup script may start a daemon that keeps the output open."""
    step = _run(login, Script(name="x", text="sleep 300 & echo $!"))

    assert (step.ok, step.exit_code) == (True, 0)
    assert step.seconds < 60
    os.kill(int(step.output), 9)


def test_only_the_end_of_long_output_is_kept(login: Login) -> None:
    """And it is said how much is missing."""
    script = Script(name="x", text="seq 1 100000; echo the end", output_bytes_max=100)

    step = _run(login, script)

    assert step.ok
    assert step.output.startswith("[588803 bytes left out]\n")
    assert step.output.endswith("100000\nthe end\n")


def test_output_that_is_not_text_is_made_text(login: Login) -> None:
    """Records and logs take what comes."""
    step = _run(login, Script(name="x", text="printf 'a\\377b\\000c'; exit 4"))

    assert step.output == "a\N{REPLACEMENT CHARACTER}b\N{REPLACEMENT CHARACTER}c"
    assert step.why.endswith("(exit code 4)")


def test_a_script_that_never_stops_printing_is_ended(
    login: Login, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its noise is not carried for hours."""
    monkeypatch.setattr("remuda.ssh.runner.OUTPUT_TOTAL_MAX", 1 << 20)
    text = "echo $$ >&2; yes & wait"

    step = _run(login, Script(name="x", text=text, timeout_s=60))

    assert step.why == "it printed more than 1 MiB"
    assert step.seconds < 60


def test_being_stopped_ends_a_running_script(login: Login, tmp_path: Path) -> None:
    """And the machine is told to end it, too."""
    witness = tmp_path / "pid"
    text = f"echo $$ >{witness}.new; mv {witness}.new {witness}; exec sleep 300"
    order = ProofSpec(login=login, checks=(Script(name="x", text=text, timeout_s=300),))

    proof = ParamikoProver().prove(order, stopped=witness.exists)

    assert (proof.ok, proof.stopped, proof.why) == (False, True, "x: stopped by us")
    _await_end(int(witness.read_text()))


def test_root_is_had_through_sudo(sudo_sshd: Sshd) -> None:
    """The script and its environment run behind it."""
    login = login_of(sudo_sshd)
    script = Script(
        name="x", text="echo $SUDO_WAS_HERE $A", as_root=True, environment=(("A", "b"),)
    )

    assert _run(login, script).output == "yes b\n"


def test_root_needs_no_sudo(login: Login) -> None:
    """Whoever is root already just runs."""
    if login.user != "root":
        pytest.skip("the test user is not root")

    step = _run(login, Script(name="x", text="echo root=$SUDO_WAS_HERE", as_root=True))

    assert step.output == "root=\n"


def test_large_scripts_arrive_whole(login: Login) -> None:
    """Larger than pipes and packets."""
    text = "# " + "x" * 3_000_000 + "\necho whole\n"

    step = _run(login, Script(name="x", text=text))

    assert step.output == "whole\n"

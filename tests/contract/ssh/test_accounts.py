"""Accounts that open and do not do what they are told, or say more than they are asked."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from remuda.config.parts import CheckFrom
from remuda.ssh.api import Login, Proof, ProofSpec, ProofStep, Script
from remuda.ssh.checks import make_check
from remuda.ssh.prover import ParamikoProver
from remuda.ssh.session import CopyFailedError, open_session
from tests.contract.ssh.conftest import login_of
from tests.support import sshd as servers

pytestmark = pytest.mark.ssh

#: What sshd does for an account whose password has expired, in its own words (session.c).
EXPIRED = """\
echo 'WARNING: Your password has expired.' >&2
echo 'Password change required but no TTY available.' >&2
exit 1
"""
#: What cloud-init has root's key do where root is not to log in.
OTHER_USER = (
    'echo "Please login as the user \\"debian\\" rather than the user \\"root\\"."; exit 142\n'
)
#: What a ``.bashrc`` may do: sshd reads it as part of the shell that it starts for a command.
NOISY = """\
echo "Welcome! It is now"; echo 1700000000
echo "nobody knows" >&2; echo 1700000000 >&2
eval "$SSH_ORIGINAL_COMMAND"
"""
CLOCK = make_check(CheckFrom.model_validate({"clock": {"skew": "30s"}}))


@contextmanager
def account(home: Path, shell: str) -> Iterator[Login]:
    """Run an sshd that has *shell* executed for every command, in place of the account's own."""
    if why := servers.available():
        pytest.skip(why)
    home.mkdir()
    program = home / "shell"
    program.write_text(shell if shell.startswith("#!") else f"#!/bin/sh\n{shell}")
    program.chmod(0o755)
    with servers.running(home, settings=f"ForceCommand {program}") as server:
        yield login_of(server)


def prove(login: Login, *checks: Script, setup: Script | None = None) -> Proof:
    """Make one attempt."""
    return ParamikoProver().prove(ProofSpec(login=login, setup=setup, checks=checks))


@pytest.mark.parametrize(
    ("shell", "words"),
    [
        (EXPIRED, "Password change required but no TTY available."),
        ("exec /usr/sbin/nologin\n", "This account is currently not available."),
        (OTHER_USER, 'rather than the user "root"'),
        ("exit 0\n", "exit code 0, and no answer"),
        ("exit 3\n", "exit code 3, and no answer"),
        ("echo all is well\n", "all is well"),
        ("exec cat\n", "does not run commands"),
        ("exec cat >&2\n", "does not run commands"),
        ('sh -c "$SSH_ORIGINAL_COMMAND" | tr a-z A-Z\n', "does not run commands"),
    ],
    ids=["expired", "nologin", "other user", "true", "false", "chat", "echo", "stderr", "capitals"],
)
def test_a_machine_is_proven_only_if_its_account_executes_a_command(
    tmp_path: Path, shell: str, words: str
) -> None:
    """It opens for our key, and is of no use to anybody."""
    with account(tmp_path / "home", shell) as login:
        proof = prove(login)

    assert (proof.ok, proof.too_early) == (False, False)
    assert proof.steps[-1].step is ProofStep.LOGIN
    assert words in proof.why


def test_no_script_passes_where_none_is_executed(tmp_path: Path) -> None:
    """Whatever the exit code of the account is."""
    with account(tmp_path / "home", "exit 0\n") as login, open_session(login) as session:
        ran = session.run_script(Script(name="x", text="exit 0"))

    assert (ran.why, ran.broken) == (
        "the account does not run commands: exit code 0, and no answer",
        True,
    )


def test_a_shell_that_hides_exit_codes_passes_no_bad_script(tmp_path: Path) -> None:
    """The program itself says how it ended."""
    with account(tmp_path / "home", 'sh -c "$SSH_ORIGINAL_COMMAND"; exit 0\n') as login:
        proof = prove(login, Script(name="x", text="echo no room; exit 1"))

    assert (proof.ok, proof.why) == (False, "x: no room")


def test_a_shell_that_ends_badly_fails_no_good_script(tmp_path: Path) -> None:
    """As a ``.bash_logout`` may have it."""
    with account(tmp_path / "home", 'sh -c "$SSH_ORIGINAL_COMMAND"; exit 7\n') as login:
        proof = prove(login, Script(name="x", text="echo fine"))

    assert (proof.ok, proof.steps[-1].output) == (True, "fine\n")


def test_noise_is_taken_neither_for_the_clock_nor_for_output(tmp_path: Path) -> None:
    """On whichever stream it comes."""
    heard = bytearray()
    with account(tmp_path / "home", NOISY) as login:
        proof = prove(login, CLOCK, setup=Script(name="setup", text="echo done; echo oh >&2"))
        with open_session(login) as session:
            session.run_script(Script(name="x", text="echo built"), hear=heard.extend)

    assert (proof.ok, proof.why) == (True, "")
    outputs = [one.output for one in proof.steps]
    assert outputs[:4] == ["", "", "", "done\noh\n"]
    assert abs(int(outputs[4]) - time.time()) < 3600
    assert bytes(heard) == b"built\n"


def test_errors_and_output_keep_their_order(tmp_path: Path) -> None:
    """Both are words of one script."""
    text = "for n in 1 2 3 4 5 6 7 8 9; do echo out $n; echo err $n >&2; done"
    with account(tmp_path / "home", NOISY) as login:
        (*_, step) = prove(login, Script(name="x", text=text)).steps

    assert step.output.splitlines() == [
        f"{one} {n}" for n in range(1, 10) for one in ("out", "err")
    ]


def test_a_copy_that_was_not_taken_is_none(tmp_path: Path) -> None:
    """Though its command ended well."""
    (tmp_path / "here").mkdir()
    (tmp_path / "here/file").write_text("x")
    with (
        account(tmp_path / "home", "cat >/dev/null; exit 0\n") as login,
        open_session(login) as one,
        pytest.raises(CopyFailedError),
    ):
        one.copy_tree(tmp_path / "here", str(tmp_path / "there"))

    assert not (tmp_path / "there").exists()


def test_the_login_has_a_limit_of_its_own(tmp_path: Path) -> None:
    """Scripts have the whole time; what comes before them has not."""
    setup = Script(name="setup", text="sleep 3; echo done")
    with account(tmp_path / "home", NOISY) as login:
        begun_s = time.monotonic()
        order = ProofSpec(login=login, setup=setup)
        # Generous for a busy machine, and over before the script is.
        slow = ParamikoProver().prove(order, deadline_s=begun_s + 600, login_by_s=begun_s + 600)
        late = ParamikoProver().prove(order, deadline_s=begun_s + 600, login_by_s=begun_s)

    assert slow.ok
    assert (late.ok, late.cut, late.too_early) == (False, True, True)


def test_scripts_may_take_longer_than_the_login(tmp_path: Path) -> None:
    """Its limit is over once somebody is in."""
    with account(tmp_path / "home", NOISY) as login:
        prover = ParamikoProver()
        begun_s = time.monotonic()
        login_by_s = begun_s + 20.0
        order = ProofSpec(login=login, setup=Script(name="setup", text="sleep 21; echo done"))
        proof = prover.prove(order, deadline_s=begun_s + 600, login_by_s=login_by_s)

    assert proof.ok
    assert time.monotonic() > login_by_s

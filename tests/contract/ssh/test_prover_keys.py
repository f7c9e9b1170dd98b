"""Which keys are met and offered: kinds of host keys, the agent, keys that appear late."""

import os
import signal
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from remuda.ssh.api import Login, ProofSpec, Script
from remuda.ssh.prover import ParamikoProver
from tests.contract.ssh.conftest import login_of
from tests.support import sshd as servers
from tests.support.deadline import wait_for
from tests.support.sshd import Sshd

pytestmark = pytest.mark.ssh


def _keygen(file: Path, *words: str) -> str:
    """Make a key; return its public line."""
    line = ["ssh-keygen", "-q", "-N", "", "-C", "a comment", "-f", str(file), *words]
    subprocess.run(line, check=True, stdin=subprocess.DEVNULL)
    return file.with_suffix(".pub").read_text().strip()


@pytest.mark.parametrize("words", [("-t", "rsa", "-b", "2048"), ("-t", "ecdsa", "-b", "384")])
def test_the_kind_of_the_expected_host_key_is_asked_for(
    tmp_path: Path, words: tuple[str, ...]
) -> None:
    """Though the server also has an ed25519 key, which would come first."""
    key = tmp_path / "other"
    line = _keygen(key, *words)
    with servers.running(tmp_path / "sshd", settings=f"HostKey {key}") as server:
        expected = replace(login_of(server), host_keys=(line,))

        other = ParamikoProver().prove(ProofSpec(login=expected))
        first = ParamikoProver().prove(ProofSpec(login=login_of(server)))

    assert other.why == ""
    assert other.host_keys == (" ".join(line.split()[:2]),)
    assert first.host_keys == (server.host_key,)


def test_an_expected_kind_that_nobody_knows_is_a_mismatch(login: Login) -> None:
    """No crash, and no login."""
    strange = replace(login, host_keys=("sk-ssh-ed25519@openssh.com AAAA", "nonsense"))

    proof = ParamikoProver().prove(ProofSpec(login=strange))

    assert (proof.ok, proof.too_early) == (False, False)
    assert "expected sk-ssh-ed25519@openssh.com SHA256:" in proof.why


@pytest.mark.parametrize("words", [("-t", "rsa", "-b", "2048"), ("-t", "ecdsa", "-b", "256")])
def test_every_kind_of_key_of_ours_opens_the_account(
    tmp_path: Path, words: tuple[str, ...]
) -> None:
    """And a key that is installed late is accepted from then on."""
    line = _keygen(tmp_path / "ours", *words)
    with servers.running(tmp_path / "sshd") as server:
        login = replace(login_of(server), key_file=str(tmp_path / "ours"))
        early = ParamikoProver().prove(ProofSpec(login=login))
        server.authorized_keys.write_text(line + "\n")

        later = ParamikoProver().prove(ProofSpec(login=login))

    assert (early.ok, early.too_early) == (False, True)
    assert later.why == ""


@pytest.fixture
def agent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Run an agent without keys, for this process to ask; return its socket."""
    path = tmp_path / "agent"
    process = subprocess.Popen(["ssh-agent", "-D", "-a", str(path)], stdout=subprocess.DEVNULL)
    try:
        wait_for(path.exists, 60.0, "the agent's socket")
        monkeypatch.setenv("SSH_AUTH_SOCK", str(path))
        yield path
    finally:
        process.terminate()
        process.wait(60.0)


def _add(key: Path) -> None:
    subprocess.run(["ssh-add", "-q", str(key)], check=True, stderr=subprocess.DEVNULL)


def test_without_a_key_file_the_agent_is_asked(sshd: Sshd, agent: Path, tmp_path: Path) -> None:
    """Its keys are offered one after another."""
    del agent
    order = ProofSpec(login=replace(login_of(sshd), key_file=None))
    empty = ParamikoProver().prove(order)
    _keygen(tmp_path / "wrong", "-t", "ed25519")
    _add(tmp_path / "wrong")
    wrong = ParamikoProver().prove(order)
    _add(sshd.key_file)

    right = ParamikoProver().prove(order)

    assert "no key to log in with" in empty.why
    assert "--identity" in empty.why
    assert not empty.too_early  # waiting makes no key
    assert "does not open the account" in wrong.why
    assert right.why == ""


class Freezer:
    """Stops an sshd's connection and the script in it, as soon as the script runs."""

    def __init__(self, server: Sshd, witness: Path) -> None:
        """Wait for *witness*, in which the script names its process and that of its limit."""
        self._server = server
        self._witness = witness
        self.stopped: list[int] = []

    def __call__(self) -> bool:
        """Act when it is time; always say to go on."""
        if self._witness.exists() and not self.stopped:
            line = ["pgrep", "-P", str(self._server.process.pid)]
            found = subprocess.run(line, capture_output=True, text=True, check=True).stdout
            for word in (*found.split(), *self._witness.read_text().split()):
                os.kill(int(word), signal.SIGSTOP)
                self.stopped.append(int(word))
        return False

    def thaw(self) -> None:
        """End what was stopped."""
        for pid in self.stopped:
            os.kill(pid, signal.SIGKILL)


@pytest.mark.slow
def test_a_machine_that_freezes_is_given_up(tmp_path: Path) -> None:
    """Neither its limit nor its connection ends then; ours does."""
    with servers.running(tmp_path / "sshd") as server:
        login = replace(login_of(server), answer_timeout_s=0.5)
        witness = tmp_path / "pids"
        text = f"echo $PPID $$ >{witness}.new; mv {witness}.new {witness}; exec sleep 300"
        order = ProofSpec(login=login, checks=(Script(name="x", text=text, timeout_s=4),))
        freezer = Freezer(server, witness)

        proof = ParamikoProver().prove(order, stopped=freezer)
        freezer.thaw()

    assert freezer.stopped
    assert proof.why == "x: no end after 4 s, and the machine did not kill it"
    assert proof.steps[-1].seconds < 20

"""Servers that do not behave, and what a prover leaves behind: nothing."""

import os
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Final

import pytest

from remuda.runtime.ports import free_port
from remuda.ssh.api import Login, Proof, ProofSpec, ProofStep, Script
from remuda.ssh.errors import KeyFileError
from remuda.ssh.prover import ParamikoProver
from tests.contract.ssh.conftest import login_of
from tests.support import sshd as servers
from tests.support.deadline import wait_for
from tests.support.sshd import Behaviour, Sshd, serving
from tests.support.traces import Traces

pytestmark = pytest.mark.ssh

SOON_S: Final = 60.0
BANNER: Final = b"SSH-2.0-Odd_1.0\r\n"

#: (how it behaves, is it too early, at which step it ends, a part of why)
ODD: Final = {
    "mute": (Behaviour(), True, ProofStep.CONNECT, "no SSH banner within 0.3 s"),
    "closes at once": (Behaviour(closes=True), True, ProofStep.CONNECT, "before the SSH banner"),
    "half a banner": (Behaviour(says=b"SSH-2"), True, ProofStep.CONNECT, "no SSH banner"),
    "garbage": (Behaviour(says=b"\x00\xff" * 8192), False, ProofStep.CONNECT, "not an SSH server"),
    "web server": (
        Behaviour(says=b"HTTP/1.1 400 Bad Request\r\n\r\n", closes=True),
        True,
        ProofStep.CONNECT,
        "before the SSH banner",
    ),
    "closes after the banner": (
        Behaviour(says=BANNER, closes=True),
        True,
        ProofStep.HOST_KEY,
        "in the key exchange",
    ),
    "mute after the banner": (
        Behaviour(says=BANNER),
        True,
        ProofStep.HOST_KEY,
        "no answer within 0.5 s in the key exchange",
    ),
    "garbage after the banner": (
        Behaviour(says=BANNER + b"\xff" * 4096),
        True,
        ProofStep.HOST_KEY,
        "in the key exchange",
    ),
    "an old protocol": (
        Behaviour(says=b"SSH-1.5-Old\r\n"),
        False,
        ProofStep.HOST_KEY,
        "Incompatible version",
    ),
}


#: Those that say nothing more, so that our patience ends them; the others have all of it.
SILENT: Final = ("mute", "half a banner", "mute after the banner")


def _impatient(port: int) -> ProofSpec:
    login = Login(address="127.0.0.1", port=port, connect_timeout_s=0.3, answer_timeout_s=0.5)
    return ProofSpec(login=login, login_wanted=False)


def _patient(port: int) -> ProofSpec:
    login = Login(address="127.0.0.1", port=port, connect_timeout_s=SOON_S, answer_timeout_s=SOON_S)
    return ProofSpec(login=login, login_wanted=False)


@pytest.mark.parametrize("kind", ODD)
def test_odd_servers_are_classified_and_leave_no_trace(kind: str) -> None:
    """Each ends at its step, with its sentence."""
    behaviour, too_early, step, why = ODD[kind]
    prover = ParamikoProver()
    with serving(behaviour) as port:
        before = Traces()

        proof = prover.prove(_impatient(port) if kind in SILENT else _patient(port))

        assert before.threads_left() == []
    assert (proof.ok, proof.too_early) == (False, too_early), proof.why
    assert proof.steps[-1].step == step
    assert why in proof.why


@pytest.mark.parametrize("kind", ["mute", "closes at once", "half a banner", "garbage"])
def test_knocking_at_odd_servers(kind: str) -> None:
    """The same sentences."""
    behaviour, _, _, why = ODD[kind]
    with serving(behaviour) as port:
        limit_s = 0.3 if kind in SILENT else SOON_S
        found = ParamikoProver().probe("127.0.0.1", port, timeout_s=limit_s)

    assert found is not None
    assert why in found


def test_text_before_the_banner_is_allowed() -> None:
    """RFC 4253 section 4.2."""
    with serving(Behaviour(says=b"welcome\r\nto this machine\r\n" + BANNER)) as port:
        assert ParamikoProver().probe("127.0.0.1", port) is None


@contextmanager
def _black_hole() -> Iterator[int]:
    """Fill the backlog of a listener that never accepts: further connections get no answer."""
    with socket.create_server(("127.0.0.1", 0), backlog=0) as listener:
        address = listener.getsockname()
        fillers = [socket.socket() for _ in range(4)]
        for filler in fillers:
            filler.setblocking(False)  # noqa: FBT003 - its only argument
            filler.connect_ex(address)
        try:
            yield address[1]
        finally:
            for filler in fillers:
                filler.close()


def test_a_black_hole_costs_its_time_and_no_more() -> None:
    """Packets that vanish are the normal state of a booting machine."""
    with _black_hole() as port:
        proof = ParamikoProver().prove(_impatient(port))
    assert (proof.ok, proof.too_early) == (False, True)
    assert "no TCP connection within 0.3 s" in proof.why


def test_a_name_that_does_not_resolve_is_too_early() -> None:
    """Names of fresh machines appear late."""
    login = Login(address="nobody.invalid")

    proof = ParamikoProver().prove(ProofSpec(login=login, login_wanted=False))

    assert (proof.ok, proof.too_early) == (False, True)


def test_a_machine_that_dies_while_it_is_checked_may_be_tried_again(tmp_path: Path) -> None:
    """It reboots, perhaps; but not when a setup script had begun."""
    for setup, too_early in ((None, True), (Script(name="setup", text="true"), False)):
        with servers.running(tmp_path / str(too_early)) as server:
            proof = _prove_dying(server, setup)

        assert (proof.ok, proof.too_early) == (False, too_early)
        assert proof.steps[-1].step == ProofStep.CHECK
        assert "closed" in proof.why or "end" in proof.why


def _prove_dying(server: Sshd, setup: Script | None) -> Proof:
    """Prove a machine whose sshd is killed as soon as the check runs."""
    pid = server.home / "check-pid"
    text = f"echo $$ $0 >{pid}.new; mv {pid}.new {pid}; exec sleep 60"
    order = ProofSpec(
        login=login_of(server), setup=setup, checks=(Script(name="check", text=text),)
    )
    proofs: list[Proof] = []
    thread = threading.Thread(target=lambda: proofs.append(ParamikoProver().prove(order)))
    thread.start()
    wait_for(pid.exists, SOON_S, "the check to begin")
    number, file = pid.read_text().split()
    for ours in _sshds_above(int(number), server.process.pid):
        os.kill(ours, 9)
    os.kill(int(number), 9)
    thread.join(SOON_S)
    wait_for(lambda: not Path(file).parent.exists(), SOON_S, "the temporary file to be removed")
    return proofs[0]


def _sshds_above(pid: int, top: int) -> list[int]:
    """Return the sshd processes between *pid* and the listener *top*, which is not among them."""
    found = []
    while pid not in {top, 1, 0}:
        stat = Path(f"/proc/{pid}/stat").read_text()
        if "(sshd" in stat:
            found.append(pid)
        pid = int(stat.rsplit(")", 1)[1].split()[1])
    return found


@pytest.mark.slow
def test_a_thousand_proofs_leak_nothing(sshd: Sshd) -> None:
    """Threads and descriptors are as before, whatever was met."""
    prover = ParamikoProver()
    good = ProofSpec(login=login_of(sshd), login_wanted=False)
    wrong = replace(good, login=replace(good.login, host_keys=("ssh-ed25519 AAAA",)))
    refused = replace(good, login=replace(good.login, port=free_port()))
    with serving(Behaviour(says=BANNER, closes=True)) as port:
        odd = replace(good, login=replace(good.login, port=port))
        outcomes = [prover.prove(order).ok for order in (good, wrong, refused, odd)]
        before = Traces()
        for _ in range(250):
            outcomes += [prover.prove(order).ok for order in (good, wrong, refused, odd)]

        assert before.left() == []
    assert outcomes == [True, False, False, False] * 251


def test_whole_proofs_leak_nothing(login: Login) -> None:
    """The same with logins and scripts, and from several threads at once."""
    prover = ParamikoProver()
    order = ProofSpec(login=login, checks=(Script(name="x", text="true"),))
    assert prover.prove(order).ok
    before = Traces()
    proofs: list[Proof] = []
    threads = [
        threading.Thread(target=lambda: proofs.extend(prover.prove(order) for _ in range(10)))
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert [proof.why for proof in proofs] == [""] * 40
    assert before.left() == []


def test_a_bad_key_file_is_our_own_error(login: Login, tmp_path: Path) -> None:
    """It is raised, and nobody is connected to."""
    bad = tmp_path / "bad"
    bad.write_text("nonsense")

    with pytest.raises(KeyFileError, match="bad: not an ed25519, RSA or ECDSA private key"):
        ParamikoProver().prove(ProofSpec(login=replace(login, key_file=str(bad))))


def test_a_key_file_that_changed_is_read_again(sshd: Sshd, tmp_path: Path) -> None:
    """Keys are replaced without a restart."""
    file = tmp_path / "key"
    servers.make_key(file)
    prover = ParamikoProver()
    order = ProofSpec(login=replace(login_of(sshd), key_file=str(file)))
    refused = prover.prove(order)
    file.write_text(sshd.key_file.read_text())

    accepted = prover.prove(order)

    assert (refused.ok, accepted.ok) == (False, True)

"""Machines whose root is a stranger: whatever they send, a proof ends, in time and with words.

No test here judges how fast something is: a client that is not bound by its deadlines would go on
until the peer gives up (:data:`tests.support.hostile.GIVE_UP_S`), and say something else.
"""

import contextlib
import random
import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Final

import pytest

from remuda.ssh.api import OUT_OF_TIME, Login, Proof, ProofSpec, ProofStep, Script
from remuda.ssh.errors import TEXT_MAX, SshError
from remuda.ssh.prover import ParamikoProver
from remuda.ssh.session import open_session
from tests.support import attacks
from tests.support.hostile import DRIP_S, GIVE_UP_S, Attack, HugeKey, Stage, hostile, login_to, raw
from tests.support.traces import Traces

pytestmark = pytest.mark.ssh

#: For a whole proof that only its deadline ends. The honest part before an attack takes 30 ms;
#: where it takes longer, the deadline falls into that part, which is as good.
TIME_S: Final = 0.6
#: For one that something else is to end.
LONG_S: Final = 60.0
LATE: Final = (OUT_OF_TIME, "no answer within", "no end after")
CHECK: Final = Script(name="check", text="true", timeout_s=600)

#: (stage, attack, a part of why)
ATTACKS: Final = {
    "drips in the exchange": (Stage.EXCHANGE, attacks.drips, LATE),
    "drips in the login": (Stage.LOGIN, attacks.drips, LATE),
    "drips instead of executing": (Stage.EXEC, attacks.drips, LATE),
    "drips while it runs": (Stage.RUNNING, attacks.drips, LATE),
    "prints for ever": (Stage.RUNNING, attacks.output_for_ever, LATE),
    "silent in the exchange": (Stage.EXCHANGE, attacks.falls_silent, LATE),
    "silent in the login": (Stage.LOGIN, attacks.falls_silent, LATE),
    "silent instead of executing": (Stage.EXEC, attacks.falls_silent, LATE),
    "slow nothings in the exchange": (Stage.EXCHANGE, attacks.ignores_slowly, LATE),
    "slow nothings in the login": (Stage.LOGIN, attacks.ignores_slowly, LATE),
    "slow nothings instead of executing": (Stage.EXEC, attacks.ignores_slowly, LATE),
    "nothings in the exchange": (Stage.EXCHANGE, attacks.ignores_for_ever, ("packets",)),
    "nothings in the login": (Stage.LOGIN, attacks.ignores_for_ever, ("packets",)),
    "nothings while it runs": (Stage.RUNNING, attacks.ignores_for_ever, LATE),
    "chatter in the login": (Stage.LOGIN, attacks.debugs_for_ever, ("packets",)),
    "has us sign in the login": (Stage.LOGIN, attacks.accepts_for_ever, ("packets",)),
    "has us sign while it runs": (Stage.RUNNING, attacks.accepts_for_ever, LATE),
    "a huge packet in the exchange": (Stage.EXCHANGE, attacks.huge_packet, ("a packet of",)),
    "a huge packet in the login": (Stage.LOGIN, attacks.huge_packet, ("a packet of",)),
    "a huge packet while it runs": (Stage.RUNNING, attacks.huge_packet, ("a packet of",)),
    "many extensions": (Stage.LOGIN, attacks.many_extensions, ("announces 4294967295 ext",)),
    "many extensions while it runs": (
        Stage.RUNNING,
        attacks.many_extensions,
        ("announces 4294967295 ext",),
    ),
    "refuses at length": (Stage.LOGIN, attacks.refuses_at_length, ("may log in by magic, magic",)),
    "an unknown message": (Stage.LOGIN, attacks.unknown_message, ("breaks the protocol",)),
    "data without a window": (
        Stage.RUNNING,
        attacks.data_without_window,
        ("more than", "more data"),
    ),
    "new keys for ever": (Stage.RUNNING, attacks.new_keys_for_ever, ("new keys",)),
    "garbage in the exchange": (Stage.EXCHANGE, attacks.garbage, ("",)),
    "garbage in the login": (Stage.LOGIN, attacks.garbage, ("",)),
    "garbage while it runs": (Stage.RUNNING, attacks.garbage, ("",)),
    "hangs up in the exchange": (Stage.EXCHANGE, attacks.closes, ("in the key exchange",)),
    "hangs up in the login": (Stage.LOGIN, attacks.closes, ("in the login",)),
    "hangs up instead of executing": (Stage.EXEC, attacks.closes, ("starting a command",)),
    "hangs up while it runs": (Stage.RUNNING, attacks.closes, ("closed before it ended",)),
}


def _prove(port: int, key_file: Path, *, script: Script = CHECK, time_s: float = TIME_S) -> Proof:
    """Prove with generous limits for the single steps, so that only the deadline ends it."""
    login = login_to(port, key_file, answer_timeout_s=600)
    order = ProofSpec(login=login, checks=(script,))
    return ParamikoProver().prove(order, deadline_s=time.monotonic() + time_s)


@contextlib.contextmanager
def _leaving_no_thread() -> Iterator[None]:
    """Fail if a thread of a client is left; those of the servers have other names."""
    before = Traces()
    yield
    assert [trace for trace in before.threads_left() if "QuietTransport" in trace] == []


@pytest.mark.parametrize("name", ATTACKS)
def test_a_proof_of_a_hostile_machine_ends(name: str, key_file: Path) -> None:
    """At every stage, by the deadline or before, with a sentence about what happened."""
    stage, attack, whys = ATTACKS[name]
    with hostile(stage, attack) as port, _leaving_no_thread():
        begun_s = time.monotonic()

        proof = _prove(port, key_file, time_s=TIME_S if whys is LATE else LONG_S)

        took_s = time.monotonic() - begun_s
    assert not proof.ok
    assert any(why in proof.why for why in whys), proof.why
    assert len(proof.why) < TEXT_MAX + 50
    assert took_s < GIVE_UP_S


def test_a_machine_that_drips_all_it_says_is_overdue(key_file: Path) -> None:
    """From the first byte of the key exchange on: each byte alone is in time."""
    with hostile(Stage.RUNNING, attacks.nothing, drips=True) as port:
        proof = _prove(port, key_file)

    assert proof.steps[-1].step is ProofStep.HOST_KEY
    assert OUT_OF_TIME in proof.why


@pytest.mark.parametrize("bits", [16_384, 200_000])
def test_a_host_key_of_absurd_size_proves_nothing(bits: int, key_file: Path) -> None:
    """Neither its check nor its numbers take long, and it is no traceback."""
    with hostile(Stage.RUNNING, attacks.nothing, key=HugeKey(bits)) as port:
        proof = _prove(port, key_file, time_s=LONG_S)

    assert not proof.ok
    assert proof.steps[-1].step is ProofStep.HOST_KEY
    assert OUT_OF_TIME not in proof.why


def test_the_limit_of_one_answer_is_as_absolute(key_file: Path) -> None:
    """Without a deadline for the whole, each answer has its own."""
    login = Login(address="127.0.0.1", key_file=str(key_file), answer_timeout_s=0.5)
    with hostile(Stage.EXCHANGE, attacks.drips) as port:
        proof = ParamikoProver().prove(ProofSpec(login=replace(login, port=port)))

    assert "no answer within 0.5 s in the key exchange" in proof.why


def test_a_machine_that_reads_nothing_does_not_hold_what_we_send(key_file: Path) -> None:
    """A long script fills its window, and the window of TCP after that."""
    long = Script(name="long", text="#" * 8_000_000)
    with hostile(Stage.RUNNING, attacks.nothing) as port:
        proof = _prove(port, key_file, script=long)

    assert OUT_OF_TIME in proof.why


def _says_lines(sock: socket.socket, over: threading.Event) -> None:
    with contextlib.suppress(OSError):
        while not over.is_set():
            sock.sendall(b"welcome\r\n")


def _drips_lines(sock: socket.socket, over: threading.Event) -> None:
    while not over.wait(DRIP_S):
        sock.sendall(b"\n")


def test_endless_lines_before_the_banner_end(key_file: Path) -> None:
    """Fast ones by their number, slow ones by the deadline."""
    with raw(_says_lines) as port:
        fast = _prove(port, key_file)
    with raw(_drips_lines) as port:
        slow = _prove(port, key_file, time_s=0.3)

    assert "not an SSH server" in fast.why
    assert "no SSH banner" in slow.why


@pytest.mark.parametrize("attack", [attacks.drips, attacks.ignores_slowly, attacks.falls_silent])
def test_a_knock_that_compares_the_host_key_ends_in_time(attack: Attack) -> None:
    """Its one limit holds for the key exchange, too."""
    expected = ("ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIFakeFakeFakeFakeFakeFakeFakeFakeFakeFakeFak",)
    with hostile(Stage.EXCHANGE, attack) as port:
        why = ParamikoProver().probe("127.0.0.1", port, timeout_s=0.5, host_keys=expected)

    assert why is not None
    assert OUT_OF_TIME in why or "no answer" in why


@pytest.mark.parametrize("stage", [Stage.EXCHANGE, Stage.LOGIN])
def test_opening_a_session_ends_in_time(stage: Stage, key_file: Path) -> None:
    """People's logins have limits, whatever their sessions may last."""
    login = Login(address="127.0.0.1", key_file=str(key_file), answer_timeout_s=0.5)
    with (
        hostile(stage, attacks.ignores_slowly) as port,
        pytest.raises(SshError, match=r"no answer within 0\.5 s"),
    ):
        open_session(replace(login, port=port), insecure=True)


@pytest.mark.parametrize("seed", range(30))
def test_spoilt_bytes_end_as_a_sentence(seed: int, key_file: Path) -> None:
    """Changed, cut and added bytes before the login never end as a traceback or without end."""
    login = Login(address="127.0.0.1", key_file=str(key_file), answer_timeout_s=0.3)
    with hostile(Stage.RUNNING, attacks.closes, spoil=random.Random(seed)) as port:  # noqa: S311
        proof = ParamikoProver().prove(ProofSpec(login=replace(login, port=port), checks=(CHECK,)))

    assert not proof.ok
    assert proof.why


@pytest.mark.parametrize(
    ("address", "port"), [("127.0.0.1", 10**30), ("a" * 70 + ".b", 22), ("no\0name", 22), ("", -1)]
)
def test_no_address_is_too_odd(address: str, port: int) -> None:
    """What no resolver takes is nothing that is there."""
    why = ParamikoProver().probe(address, port, timeout_s=0.5)

    assert why

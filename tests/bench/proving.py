"""What it costs to prove a machine over SSH, with the real prover and a real sshd."""

import os
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from remuda.ssh.api import Login, ProofSpec, Script
from remuda.ssh.prover import ParamikoProver
from tests.bench.figures import Figure, spread
from tests.support import sshd

_THREADS = 8


def measure(folder: Path, *, quick: bool) -> list[Figure]:
    """Prove the same machine many times from several threads: connect, host key, login, check."""
    count = 20 if quick else 60
    with sshd.running(folder) as server:
        order = ProofSpec(
            login=Login(
                address="127.0.0.1",
                port=server.port,
                user=server.user,
                key_file=str(server.key_file),
                host_keys=(server.host_key,),
            ),
            checks=(Script(name="true", text="true\n"),),
        )
        prover = ParamikoProver()
        _prove(prover, order)
        begun_s, cpu_s = time.perf_counter(), _cpu_s()
        with ThreadPoolExecutor(_THREADS) as threads:
            times: Sequence[float] = list(
                threads.map(lambda _n: _prove(prover, order), range(count))
            )
        seconds, used_s = time.perf_counter() - begun_s, _cpu_s() - cpu_s
    return [
        Figure(
            name="proofs over SSH, CPU of the prover each",
            bound="(for information)",
            measured=f"{count / seconds:.1f}/s, {used_s / count * 1000:.1f} ms",
            details={"threads": _THREADS, "seconds": spread(times), "count": count},
        )
    ]


def _cpu_s() -> float:
    times = os.times()
    return times.user + times.system


def _prove(prover: ParamikoProver, order: ProofSpec) -> float:
    begun_s = time.perf_counter()
    proof = prover.prove(order, stopped=threading.Event().is_set)
    assert proof.ok, proof.why
    return time.perf_counter() - begun_s

"""Candidates whose root is a stranger, and machines that say our secrets back to us."""

import time
import zlib
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from builder.log.build_log import BuildLog
from builder.quiet.identity import flat_identity
from remuda.config.images import SecretFrom
from remuda.model.build import BuildState
from remuda.model.upload import TrialResult
from remuda.ssh import runner
from remuda.ssh.api import Proof, ProofSpec
from remuda.ssh.prover import ParamikoProver
from tests.support import attacks
from tests.support.liars import (
    CLONE,
    HONEST,
    KINDS,
    Answer,
    KeptLog,
    Liar,
    connect_to,
    ends_without_a_code,
    floods,
    lying,
    overruns,
    says,
    serve,
)
from tests.unit.builder.handbench import BUILD, PROVIDER, Bench, recipe, report
from tests.unit.builder.makings import make
from tests.unit.builder.test_validating import LOGIN_KEY, MADE_ON
from tests.unit.builder.trials import validate

SECRET = "swordfish-" + "4711-and-more"
#: An attempt that nothing else ends.
LONG_S = 60.0


@pytest.fixture(autouse=True)
def small_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a flood be over soon."""
    monkeypatch.setattr(runner, "_GRACE_S", 0.1)
    monkeypatch.setattr(runner, "OUTPUT_TOTAL_MAX", 4 << 20)


@pytest.fixture
def trial(bench: Bench) -> Bench:
    """A build that is to be tried."""
    bench.put_build(identity=flat_identity(MADE_ON, LOGIN_KEY))
    bench.recipe = recipe({"command": "make"})
    return bench


class Prover:
    """The real one, which finds the machine of a test."""

    def __init__(self, liar: Liar) -> None:
        self._liar = liar
        self._real = ParamikoProver()

    def prove(
        self,
        order: ProofSpec,
        *,
        stopped: Callable[[], bool] = lambda: False,
        deadline_s: float | None = None,
        login_by_s: float | None = None,
    ) -> Proof:
        """Prove it, with a deadline of the clock on the wall instead of the test's."""
        assert deadline_s is not None
        assert login_by_s is None
        login = replace(order.login, address="127.0.0.1", port=self._liar.port)
        here = replace(order, login=login)
        return self._real.prove(here, stopped=stopped, deadline_s=time.monotonic() + LONG_S)


def test_a_candidate_that_says_what_is_expected_is_proven(trial: Bench) -> None:
    """Else what follows would prove nothing."""
    with lying() as liar:
        serve(trial, liar.host_key)
        ended = validate(trial, Prover(liar))

    assert ended.why is None
    assert liar.heard == [CLONE]


@pytest.mark.parametrize(
    ("lie", "blame"),
    [
        (attacks.closes, "machine"),
        (ends_without_a_code, "machine"),
        (overruns, "machine"),
        (floods, "machine"),
        (says(""), "residue"),
        (says(HONEST[CLONE] * 2), "residue"),
        (says(HONEST["identity"]), "residue"),
        (says(HONEST["quiet"]), "residue"),
        (says(HONEST[CLONE], code=3), "residue"),
    ],
    ids=[
        *("hangs up", "no code", "overruns", "floods"),
        *("nothing", "twice", "half", "other phases", "code"),
    ],
)
def test_a_candidate_that_lies_is_not_proven(trial: Bench, lie: Answer, blame: str) -> None:
    """It counts as a failure of the image, and says whose it was."""
    with lying(clone=lie) as liar:
        serve(trial, liar.host_key)
        ended = validate(trial, Prover(liar))

    assert ended.why is not None
    assert f"FAILED, {blame} to blame" in trial.log.text
    found = trial.upload().value.trials[PROVIDER]
    assert (found.result, found.failures) == (TrialResult.OPEN, 1)


def test_a_candidate_with_another_key_is_told_nothing(trial: Bench) -> None:
    """The secrets that are looked for in it least of all."""
    with lying() as liar, lying() as other:
        serve(trial, liar.host_key)
        ended = validate(trial, Prover(other))

    assert ended.why is not None
    assert "the host key is" in ended.why
    assert other.heard == []


def _hangs_up_with(peer: Any) -> None:
    peer.shell.sendall(peer.answers()[0] + f"{SECRET}".encode())
    attacks.closes(peer)


SECRET_SAID: dict[str, dict[str, Answer]] = {
    "a step that goes well": {"step": says(f"token={SECRET}\n{SECRET}\n")},
    "a step that fails": {"step": says(f"{SECRET}\n", 1)},
    "a step that is cut off": {"step": _hangs_up_with},
    "prepare": {"prepare": says(f"{SECRET}: sudo failed\n", 1)},
    "why prepare failed": {"prepare": says(report("prepare", f"failed\tlock-held\t{SECRET}"), 4)},
    "the name of a package": {"packages": says(f"{SECRET} 1\nremuda-packages 1\n")},
    "identity": {"identity": says(HONEST["identity"].replace("m" * 32, SECRET))},
    "the name of a file": {
        "quiet": says(
            report("quiet") + report("assert", f"residue\tsecret\t/{SECRET}", kinds=KINDS, end=1),
            3,
        )
    },
    "the name of a file in hexadecimal": {
        "quiet": says(
            report("quiet")
            + report("assert", f"residue\tsecret\thex:{SECRET.encode().hex()}", kinds=KINDS, end=1),
            3,
        )
    },
    "an unknown word": {"quiet": says(f"remuda\tbegin\tassert\t-\nremuda\t{SECRET}\tx\ty\n")},
}


@pytest.fixture
def told(bench: Bench, tmp_path: Path) -> Callable[[Liar], BuildLog]:
    """Return what lets a build with a secret be made on a machine, with a real log."""
    (tmp_path / "token").write_text(SECRET)
    fill = {"command": "fill-the-image", "name": "fill", "timeout": "5s", "secrets": ["TOKEN"]}
    bench.recipe = recipe(fill, secrets={"TOKEN": SecretFrom(file=str(tmp_path / "token"))})

    def begin(liar: Liar) -> BuildLog:
        connect_to(bench, liar)
        serve(bench, liar.host_key)
        bench.put_build()
        return BuildLog(bench.others, BUILD, writer="me", folder=tmp_path / "logs")

    return begin


@pytest.mark.parametrize("said", SECRET_SAID)
def test_no_record_and_no_log_has_a_secret_that_a_machine_says(
    bench: Bench, told: Callable[[Liar], BuildLog], tmp_path: Path, said: str
) -> None:
    """Wherever it puts it."""
    with lying(**SECRET_SAID[said]) as liar:
        log = told(liar)
        bench.log = KeptLog(log)  # type: ignore[assignment]
        make(bench)
        assert log.settle(60.0)

    assert "quiet" in liar.heard or bench.build().value.state is BuildState.FAILED
    found = bench.others.read_many(list(_paths(bench)))
    texts = [one.value for one in found if one is not None]
    assert texts
    files = [one.read_bytes() for one in (tmp_path / "logs").iterdir()]
    for text in (*texts, *files):
        assert SECRET.encode() not in text
        with suppress(zlib.error):  # a list of packages
            assert SECRET.encode() not in zlib.decompress(text)


def _paths(bench: Bench, above: str = "/") -> Iterator[str]:
    for name in bench.others.children(above):
        path = f"{above.rstrip('/')}/{name}"
        yield path
        yield from _paths(bench, path)

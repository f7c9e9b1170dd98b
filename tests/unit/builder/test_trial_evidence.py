"""What is left of a candidate that failed: it lies in the log of its trial, with the build."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from builder.quiet.identity import flat_identity
from remuda.cloud.api import TryLaterError
from remuda.model.capsule import Capsule, encode_capsule
from remuda.store import paths
from remuda.store.api import Create
from tests.fakes.prover import Exit, FakeProver, Machine
from tests.unit.builder.handbench import PROVIDER, Bench, recipe
from tests.unit.builder.test_validating import (
    ADDRESS,
    CHECK,
    LOGIN_KEY,
    MADE_ON,
    clone,
    retry,
    validate,
)


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    """Everything in memory, with a build that is to be tried."""
    one = Bench(tmp_path)
    one.put_build(identity=flat_identity(MADE_ON, LOGIN_KEY))
    one.recipe = recipe({"command": "make"}, checks=(CHECK,))
    yield one
    one.close()


@pytest.fixture
def prover(bench: Bench) -> FakeProver:
    """A good clone."""
    return FakeProver({ADDRESS: Machine(exits={"identity": clone()})}, clock=bench.clock)


def test_what_is_left_of_a_launch_is_kept_with_the_build(bench: Bench, prover: FakeProver) -> None:
    """Launchers keep the last ones only; those of other requests are none of ours."""
    proof = {"step": "login", "name": "login", "why": "refused", "output": "from the script\n"}

    def fail(name: str) -> None:
        for request in (name, "900-0000000099"):
            one = Capsule(
                node=f"n-{request}",
                label="prove/debian",
                pool="main",
                result="error.ssh",
                why="nobody is let in",
                at_s=1.0,
                fault="fault of the cloud",
                console="Kernel panic",
                transcript=(proof,),
                request=request,
            )
            path = f"{paths.failures(PROVIDER)}/{one.node}"
            bench.launcher.store.commit([Create(path=path, data=encode_capsule(one))])
        bench.launcher.refuse(name)

    bench.serve = fail
    validate(bench, prover)

    (step,) = [one for one in bench.log.steps if one.startswith("launch of node n-")]
    assert "0000000099" not in step
    for words in (
        "error.ssh: nobody is let in",
        "the cloud says: fault of the cloud",
        "login: refused",
        "from the script\n",
        "Kernel panic\n",
    ):
        assert bench.log.text.count(words) == 1


def test_the_last_words_of_a_candidate_that_failed_are_kept(
    bench: Bench, prover: FakeProver
) -> None:
    """One that passed has none to say; a cloud that shows no console changes no verdict."""
    prover.script(ADDRESS, Machine(exits={"identity": clone(), "disk": Exit(code=1)}))
    bench.cloud.console_log = (  # type: ignore[method-assign]
        lambda _server, **_: "x" * 20_000 + "\nlast words"
    )
    validate(bench, prover)
    text = bench.log.text
    assert "console" in bench.log.steps
    assert "\nlast words\n" in text
    assert text.count("x") < 7000

    def away(_server: Any, **_: Any) -> str:
        raise TryLaterError("the cloud is away", retry_after_s=1.0)

    bench.cloud.console_log = away  # type: ignore[method-assign]
    retry(bench)
    validate(bench, prover)
    assert "does not show its console: the cloud is away" in bench.log.text
    assert bench.upload().value.trials[PROVIDER].failures == 2

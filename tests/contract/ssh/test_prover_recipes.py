"""The steps of a recipe within a proof, on a real machine: once, in order, before the setup."""

from pathlib import Path
from uuid import uuid4

import pytest

from remuda.config.images import BaseFrom, BuildStep
from remuda.config.parts import FlavorFrom
from remuda.config.recipes import ImageRecipe, ProviderMaking
from remuda.model.image import BuildId
from remuda.ssh.api import Login, Proof, ProofSpec, ProofStep, Script
from remuda.ssh.prover import ParamikoProver
from remuda.steps.first_use import FirstUse
from remuda.steps.runner import StepContext

pytestmark = pytest.mark.ssh


def _prove(login: Login, mark: str, *steps: dict[str, object], setup: str = "true") -> Proof:
    making = ProviderMaking(base=BaseFrom(name="b"), flavor=FlavorFrom(name="f"), username="u")
    read = tuple(BuildStep.model_validate({"timeout": "30s", **one}) for one in steps)
    recipe = ImageRecipe(name="noble", makings={"north": making}, steps=read)
    context = StepContext(build=BuildId("noble", 0), provider="north", recipe=recipe, secrets={})
    order = ProofSpec(
        login=login,
        recipe=FirstUse(context=context, mark=mark),
        setup=Script(name="setup", text=setup),
        checks=(Script(name="check", text="true"),),
    )
    return ParamikoProver().prove(order)


@pytest.fixture
def mark() -> str:
    """Return what no other test marks a machine with: all of them are this host."""
    return f"test-{uuid4().hex}"


def test_steps_run_before_the_setup_which_finds_what_they_made(
    login: Login, mark: str, tmp_path: Path
) -> None:
    """Scripts, commands and copies, by the connection of the proof itself."""
    source = tmp_path / "tree"
    source.mkdir()
    (source / "a").write_text("copied")
    made = tmp_path / "made"
    proof = _prove(
        login,
        mark,
        {"command": f"mkdir {made}; echo $REMUDA_IMAGE/$REMUDA_BUILD >{made}/which"},
        {"copy": {"from": str(source), "to": str(made)}},
        setup=f'[ "$(cat {made}/which {made}/a)" = "noble/0\ncopied" ]',
    )
    assert proof.ok, proof.why
    assert [one.step for one in proof.steps][3:] == [ProofStep.STEP] * 3 + [
        ProofStep.SETUP,
        ProofStep.CHECK,
    ]


def test_a_step_that_fails_ends_the_proof(login: Login, mark: str) -> None:
    """It is not too early, and the machine is to blame, or the recipe."""
    proof = _prove(login, mark, {"command": "echo the mirror is away; exit 3", "name": "fetch"})
    assert not proof.ok
    assert (proof.too_early, proof.stopped, proof.spoiled) == (False, False, False)
    assert proof.why == "fetch: the mirror is away (exit code 3)"
    assert proof.steps[-1].output == "the mirror is away\n"


def test_on_a_machine_steps_begin_once(login: Login, mark: str) -> None:
    """Who takes it over cannot see how far they came."""
    assert _prove(login, mark, {"command": "true"}).ok
    proof = _prove(login, mark, {"command": "true"})
    assert proof.spoiled
    assert not proof.ok
    assert "were begun on it before" in proof.why

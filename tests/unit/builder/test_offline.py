"""A trial without a network: a second machine, what is run on it, and whose failure each end is."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from builder.quiet.identity import Identity, flat_identity
from builder.upload import offline
from remuda.config.parts import CheckFrom
from remuda.model.build import Blame
from remuda.model.imageask import ImageUse
from remuda.model.upload import TrialResult, UploadState
from remuda.ssh.api import Proof, ProofStep, StepTaken
from tests.fakes.prover import Exit, FakeProver, Machine
from tests.unit.builder.handbench import ADDRESS, PROVIDER, Bench, recipe
from tests.unit.builder.trials import clone, validate

MADE_ON = Identity(machine_id="m" * 32, host_keys=("0" * 64,))
LOGIN_KEY = "ssh-ed25519 " + "B" * 68
FIRST = CheckFrom.model_validate({"name": "disk", "script": {"inline": "df"}})
CACHE = CheckFrom.model_validate({"name": "cache", "script": {"inline": "pip download x"}})


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    """Everything in memory, with an image that a cloud has, which is to be tried offline."""
    one = Bench(tmp_path)
    one.put_build(identity=flat_identity(MADE_ON, LOGIN_KEY))
    one.recipe = recipe({"command": "make"}, checks=(FIRST,), offline_checks=(CACHE,))
    yield one
    one.close()


def prover_of(bench: Bench, **exits: Exit) -> FakeProver:
    """Return a prover on a good clone whose scripts end so."""
    named = {name.replace("_", " "): one for name, one in exits.items()}
    machine = Machine(exits={"identity": clone(), **named})
    return FakeProver({ADDRESS: machine}, clock=bench.clock)


def test_a_second_machine_is_tried_without_a_network(bench: Bench) -> None:
    """The first one has its network, and might have filled what is to be there."""
    asked, prover = [], prover_of(bench)

    def give(name: str) -> None:
        asked.append(bench.launcher.read_request(name))
        bench.give(name)

    bench.serve = give
    assert validate(bench, prover).why is None

    uses = [None if one.image is None else one.image.use for one in asked]
    assert uses == [ImageUse.PROVE, ImageUse.PROVE]
    first, second = prover.orders
    assert [one.name for one in first.checks] == ["identity", "disk"]
    assert [one.name for one in second.checks] == [offline.CUT, "cache", offline.STILL]
    phases = [dict(one.environment).get("REMUDA_PHASE") for one in second.checks]
    assert phases == ["cut", None, "still"]
    assert (second.checks[0].as_root, second.checks[2].as_root) == (True, True)
    assert second.setup is None  # it would fetch
    times = bench.upload().value.trials[PROVIDER].times
    assert times is not None
    assert [name for name, _ in times.checks] == ["identity", "disk"]
    assert [name for name, _ in times.offline] == ["cache"]
    assert len(bench.nodes()) == 2


def test_a_recipe_without_offline_checks_gets_one_machine(bench: Bench) -> None:
    """As before."""
    bench.recipe = recipe({"command": "make"}, checks=(FIRST,))
    prover = prover_of(bench)

    assert validate(bench, prover).why is None
    assert len(prover.orders) == 1
    times = bench.upload().value.trials[PROVIDER].times
    assert times is not None
    assert (times.offline, times.offline_said) == ((), None)


def test_what_fails_with_its_network_is_not_tried_without(bench: Bench) -> None:
    """A second machine would show nothing."""
    prover = prover_of(bench, disk=Exit(code=1, output="full"))

    assert validate(bench, prover).why is not None
    assert len(prover.orders) == 1


@pytest.mark.parametrize(
    ("failing", "said"),
    [
        ("network taken away", "its network is not gone: 198.51.100.1 can still be reached"),
        ("cache", "could not find a version that satisfies x"),
        ("network still gone", "the machine has a network again (IPv4): its rule is gone"),
    ],
)
def test_no_image_passes_whose_machine_kept_a_network_or_needs_one(
    bench: Bench, failing: str, said: str
) -> None:
    """Each counts against the image: the second time it is rejected there."""
    prover = prover_of(bench, **{failing.replace(" ", "_"): Exit(code=1, output=said)})

    ended = validate(bench, prover)

    assert ended.why == f"{failing}: offline: {failing}: {said}"
    upload = bench.upload().value
    assert upload.state is UploadState.STORED
    trial = upload.trials[PROVIDER]
    assert (trial.result, trial.failures, trial.times) == (TrialResult.OPEN, 1, None)
    assert trial.why == f"offline: {failing}: {said}"
    assert said in bench.log.text


def test_a_builder_that_stops_between_both_machines_leaves_no_word(bench: Bench) -> None:
    """Whoever goes on begins with the first: half a trial is none."""
    prover, served = prover_of(bench), []

    def give(name: str) -> None:
        served.append(name)
        if len(served) == 2:
            bench.stop = True
        else:
            bench.give(name)

    bench.serve = give
    validate(bench, prover)

    upload = bench.upload().value
    assert (upload.state, upload.owner, upload.trying) == (UploadState.STORED, None, None)
    assert upload.trials == {}
    assert len(prover.orders) == 1


def test_both_machines_avoid_the_host_of_a_failure(bench: Bench) -> None:
    """Each may be asked for twice."""
    prover, hosts = prover_of(bench), ["h1", "h2", "h1", "h3"]
    get = bench.cloud.get_server

    def seen(server: object) -> object:
        return replace(get(server), host_id=hosts.pop(0))  # type: ignore[arg-type]

    bench.cloud.get_server = seen  # type: ignore[method-assign,assignment]
    assert validate(bench, prover, avoid=("h1",)).why is None
    assert len(bench.nodes()) == 4
    assert hosts == []


def good(name: str = "x", kind: ProofStep = ProofStep.CHECK) -> StepTaken:
    """Return a step that went well."""
    return StepTaken(step=kind, name=name, seconds=1.0, ok=True)


def bad(name: str = "x", kind: ProofStep = ProofStep.CHECK, **more: bool) -> StepTaken:
    """Return a step that failed."""
    return StepTaken(step=kind, name=name, seconds=1.0, ok=False, why="no", **more)


@pytest.mark.parametrize(
    ("steps", "too_early", "expected"),
    [
        ((bad("connect", ProofStep.CONNECT),), False, Blame.MACHINE),
        ((good("login", ProofStep.LOGIN), bad()), False, Blame.MACHINE),
        ((good(), bad()), False, Blame.RECIPE),
        ((good(), good(), bad()), False, Blame.RECIPE),
        # A check of the recipe's may be called as ours are.
        ((good(), bad(offline.STILL)), False, Blame.RECIPE),
        ((good(), good(), good(), bad()), False, Blame.MACHINE),
        ((good(), bad(broken=True)), False, Blame.MACHINE),
        ((good(), bad()), True, Blame.MACHINE),
        ((), False, Blame.MACHINE),
    ],
)
def test_a_failure_is_the_recipes_only_between_both_cuts(
    steps: tuple[StepTaken, ...], *, too_early: bool, expected: Blame
) -> None:
    """Of two checks."""
    proof = Proof(ok=False, steps=steps, too_early=too_early)

    assert offline.whose(proof, 2) is expected


def test_only_the_recipes_own_checks_are_timed() -> None:
    """Taking the network away is our time."""
    proof = Proof(ok=True, steps=tuple(good(name) for name in ("a", "b", "c", "d")))

    assert offline.check_times(proof) == (("b", 1.0), ("c", 1.0))

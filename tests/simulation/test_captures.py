"""Images of jobs' machines in the simulation: one story killed after each step, and mutants."""

from collections.abc import Callable
from dataclasses import replace
from random import Random
from typing import Any, Final

import pytest

from builder.actions import Plan
from builder.build import capturing as begins
from builder.build.numbering import begin_next
from builder.machine import hand_enter
from builder.policy import ImagePolicy
from builder.view import WorldView
from launcher.capture import capturing
from launcher.capture.actions import AnswerCapture
from remuda.cloud.api import Quota
from remuda.config.capturing import CaptureRules
from remuda.model.build import Why
from remuda.model.image import ImageRecord, place_of
from tests.simulation.captors import Captor, kept
from tests.simulation.capturer import Capturer
from tests.simulation.history import ViolationError
from tests.simulation.imagesetting import Images, applied
from tests.simulation.setting import Rates, draw
from tests.simulation.simulation import Simulation

#: After this many actions the story is over for sure.
ACTIONS_MAX: Final = 300
#: Each mutant is seen within so many stories.
SEEDS_MAX: Final = 12


def stage(seed: int, **changes: Any) -> Simulation:
    """Return a calm installation with two clouds, where images are made of machines alone."""
    drawn = draw(Random("captures"), calm=True)  # noqa: S311 - reproducible, not secret
    places = {name: place_of(project=name, region="", endpoint="") for name in ("alpha", "beta")}
    images = Images(
        built={},
        places=places,
        build_s=0.0,
        command_s=0.0,
        tidy_s=1.0,
        prove_s=1.0,
        move_s=1.0,
        captured=True,
        **changes,
    )
    document = drawn.document
    for provider in document["providers"].values():
        provider["max-concurrency"] = 20
        provider["pools"]["main"] |= {"max-servers": 8, "max-cores": None}
    setting = replace(
        drawn,
        document=applied(document, images),
        images=images,
        replicas={"alpha": 1, "beta": 1},
        quotas=dict.fromkeys(drawn.quotas, Quota()),
        rates=Rates(),
        clients=0,
        chaos_s=40.0,
    )
    return Simulation(seed=seed, setting=setting)


def story(*, launcher: int | None = None, builder: int | None = None) -> Simulation:
    """Let two holders have images made; somebody dies right after its so-many-th action.

    Nothing else goes wrong, so that each of them gets an image, or hears why not.
    """
    simulation = stage(7)
    victim = simulation.start_launcher("alpha", "alpha0")
    victim.crash_at = launcher
    simulation.start_launcher("beta", "beta0")
    simulation.calm = True  # nobody but who is told to dies, or gives up
    for number in range(2):
        client = simulation.capture(number, 1.0 + number)
        client.wants |= {"provider": "alpha", "reuse": True}
    assert simulation.librarian is not None
    simulation.librarian.begin()
    assert simulation.librarian.capturer is not None
    simulation.librarian.capturer.crash_at = builder
    simulation.run_until(simulation.setting.chaos_s)
    simulation.end_storm()
    simulation.settle()
    for client in simulation.clients:
        assert client.captor.fates, f"{client.name} has heard nothing of its capture"
        assert not client.captor.fates[-1].open, client.captor.fates
    return simulation


def capturer_of(simulation: Simulation) -> Capturer:
    """Return who makes the images."""
    assert simulation.librarian is not None
    assert simulation.librarian.capturer is not None
    return simulation.librarian.capturer


def test_each_holder_gets_its_image() -> None:
    """In both clouds, one build each, in the order of their numbers."""
    simulation = story()
    assert all(kept(client.captor) for client in simulation.clients)
    assert simulation.oracle.images is not None
    rules = simulation.oracle.images.captures
    assert len(rules.begun) == len(rules.pictures) == len(rules.quieted) == 2


# Some fifty histories in one test: its limit only ends what hangs.
@pytest.mark.timeout(900)
def test_a_builder_may_die_after_any_action() -> None:
    """The next one begins anew before the machine is changed, and never after that."""
    for count in range(1, ACTIONS_MAX):
        try:
            simulation = story(builder=count)
        except ViolationError as exc:
            raise AssertionError(f"killed after action {count}: {exc}") from exc
        if capturer_of(simulation).incarnation == 1:
            break
    assert 15 < count < ACTIONS_MAX


@pytest.mark.timeout(900)
def test_a_launcher_may_die_after_any_action() -> None:
    """Whatever was answered, let in or noted last, the next launcher goes on."""
    for count in range(1, ACTIONS_MAX):
        try:
            simulation = story(launcher=count)
        except ViolationError as exc:
            raise AssertionError(f"killed after action {count}: {exc}") from exc
        if simulation.incarnations["alpha0"] == 1:
            break
    assert 15 < count < ACTIONS_MAX


# -- mutants -----------------------------------------------------------------------------------


def storms(count: int) -> None:
    """Run so many seeds: many come who have images made, rightly or not, and leave early."""
    for seed in range(count):
        storm(seed)


def storm(seed: int) -> None:
    """Run one of them, without what comes after it."""
    simulation = stage(seed, captors=4)
    for number in range(14):
        wants = {"node_types": ["small"], "provider": None, "reuse": True}
        simulation.come(2.0 * number, **wants)
    simulation.storm()


def leave_early(patch: pytest.MonkeyPatch) -> None:
    """Let holders give their nodes back whatever becomes of the images."""
    patch.setattr(Captor, "waits", property(lambda _: False))


def asks_no_lock(patch: pytest.MonkeyPatch) -> None:
    """Take whatever a node's record asks, whoever wrote that."""
    before = capturing.answer

    def answer(*words: Any) -> AnswerCapture:
        made = before(*words)
        if made.capture.refused != capturing.NOT_HELD:
            return made
        return replace(made, capture=replace(made.capture, refused=None), held=False)

    patch.setattr(capturing, "answer", answer)


def asks_no_rule(patch: pytest.MonkeyPatch) -> None:
    """Take whatever its holder asks."""
    patch.setattr(CaptureRules, "refusal", lambda *_: None)


def begins_anew(patch: pytest.MonkeyPatch) -> None:
    """Begin a build for an ask at each look."""

    def begin(view: WorldView, policy: ImagePolicy, image: ImageRecord, plan: Plan) -> None:
        for provider, launch, capture in view.captures(policy.image):
            machine, group = begins._machine(provider, launch, capture), policy.groups[0]
            begin_next(view, policy, image, plan, group=group, why=Why.CAPTURE, captured=machine)
            return

    patch.setattr(begins, "begin", begin)


def trusts_its_holder(patch: pytest.MonkeyPatch) -> None:
    """Quiet a machine without a look at whether its job has it still; and jobs leave early."""
    leave_early(patch)
    patch.setattr(hand_enter._Held, "check", lambda _: None)


def opens_to_anybody(patch: pytest.MonkeyPatch) -> None:
    """Put another key onto a machine than its builder's."""
    before = capturing.admit
    patch.setattr(
        capturing, "admit", lambda view, launch, _: before(view, launch, f"ssh-ed25519 {'B' * 68}")
    )


MUTANTS: Final[tuple[tuple[Callable[[pytest.MonkeyPatch], None], str], ...]] = (
    (asks_no_lock, "captured, which it has not"),
    (asks_no_rule, "may not capture"),
    (begins_anew, "is made of what"),
    (trusts_its_holder, "is quieted"),
    (opens_to_anybody, "nobody's key"),
)


# Its limit only ends what hangs.
@pytest.mark.timeout(600)
@pytest.mark.parametrize(("mutate", "told"), MUTANTS, ids=[one.__name__ for one, _ in MUTANTS])
def test_the_oracle_sees_what_must_not_happen(
    mutate: Callable[[pytest.MonkeyPatch], None], told: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each rule is broken by a mutant, within a few seeds."""
    mutate(monkeypatch)
    with pytest.raises(ViolationError, match=told):
        storms(SEEDS_MAX)


def test_nothing_of_that_happens_without_a_mutant(monkeypatch: pytest.MonkeyPatch) -> None:
    """Else the test above would show nothing; nor when holders leave in the middle of it."""
    storms(2)
    leave_early(monkeypatch)
    storms(2)


def test_what_was_captured_is_neither_handed_out_nor_captured_twice() -> None:
    """No mutant of a launcher comes there, for a used machine is deleted by everything else."""
    simulation = story()
    assert simulation.oracle.images is not None
    rules = simulation.oracle.images.captures
    build_id = next(iter(rules.begun.values()))
    build = simulation.oracle.images.build(build_id)
    assert build is not None
    with pytest.raises(ViolationError, match="is handed out"):
        rules.handed_out(sorted(rules.quieted))
    with pytest.raises(ViolationError, match="a second image of one ask"):
        rules.pictured(build, "another")

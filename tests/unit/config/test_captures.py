"""Images that are captured: how they are joined, what stands beside them, whom they allow."""

from collections.abc import Callable
from typing import Any, Final

import pytest

from builder.recipe.compile import compile_images
from launcher.policy import compile_policy
from remuda.config.capturing import rules_of
from remuda.config.fingerprint import fingerprint
from remuda.config.images import ImageDefaults, RecipeFrom
from remuda.config.model import Config, Label
from remuda.config.recipes import ImageRecipe, recipes
from remuda.model.capture import Captured
from remuda.model.ids import NodeId

RULE: Final = {"labels": ["small", "job-.*"], "requestors": ["ci-[0-9]+"]}
IMAGE: Final = {"capture": RULE, "flavor": "m1"}
DEFAULTS: Final = {
    "base": {"image": "noble"},
    "steps": [{"command": "a", "timeout": "1m"}],
    "schedule": {"max-age": "1d"},
    "checks": [{"dns": {"name": "a"}}],
    "secrets": {"TOKEN": {"environment": "T"}},
    "providers": {"north": {"copy-from": "south"}, "south": {"base": {"name": "x"}}},
}
#: Says what `config check` finds in a file that holds these lines below an image, and after it.
Says = Callable[..., list[str]]


def joined(**image: Any) -> ImageRecipe:
    """Return the recipe with the defaults."""
    made = recipes(
        {"oneiric": RecipeFrom.model_validate({**IMAGE, **image})},
        ImageDefaults.model_validate(DEFAULTS),
        ("north", "south"),
    )
    return made["oneiric"]


def test_what_recipes_have_does_not_count_for_a_captured_image() -> None:
    """Whatever all images have: it starts from nothing, and nothing is done for it."""
    made = joined()
    assert (made.steps, made.schedule) == ((), None)
    assert {name: (one.base, one.copy_from) for name, one in made.makings.items()} == {
        "north": (None, None),
        "south": (None, None),
    }
    assert len(made.checks) == 1
    assert made.needed_secrets == ()  # a job could read them: it owns the machine


def test_a_job_is_told_the_images_own_secrets_alone() -> None:
    """They are looked for on its machine; whoever writes them there is warned."""
    own = {"secrets": {"SEEN": {"environment": "SEEN"}}}
    made = recipes(
        {"oneiric": RecipeFrom.model_validate({**IMAGE, **own})},
        ImageDefaults.model_validate(DEFAULTS),
        ("north", "south"),
    )
    assert made["oneiric"].needed_secrets == ("SEEN",)


def test_a_recipe_needs_the_secrets_that_its_steps_name() -> None:
    """No others."""
    made = recipes(
        {"noble": RecipeFrom.model_validate({"flavor": "m1", "base": "x"})},
        ImageDefaults.model_validate({"secrets": DEFAULTS["secrets"]}),
        ("north",),
    )
    assert made["noble"].needed_secrets == ()


def test_a_captured_image_is_for_all_providers_that_nobody_left_out() -> None:
    """Its parent, which it has not, does not say where."""
    made = recipes(
        {
            "oneiric": RecipeFrom.model_validate(IMAGE),
            "noble": RecipeFrom.model_validate(
                {"flavor": "m1", "base": "x", "providers": {"north": {}}}
            ),
        },
        ImageDefaults.model_validate({"base": {"image": "noble"}}),
        ("north", "south"),
    )
    assert set(made["oneiric"].makings) == {"north", "south"}


def test_other_checks_make_it_no_other_image() -> None:
    """Nobody has to capture it again for them."""
    prints = {
        fingerprint(joined(), "north", {}),
        fingerprint(joined(), "south", {}),
        fingerprint(joined(checks=[{"dns": {"name": "b"}}], username="u"), "north", {}),
    }
    assert len(prints) == 1


def machine(**changes: str) -> Captured:
    """Return a machine of which an image is asked."""
    fields = {"provider": "north", "pool": "main", "label": "small", "requestor": "ci-7"}
    return Captured(node=NodeId("1"), token="t", **{**fields, **changes})


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({}, None),
        ({"label": "job-1"}, None),
        ({"label": "smaller"}, "label smaller is none of those of which oneiric may be captured"),
        ({"requestor": "ci-x"}, "ci-x is none of those who may capture oneiric"),
        ({"requestor": ""}, "nobody is none of those who may capture oneiric"),
        ({"provider": "west"}, "oneiric is not for provider west"),
        ({"label": "job-s"}, "no image is captured of label job-s: its jobs work with secrets"),
    ],
)
def test_who_may_capture_what(changes: dict[str, str], why: str | None) -> None:
    """Names as a whole; a secret label never."""
    rules = rules_of({"oneiric": joined()}, {"job-s": Label(secret=True), "small": Label()})
    assert rules.refusal("oneiric", machine(**changes)) == why
    assert rules.refusal("none", machine()) == "there is no image 'none' in the configuration"


DOC: Final[dict[str, Any]] = {
    "labels": {"small": {}, "vault": {"secret": True}},
    "providers": {
        name: {
            "cloud": name,
            "pools": {"main": {"labels": {"small": {"image": "x", "flavor": "m1"}}}},
        }
        for name in ("north", "south")
    },
    "images": {"oneiric": {"capture": {**RULE, "labels": [".*"]}, "flavor": {"name": "m1"}}},
}


def test_a_builder_makes_it_anywhere_and_copies_it_to_the_rest() -> None:
    """One group, in which each may be where the machine is."""
    made = compile_images(Config.model_validate(DOC), lambda _: [])
    policy = made.policies["oneiric"]
    assert policy.groups == (("north", "south"),)
    assert (policy.copies, policy.parent) == (frozenset(), None)
    assert policy.capture_refusal is not None
    assert policy.capture_refusal(machine()) is None
    assert "work with secrets" in str(policy.capture_refusal(machine(label="vault")))


def test_a_launcher_knows_the_same_rules_and_makes_no_build_machine() -> None:
    """Only those that prove it."""
    policy = compile_policy(Config.model_validate(DOC), "north")
    assert policy.captures.refusal("oneiric", machine()) is None
    assert {label for _, label in policy.making} == {"small", "prove/oneiric"}


TEXT: Final = """\
labels: {small: , vault: {secret: true}}
providers:
  north:
    cloud: north
    pools:
      main:
        labels: {small: {image: {built: oneiric}, flavor: a}, vault: {image: a, flavor: a}}
images:
  oneiric:
    flavor: a
"""


@pytest.fixture
def tells(told: Says) -> Says:
    """Return what is found with these lines behind the image."""
    return lambda more: told(more, TEXT)


def test_a_captured_image_needs_neither_base_nor_steps(tells: Says) -> None:
    """And its secrets are looked for, though no step names them."""
    assert tells("    capture: {labels: [small], requestors: [ci]}\n") == []
    assert (
        tells(
            "    capture: {labels: [small], requestors: [ci]}\n"
            "    secrets: {T: {environment: T}}\n"
            "    freshness: 1h\n"
            "image-defaults: {schedule: {max-age: 1d}, secrets: {U: {environment: U}}}\n"
        )
        == []
    )


@pytest.mark.parametrize(
    ("key", "why"),
    [
        ("base: a", "base: stands beside capture: it starts from what the captured machine boots"),
        ("steps: [{command: a, timeout: 1m}]", "steps: stands beside capture: what is done on"),
        ("schedule: {max-age: 1d}", "schedule: stands beside capture: it is made when a holder"),
        ("default-steps: false", "default-steps: stands beside capture: it has no steps"),
        (
            "providers: {north: {copy-from: north}}",
            "providers.north.copy-from: stands beside capture: it is copied from wherever",
        ),
    ],
)
def test_what_only_a_recipe_has_is_refused_beside_it(tells: Says, key: str, why: str) -> None:
    """With what to do."""
    (found,) = tells(f"    capture: {{labels: [small], requestors: [ci]}}\n    {key}\n")
    assert found.startswith(f"images.oneiric.{why}")
    assert found.endswith(", or capture")


def test_labels_that_nobody_can_mean_are_told(tells: Says, warned: Says) -> None:
    """Those that are secret, and those that are not there."""
    (found,) = tells("    capture: {labels: [vault, '.*'], requestors: [ci]}\n")
    assert "images.oneiric.capture.labels[0]: means only vault" in found
    misspelled = "    capture: {labels: [smal], requestors: [ci]}\n"
    assert "images.oneiric.capture.labels[0]: no label is called so: nothing is captured by it" in (
        warned(misspelled, TEXT)
    )
    (found,) = tells("    capture: {labels: ['(', small], requestors: [ci]}\n")
    assert "images.oneiric.capture.labels[0]" in found
    assert len(tells("    capture: {labels: ['(a+)+', small], requestors: [ci]}\n")) == 1
    assert len(tells("    capture: {labels: 7, requestors: [ci]}\n")) == 1
    assert len(tells("    capture: {labels: [], requestors: []}\n")) == 2


def test_who_lets_jobs_see_secrets_is_warned(warned: Says) -> None:
    """A job owns its machine, and all that is to be looked for there is told to it."""
    more = "    capture: {labels: [small], requestors: [ci]}\n    secrets: {T: {environment: T}}\n"
    assert any(
        one.startswith("images.oneiric.secrets: their values are told to machines of jobs")
        for one in warned(more, TEXT)
    )

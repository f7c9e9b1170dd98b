"""How a recipe and the defaults of all are joined."""

from collections.abc import Mapping
from typing import Any

from remuda.config.images import ImageDefaults, RecipeFrom
from remuda.config.recipes import ImageRecipe, ProviderMaking, recipes


def _joined(defaults: Mapping[str, Any], **images: Mapping[str, Any]) -> Mapping[str, ImageRecipe]:
    return recipes(
        {name: RecipeFrom.model_validate(image) for name, image in images.items()},
        ImageDefaults.model_validate(defaults),
        ("north", "south"),
    )


def _step(command: str) -> Mapping[str, Any]:
    return {"command": command, "timeout": "1m"}


def _check(name: str) -> Mapping[str, Any]:
    return {"dns": {"name": name}}


BARE: Mapping[str, Any] = {"base": "noble", "flavor": "m1"}


def test_steps_and_checks_of_all_come_first() -> None:
    """In their order."""
    made = _joined(
        {
            "steps": [_step("a"), _step("b")],
            "checks": [_check("a")],
            "checks-before": [_check("b")],
        },
        one={
            **BARE,
            "steps": [_step("c")],
            "checks": [_check("c")],
            "checks-before": [_check("d")],
        },
    )["one"]

    assert [step.command for step in made.steps] == ["a", "b", "c"]
    assert [check.dns.name for check in made.checks if check.dns] == ["a", "c"]
    assert [check.dns.name for check in made.checks_before if check.dns] == ["b", "d"]


def test_a_recipe_can_do_without_the_steps_of_all_but_not_without_their_checks() -> None:
    """What all must pass, all must pass."""
    made = _joined(
        {"steps": [_step("a")], "checks": [_check("a")]}, one={**BARE, "default-steps": False}
    )["one"]

    assert made.steps == ()
    assert len(made.checks) == 1


def test_variables_and_secrets_are_joined_name_by_name() -> None:
    """Those of the recipe win."""
    made = _joined(
        {
            "environment": {"A": "1", "B": "1"},
            "secrets": {"S": {"environment": "A"}, "T": {"environment": "B"}},
        },
        one={**BARE, "environment": {"B": "2"}, "secrets": {"T": {"environment": "C"}}},
    )["one"]

    assert made.environment == {"A": "1", "B": "2"}
    assert {name: secret.environment for name, secret in made.secrets.items()} == {
        "S": "A",
        "T": "C",
    }


def test_all_else_is_replaced_as_a_whole() -> None:
    """A null takes away; what a recipe does not name is that of all."""
    defaults = {
        "schedule": {"cron": "0 3 * * *", "jitter": "1h"},
        "rollout-window": {"opens": "0 22 * * *", "lasts": "8h"},
        "keep": 5,
        "freshness": "3d",
        "paused": True,
    }
    kept, changed = _joined(
        defaults,
        kept=BARE,
        changed={**BARE, "schedule": {"max-age": "1d"}, "freshness": None, "paused": False},
    ).values()

    assert kept.schedule is not None
    assert (kept.schedule.cron, kept.keep, kept.freshness_s) == ("0 3 * * *", 5, 3 * 86_400)
    assert kept.paused
    assert changed.schedule is not None
    assert (changed.schedule.cron, changed.schedule.jitter) == (None, 900.0)
    assert (changed.keep, changed.freshness_s, changed.paused) == (5, None, False)
    assert changed.rollout_window is not None


def _told(making: ProviderMaking) -> tuple[str | None, str | None, str, str | None, str | None]:
    return (
        making.base.name,
        making.flavor.name,
        making.username,
        making.pool,
        making.copy_from,
    )


def test_who_said_it_first() -> None:
    """The recipe for a provider, the recipe, the defaults for the provider, the defaults."""
    defaults = {
        "base": "base-4",
        "flavor": "flavor-4",
        "username": "user-4",
        "providers": {
            "north": {"base": "base-3", "flavor": "flavor-3", "username": "user-3"},
            "south": {"pool": "main", "copy-from": "north"},
        },
    }
    image = {"base": "base-2", "flavor": "flavor-2", "providers": {"north": {"base": "base-1"}}}
    own, rest, here = _joined(
        defaults,
        own=image,
        rest={},
        here={"providers": {"south": {"copy-from": None}}},
    ).values()

    assert {key: _told(one) for key, one in own.makings.items()} == {
        "north": ("base-1", "flavor-2", "user-3", None, None)
    }
    assert {key: _told(one) for key, one in rest.makings.items()} == {
        "north": ("base-3", "flavor-3", "user-3", None, None),
        "south": ("base-4", "flavor-4", "user-4", "main", "north"),
    }
    assert {key: _told(one) for key, one in here.makings.items()} == {
        "south": ("base-4", "flavor-4", "user-4", "main", None)
    }


def test_an_image_is_made_wherever_it_can_be() -> None:
    """In all providers, or where its parent is."""
    made = _joined(
        {"flavor": "m1"},
        everywhere={"base": "noble"},
        parent={"base": "noble", "providers": {"south": None}},
        child={"base": {"image": "parent"}},
        grandchild={"base": {"image": "child"}},
        listed={"base": {"image": "parent"}, "providers": {"north": None}},
    )

    assert {name: list(one.makings) for name, one in made.items()} == {
        "everywhere": ["north", "south"],
        "parent": ["south"],
        "child": ["south"],
        "grandchild": ["south"],
        "listed": ["north"],
    }
    assert made["everywhere"].makings["north"].username == "root"

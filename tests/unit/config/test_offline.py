"""Recipes that are tried without a network: what the file may say, and what it is told."""

from typing import Any

import pytest

from remuda.config.fingerprint import fingerprint
from remuda.config.images import ImageDefaults, RecipeFrom
from remuda.config.recipes import recipes
from remuda.redaction import redact_text
from tests.support.recipes import Says

CHECK = {"name": "cache", "script": {"inline": "test -d /var/cache/big.git"}}
STEPS = [{"command": "make", "timeout": "1m"}]


def image(**more: Any) -> dict[str, Any]:
    """Return a recipe."""
    return {"base": "debian-12", "flavor": "m1.small", "steps": STEPS, **more}


def read(images: dict[str, Any], defaults: dict[str, Any] | None = None) -> Any:
    """Return the recipes, without the checks of a whole file."""
    found = {name: RecipeFrom.model_validate(one) for name, one in images.items()}
    return recipes(found, ImageDefaults.model_validate(defaults or {}), ["p"])


def test_checks_of_all_images_come_first_where_they_are_wanted() -> None:
    """An image that is not tried so has none, whatever is written for all."""
    other = {"name": "own", "script": {"inline": "true"}}
    found = read(
        {
            "a": image(offline=True, **{"offline-checks": [other]}),
            "b": image(),
            "c": image(offline=True),
        },
        {"offline-checks": [CHECK]},
    )
    names = {name: [one.name for one in each.offline_checks] for name, each in found.items()}
    assert names == {"a": ["cache", "own"], "b": [], "c": ["cache"]}


def test_said_for_all_images_one_may_leave_it_out() -> None:
    """As with any other key."""
    defaults = {"offline": True, "offline-checks": [CHECK]}
    found = read({"a": image(), "b": image(offline=False)}, defaults)
    assert [len(found[name].offline_checks) for name in "ab"] == [1, 0]


def test_a_build_that_was_not_tried_so_is_not_of_the_recipe() -> None:
    """It is built anew; recipes without such checks keep their hash."""
    before, off, on = (
        read({"a": image(**more)})["a"]
        for more in (
            {},
            {"offline-checks": [CHECK]},
            {"offline": True, "offline-checks": [CHECK]},
        )
    )
    prints = [fingerprint(one, "p", {}) for one in (before, off, on)]
    assert prints[0] == prints[1] != prints[2]
    changed = {**CHECK, "script": {"inline": "true"}}
    again = read({"a": image(offline=True, **{"offline-checks": [changed]})})["a"]
    assert fingerprint(again, "p", {}) != prints[2]


HINT = "write offline-checks, as a job would use what is in the image, or leave out offline"
LIST = "    offline-checks: [{name: a, script: {inline: 'true'}}]\n"
IDLE = "are never run: 'noble' is not 'offline: true'"


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        (
            "    offline: true\n",
            [
                (
                    "images.noble.offline: is tried without a network, and nothing says what has "
                    f"to work there; {HINT}"
                )
            ],
        ),
        ("    offline: true\n    offline-checks: []\n", 1),
        ("image-defaults: {offline: true}\n", 1),
        ("    offline: true\n" + LIST, []),
        ("    offline: false\n", []),
        (LIST + "image-defaults: {offline: true}\n", []),
        (
            "    offline: true\nimage-defaults: {offline-checks: [{dns: {name: localhost}}]}\n",
            [],
        ),
        # One that is misspelled is there.
        ("    offline: true\n    offline-check: [{dns: {name: localhost}}]\n", 1),
    ],
)
def test_what_is_tried_offline_says_what_has_to_work(
    told: Says, more: str, expected: list[str] | int
) -> None:
    """A machine that is booted for nothing proves nothing."""
    found = told(more)
    assert found == expected if isinstance(expected, list) else len(found) == expected


@pytest.mark.parametrize(
    ("host", "fine"),
    [
        ("mirror.example.org", False),
        ("192.0.2.7", False),
        ("localhost", True),
        ("127.0.0.53", True),
        ("'::1'", True),
    ],
)
def test_what_no_machine_without_a_network_can_pass(told: Says, host: str, *, fine: bool) -> None:
    """It can reach itself only."""
    check = f"[{{network: {{host: {host}, port: 80}}}}]"
    found = told(f"    offline: true\n    offline-checks: {check}\n")
    place = "images.noble.offline-checks[0].network: never passes: nothing of"
    assert bool(found) != fine
    assert all(one.startswith(place) for one in found)
    assert [redact_text(one) for one in found] == found  # no word of it looks like a secret


def test_checks_that_never_run_are_told_of(warned: Says) -> None:
    """Of one image, and of all."""
    assert warned(LIST) == [f"images.noble.offline-checks: {IDLE}"]
    assert warned(f"image-defaults:\n{LIST[2:]}") == [
        "image-defaults.offline-checks: are never run: no image is 'offline: true'"
    ]
    found = warned(
        "    offline: true\n    offline-checks: [{dns: {name: git.example.org}}]\n",
    )
    assert found == [
        (
            "images.noble.offline-checks[0].dns: asks no name server: 'git.example.org' must stand "
            "in /etc/hosts of the image"
        )
    ]

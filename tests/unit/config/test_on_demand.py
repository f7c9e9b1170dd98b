"""Images that are made on first use: how they are joined, and what cannot stand beside that."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import pytest

from remuda.config.images import ImageDefaults, RecipeFrom
from remuda.config.loader import Reading, read
from remuda.config.recipes import ImageRecipe, recipes
from tests.support.recipes import LABELS, Says

#: The image of the tests, made on first use, in a provider that can log in.
GOOD: Final = LABELS.replace("cloud: north\n", "cloud: north\n    ssh-key-file: node-key\n")
ON_DEMAND: Final = "    build: on-demand\n    ttl: 24h\n"


def joined(**image: Any) -> ImageRecipe:
    """Return a recipe with what is said for all images."""
    defaults = {
        "base": "noble",
        "flavor": "m1",
        "schedule": {"max-age": "1d"},
        "canary": {},
        "freshness": "2d",
        "start-from": "current",
        "rollout-window": {"opens": "0 8 * * *", "lasts": "1h"},
        "keep": 3,
    }
    made = recipes(
        {"a": RecipeFrom.model_validate(image)},
        ImageDefaults.model_validate(defaults),
        ("north",),
    )
    return made["a"]


def test_what_is_said_of_all_images_does_not_count_where_it_makes_no_sense() -> None:
    """It is made when it is used; what else is said does count."""
    made = joined(build="on-demand", ttl="24h")
    assert (made.schedule, made.canary, made.rollout_window) == (None, None, None)
    assert (made.freshness_s, made.start_from, made.ttl_s) == (None, "base", 86400.0)
    assert made.keep == 3
    assert made.on_demand_in("north")
    assert not made.on_demand_in("south")

    ahead = joined()
    assert ahead.schedule is not None
    assert (ahead.start_from, ahead.ttl_s) == ("current", None)
    assert not ahead.on_demand_in("north")


def test_a_good_one_has_no_problems(told: Says) -> None:
    """With its time to live, and a key to log in with."""
    assert told(ON_DEMAND, GOOD) == []


#: What is said of all images has a step that knows a secret.
SECRETIVE: Final = """\
image-defaults:
  secrets: {T: {environment: T}}
  steps: [{command: a, timeout: 1m, secrets: [T]}]
"""
PROBLEMS: Final = [
    ("    ttl: 24h\n", "images.noble.ttl: only an image that is made on first use goes"),
    ("    build: on-demand\n", "images.noble: is made on first use, and does not say when it goes"),
    (
        "    build: on-demand\n    ttl: 30m\n",
        "images.noble.ttl: is over before it is made: its steps may take 15m with their retries,",
    ),
    (
        (
            "    build: on-demand\n    ttl: 32m\n    offline: true\n"
            "    checks: [{disk: {free: 1GiB}, timeout: 1m}]\n"
            "    offline-checks: [{disk: {free: 1GiB}}]\n"
            "image-defaults: {checks-before: [{disk: {free: 1GiB}, timeout: 30s}]}\n"
        ),
        "images.noble.ttl: is over before it is made: its steps may take 15m with their retries,",
    ),
    (
        f"{ON_DEMAND}    schedule: {{max-age: 1d}}\n",
        "images.noble.schedule: stands beside build: on-demand",
    ),
    (f"{ON_DEMAND}    canary: {{share: 10%}}\n", "images.noble.canary: stands beside build"),
    (f"{ON_DEMAND}    freshness: 2d\n", "images.noble.freshness: stands beside build"),
    (f"{ON_DEMAND}    start-from: current\n", "images.noble.start-from: stands beside build"),
    (f"{ON_DEMAND}    full-every: 3\n", "images.noble.full-every: stands beside build"),
    (
        f"{ON_DEMAND}    rollout-window: {{opens: 0 8 * * *, lasts: 1h}}\n",
        "images.noble.rollout-window: stands beside build",
    ),
    (
        f"{ON_DEMAND}    capture: {{labels: [x], requestors: [y]}}\n",
        "images.noble.capture: stands beside build: on-demand",
    ),
    (
        ON_DEMAND + SECRETIVE,
        "image-defaults.steps[0].secrets: the steps of 'noble' run on machines of jobs",
    ),
    (
        f"{ON_DEMAND}  child: {{base: {{image: noble}}, flavor: m1.small}}\n",
        "images.child.base.image: 'noble' is made on first use, and is not there",
    ),
    (
        f"{ON_DEMAND}    username: debian\n",
        "providers.north.pools.main.labels.small.username: is 'root', but the steps of 'noble'",
    ),
    (
        f"{ON_DEMAND}    connection-port: 2222\n",
        "providers.north.pools.main.labels.small.connection-port: is 22, but the steps of 'noble'",
    ),
]


@pytest.mark.parametrize(("more", "said"), PROBLEMS)
def test_what_contradicts_it_is_a_problem(more: str, said: str, told: Says) -> None:
    """With its place, and what to write instead."""
    found = told(more, GOOD)
    assert any(line.startswith(said) for line in found), found


def test_a_word_that_nobody_knows_is_told_once(told: Says) -> None:
    """It may have been meant to be on-demand: what stands with that is no mistake then."""
    (line,) = told("    build: ondemand\n    ttl: 24h\n", GOOD)
    assert line.startswith("images.noble.build: 'ondemand' is not one of the known words")


def test_a_step_of_all_images_counts_only_where_it_is_taken(told: Says) -> None:
    """Without the default steps none of their secrets is known to a job."""
    assert told(f"{ON_DEMAND}    default-steps: false\n{SECRETIVE}", GOOD) == []


def test_who_runs_the_steps_logs_in(told: Says) -> None:
    """With a key, and over SSH."""
    (line,) = told(ON_DEMAND)
    assert line.startswith("providers.north: has no ssh-key-file, but its machines run the")
    flat = GOOD.replace(
        "flavor: m1.small}\n", "flavor: m1.small, connection-type: network_cli}\n", 1
    )
    (line,) = told(ON_DEMAND, flat)
    assert "connection-type: nobody logs in" in line


TWIN: Final = """\
  twin:
    base: {name: ubuntu-noble}
    flavor: {ram: 8GiB}
    steps:
      - {name: other, command: apt-get update, timeout: 6m, as-root: true}
    build: on-demand
    ttl: 2d
"""


def test_two_that_are_made_from_the_very_same_are_a_problem(told: Says) -> None:
    """Names of steps, limits and flavors make no other image."""
    (line,) = told(ON_DEMAND + TWIN, GOOD)
    assert line == (
        "images.twin: is made from the very same as 'noble', and each would be made for itself; "
        "keep one of them, and let the labels of both name it: {built: noble}"
    )
    assert told(ON_DEMAND + TWIN.replace("update", "upgrade"), GOOD) == []
    assert told(ON_DEMAND + TWIN.replace("build: on-demand\n    ttl: 2d", "keep: 3"), GOOD) == []


@pytest.fixture
def copying(tmp_path: Path) -> Callable[..., Reading]:
    """A function that reads a configuration with a step that copies, for a provider's launcher."""

    def reader(more: str, provider: str | None) -> Reading:
        (tmp_path / "node-key").touch(mode=0o600)
        steps = GOOD.replace(
            "    steps:\n", "    steps:\n      - {copy: {from: it, to: /x}, timeout: 5s}\n"
        )
        path = tmp_path / "config.yaml"
        path.write_text(steps + more)
        return read(path, environ={}, provider=provider)

    return reader


def test_files_that_its_steps_copy_are_needed_by_launchers(
    copying: Callable[..., Reading], tmp_path: Path
) -> None:
    """Of that provider; of an image that is built ahead builders alone need them."""
    assert copying("", "north").problems == ()
    assert [one.path for one in copying(ON_DEMAND, "north").problems] == [
        "images.noble.steps[0].copy.from"
    ]
    assert copying(
        ON_DEMAND.replace("\n", "\n", 1) + "    providers: {south: }\n", "north"
    ).problems
    (tmp_path / "it").mkdir()
    (tmp_path / "it" / "a").write_text("one")
    before = copying(ON_DEMAND, "north")
    assert before.problems == ()
    (tmp_path / "it" / "a").write_text("two")
    assert copying(ON_DEMAND, "north").digest != before.digest, "a change is noticed"
    assert str(tmp_path / "it" / "a") in before.files
    assert str(tmp_path / "it" / "a") not in copying("", "north").files


def test_files_of_all_images_steps_are_needed_as_well(tmp_path: Path) -> None:
    """If its recipe takes these steps."""
    (tmp_path / "node-key").touch(mode=0o600)
    more = "image-defaults:\n  steps: [{copy: {from: it, to: /x}, timeout: 5s}]\n"
    path = tmp_path / "config.yaml"
    for own, needed in (("", True), ("    default-steps: false\n", False)):
        path.write_text(GOOD + ON_DEMAND + own + more)
        assert bool(read(path, environ={}, provider="north").problems) is needed


#: A step of the image, or a check of all images, with a script that is on no host of the tests.
UNREAD: Final = {
    "step": ("      - {script: {file: it.sh}, timeout: 5s}\n", ""),
    "checks": ("", "image-defaults:\n  checks: [{script: {file: it.sh}}]\n"),
    "checks-before": ("", "image-defaults:\n  checks-before: [{script: {file: it.sh}}]\n"),
    "offline-checks": (
        "",
        "image-defaults:\n  offline: true\n  offline-checks: [{script: {file: it.sh}}]\n",
    ),
}


@pytest.mark.parametrize("where", UNREAD)
def test_a_script_is_missed_by_those_who_run_or_compare_the_recipe(
    where: str, tmp_path: Path
) -> None:
    """Launchers of other providers are warned at most, and look for twins among the others."""
    (tmp_path / "node-key").touch(mode=0o600)
    step, more = UNREAD[where]
    path = tmp_path / "config.yaml"
    path.write_text(
        GOOD.replace("    steps:\n", f"    steps:\n{step}")
        + ON_DEMAND
        + "    providers: {north: }\n"
        + more
    )
    missed = read(path, environ={}, provider="north")
    assert [one.path.endswith("script.file") for one in missed.problems] == [True]
    others = read(path, environ={}, provider="south")
    assert others.problems == ()
    assert [one.path.endswith("script.file") for one in others.warnings] == [True]


def test_offline_checks_of_all_images_are_not_needed_where_nothing_is_tried_so(
    tmp_path: Path,
) -> None:
    """They are no part of such a recipe."""
    (tmp_path / "node-key").touch(mode=0o600)
    path = tmp_path / "config.yaml"
    path.write_text(GOOD + ON_DEMAND + UNREAD["offline-checks"][1].replace("true", "false"))
    assert read(path, environ={}, provider="north").problems == ()

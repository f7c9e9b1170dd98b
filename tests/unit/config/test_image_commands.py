"""Images that a command writes: how they are joined, and what cannot stand beside `command`."""

from pathlib import Path
from typing import Any, Final

import pytest

from launcher.policy import compile_policy
from remuda.config.fingerprint import copied_paths, fingerprint
from remuda.config.images import ImageDefaults, RecipeFrom
from remuda.config.model import Config
from remuda.config.recipes import ImageRecipe, recipes
from tests.support.recipes import Says

IMAGE: Final = {"command": {"run": "make"}, "flavor": "m1"}
DEFAULTS: Final = {
    "base": {"image": "noble"},
    "steps": [{"command": "a", "timeout": "1m"}],
    "checks-before": [{"dns": {"name": "b"}}],
    "checks": [{"dns": {"name": "a"}}],
    "start-from": "current",
    "schedule": {"max-age": "1d"},
    "environment": {"http_proxy": "p", "A": "0"},
    "secrets": {"TOKEN": {"environment": "T"}, "OTHER": {"environment": "O"}},
    "providers": {"north": {"copy-from": "south"}, "south": {"base": {"name": "x"}}},
}
IN_FILE: Final = """\
  tiny:
    flavor: m1.small
"""


def joined(**image: Any) -> ImageRecipe:
    """Return the recipe with the defaults."""
    made = recipes(
        {"tiny": RecipeFrom.model_validate({**IMAGE, **image})},
        ImageDefaults.model_validate(DEFAULTS),
        ("north", "south"),
    )
    return made["tiny"]


def test_what_machines_are_filled_by_does_not_count() -> None:
    """Whatever all images have; when it is made, and how it is tried, does."""
    made = joined()
    assert (made.steps, made.checks_before, made.start_from) == ((), (), "base")
    assert (len(made.checks), made.schedule is not None) == (1, True)
    assert {one.base or one.copy_from for one in made.makings.values()} == {None}
    assert set(made.makings) == {"north", "south"}


def test_a_command_has_its_own_variables_and_the_secrets_that_it_names() -> None:
    """Its own before those of the recipe, and these before those of all."""
    made = joined(
        command={"run": "make", "environment": {"A": "2"}, "secrets": ["TOKEN", "TOKEN"]},
        environment={"A": "1", "B": "1"},
    )
    assert made.environment == {"http_proxy": "p", "A": "2", "B": "1"}
    assert made.needed_secrets == ("TOKEN",)


def test_what_is_hashed_is_what_goes_in() -> None:
    """Of what it reads the contents, wherever they lie."""
    made = joined(command={"run": "make", "reads": [{"path": "/b"}, {"path": "/a"}]})
    assert copied_paths(made) == ("/a", "/b")
    one = fingerprint(made, "north", {"/a": (), "/b": ()})
    assert fingerprint(made, "south", {"/a": (), "/b": ()}) == one
    assert fingerprint(joined(), "north", {}) != one


def test_how_it_is_proven_is_hashed() -> None:
    """Who logs in, in any provider, and what must pass without a network."""
    prints = {
        fingerprint(joined(**more), "north", {})
        for more in (
            {},
            {"username": "debian"},
            {"providers": {"north": None, "south": {"username": "debian"}}},
            {"offline": True, "offline-checks": [{"disk": {"free": "1GiB"}}]},
            {"offline": True, "offline-checks": [{"disk": {"free": "2GiB"}}]},
        )
    }
    assert len(prints) == 5


def test_launchers_prove_it_and_fill_no_machine_for_it() -> None:
    """Nobody could ask for one."""
    pool = {"labels": {"small": {"image": "debian", "flavor": "m1"}}}
    config = Config.model_validate(
        {
            "labels": {"small": {}},
            "providers": {"p": {"cloud": "p", "pools": {"main": pool}}},
            "images": {"tiny": {**IMAGE, "command": {"run": "make"}}},
        }
    )
    labels = {label for _, label in compile_policy(config, "p").making}
    assert labels == {"small", "prove/tiny"}


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ("base: debian", "stands beside command: the command starts from what it likes"),
        ("steps: [{command: a, timeout: 1m}]", "no machine is filled for it"),
        ("checks-before: [{dns: {name: a}}]", "no machine is filled for it"),
        ("start-from: current", "leave out start-from, or command"),
        ("inventory: sizes", "nobody lists"),
        ("capture: {labels: [small], requestors: [a]}", "leave out capture, or command"),
        ("providers: {north: {copy-from: north}}", "leave out copy-from, or command"),
    ],
)
def test_what_cannot_stand_beside_a_command(told: Says, lines: str, said: str) -> None:
    """With its place, and what to leave out."""
    found = told(f"{IN_FILE}    command: {{run: make}}\n    {lines}\n")
    assert any(said in line for line in found), found


@pytest.mark.parametrize(
    ("command", "said"),
    [
        ("{}", "images.tiny.command"),
        ("{run: a, script: {inline: b}}", "images.tiny.command"),
        ("{run: a, disk-format: vmdk}", "images.tiny.command.disk-format"),
        ("{run: a, max-size: 2048TiB}", "images.tiny.command.max-size"),
        ("{run: a, timeout: 0}", "images.tiny.command.timeout"),
        ("{run: a, timeout: 25h}", "images.tiny.command.timeout"),
        ("{script: {file: none.sh}}", "images.tiny.command.script.file"),
        ("{run: a, secrets: [NONE]}", "no such secret"),
        ("{run: a, environment: {REMUDA_OUTPUT: b}}", "names that begin with REMUDA_ are ours"),
        ("{run: a, properties: {remuda_image: b}}", "none of those that Nova heeds"),
        ("{run: a, properties: {os_hidden: b}}", "none of those that Nova heeds"),
        ('{run: a, properties: {os_type: "a\tb"}}', "images.tiny.command.properties"),
        (f"{{run: a, properties: {{os_type: {'x' * 256}}}}}", "at most 255 bytes"),
    ],
)
def test_what_is_wrong_in_a_command(told: Says, command: str, said: str) -> None:
    """With its place."""
    found = told(f"{IN_FILE}    command: {command}\n")
    assert any(said in line for line in found), found


def test_a_machine_that_proves_it_has_to_have_room(told: Says) -> None:
    """Else no candidate could boot."""
    small = IN_FILE.replace("m1.small", "{disk: 2GiB, ram: 256MiB}")
    found = told(f"{small}    command: {{run: a, min-disk: 4GiB, min-ram: 512MiB}}\n")
    assert len(found) == 2
    assert "images.tiny.flavor.disk: is 2GiB, and the image needs 4GiB by its command" in found[0]


def test_an_image_without_flavor_says_so(told: Says) -> None:
    """It needs no base, and a machine to be proven on."""
    found = told("  tiny:\n    command: {run: a}\n")
    assert (
        [line for line in found if "tiny" in line]
        == [line for line in found if "needs flavor" in line]
        != []
    )


def test_a_variable_that_looks_like_a_secret_is_warned_of(warned: Says) -> None:
    """Everybody who reads the file would know it."""
    found = warned(f"{IN_FILE}    command: {{run: a, environment: {{API_TOKEN: b}}}}\n")
    assert any("images.tiny.command.environment.API_TOKEN" in line for line in found), found


def test_what_it_reads_is_looked_up(told: Says, tmp_path: Path) -> None:
    """Relative to the configuration."""
    (tmp_path / "there").touch()
    lines = f"{IN_FILE}    command: {{run: a, reads: [{{path: there}}, {{path: away}}]}}\n"
    found = told(lines)
    assert len(found) == 1
    assert "images.tiny.command.reads[1].path" in found[0]

"""What changes the fingerprint of a recipe, and what does not."""

from collections.abc import Callable, Mapping
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from remuda.config.fingerprint import copied_paths, fingerprint
from remuda.config.images import ImageDefaults, RecipeFrom
from remuda.config.recipes import recipes
from remuda.config.trees import TreeEntry

RECIPE: Final[Mapping[str, Any]] = {
    "base": "ubuntu-noble",
    "flavor": {"ram": "4GiB"},
    "environment": {"A": "1", "B": "2"},
    "secrets": {"TOKEN": {"environment": "CI_TOKEN"}, "OTHER": {"environment": "OTHER"}},
    "steps": [
        {
            "name": "fetch",
            "script": {"inline": "echo hi\n", "arguments": ["a", "b"], "environment": {"C": "3"}},
            "timeout": "5m",
            "secrets": ["TOKEN"],
        },
        {"copy": {"from": "/tree", "to": "/opt/tree"}, "timeout": "1m"},
        {"packages": ["git", "make"], "timeout": "1m"},
        {"command": "true", "timeout": "1m"},
    ],
    "checks-before": [{"disk": {"free": "1GiB"}}],
    "checks": [{"script": {"inline": "true\n"}}],
}
TREE: Final = (
    TreeEntry(path="", mode=0o40755),
    TreeEntry(path="a", mode=0o100644, size=1, content="aa"),
    TreeEntry(path="b", mode=0o120000, content="a"),
)


def _made(recipe: Mapping[str, Any], tree: tuple[TreeEntry, ...] = TREE) -> str:
    (made,) = recipes(
        {"noble": RecipeFrom.model_validate(recipe)}, ImageDefaults(), ["north"]
    ).values()
    return fingerprint(made, "north", dict.fromkeys(copied_paths(made), tree))


def _changed(*way: str | int, to: object) -> Mapping[str, Any]:
    """Return the recipe with another value at *way*."""

    def put(value: Any, steps: tuple[str | int, ...]) -> Any:
        if not steps:
            return to
        first, *rest = steps
        if isinstance(value, list):
            return [put(one, tuple(rest)) if at == first else one for at, one in enumerate(value)]
        return {**value, first: put(value.get(first), tuple(rest))}

    changed: Mapping[str, Any] = put(dict(RECIPE), way)
    return changed


def test_it_is_a_hash_that_stays() -> None:
    """Images that exist would otherwise count as made from something else."""
    assert _made(RECIPE) == "d2f345cb07bbd7d8c4168f9b1a6b446561bd7072e88d9b9ec824e16cf312a1b1"


@pytest.mark.parametrize(
    "recipe",
    [
        _changed("base", to="ubuntu-jammy"),
        _changed("base", to={"match": "ubuntu-noble"}),
        _changed("base", to={"image": "ubuntu-noble"}),
        _changed("username", to="ubuntu"),
        _changed("environment", "A", to="2"),
        _changed("steps", to=[*RECIPE["steps"][1:], RECIPE["steps"][0]]),
        _changed("steps", to=RECIPE["steps"][1:]),
        _changed("steps", 0, "script", "inline", to="echo ho\n"),
        _changed("steps", 0, "script", "arguments", to=["b", "a"]),
        _changed("steps", 0, "script", "environment", "C", to="4"),
        _changed("steps", 0, "secrets", to=["TOKEN", "OTHER"]),
        _changed("steps", 0, "as-root", to=True),
        _changed("steps", 1, "copy", "to", to="/opt/other"),
        _changed("steps", 1, "copy", "mode", to="0644"),
        _changed("steps", 1, "copy", "owner", to="root"),
        _changed("steps", 2, "packages", to=["make", "git"]),
        _changed("steps", 3, "command", to="false"),
        _changed("checks-before", 0, "disk", "free", to="2GiB"),
        _changed("checks", 0, "script", "inline", to="false\n"),
        _changed("checks", 0, "script", "as-root", to=True),
        _changed("checks", to=[]),
    ],
)
def test_what_makes_another_image(recipe: Mapping[str, Any]) -> None:
    """Or demands more of it."""
    assert _made(recipe) != _made(RECIPE)


@pytest.mark.parametrize(
    "recipe",
    [
        _changed("flavor", to="m1.large"),
        _changed("schedule", to={"max-age": "1d"}),
        _changed("keep", to=5),
        _changed("paused", to=True),
        _changed("freshness", to="3d"),
        _changed("secrets", "TOKEN", to={"environment": "ELSEWHERE"}),
        _changed("secrets", "UNUSED", to={"environment": "UNUSED"}),
        _changed("steps", 0, "name", to="get"),
        _changed("steps", 0, "timeout", to="9m"),
        _changed("steps", 0, "retries", to=3),
        _changed("checks", 0, "timeout", to="20s"),
        _changed("checks", 0, "name", to="a check"),
    ],
)
def test_what_makes_the_same_image(recipe: Mapping[str, Any]) -> None:
    """Later, elsewhere, or slower."""
    assert _made(recipe) == _made(RECIPE)


@pytest.mark.parametrize(
    "tree",
    [
        TREE[:2],
        (TREE[0], TreeEntry(path="a", mode=0o100644, size=1, content="ab"), TREE[2]),
        (TREE[0], TreeEntry(path="a", mode=0o100755, size=1, content="aa"), TREE[2]),
        (TREE[0], TreeEntry(path="c", mode=0o100644, size=1, content="aa"), TREE[2]),
        (*TREE[:2], TreeEntry(path="b", mode=0o120000, content="c")),
        (*TREE[:2], TreeEntry(path="b", mode=0o100000, content="a")),
        (*TREE, TreeEntry(path="c", mode=0o40755)),
        (*TREE, TreeEntry(path="\udcff", mode=0o40755)),
    ],
)
def test_another_tree(tree: tuple[TreeEntry, ...]) -> None:
    """Contents, names, types, modes and targets count."""
    assert _made(RECIPE, tree) != _made(RECIPE)


def test_the_order_in_which_a_folder_is_listed_does_not_count() -> None:
    """File systems list as they like."""
    assert _made(RECIPE, TREE[::-1]) == _made(RECIPE)


def test_modes_do_not_count_where_the_step_sets_them() -> None:
    """Checkouts of two builders differ by their umask."""
    set_by_step = _changed("steps", 1, "copy", "mode", to="0644")
    other = (
        TreeEntry(path="", mode=0o40700),
        TreeEntry(path="a", mode=0o100600, content="aa"),
        TREE[2],
    )

    assert _made(set_by_step, other) == _made(set_by_step)


def _shuffled(draw: Callable[..., Any], value: Any) -> Any:
    if isinstance(value, dict):
        keys = draw(st.permutations(list(value)))
        return {key: _shuffled(draw, value[key]) for key in keys}
    return [_shuffled(draw, one) for one in value] if isinstance(value, list) else value


@given(st.data())
def test_the_order_of_keys_does_not_count(data: st.DataObject) -> None:
    """Those of the file at any depth; the order of lists does."""
    assert _made(_shuffled(data.draw, dict(RECIPE))) == _made(RECIPE)


def test_providers_may_differ() -> None:
    """In what they start from."""
    recipe = {**RECIPE, "providers": {"north": None, "south": {"base": "noble-south"}}}
    (made,) = recipes(
        {"noble": RecipeFrom.model_validate(recipe)}, ImageDefaults(), ["north", "south"]
    ).values()
    trees = dict.fromkeys(copied_paths(made), TREE)

    assert fingerprint(made, "north", trees) == _made(RECIPE)
    assert fingerprint(made, "south", trees) != _made(RECIPE)


def test_a_script_that_was_never_read_or_a_tree_that_is_not_there() -> None:
    """A hash of nothing would be worse than none."""
    with pytest.raises(ValueError, match="was never read"):
        _made(_changed("steps", 0, "script", to={"file": "a"}))
    (made,) = recipes(
        {"noble": RecipeFrom.model_validate(RECIPE)}, ImageDefaults(), ["north"]
    ).values()
    with pytest.raises(KeyError):
        fingerprint(made, "north", {})

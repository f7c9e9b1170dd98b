"""Begins what is done about recipes."""

from collections.abc import Callable, Mapping
from typing import Any, Final

from builder.contexts import NotStarted, StartContext
from builder.recipe.actions import ReadRecipes
from builder.view import WorldView


def read(context: StartContext, _view: WorldView, action: ReadRecipes) -> None:
    """Have the files of recipes read."""
    context.workers.submit(action, context.read_recipes)


STARTERS: Final[Mapping[type, Callable[[StartContext, WorldView, Any], NotStarted | None]]] = {
    ReadRecipes: read,
}

"""What the recipes that were read do to what is known."""

from builder.contexts import ResultContext
from builder.recipe.events import RecipesRead


def read(context: ResultContext, event: RecipesRead) -> None:
    """Go on by the recipes, unless they are of a configuration that was replaced meanwhile."""
    if event.config is context.config():
        context.world.adopt(event.configured)

"""What the hand that reads recipes brings back."""

from dataclasses import dataclass

from builder.recipe.compile import ConfiguredImages
from remuda.config.model import Config


@dataclass(frozen=True, slots=True, kw_only=True)
class RecipesRead:
    """The recipes of a configuration, with what their files hold now."""

    config: Config
    configured: ConfiguredImages

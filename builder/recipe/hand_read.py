"""The hand that reads recipes, with the files and folders that their steps copy."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from builder.recipe.compile import ConfiguredImages, compile_images
from builder.recipe.events import RecipesRead
from remuda.config.fingerprint import copied_paths
from remuda.config.model import Config
from remuda.config.treecache import TreeCache


@dataclass(slots=True)
class RecipeReader:
    """Reads recipes.

    Attributes:
        config: Returns the configuration of now.
    """

    config: Callable[[], Config]
    cache: TreeCache = field(default_factory=TreeCache)

    def first(self) -> ConfiguredImages:
        """Return the recipes as they are at the start."""
        return compile_images(self.config(), self.cache.read)

    def read(self) -> RecipesRead:
        """Return the recipes as they are now; files of those before are forgotten."""
        now = self.config()
        configured = compile_images(now, self.cache.read)
        self.cache.keep(
            [Path(one) for each in configured.recipes.values() for one in copied_paths(each)]
        )
        return RecipesRead(config=now, configured=configured)

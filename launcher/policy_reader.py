"""Reads a launcher's policy, with the files that recipes of images made on first use copy."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from launcher.policy import Policy, compile_policy
from remuda.config.fingerprint import copied_paths
from remuda.config.model import Config
from remuda.config.recipes import ImageRecipe, recipes
from remuda.config.sources import UnreadableError
from remuda.config.treecache import TreeCache
from remuda.config.trees import TreeEntry


@dataclass(slots=True)
class PolicyReader:
    """Reads the policy of one provider, by one configuration after the other.

    A launcher does so in its brain's thread, where everything else waits meanwhile: what the files
    hold is read before, in another thread (:meth:`hash_files`), and taken as it was then. No two
    threads may use it at once.
    """

    provider: str
    cache: TreeCache = field(default_factory=TreeCache)
    _hashed: dict[Path, Sequence[TreeEntry]] = field(default_factory=dict)

    def copies(self, config: Config) -> bool:
        """Whether a policy depends on what files hold, which takes a while to read."""
        return any(copied_paths(one) for one in self._on_demand(config))

    def hash_files(self, config: Config) -> None:
        """Read what files hold; of those that cannot be read the policy will say so."""
        self._hashed.clear()
        for recipe in self._on_demand(config):
            for top in copied_paths(recipe):
                with suppress(UnreadableError):
                    self._hashed[Path(top)] = self.cache.read(Path(top))

    def _on_demand(self, config: Config) -> list[ImageRecipe]:
        """Return the recipes of the images that launches of this provider may make themselves."""
        if self.provider not in config.providers:
            return []  # whoever takes the configuration in will say so
        known = recipes(config.images, config.image_defaults, config.providers).values()
        return [one for one in known if self.provider in one.makings and one.ttl_s is not None]

    def read(self, config: Config) -> Policy:
        """Return the policy; files of those before are forgotten.

        Raises:
            KeyError: If the configuration has no such provider.
        """
        try:
            policy = compile_policy(config, self.provider, self._tree)
        finally:
            self._hashed.clear()
        recipes = (one.recipe for one in policy.on_demand.values())
        self.cache.keep([Path(top) for recipe in recipes for top in copied_paths(recipe)])
        return policy

    def _tree(self, top: Path) -> Sequence[TreeEntry]:
        """Return what a file or folder holds."""
        hashed = self._hashed.get(top)
        return self.cache.read(top) if hashed is None else hashed

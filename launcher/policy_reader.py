"""Reads a launcher's policy, with the files that recipes of images made on first use copy."""

from collections.abc import Iterable, Sequence
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

    def copied(self, config: Config) -> list[Path]:
        """Return the files and folders on whose content a policy depends: it takes long to read."""
        if self.provider not in config.providers:
            return []  # whoever takes the configuration in will say so
        known = recipes(config.images, config.image_defaults, config.providers).values()
        return _tops(one for one in known if one.on_demand_in(self.provider))

    def hash_files(self, tops: Sequence[Path]) -> None:
        """Read what files hold; of those that cannot be read the policy will say so."""
        self._hashed.clear()
        for top in tops:
            with suppress(UnreadableError):
                self._hashed[top] = self.cache.read(top)

    def read(self, config: Config) -> Policy:
        """Return the policy; files of those before are forgotten.

        Raises:
            KeyError: If the configuration has no such provider.
        """
        try:
            policy = compile_policy(config, self.provider, self._tree)
        finally:
            self._hashed.clear()
        self.cache.keep(_tops(one.recipe for one in policy.on_demand.values()))
        return policy

    def _tree(self, top: Path) -> Sequence[TreeEntry]:
        """Return what a file or folder holds."""
        hashed = self._hashed.get(top)
        return self.cache.read(top) if hashed is None else hashed


def _tops(of: Iterable[ImageRecipe]) -> list[Path]:
    """Return what the steps of recipes copy."""
    return [Path(top) for recipe in of for top in copied_paths(recipe)]

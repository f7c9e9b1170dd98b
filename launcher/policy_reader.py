"""Reads a launcher's policy, with the files that recipes of images made on first use copy."""

from dataclasses import dataclass, field
from pathlib import Path

from launcher.policy import Policy, compile_policy
from remuda.config.fingerprint import copied_paths
from remuda.config.model import Config
from remuda.config.treecache import TreeCache


@dataclass(slots=True)
class PolicyReader:
    """Reads the policy of one provider, by one configuration after the other.

    A launcher does so in its brain's thread, where everything else waits meanwhile: files that have
    not changed are not hashed again.
    """

    provider: str
    cache: TreeCache = field(default_factory=TreeCache)

    def read(self, config: Config) -> Policy:
        """Return the policy; files of those before are forgotten.

        Raises:
            KeyError: If the configuration has no such provider.
        """
        policy = compile_policy(config, self.provider, self.cache.read)
        recipes = (one.recipe for one in policy.on_demand.values())
        self.cache.keep([Path(top) for recipe in recipes for top in copied_paths(recipe)])
        return policy

"""What is remembered of our builds: the recipe of each, whatever is reloaded meanwhile."""

from dataclasses import dataclass, field
from typing import Final

from builder.policy import ImagePolicy
from builder.recipe.compile import ConfiguredImages
from builder.records import Records
from remuda.config.recipes import ImageRecipe
from remuda.model.build import UNDER_WAY, Build
from remuda.model.image import BuildId
from remuda.model.upload import UploadState

#: An upload of which no trial has told anything for good.
_UNTRIED: Final = frozenset(
    {UploadState.PENDING, UploadState.MAKING, UploadState.STORED, UploadState.VALIDATING}
)


@dataclass(frozen=True, slots=True)
class MadeBy:
    """By what a build of ours is made."""

    recipe: ImageRecipe
    policy: ImagePolicy


@dataclass(slots=True)
class BuildRecipes:
    """The recipes of the builds that our hands have begun, until they are tried."""

    begun: dict[BuildId, MadeBy] = field(default_factory=dict)

    def choose(self, build: Build, configured: ConfiguredImages) -> MadeBy | None:
        """Return by what a build is to be made: the recipe of its fingerprint, or None."""
        known = self.begun.get(build.id)
        policy = configured.policies.get(build.id.image)
        recipe = configured.recipes.get(build.id.image)
        if known is not None and known.policy.fingerprint == build.fingerprint:
            return known
        if policy is None or recipe is None or policy.fingerprint != build.fingerprint:
            return None
        return MadeBy(recipe, policy)

    def forget(self, records: Records) -> None:
        """Forget the recipes of builds that are made and tried, or never will be."""
        builds = records.builds
        tried = {
            one.value.id.build
            for one in records.uploads.values()
            if one.value.state in _UNTRIED and one.value.id.build in self.begun
        }
        self.begun = {
            one: made_by
            for one, made_by in self.begun.items()
            if one in builds and (one in tried or builds[one].value.state in UNDER_WAY)
        }

"""What builders work by, made of a configuration: recipes, and how the judgements see them.

Pure: what the files of a recipe hold comes in.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Final

from builder.policy import ImagePolicy, always, never
from remuda.config import takehomes
from remuda.config.capturing import CaptureRules, rules_of
from remuda.config.fingerprint import ReadTree, image_fingerprint, read_trees
from remuda.config.images import CanaryFrom, RolloutWindow, ScheduleFrom
from remuda.config.model import Config
from remuda.config.parts import CheckFrom
from remuda.config.recipes import ImageRecipe, groups_of, parent_of, recipes
from remuda.config.schedule import next_due_s, opens_s
from remuda.config.sources import UnreadableError
from remuda.images.canary import CanaryPlan

_NEVER_S: Final = float("inf")


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfiguredImages:
    """All images of a configuration that can be made.

    Attributes:
        unusable: Why the others cannot, by image.
        taken_home: Providers whose held machines may become images.
        checks: Those of the labels that boot an image in a provider, by image and provider.
    """

    recipes: Mapping[str, ImageRecipe] = field(default_factory=dict)
    policies: Mapping[str, ImagePolicy] = field(default_factory=dict)
    unusable: Mapping[str, str] = field(default_factory=dict)
    checks: Mapping[tuple[str, str], tuple[CheckFrom, ...]] = field(default_factory=dict)
    taken_home: frozenset[str] = frozenset()

    @property
    def providers(self) -> tuple[str, ...]:
        """Every provider that is to have one of them, or whose held machines are taken home."""
        made = {name for one in self.recipes.values() for name in one.makings}
        return tuple(sorted(made | self.taken_home))


def compile_images(config: Config, read: ReadTree) -> ConfiguredImages:
    """Return what *config* says of images; one that cannot be used hinders no other.

    Args:
        config: Without problems.
        read: Returns what a file or folder holds; UnreadableError is the image's trouble.
    """
    known = recipes(config.images, config.image_defaults, config.providers)
    rules = rules_of(known, config.labels)
    policies: dict[str, ImagePolicy] = {}
    unusable: dict[str, str] = {}
    for name, recipe in known.items():
        try:
            policies[name] = compile_policy(recipe, read, rules)
        except (UnreadableError, UnusableRecipeError) as error:
            unusable[name] = str(error)
    return ConfiguredImages(
        recipes=known,
        policies=policies,
        unusable=unusable,
        checks=_checks(config),
        taken_home=takehomes.providers_of(config),
    )


class UnusableRecipeError(ValueError):
    """No images can be made by the recipe; one sentence for an operator."""


def compile_policy(
    recipe: ImageRecipe, read: ReadTree, rules: CaptureRules | None = None
) -> ImagePolicy:
    """Return how the judgements see *recipe*; *rules* are of the same configuration.

    Raises:
        UnreadableError: If a file or folder that it copies cannot be read.
        UnusableRecipeError: If it means no one image.
    """
    groups, trees = groups_of(recipe), read_trees(recipe, read)
    schedule, window, name = recipe.schedule, recipe.rollout_window, recipe.name
    captured = None if recipe.capture is None else (rules or rules_of()).refusal
    anywhere = recipe.capture is not None or recipe.command is not None
    return ImagePolicy(
        image=name,
        fingerprint=image_fingerprint(recipe, trees),
        copied=trees,
        groups=groups,
        copies=frozenset(one for group in groups for one in group[1:] if not anywhere),
        on_host=recipe.command is not None,
        parent=_parent(recipe),
        skip_same=recipe.skip_unchanged,
        full_every=recipe.full_every if recipe.start_from == "current" else 1,
        next_due_s=never if schedule is None or schedule.cron is None else _due(schedule, name),
        window_s=always if window is None else _opens(window),
        age_s_max=_age_s_max(schedule, name),
        fresh_s_max=recipe.freshness_s,
        canary=None if recipe.canary is None else canary_plan(recipe.canary),
        keep=recipe.keep,
        paused=recipe.paused,
        ttl_s=recipe.ttl_s,
        capture_refusal=None if captured is None else partial(captured, name),
    )


def canary_plan(canary: CanaryFrom) -> CanaryPlan:
    """Return how builds are tried, as judgements need it."""
    return CanaryPlan(
        share=canary.share,
        good=canary.good,
        bad=canary.bad,
        false_alarm=canary.false_alarm,
        miss=canary.miss,
        after_s=canary.promote_after,
    )


def _parent(recipe: ImageRecipe) -> str | None:
    parents = {parent_of(making.base) for making in recipe.makings.values()}
    if len(parents) > 1:
        named = ", ".join(sorted(one or "an image of the cloud" for one in parents))
        raise UnusableRecipeError(
            f"it starts from {named}, depending on the provider: make it several images"
        )
    return next(iter(parents), "") or None


def _due(schedule: ScheduleFrom, name: str) -> Callable[[float], float | None]:
    # The judgement believes no build of the future, and asks from the present on at the latest.
    return lambda after_s: next_due_s(schedule, name=name, last_s=after_s, now_s=after_s)


def _age_s_max(schedule: ScheduleFrom | None, name: str) -> float | None:
    """Return the greatest age less the image's own share of the jitter."""
    if schedule is None or schedule.max_age is None:
        return None
    return next_due_s(schedule, name=name, last_s=0.0, now_s=0.0)


def _opens(window: RolloutWindow) -> Callable[[float], float]:
    def next_s(now_s: float) -> float:
        found = opens_s(window, now_s)
        return _NEVER_S if found is None else found

    return next_s


def _checks(config: Config) -> Mapping[tuple[str, str], tuple[CheckFrom, ...]]:
    """Return the checks of all labels that boot an image in a provider, each once."""
    found: dict[tuple[str, str], dict[str, CheckFrom]] = {}
    for provider, one in config.providers.items():
        for pool in one.pools.values():
            for label, making in pool.labels.items():
                if making.image.built is None:
                    continue
                checks = found.setdefault((making.image.built, provider), {})
                general = config.labels[label].checks if label in config.labels else ()
                for check in (*general, *making.checks):
                    checks.setdefault(repr(check), check)
    return {key: tuple(checks.values()) for key, checks in found.items()}

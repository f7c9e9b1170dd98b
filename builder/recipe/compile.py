"""What builders work by, made of a configuration: recipes, and how the judgements see them.

Pure: what the files of a recipe hold comes in.
"""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Final

from builder.policy import ImagePolicy, always, never
from remuda.config.capturing import CaptureRules, rules_of
from remuda.config.fingerprint import Trees, copied_paths, fingerprint
from remuda.config.images import CanaryFrom, RolloutWindow, ScheduleFrom
from remuda.config.model import Config
from remuda.config.parts import CheckFrom
from remuda.config.recipes import ImageRecipe, parent_of, recipes
from remuda.config.schedule import next_due_s, opens_s
from remuda.config.sources import UnreadableError
from remuda.config.trees import TreeEntry
from remuda.images.canary import CanaryPlan

#: Says what stands at a path of this host.
ReadTree = Callable[[Path], Sequence[TreeEntry]]

_NEVER_S: Final = float("inf")


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfiguredImages:
    """All images of a configuration that can be made.

    Attributes:
        unusable: Why the others cannot, by image.
        checks: Those of the labels that boot an image in a provider, by image and provider.
    """

    recipes: Mapping[str, ImageRecipe] = field(default_factory=dict)
    policies: Mapping[str, ImagePolicy] = field(default_factory=dict)
    unusable: Mapping[str, str] = field(default_factory=dict)
    checks: Mapping[tuple[str, str], tuple[CheckFrom, ...]] = field(default_factory=dict)

    @property
    def providers(self) -> tuple[str, ...]:
        """Every provider that is to have one of them."""
        return tuple(sorted({name for one in self.recipes.values() for name in one.makings}))


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
        recipes=known, policies=policies, unusable=unusable, checks=_checks(config)
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
    groups, trees = groups_of(recipe), _trees(recipe, read)
    schedule, window, name = recipe.schedule, recipe.rollout_window, recipe.name
    captured = None if recipe.capture is None else (rules or rules_of()).refusal
    anywhere = recipe.capture is not None or recipe.command is not None
    return ImagePolicy(
        image=name,
        fingerprint=_fingerprint(recipe, groups, trees),
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


def groups_of(recipe: ImageRecipe) -> tuple[tuple[str, ...], ...]:
    """Return the providers that share a making: who makes it first, then who copies it."""
    if recipe.capture is not None or recipe.command is not None:
        # Made wherever the machine is, or brought to any of them, and copied to the others.
        return (tuple(recipe.makings),)
    groups: dict[str, list[str]] = {}
    for name, making in recipe.makings.items():
        maker = making.copy_from
        if maker is None or maker not in recipe.makings:
            maker = name
        groups.setdefault(maker, []).append(name)
    return tuple(
        tuple(sorted(group, key=lambda one, first=maker: one != first))  # type: ignore[misc]
        for maker, group in groups.items()
    )


def _trees(recipe: ImageRecipe, read: ReadTree) -> Trees:
    """Return what stands at each path that steps copy, or a command reads."""
    trees: dict[str, Sequence[TreeEntry]] = {}
    for path in copied_paths(recipe):
        try:
            trees[path] = read(Path(path))
        except UnreadableError as error:
            raise UnreadableError(f"{path!r}, which it copies or reads, {error}") from None
    return trees


def _fingerprint(recipe: ImageRecipe, groups: tuple[tuple[str, ...], ...], trees: Trees) -> str:
    """Return one hash for all groups; a provider more with an equal making does not change it."""
    prints = sorted({fingerprint(recipe, group[0], trees) for group in groups})
    if len(prints) == 1:
        return prints[0]
    return hashlib.sha256("\n".join(prints).encode()).hexdigest()


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

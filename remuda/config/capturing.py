"""Which images may be captured of which machines, and who may ask: one rule, for everybody.

A launcher judges by it what a holder asks, and a builder once more, by its own configuration.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from remuda.config.captures import CaptureFrom
from remuda.config.model import Label
from remuda.config.patterns import means
from remuda.config.recipes import ImageRecipe
from remuda.model.capture import Captured


@dataclass(frozen=True, slots=True, kw_only=True)
class CaptureRules:
    """What a configuration allows.

    Attributes:
        recipes: All images, by name.
        secret_labels: Those whose jobs work with secrets.
    """

    recipes: Mapping[str, ImageRecipe]
    secret_labels: frozenset[str]

    def refusal(self, image: str, machine: Captured) -> str | None:
        """Return the rule that a capture breaks, as one sentence; None: it may be made."""
        recipe = self.recipes.get(image)
        if recipe is None:
            return f"there is no image {image!r} in the configuration"
        if recipe.capture is None:
            return f"{image} is made by its recipe: only an image with 'capture' is captured"
        if machine.label in self.secret_labels:
            return f"no image is captured of label {machine.label}: its jobs work with secrets"
        if machine.provider not in recipe.makings:
            return f"{image} is not for provider {machine.provider}"
        return _stranger(image, recipe.capture, machine)


def _stranger(image: str, rule: CaptureFrom, machine: Captured) -> str | None:
    """Return why a label, or a requestor, is none of those that a rule names, or None."""
    if not _matches(rule.labels, machine.label):
        return f"label {machine.label} is none of those of which {image} may be captured"
    if not _matches(rule.requestors, machine.requestor):
        return f"{machine.requestor or 'nobody'} is none of those who may capture {image}"
    return None


def rules_of(
    recipes: Mapping[str, ImageRecipe] | None = None, labels: Mapping[str, Label] | None = None
) -> CaptureRules:
    """Return the rules of a configuration with these images and labels."""
    secret = frozenset(name for name, one in (labels or {}).items() if one.secret)
    return CaptureRules(recipes=recipes or {}, secret_labels=secret)


def _matches(patterns: Iterable[str], name: str) -> bool:
    return any(means(one, name) for one in patterns)

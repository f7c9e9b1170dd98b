"""How long the steps of a recipe may take. Pure."""

from collections.abc import Iterator
from typing import Final

from remuda.config.recipes import ImageRecipe

#: Where steps run on a job's machine, cloud-init is waited for so long, as before builds ...
CLOUD_INIT_S_MAX: Final = 600.0
#: ... and so much besides is for the script that does it.
SLACK_S: Final = 15.0
#: A mirror that is away for a moment is the reason for retries.
_AGAIN_S: Final = 5.0
_AGAIN_S_MAX: Final = 60.0


def waits_s(retries: int) -> Iterator[float]:
    """Yield how long is waited before each further attempt of a step, s."""
    for again in range(retries):
        yield min(_AGAIN_S_MAX, _AGAIN_S * 2.0**again)


def room_s(recipe: ImageRecipe) -> float:
    """Return how long all steps of *recipe* may take on a machine, with every retry, s."""
    steps_s = sum(
        step.timeout * (step.retries + 1) + sum(waits_s(step.retries)) for step in recipe.steps
    )
    return CLOUD_INIT_S_MAX + SLACK_S + steps_s

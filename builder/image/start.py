"""Begins what is done to an image as a whole."""

from collections.abc import Callable, Mapping
from typing import Any, Final

from builder.contexts import Needless, NotStarted, StartContext
from builder.image.actions import MakeImage
from builder.image.writes import lacking
from builder.view import WorldView


def make_image(context: StartContext, _view: WorldView, action: MakeImage) -> NotStarted | None:
    """Write what an image lacks, if it still lacks something."""
    world = context.world
    ops = lacking(world.records, world.configured.recipes).get(action.id)
    if not ops:
        return Needless()
    context.sender.send(action, ops)
    return None


STARTERS: Final[Mapping[type, Callable[[StartContext, WorldView, Any], NotStarted | None]]] = {
    MakeImage: make_image,
}

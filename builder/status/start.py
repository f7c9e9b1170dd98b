"""Begins what is done to be seen."""

from collections.abc import Callable, Mapping
from typing import Any, Final

from builder.contexts import NotStarted, StartContext
from builder.status.actions import Publish
from builder.status.writes import published
from builder.view import WorldView


def publish(context: StartContext, _view: WorldView, action: Publish) -> None:
    """Write our words into our ephemeral."""
    context.sender.send(action, published(context.world.me, action.data))


STARTERS: Final[Mapping[type, Callable[[StartContext, WorldView, Any], NotStarted | None]]] = {
    Publish: publish,
}

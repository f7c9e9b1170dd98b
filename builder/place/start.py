"""Begins what is done in places: each task is made, and given to its hand."""

from collections.abc import Callable, Mapping
from typing import Any, Final

from builder.contexts import NotStarted, Refused, StartContext
from builder.place.actions import ListPlace, Look, SweepImage
from builder.place.tasks import SweepTask
from builder.view import WorldView

_NOWHERE: Final = "no provider of the configuration lies there"


def look(context: StartContext, _view: WorldView, action: Look) -> None:
    """Have a provider's cloud looked at."""
    context.workers.submit(action, lambda: context.hands.looking.look(action))


def list_place(context: StartContext, _view: WorldView, action: ListPlace) -> None:
    """Have the images of a place listed."""
    context.workers.submit(action, lambda: context.hands.looking.list_images(action))


def sweep(context: StartContext, view: WorldView, action: SweepImage) -> NotStarted | None:
    """Have an image deleted that no record knows."""
    provider, listing = view.provider_at(action.place), view.listing(action.place)
    image = listing.images.get(action.cloud_image)
    if provider is None or image is None:
        return Refused(_NOWHERE)
    task = SweepTask(action=action, image=image, listed_s=listing.before_s, provider=provider)
    context.workers.submit(action, lambda: context.hands.sweeping.sweep(task))
    return None


STARTERS: Final[Mapping[type, Callable[[StartContext, WorldView, Any], NotStarted | None]]] = {
    Look: look,
    ListPlace: list_place,
    SweepImage: sweep,
}

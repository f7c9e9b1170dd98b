"""The hand that ends uploads, as tests use it."""

from typing import Any

from builder.decide.actions import EraseImage, SweepImage
from builder.events import Kept
from builder.hands.keeping import KeepingHand
from tests.unit.builder.hands.clouds import INSTALLATION, Setting, listing


def hand(setting: Setting) -> KeepingHand:
    """Return the hand."""
    return KeepingHand(setting.store, setting.clock, INSTALLATION)


def erase(setting: Setting, image_id: str, name: str = "pa", there: str | None = None) -> Kept:
    """Delete the image of a provider's upload."""
    action = EraseImage(id=setting.id(name), cloud_image=image_id)
    source = None if there is None else setting.sites[there]
    return hand(setting).erase(action, setting.sites[name], source)


def sweep(setting: Setting, image: Any, *, seen: Any = None, providers: Any = ("pa",)) -> Kept:
    """Sweep an image of pa."""
    action = SweepImage(place=setting.place("pa"), cloud_image=image.id)
    shows = listing(image) if seen is None else seen
    return hand(setting).sweep(action, setting.sites["pa"], shows, providers)

"""The hand that ends uploads, as tests use it."""

from typing import Final

from builder.actions import EraseImage, SweepImage
from builder.events import Kept
from builder.place.sites import Sites
from builder.upload.hand_retire import KeepingHand
from builder.view import ListedImage
from remuda.cloud.image_store import StoredImage
from remuda.model.image import BuildId
from tests.unit.builder.hands.clouds import BUILD, INSTALLATION, Setting

PROVIDERS: Final = ("pa", "pb", "pc")


def hand(setting: Setting, *providers: str) -> KeepingHand:
    """Return the hand of a builder that knows these providers; none: all of them."""
    known = {name: one for name, one in setting.images.items() if name in (providers or PROVIDERS)}
    return KeepingHand(setting.store, setting.clock, INSTALLATION, Sites(lambda: known))


def erase(setting: Setting, image_id: str, name: str = "pa", *providers: str) -> Kept:
    """Delete the image of a provider's upload."""
    action = EraseImage(id=setting.id(name), cloud_image=image_id)
    return hand(setting, *providers).erase(action, name)


def sweep(setting: Setting, image: StoredImage, build: BuildId = BUILD) -> Kept:
    """Sweep an image of pa, of which one half of the listings was begun at 500."""
    action = SweepImage(place=setting.place("pa"), cloud_image=image.id)
    listed = ListedImage(id=image.id, name=image.name, build=build, active=True)
    return hand(setting).sweep(action, listed, "pa", listed_s=500.0)

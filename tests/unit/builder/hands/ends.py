"""The hands that end uploads and sweep, as tests use them."""

from typing import Final

from builder.place.actions import SweepImage
from builder.place.events import SweepEnded
from builder.place.hand_sweep import SweepingHand
from builder.place.sites import Sites
from builder.place.view import ListedImage
from builder.upload.actions import EraseImage
from builder.upload.events import RetirementEnded
from builder.upload.hand_retire import RetiringHand
from remuda.cloud.image_store import StoredImage
from remuda.model.image import BuildId
from tests.unit.builder.hands.clouds import BUILD, INSTALLATION, Setting

PROVIDERS: Final = ("pa", "pb", "pc")


def hand(setting: Setting, *providers: str) -> RetiringHand:
    """Return the hand of a builder that knows these providers; none: all of them."""
    return RetiringHand(setting.store, setting.clock, INSTALLATION, sites(setting, *providers))


def sites(setting: Setting, *providers: str) -> Sites:
    """Return where images lie, for a builder that knows these providers; none: all of them."""
    known = {name: one for name, one in setting.images.items() if name in (providers or PROVIDERS)}
    return Sites(lambda: known)


def erase(setting: Setting, image_id: str, name: str = "pa", *providers: str) -> RetirementEnded:
    """Delete the image of a provider's upload."""
    action = EraseImage(id=setting.id(name), cloud_image=image_id)
    return hand(setting, *providers).erase(action, name)


def sweeper(setting: Setting) -> SweepingHand:
    """Return the hand that deletes what no record knows."""
    return SweepingHand(setting.store, setting.clock, INSTALLATION, sites(setting))


def sweep(setting: Setting, image: StoredImage, build: BuildId = BUILD) -> SweepEnded:
    """Sweep an image of pa, of which one half of the listings was begun at 500."""
    action = SweepImage(place=setting.place("pa"), cloud_image=image.id)
    listed = ListedImage(id=image.id, name=image.name, build=build, active=True)
    return sweeper(setting).sweep(action, listed, "pa", listed_s=500.0)

"""Folding records of images into the world."""

import re
from typing import Final

from launcher.world import World
from remuda.model.codec import CorruptRecordError
from remuda.store.api import Dirty, Gone, Put

#: Records that tell which builds are booted, and how large they are.
_SIZED: Final = re.compile("/(?:pointers|uploads)/")


def take_image(world: World, change: Put | Dirty | Gone) -> None:
    """Take in what became of an image; machines that boot it are judged again."""
    try:
        image = world.images.take(change)
    except CorruptRecordError:
        world.agenda.everything = True
        raise
    if image is None:
        return
    world.agenda.supply = True
    if image in world.policy.built.values() and _SIZED.search(change.path):
        world.cloud.survey_due_s = 0.0  # what is booted now may need another flavor
    begins = f"{image}/"
    for view in world.nodes.views.values():
        build = None if view.launch is None else view.launch.image_build
        asked = None if view.launch is None else view.launch.capture
        wanted = asked is not None and asked.ask.image == image
        if wanted or (build is not None and build.startswith(begins)):
            world.touch_node(view)

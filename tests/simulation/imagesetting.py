"""Which labels of a simulated installation boot images of ours, and how often those change."""

import random
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any, Final

from remuda.images.canary import CanaryPlan
from remuda.model.image import place_of
from tests.simulation.firstuse import FIRST, RECIPE
from tests.support.canaries import PLAN
from tests.support.sshd import make_key

#: So many of all seeds have images of ours.
SHARE: Final = 0.3
#: Each image with what it starts from: an image of the cloud, or another one of ours.
BASES: Final[Mapping[str, dict[str, str]]] = {
    "core": {"name": "debian-12"},
    "child": {"image": "core"},
    FIRST: RECIPE["base"],
}


#: The image that is made of jobs' machines, and of which, for whom.
CAPTURED: Final = "shot"
_RULE: Final = {"labels": ["small", "odd"], "requestors": ["(client|captor)[0-9]*[0-6]"]}


def may_capture(image: str, label: str, requestor: str) -> bool:
    """Whether that is allowed by the configuration; written down a second time, on purpose."""
    known = requestor.rstrip("0123456789") in ("client", "captor")
    low = requestor[-1:] in tuple("0123456")
    return image == CAPTURED and label in ("small", "odd") and known and low


@dataclass(frozen=True, slots=True, kw_only=True)
class Images:
    """The images of one installation.

    Attributes:
        built: What a label boots, by provider and label.
        places: Where the images of each provider lie.
        stocked: Each image has a usable build in the beginning.
        build_s, prove_s, move_s, command_s, tidy_s: Mean seconds between two such things.
        canary: How newer builds are tried on a part of the requests, if they are.
        asks: How many machines builders ask for.
        captured: Whether holders have images made of their machines.
        captors: How many come for nothing else.
    """

    built: Mapping[tuple[str, str], str]
    places: Mapping[str, str]
    stocked: bool = True
    build_s: float = 20.0
    prove_s: float = 3.0
    move_s: float = 3.0
    command_s: float = 8.0
    tidy_s: float = 2.0
    asks: int = 0
    canary: CanaryPlan | None = None
    captured: bool = False
    captors: int = 0

    @property
    def all_names(self) -> tuple[str, ...]:
        """All images, those of jobs' machines too."""
        return (*self.names, *([CAPTURED] if self.captured else []))

    @property
    def names(self) -> tuple[str, ...]:
        """All images that have a recipe, parents first."""
        used = set(self.built.values())
        child = {"core", "child"} if "child" in used else set()
        return tuple(name for name in BASES if name in used | child)

    def providers_of(self, place: str) -> tuple[str, ...]:
        """Return the providers whose images lie in a place."""
        return tuple(name for name, where in self.places.items() if where == place)


def draw_images(
    rng: random.Random, labels: tuple[str, ...], *, wanted: bool | None
) -> Images | None:
    """Return the images of a seed, if it has any.

    Args:
        rng: A source of chance of its own.
        labels: All labels there are.
        wanted: Whether it is to have some; None: a share of seeds has.
    """
    drawn = rng.random() < SHARE
    if not (drawn if wanted is None else wanted):
        return None
    providers = rng.choice((("alpha", "beta"), ("alpha", "beta"), ("alpha",), ("beta",)))
    some = rng.sample(labels[:2], 1) if rng.random() < 0.5 else list(labels[:2])
    images = {label: rng.choice(("core", "core", "child")) for label in some}
    if rng.random() < 0.5:
        images["odd"] = images[some[0]]
    shared = rng.random() < 0.3
    made = Images(
        built={
            (provider, label): image for provider in providers for label, image in images.items()
        },
        places={
            name: place_of(project="one" if shared else name, region="", endpoint="")
            for name in ("alpha", "beta")
        },
        stocked=rng.random() < 0.7,
        build_s=rng.choice((8.0, 20.0, 40.0)),
        prove_s=rng.choice((1.0, 3.0)),
        move_s=rng.choice((1.0, 4.0)),
        command_s=rng.choice((4.0, 10.0, 30.0)),
        tidy_s=rng.choice((1.0, 4.0)),
        asks=rng.choice((0, 3, 8)),
        canary=rng.choice((None, *map(_plan, (0.3, 1.0)))),
        captured=(captured := rng.random() < 0.7),
        captors=rng.choice((2, 6)) if captured else 0,
    )
    # Last, so that what a seed drew before stays as it was.
    if rng.random() < 0.6 and ("alpha", "odd") not in made.built:
        return replace(made, built={**made.built, ("alpha", "odd"): FIRST})
    return made


def _plan(share: float) -> CanaryPlan:
    """Return how builds are tried where nothing lasts long, and launches fail all the time."""
    return replace(PLAN, share=share, good=0.1, bad=0.6, after_s=15.0)


def applied(document: dict[str, Any], images: Images | None) -> dict[str, Any]:
    """Return a configuration in which labels boot images of ours."""
    if images is None:
        return document
    providers = {}
    for name, provider in document["providers"].items():
        pools = {
            pool: {
                **doc,
                "labels": {
                    label: _booting(making, images.built.get((name, label)))
                    for label, making in doc["labels"].items()
                },
            }
            for pool, doc in provider["pools"].items()
        }
        # What builders get has our key beside theirs, in any case.
        providers[name] = {**provider, "pools": pools, "ssh-key-file": _key_file()}
    recipes = {name: {"flavor": {"name": "small"}, **_source(name)} for name in images.all_names}
    if FIRST in recipes:
        recipes[FIRST] = RECIPE
    return {**document, "images": recipes, "providers": providers}


def _source(image: str) -> dict[str, Any]:
    return {"capture": _RULE} if image == CAPTURED else {"base": BASES[image]}


def _booting(making: dict[str, Any], image: str | None) -> dict[str, Any]:
    return making if image is None else {**making, "image": {"built": image}}


@cache
def _folder() -> tempfile.TemporaryDirectory[str]:
    """Return a folder that is there until the process ends."""
    return tempfile.TemporaryDirectory()


@cache
def _key_file() -> str:
    """Return a file with a private key."""
    path = Path(_folder().name, "key")
    make_key(path)
    return str(path)

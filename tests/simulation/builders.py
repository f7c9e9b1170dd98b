"""Builders ask launchers for machines: rightly, and for what they cannot have."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from remuda.model.image import BuildId, UploadId
from remuda.model.imageask import IMAGE_KEY, ImageAsk, ImageUse, ask_doc, image_label
from remuda.model.request import Request, RequestState
from tests.simulation.clients import Client
from tests.simulation.imagerules import ImageRules
from tests.simulation.imagesetting import BASES, Images

#: Below all users.
PRIORITY: Final = "900"
LOGIN_KEY: Final = f"ssh-ed25519 {'A' * 68}"


@dataclass(slots=True)
class Asker(Client):
    """A builder that wants one machine, and gives up after a while."""

    def submit(self) -> None:
        """Ask for it."""
        self.priority, self.wants = PRIORITY, self._wants()
        Client.submit(self)
        self._later(10.0, 60.0, self._give_up)

    def _give_up(self) -> None:
        if self.locks or self.request is None:
            return
        found = self.simulation.oracle.request(self.request)
        if found is not None and self._refused(found):
            self.simulation.history.fail(
                f"{found.id} was declined where it was asked for, and waits"
            )
        self._cancel()

    def _refused(self, found: Request) -> bool:
        """Whether the only provider that may serve it does not, and nobody has said so."""
        waits = found.state is RequestState.REQUESTED
        return waits and bool(found.declined_by) and found.image is not None

    def _wants(self) -> dict[str, Any]:
        images, rng = self._images(), self.rng
        image, use = rng.choice(images.names), rng.choice(tuple(ImageUse))
        provider = rng.choice(sorted(images.places))
        place, there = images.places[provider], sorted(self._rules().uploads())
        parent = BASES[image].get("image")
        upload: UploadId | None = None
        if use is ImageUse.PROVE:
            upload = rng.choice(
                [*self._to_prove(image, place, provider), *there[-2:], *self._odd(image)]
            )
        elif parent is not None and rng.random() < 0.7:
            pointer = self._rules().pointer(parent, provider)
            number = 1 if pointer is None else pointer.current
            upload = UploadId(BuildId(parent, number), place)
        ask = ImageAsk(use=use, upload=upload, login_key=LOGIN_KEY)
        wants = {
            "node_types": [image_label(image, use)],
            "provider": provider,
            "reuse": False,
            "relative_priority": 0,
            IMAGE_KEY: ask_doc(ask),
        }
        if rng.random() < 0.1:
            wants.pop(IMAGE_KEY)  # somebody else has learned the label
        return wants

    def _to_prove(self, image: str, place: str, provider: str) -> Iterator[UploadId]:
        for one in self._rules().uploads():
            if one.build.image == image and one.place == place:
                yield one
                if self._rules().trying(one) == provider:
                    yield from [one] * 10  # builders write so before they ask

    def _odd(self, image: str) -> Iterator[UploadId]:
        """Yield what is not on record, and what lies elsewhere."""
        for place in sorted(set(self._images().places.values())):
            yield UploadId(BuildId(image, 900), place)

    def _rules(self) -> ImageRules:
        rules = self.simulation.oracle.images
        assert rules is not None
        return rules

    def _images(self) -> Images:
        return self._rules().images

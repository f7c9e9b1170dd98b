"""What images have to do with a request: what it waits for, what its machines boot, who asks."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from remuda.images import library
from remuda.images.catalogue import Catalogue
from remuda.images.comparison import build_before, compare_on_record, said_of
from remuda.images.state import ImageState, image_state
from remuda.images.words import read_words
from remuda.insight.facts import facts_of
from remuda.insight.launch_progress import launches_for
from remuda.insight.tree import reader
from remuda.model import request as request_record
from remuda.model.build import UNDER_WAY
from remuda.model.codec import CorruptRecordError
from remuda.model.fields import LABELS_MAX
from remuda.model.ids import NodeId, RequestId
from remuda.model.image import IMAGE_NAME, BuildId, first_used, parse_build
from remuda.model.imageask import ImageUse, labelled_image
from remuda.model.node import decode as decode_node
from remuda.model.request import Request
from remuda.model.status import IMAGE_NUMBER, Verdict
from remuda.store import paths
from remuda.store.api import Store


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageNotes:
    """What is known of one request.

    Attributes:
        waits: How the images stand for which it waits, each in its provider.
        boots: What its machines boot, by node, where that is an image of ours.
        first: Of those that boot none, but run its recipe, which image it is, by node; *beside*:
            the build of each that is being made, or None.
        since: How these differ from the builds before them, by build, where anybody knows.
        use: What a builder wants its machine for; None: it is no builder's.
        image: Of which image it is about then; *build*: of which build, if that is on record.
    """

    waits: tuple[ImageState, ...] = ()
    boots: tuple[tuple[NodeId, BuildId], ...] = ()
    first: tuple[tuple[NodeId, str], ...] = ()
    beside: Mapping[str, BuildId | None] = field(default_factory=dict)
    since: Mapping[BuildId, str] = field(default_factory=dict)
    use: ImageUse | None = None
    image: str | None = None
    build: BuildId | None = None

    def as_json(self) -> dict[str, Any]:
        """Return the notes with the stable keys of docs/cli.md."""
        return {
            "images": [
                {
                    "image": one.image,
                    "provider": one.provider,
                    "newest": one.newest and one.newest.id.number,
                    "state": one.state,
                    "waits": one.waits,
                    "retry_at_s": one.retry_s,
                }
                for one in self.waits
            ],
            "boots": {node: str(build) for node, build in self.boots},
            "first_use": {
                node: {"image": image, "beside": (one := self.beside.get(image)) and str(one)}
                for node, image in self.first
            },
            "since": {str(build): text for build, text in self.since.items()},
            "builder": None
            if self.use is None
            else {
                "use": str(self.use),
                "image": self.image,
                "build": None if self.build is None else str(self.build),
            },
        }


def read_image_notes(
    store: Store, request_id: RequestId, verdicts: Sequence[Verdict], *, now_s: float
) -> ImageNotes:
    """Read what images have to do with a request; of one that is gone or broken, nothing.

    Raises:
        StoreAwayError: If an answer did not come in time.
    """
    stored = store.read(paths.request(request_id))
    try:
        request = request_record.decode(request_id, stored.value) if stored is not None else None
    except CorruptRecordError:
        return ImageNotes()
    if request is None:
        return ImageNotes()
    waits = tuple(_waits(store, verdicts, now_s))
    told = tuple(_boots(store, request, verdicts))
    boots = tuple((node, build) for node, _, one in told if (build := parse_build(one)) is not None)
    plain = [(node, at, image) for node, at, one in told if (image := first_used(one)) is not None]
    first = tuple((node, image) for node, _, image in plain)
    beside = _beside(store, {(image, at) for _, at, image in plain})
    since = what_is_new(store, (build for _, build in boots))
    meant = next((one for one in map(labelled_image, request.labels) if one is not None), None)
    notes = ImageNotes(waits=waits, boots=boots, first=first, beside=beside, since=since)
    if meant is None or request.image is None:
        return notes
    image, use = meant
    build = _asking(store, request, image, use)
    return replace(notes, use=use, image=image, build=build)


def what_is_new(store: Store, builds: Iterable[BuildId]) -> Mapping[BuildId, str]:
    """Return how builds differ from the ones before them, in a sentence each, where it is known.

    A job that fails since yesterday has its reason there, more often than not.

    Raises:
        StoreAwayError: If an answer did not come in time.
    """
    wanted = dict.fromkeys(builds)
    if not wanted:
        return {}
    some = {one.image for one in wanted}
    seen = Catalogue(library.read(store, only=some, launched=False, just_looking=True))
    told: dict[BuildId, str] = {}
    for one in wanted:
        build = seen.builds.get(one.image, {}).get(one.number)
        if build is not None:
            said = said_of(compare_on_record(store, build, build_before(seen, build)))
            told |= {} if said is None else {one: said}
    return told


def _waits(store: Store, verdicts: Iterable[Verdict], now_s: float) -> Iterator[ImageState]:
    named = [(one.numbers.get(IMAGE_NUMBER), one.provider) for one in verdicts]
    pairs = [(image, one) for image, one in named if _is_image(image)]
    if not pairs:
        return
    some = {str(image) for image, _ in pairs}
    seen = Catalogue(library.read(store, only=some, launched=False))
    words = read_words(store)
    for image, provider in pairs:
        yield image_state(seen, str(image), provider, now_s=now_s, words=words)


def _is_image(name: object) -> bool:
    return isinstance(name, str) and IMAGE_NAME.fullmatch(name) is not None


def _boots(
    store: Store, request: Request, verdicts: Iterable[Verdict]
) -> Iterator[tuple[NodeId, str | None, str]]:
    """Yield its nodes, their providers, and what they boot; before it has any, those made for it.

    Of these, verdicts say which of them run a recipe.
    """
    if request.nodes:
        nodes = request.nodes[:LABELS_MAX]
        found = store.read_many([paths.node(one) for one in nodes])
        for node, stored in zip(nodes, found, strict=True):
            yield node, *((None, "") if stored is None else _booted(node, stored.value))
        return
    for provider, launch in launches_for(reader(store), request.id, verdicts):
        if launch.first_use is None:
            yield launch.id, provider, launch.image_build or ""


def _booted(node: NodeId, raw: bytes) -> tuple[str | None, str]:
    try:
        facts = facts_of(decode_node(node, raw))
    except CorruptRecordError:
        return None, ""
    return facts.provider, facts.image or ""


def _beside(store: Store, used: Collection[tuple[str, str | None]]) -> Mapping[str, BuildId | None]:
    """Return the build of each image that is being made where it is used, or None."""
    wanted = {image for image, _ in used}
    if not wanted:
        return {}
    seen = library.read(store, only=wanted, launched=False, just_looking=True)
    builds = [one.value for one in seen.builds.values() if one.value.state in UNDER_WAY]
    made = [
        one.id for one in builds if any((one.id.image, provider) in used for provider in one.group)
    ]
    return {name: max((one for one in made if one.image == name), default=None) for name in wanted}


def _asking(store: Store, request: Request, image: str, use: ImageUse) -> BuildId | None:
    """Return the build that a builder's request is for."""
    if use is ImageUse.PROVE:
        return request.image.upload.build if request.image and request.image.upload else None
    seen = library.read(store, only=[image], launched=False)
    builds = (one for one, stored in seen.builds.items() if stored.value.request == request.id)
    return max(builds, default=None)

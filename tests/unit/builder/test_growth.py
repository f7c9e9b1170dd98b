"""A judgement costs in proportion to the records that there are."""

from builder.decide import decide
from builder.place.view import ProviderFacts
from builder.policy import ImagePolicy
from builder.view import WorldView
from remuda.images.library import Library
from remuda.model.build import Build, BuildState, Why
from remuda.model.ids import ReplicaId
from remuda.model.image import BuildId, ImageRecord, UploadId
from remuda.model.upload import Trial, TrialResult, Upload, UploadState
from remuda.store.api import Stored
from tests.support.growth import excess

PLACES = {"p": "a" * 12, "q": "b" * 12}
BUILDS = 4
STATES = (UploadState.USABLE, UploadState.RETIRING, UploadState.DELETING, UploadState.STORED)


def world(images: int) -> WorldView:
    """Return a world of so many images, each with builds in two places."""
    ids = [BuildId(f"i{image}", n) for image in range(images) for n in range(1, BUILDS + 1)]
    builds = [
        Build(
            id=one,
            state=BuildState.BUILT,
            why=Why.AGE,
            requested_s=1.0,
            since_s=1.0,
            fingerprint="f",
            group=("p", "q"),
            provider="p",
            place=PLACES["p"],
        )
        for one in ids
    ]
    uploads = [
        Upload(
            id=UploadId(one, place),
            state=STATES[one.number % len(STATES)],
            since_s=1.0,
            cloud_image="x",
            trials={provider: Trial(result=TrialResult.PASSED)},
        )
        for one in ids
        for provider, place in PLACES.items()
    ]
    names = {one.image for one in ids}
    return WorldView(
        now_s=1e6,
        me=ReplicaId("me"),
        builders=frozenset({ReplicaId("me")}),
        mine=lambda _thing: True,
        library=Library(
            images={
                name: Stored(path="i", value=ImageRecord(name=name, last_build=BUILDS), version=1)
                for name in names
            },
            builds={one.id: Stored(path="b", value=one, version=1) for one in builds},
            uploads={one.id: Stored(path="u", value=one, version=1) for one in uploads},
        ),
        policies={
            name: ImagePolicy(image=name, fingerprint="f", groups=(("p", "q"),)) for name in names
        },
        providers={name: ProviderFacts(name=name, place=one) for name, one in PLACES.items()},
    )


def test_a_judgement_grows_with_its_records() -> None:
    """Not with their square: each builder judges all of them at each change."""
    worlds = {size: world(size) for size in (16, 64, 256)}

    found = excess(lambda text: decide(worlds[len(text)]), "x", sizes=(16, 64, 256))
    assert found == ""

"""How builds come to other places."""

import pytest

from builder.decide import decide
from builder.place.view import ProviderFacts
from builder.policy import ImagePolicy
from builder.upload.actions import TakeUpload
from builder.view import WorldView
from remuda.images.library import Library
from remuda.model.build import Build, BuildState, Why
from remuda.model.ids import ReplicaId
from remuda.model.image import BuildId, ImageRecord, UploadId
from remuda.model.upload import Upload, UploadState
from remuda.store.api import Stored

ME = ReplicaId("me")
BUILD = BuildId("debian", 1)
PLACES = {"p": "c" * 12, "q": "b" * 12, "r": "a" * 12}


@pytest.mark.parametrize(
    ("realms", "method", "source"),
    [
        ({"p": "one", "q": "one", "r": "two"}, "share", "p"),
        ({"p": "one", "q": "two", "r": "three"}, "carry", "r"),
    ],
)
def test_what_can_be_shared_is_not_carried(
    realms: dict[str, str], method: str, source: str
) -> None:
    """Though another place, from where it would be carried, comes first."""
    states = {"p": UploadState.STORED, "q": UploadState.PENDING, "r": UploadState.STORED}
    uploads = [
        Upload(id=UploadId(BUILD, PLACES[name]), state=state, since_s=1.0, cloud_image=name)
        for name, state in states.items()
    ]
    build = Build(
        id=BUILD,
        state=BuildState.BUILT,
        why=Why.AGE,
        requested_s=1.0,
        since_s=1.0,
        fingerprint="f",
        group=("p", "q", "r"),
        provider="p",
        place=PLACES["p"],
    )
    image = ImageRecord(name="debian", last_build=1)
    world = WorldView(
        now_s=1000.0,
        me=ME,
        builders=frozenset({ME}),
        mine=lambda _thing: True,
        library=Library(
            images={"debian": Stored(path="i", value=image, version=1)},
            builds={BUILD: Stored(path="b", value=build, version=1)},
            uploads={one.id: Stored(path="u", value=one, version=1) for one in uploads},
        ),
        policies={"debian": ImagePolicy(image="debian", fingerprint="f", groups=(build.group,))},
        providers={
            name: ProviderFacts(name=name, place=place, realm=realms[name])
            for name, place in PLACES.items()
        },
    )

    (taken,) = [one for one in decide(world).actions if isinstance(one, TakeUpload)]
    assert (taken.method, taken.source.place) == (method, PLACES[source])

"""What is swept: only what no record can expect."""

import pytest

from builder.decide.actions import SweepImage
from builder.decide.decide import decide
from builder.decide.world import BuilderWorld, ImageListing, ListedImage, ProviderFacts
from remuda.images.library import Library
from remuda.model.ids import ReplicaId
from remuda.model.image import BuildId

ME = ReplicaId("me")
HERE = "a" * 12


@pytest.mark.parametrize("unreadable", [(), ("/remuda/images/a/builds/000001",)])
def test_nothing_is_swept_while_a_record_cannot_be_read(unreadable: tuple[str, ...]) -> None:
    """It may be a newer version's, and expect the image; without any, what is ours goes."""
    ours = ListedImage(id="i", name="n", build=BuildId("a", 1), active=True)
    known = BuilderWorld(
        now_s=1000.0,
        me=ME,
        builders=frozenset({ME}),
        mine=lambda _thing: True,
        library=Library(unreadable=unreadable),
        policies={},
        providers={"p": ProviderFacts(name="p", place=HERE)},
        listings={
            HERE: ImageListing(
                begun_s=900.0, before_s=800.0, images={"i": ours}, images_before={"i": ours}
            )
        },
    )

    swept = [one for one in decide(known).actions if isinstance(one, SweepImage)]

    assert bool(swept) is not bool(unreadable)

"""What is swept: only what no record can expect; and which records stay."""

from dataclasses import replace

import pytest

from builder.build.actions import BeginBuild, RetireBuild
from builder.decide import decide
from builder.place.actions import SweepImage
from builder.place.view import ImageListing, ListedImage, ProviderFacts
from builder.policy import ImagePolicy
from builder.upload.actions import RetireUpload
from builder.view import WorldView
from remuda.images.library import Library
from remuda.model.build import Build, BuildState, Revocation, Why
from remuda.model.ids import ReplicaId
from remuda.model.image import BuildId, ImageRecord, UploadId, Word
from remuda.store.api import Stored
from tests.unit.builder import judging
from tests.unit.builder.judging import NOW_S, POLICY, build, some, upload, world

ME = ReplicaId("me")
HERE = "a" * 12


@pytest.mark.parametrize("unreadable", [(), ("/remuda/images/a/builds/000001",)])
def test_nothing_is_swept_while_a_record_cannot_be_read(unreadable: tuple[str, ...]) -> None:
    """It may be a newer version's, and expect the image; without any, what is ours goes."""
    ours = ListedImage(id="i", name="n", build=BuildId("a", 1), active=True)
    known = WorldView(
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


BY_ADA = Word(who="ada", why="bad", at_s=500.0)
#: What may become of the last build before its uploads are gone.
LAST = (
    {"state": BuildState.BUILT, "revoked": Revocation(word=BY_ADA)},
    {"state": BuildState.BUILT, "unwanted": BY_ADA},
    {"state": BuildState.FAILED, "unwanted": BY_ADA},
)


def records(*builds: Build) -> WorldView:
    """Return an image of which a build above 1 was asked for; no upload of it is left."""
    image = ImageRecord(name="a", last_build=len(builds), wanted=BY_ADA, wanted_above=1)
    return WorldView(
        now_s=1000.0,
        me=ME,
        builders=frozenset({ME}),
        mine=lambda _thing: True,
        library=Library(
            images={"a": Stored(path="/a", value=image, version=1)},
            builds={one.id: Stored(path="/b", value=one, version=1) for one in builds},
        ),
        policies={"a": ImagePolicy(image="a", fingerprint="f", groups=(("p",),))},
        providers={"p": ProviderFacts(name="p", place=HERE)},
    )


@pytest.mark.parametrize("last", LAST)
def test_the_last_build_stays_on_record(last: dict[str, object]) -> None:
    """Else the command that it was made for, or its recipe, would be news again."""
    first = Build(
        id=BuildId("a", 1),
        state=BuildState.BUILT,
        why=Why.RECIPE_CHANGED,
        requested_s=100.0,
        since_s=100.0,
        fingerprint="older",
        group=("p",),
        provider="p",
        place=HERE,
    )
    second = replace(first, id=BuildId("a", 2), fingerprint="f", **last)  # type: ignore[arg-type]
    plan = decide(records(first, second))

    assert [one.id.number for one in plan.actions if isinstance(one, RetireBuild)] == [1]
    assert not [one for one in plan.actions if isinstance(one, BeginBuild)]
    assert plan.waits["a/2"].startswith("the last build stays on record")

    third = replace(first, id=BuildId("a", 3), fingerprint="f")
    retired = decide(records(first, second, third)).actions
    assert {1, 2} <= {one.id.number for one in retired if isinstance(one, RetireBuild)}


def retired(*, ago_s: float, full: str | None = None, **what: object) -> list[UploadId]:
    """Return which of two proven uploads retire when the older was taken away so long ago."""
    word = Word(who="ada", why="bad", at_s=NOW_S - ago_s)
    taken = {"revoked": {"revoked": Revocation(word=word)}, "deleted": {"unwanted": word}}
    fields = {key: value for one in what for key, value in taken[one].items()}
    providers = {"p": ProviderFacts(name="p", place=judging.HERE, full=full)}
    known = world([build(1, **fields), build(2)], [upload(1), upload(2)], providers=providers)
    return [one.id for one in some(decide(known), RetireUpload)]


def test_what_is_revoked_is_kept_for_a_while_to_be_restored() -> None:
    """What retires does not come back; who wants the room deletes it."""
    first = [UploadId(BuildId("a", 1), judging.HERE)]

    assert retired(ago_s=POLICY.evidence_s - 60.0, revoked=True) == []
    assert retired(ago_s=POLICY.evidence_s + 60.0, revoked=True) == first
    assert retired(ago_s=1.0, revoked=True, full="no room for an image") == first
    assert retired(ago_s=1.0, deleted=True) == first
    assert retired(ago_s=1.0, revoked=True, deleted=True) == first


def test_what_was_revoked_by_a_clock_far_ahead_is_not_kept_for_ever() -> None:
    """Its word tells nothing of when it was said."""
    assert retired(ago_s=-9e9, revoked=True) == [UploadId(BuildId("a", 1), judging.HERE)]

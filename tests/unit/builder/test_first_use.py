"""Images that are made on first use: when a build of one is begun, and when all of it goes."""

from dataclasses import replace
from typing import Any, Final

import pytest

from builder.actions import Plan
from builder.build.actions import BeginBuild, RetireBuild
from builder.decide import decide
from builder.image import using
from builder.place.view import ProviderFacts
from builder.pointer.actions import DropPointer, MovePointer, pointer_name
from builder.policy import ImagePolicy
from builder.records import Records
from builder.upload.actions import BeginUpload, RetireUpload
from builder.view import WorldView
from builder.writes import write
from remuda.images.library import Library
from remuda.model.build import Base, Blame, Build, BuildState, Mishap, Why
from remuda.model.codec import CorruptRecordError
from remuda.model.ids import NodeId, ReplicaId
from remuda.model.image import BuildId, ImageRecord, UploadId
from remuda.model.lastuse import LastUse, encode_last_use
from remuda.model.launch import Launch, Step
from remuda.model.pointer import Pin, Pointer
from remuda.model.tally import Tally
from remuda.model.upload import Upload, UploadState
from remuda.store import paths
from remuda.store.api import Check, Create, Delete, Put, Stored
from tests.unit.builder.judging import HERE, ME, NOW_S, PLACES, REVOKED, WORD, build, upload

TTL_S: Final = 3600.0
POLICY: Final = ImagePolicy(
    image="a", fingerprint="f", groups=(("p",),), backoff_s=60.0, ttl_s=TTL_S
)
#: Long enough ago for everything.
OLD_S: Final = NOW_S - 2 * TTL_S


def made(number: int = 1, **more: Any) -> Build:
    """Return a build that was made long ago."""
    return build(number, **{"group": ("p",), "since_s": OLD_S, "base": Base(id="old"), **more})


def stored(path: str, value: Any) -> Stored[Any]:
    """Return a record as it was read."""
    return Stored(path=path, value=value, version=1)


def world(
    *builds: Build,
    used_s: float | None = None,
    uploads: tuple[Upload, ...] = (),
    pointer: Pointer | None = None,
    policy: ImagePolicy = POLICY,
    **more: Any,
) -> WorldView:
    """Return what a builder knows; *used_s*: so long ago the image was used, or never."""
    last = LastUse(image="a", at_s=None if used_s is None else NOW_S - used_s)
    record = more.pop("record", ImageRecord(name="a", last_build=len(builds)))
    library = Library(
        images={"a": stored(paths.image("a"), record)},
        builds={one.id: stored(paths.build(one.id), one) for one in builds},
        uploads={one.id: stored(paths.upload(one.id), one) for one in uploads},
        pointers={} if pointer is None else {("a", "p"): stored(paths.pointer("a", "p"), pointer)},
        uses={} if used_s is None else {"a": stored(paths.last_use("a"), last)},
        launches=more.pop("launches", ()),
        tallies=more.pop("tallies", {}),
    )
    return WorldView(
        now_s=NOW_S,
        me=ME,
        builders=frozenset({ME}),
        mine=lambda _thing: True,
        library=replace(library, **more),
        policies={"a": policy},
        providers={"p": ProviderFacts(name="p", place=HERE)},
        bases={("a", "p"): Base(id="old")},
    )


def serving(number: int = 1, **fields: Any) -> Pointer:
    """Return the pointer at a build."""
    return Pointer(image="a", provider="p", place=HERE, current=number, **fields)


def begun(plan: Plan) -> list[Why]:
    """Return why builds are begun."""
    return [one.why for one in plan.actions if isinstance(one, BeginBuild)]


def dropped(plan: Plan) -> bool:
    """Whether the pointer goes."""
    return any(isinstance(one, DropPointer) for one in plan.actions)


def retired(plan: Plan) -> list[str]:
    """Return why uploads retire."""
    return [one.because for one in plan.actions if isinstance(one, RetireUpload)]


#: A build that was found to be the same as the first one, for a new base.
SAME: Final = made(2, state=BuildState.SAME, same_as=1, why=Why.BASE_CHANGED)
FAILED: Final = Mishap(step="x", blame=Blame.RECIPE, message="no")
OCCASIONS: Final = [
    ("nobody uses it", world(), []),
    ("it is used", world(used_s=10.0), [Why.FIRST_USE]),
    ("it was used", world(used_s=TTL_S - 1), [Why.FIRST_USE]),
    ("long ago", world(used_s=TTL_S), []),
    ("in the future", world(used_s=-1e6), []),
    ("a little in the future", world(used_s=-60.0), [Why.FIRST_USE]),
    ("it is under way", world(made(state=BuildState.REQUESTED), used_s=10.0), []),
    ("it is there", world(made(), used_s=10.0, uploads=(upload(1),)), []),
    ("of another recipe", world(made(fingerprint="g"), used_s=10.0), [Why.FIRST_USE]),
    ("of another, unused", world(made(fingerprint="g")), []),
    (
        "it goes",
        world(made(), used_s=10.0, uploads=(upload(1, state=UploadState.RETIRING),)),
        [Why.FIRST_USE],
    ),
    ("the same is there", world(made(), SAME, used_s=10.0, uploads=(upload(1),)), []),
    ("the same is not there", world(SAME, used_s=10.0), [Why.FIRST_USE]),
    (
        "the same goes",
        world(made(), SAME, used_s=10.0, uploads=(upload(1, state=UploadState.DELETING),)),
        [Why.FIRST_USE],
    ),
    (
        "the record of the same goes",
        world(made(state=BuildState.RETIRING), SAME, used_s=10.0),
        [Why.FIRST_USE],
    ),
    ("the same was revoked", world(made(revoked=REVOKED), SAME, used_s=10.0), []),
    ("the same goes, unused", world(made(state=BuildState.RETIRING), SAME), []),
    ("its record goes", world(made(state=BuildState.RETIRING), used_s=1.0), [Why.FIRST_USE]),
    (
        "it failed just now",
        world(made(state=BuildState.FAILED, why=Why.FIRST_USE, since_s=NOW_S), used_s=10.0),
        [],
    ),
    (
        "it failed",
        world(made(state=BuildState.FAILED, why=Why.FIRST_USE, mishap=FAILED), used_s=10.0),
        [Why.FIRST_USE],
    ),
    ("revoked", world(made(revoked=REVOKED), used_s=10.0), []),
    ("deleted by command", world(made(unwanted=WORD), used_s=10.0), []),
    ("its base has changed", world(made(base=Base(id="other")), used_s=10.0), [Why.BASE_CHANGED]),
    ("that, unused", world(made(base=Base(id="other"))), []),
    (
        "somebody wants it",
        world(record=ImageRecord(name="a", wanted=WORD)),
        [Why.COMMAND],
    ),
    ("paused", world(used_s=10.0, policy=replace(POLICY, paused=True)), []),
]


@pytest.mark.parametrize(
    ("view", "why"), [one[1:] for one in OCCASIONS], ids=[one[0] for one in OCCASIONS]
)
def test_a_build_is_begun_while_somebody_uses_it(view: WorldView, why: list[Why]) -> None:
    """One at a time, and of the recipe of now."""
    assert begun(decide(view)) == why


def test_what_nobody_can_tell_begins_and_ends_nothing() -> None:
    """A last use that cannot be read: launchers write it anew while it is used."""
    odd = {"a": stored(paths.last_use("a"), LastUse(image="a"))}
    plan = decide(world(uses=odd))
    assert not begun(plan)
    assert "cannot be read" in str(plan.waits)

    plan = decide(world(made(), uploads=(upload(1),), pointer=serving(), uses=odd))
    assert not dropped(plan)
    assert not retired(plan)


def test_unused_for_its_time_its_pointer_goes_first_and_then_its_builds() -> None:
    """Not before, and not what a launch may still come to through a pointer."""
    builds = (made(1), made(2))
    uploads = (upload(1), upload(2))
    used = world(*builds, used_s=10.0, uploads=uploads, pointer=serving(2, previous=1))
    plan = decide(used)
    assert not dropped(plan)
    assert not retired(plan)
    assert plan.wake_at_s == NOW_S - 10.0 + TTL_S

    plan = decide(world(*builds, used_s=TTL_S, uploads=uploads, pointer=serving(2, previous=1)))
    assert dropped(plan)
    assert not retired(plan)

    plan = decide(world(*builds, used_s=TTL_S, uploads=uploads))
    assert not dropped(plan)
    assert retired(plan) == ["nobody has used it for 1h"] * 2
    assert not any(isinstance(one, MovePointer) for one in plan.actions)


def test_what_was_just_made_has_all_its_time() -> None:
    """Whoever asked for it: nobody may have used it yet."""
    plan = decide(world(made(since_s=NOW_S - 10.0), uploads=(upload(1),), pointer=serving()))
    assert not dropped(plan)
    assert not retired(plan)


def test_what_is_under_way_keeps_what_is_there() -> None:
    """Its owner may need it for a comparison."""
    under_way = made(2, state=BuildState.BUILDING, owner=ME, provider="p")
    view = world(made(1), under_way, uploads=(upload(1),), pointer=serving())
    assert not dropped(decide(view))
    assert using.goes_s(view, POLICY) == float("inf")


def test_a_build_whose_uploads_are_still_being_read_is_there() -> None:
    """Its record comes before theirs."""
    assert not begun(decide(world(made(), used_s=10.0)))
    assert not begun(decide(world(made(), SAME, used_s=10.0)))


def test_what_was_deleted_stays_on_record_while_the_last_build_was_the_same() -> None:
    """Else it would be made again, though nobody has changed its recipe."""
    plan = decide(world(made(unwanted=WORD), SAME, used_s=10.0))
    assert not begun(plan)
    assert not any(isinstance(one, RetireBuild) for one in plan.actions)
    assert plan.waits["a/1"].startswith("the last build stays on record")


def test_a_pin_keeps_it_and_a_pause_delays_its_end() -> None:
    """Both are somebody's word."""
    pinned = serving(pinned=Pin(number=1, word=WORD, until_s=None))
    plan = decide(world(made(), uploads=(upload(1),), pointer=pinned))
    assert not dropped(plan)
    paused = ImageRecord(name="a", last_build=1, paused=WORD)
    plan = decide(world(made(), uploads=(upload(1),), pointer=serving(), record=paused))
    assert not dropped(plan)
    assert "paused by ada" in plan.waits[pointer_name("a", "p")]


def test_what_was_withdrawn_goes_before_the_words_that_say_so() -> None:
    """Else a new pointer would name it again."""
    pointer = serving(1, withdrawn={2: WORD})
    plan = decide(world(made(1), made(2), uploads=(upload(1), upload(2)), pointer=pointer))
    assert not dropped(plan)
    assert [one.id.build.number for one in plan.actions if isinstance(one, RetireUpload)] == [2]
    plan = decide(world(made(1), made(2), uploads=(upload(1),), pointer=pointer))
    assert dropped(plan)


def test_a_build_of_another_recipe_is_not_kept() -> None:
    """But for what a pointer names; what is kept of this one are the newest."""
    builds = (made(1), made(2, fingerprint="g"), made(3))
    some = tuple(map(upload, (1, 2, 3)))
    plan = decide(world(*builds, used_s=10.0, uploads=some, pointer=serving(3)))
    assert [one.id.build.number for one in plan.actions if isinstance(one, RetireUpload)] == [2]
    assert retired(plan)[0].startswith("it is made anew when it is used")


def test_used_again_before_it_is_gone_it_is_booted_again() -> None:
    """The pointer comes back."""
    plan = decide(world(made(), used_s=1.0, uploads=(upload(1),)))
    assert any(isinstance(one, MovePointer) for one in plan.actions)
    assert not begun(plan)


def test_a_pointer_goes_with_its_counts_unless_somebody_uses_or_pauses_it_meanwhile() -> None:
    """Every version that it was decided by is named."""
    tally = {("a", "p"): stored(paths.tally("a", "p"), Tally(image="a", provider="p"))}
    view = world(made(), used_s=TTL_S, uploads=(upload(1),), pointer=serving(), tallies=tally)
    ops = write(view, DropPointer(image="a", provider="p"))
    assert ops == [
        Delete(path=paths.tally("a", "p"), version=1),
        Delete(path=paths.pointer("a", "p"), version=1),
        Check(path=paths.image("a"), version=1),
        Check(path=paths.last_use("a"), version=1),
    ]
    # Its first use, of which nothing is known yet, makes it fail as well.
    bare = write(world(made(), pointer=serving()), DropPointer(image="a", provider="p"))
    assert bare == [
        Delete(path=paths.pointer("a", "p"), version=1),
        Check(path=paths.image("a"), version=1),
        Create(path=paths.last_use("a")),
        Delete(path=paths.last_use("a")),
    ]


def test_what_goes_is_not_copied_to_where_it_has_gone_already() -> None:
    """Else it would come and go for ever, where one place is slower than another."""
    both = replace(POLICY, groups=(("p", "q"),))
    there = ProviderFacts(name="q", place=PLACES["q"])
    for used_s, copied in ((10.0, 1), (TTL_S, 0)):
        view = world(made(group=("p", "q")), used_s=used_s, uploads=(upload(1),), policy=both)
        plan = decide(replace(view, providers={**view.providers, "q": there}))
        assert sum(isinstance(one, BeginUpload) for one in plan.actions) == copied


def test_machines_that_boot_it_hinder_only_its_deletion() -> None:
    """As with every upload: it retires, and stays until they are gone."""
    launch = Launch(
        id=NodeId("3000000001"),
        pool="main",
        label="x",
        step=Step.DONE,
        owner=ReplicaId("l"),
        planned_s=1.0,
        asked_by_s=1.0,
        image_build="a/1",
        image_place=HERE,
    )
    booted = {"launches": (("p", launch),)}
    plan = decide(world(made(), used_s=TTL_S, uploads=(upload(1),), **booted))
    assert retired(plan)
    going = upload(1, state=UploadState.RETIRING, since_s=OLD_S)
    plan = decide(world(made(), used_s=TTL_S, uploads=(going,), **booted))
    assert "refers to it" in plan.waits[str(UploadId(BuildId("a", 1), HERE))]


def test_records_keep_the_version_of_what_cannot_be_read() -> None:
    """It refers to nothing, and hinders no deletion; it is written, or deleted, by version."""
    records = Records()
    good = encode_last_use(LastUse(image="a", at_s=5.0, provider="p"))
    path = paths.last_use("a")
    records.take(
        ["images", "a", "use"], Put(path=path, stored=Stored(path=path, value=good, version=1))
    )
    assert records.library().uses["a"].value.at_s == 5.0
    for where, at, bad in (
        (["images", "a", "use"], path, b"{"),
        (["images", "a", "pointers", "p", "tally"], paths.tally("a", "p"), b"{"),
    ):
        with pytest.raises(CorruptRecordError):
            records.take(where, Put(path=at, stored=Stored(path=at, value=bad, version=2)))
        records.take(where, Put(path=at, stored=None))
    assert not records.unreadable
    assert records.library().uses == {}
    with pytest.raises(CorruptRecordError):
        records.take(
            ["images", "a", "use"], Put(path=path, stored=Stored(path=path, value=b"{", version=3))
        )
    kept = records.library().uses["a"]
    assert (kept.version, kept.value.at_s) == (3, None)

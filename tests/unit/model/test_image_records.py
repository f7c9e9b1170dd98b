"""The records of images: round trips, names, and what each refuses."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from remuda.model import build, image, pointer, upload
from remuda.model.build import Base, Blame, Build, BuildState, Mishap, Revocation, Why
from remuda.model.codec import RECORD_BYTES_MAX, CorruptRecordError, UnknownSchemaError
from remuda.model.ids import NodeId, ReplicaId, RequestId
from remuda.model.image import BuildId, ImageRecord, UploadId, Word, parse_build, place_of
from remuda.model.pointer import Canary, Move, MoveWhy, Pin, Pointer
from remuda.model.tally import BuildTally, Counts, Sample, Tally, decode_tally, encode_tally
from remuda.model.upload import Method, Trial, TrialResult, Upload, UploadState

BUILD = BuildId("debian-12", 41)
HERE, THERE = "0123456789ab", "ba9876543210"
SECONDS = st.floats(0, 1e10, allow_nan=False)
LINE = st.text(max_size=40).filter(lambda text: text.encode(errors="ignore").decode() == text)
WORDS = st.builds(Word, who=LINE, why=LINE, at_s=SECONDS)
NUMBERS = st.integers(1, image.BUILD_NUMBER_MAX)
BUILDS = st.builds(BuildId, st.sampled_from(["a", "debian-12", "x.y_z"]), NUMBERS)
MISHAPS = st.builds(Mishap, step=LINE.filter(bool), blame=st.sampled_from(Blame), message=LINE)


@given(st.builds(ImageRecord, name=st.just("debian"), wanted=st.none() | WORDS))
def test_an_image_survives_the_round_trip(first: ImageRecord) -> None:
    """Every field of it."""
    first = replace(first, last_build=7, wanted_above=6, paused=first.wanted)

    assert first == image.decode_image("debian", image.encode_image(first))


@given(
    st.sampled_from(BuildState),
    st.sampled_from(Why),
    SECONDS,
    st.none() | BUILDS,
    st.none() | st.tuples(WORDS, MISHAPS),
)
def test_a_build_survives_the_round_trip(
    state: BuildState,
    why: Why,
    when_s: float,
    parent: BuildId | None,
    told: tuple[Word, Mishap] | None,
) -> None:
    """Every field of it."""
    word, mishap = told or (None, None)
    first = Build(
        id=BUILD,
        state=state,
        why=why,
        requested_s=when_s,
        since_s=when_s,
        fingerprint="f",
        group=("here", "there"),
        provider="here",
        place=HERE,
        owner=ReplicaId("me"),
        cannot_sign=(ReplicaId("other"),),
        no_room=(ReplicaId("third"),),
        attempt=2,
        asked_by_s=when_s,
        retry_s=when_s,
        parent=parent,
        base=None if parent else Base(id="7f3c", name="Debian", hash="sha512:0"),
        request=RequestId("900-0000000001"),
        node=NodeId("3000000001"),
        cloud_name="n",
        snapshot="7f3d",
        inventory="i",
        identity={"machine-id": "beef"},
        started_s=when_s,
        ended_s=None if parent else when_s,
        mishap=mishap,
        revoked=None if word is None else Revocation(word=word, inherited=parent),
        unwanted=word,
    )

    assert first == build.decode_build(BUILD, build.encode_build(first))


@given(
    st.sampled_from(UploadState),
    st.sampled_from(Method),
    st.dictionaries(
        st.sampled_from(["here", "there"]),
        st.builds(
            Trial,
            result=st.sampled_from(TrialResult),
            failures=st.integers(0, 5),
            hosts=st.lists(LINE, max_size=3).map(tuple),
            why=st.none() | LINE,
            at_s=SECONDS,
            retry_s=SECONDS,
            spoiled=st.integers(0, 5),
        ),
    ),
    st.none() | MISHAPS,
)
def test_an_upload_survives_the_round_trip(
    state: UploadState, method: Method, trials: dict[str, Trial], mishap: Mishap | None
) -> None:
    """Every field of it."""
    first = Upload(
        id=UploadId(BUILD, HERE),
        state=state,
        since_s=1.5,
        method=method,
        attempt=1,
        spoiled=2,
        source=THERE,
        owner=ReplicaId("me"),
        asked_by_s=2.5,
        retry_s=3.5,
        cloud_image="7f3d",
        trials=trials,
        trying="here",
        size_bytes=2**40,
        sha256="00",
        os_hash="sha512:00",
        carried_sha512="0f" * 64,
        min_disk_gib=10,
        mishap=mishap,
    )

    assert first == upload.decode_upload(first.id, upload.encode_upload(first))


@given(NUMBERS, st.none() | NUMBERS, st.dictionaries(NUMBERS, WORDS, max_size=3), WORDS)
def test_a_pointer_survives_the_round_trip(
    current: int, other: int | None, withdrawn: dict[int, Word], word: Word
) -> None:
    """Every field of it."""
    first = Pointer(
        image="debian",
        provider="here",
        place=HERE,
        current=current,
        previous=other,
        canary=None
        if other is None
        else Canary(number=other, share=0.25, since_s=3.5, before=Counts(ok=current, failed=2)),
        pinned=None if other is None else Pin(number=other, word=word, until_s=7.5),
        withdrawn=withdrawn,
        generation=9,
        moves=(Move(kind=MoveWhy.PROMOTE, before=other, after=current, word=word),),
    )

    assert first == pointer.decode_pointer("debian", "here", pointer.encode_pointer(first))


@given(BUILDS)
def test_a_build_is_named_and_found_again(one: BuildId) -> None:
    """In records and in paths; and in a listing the names sort as the numbers do."""
    assert one == parse_build(str(one))
    assert one.number == image.number_of(image.znode_name(one.number))
    assert len(image.znode_name(one.number)) == image.BUILD_DIGITS


@pytest.mark.parametrize("text", ["", "a", "a/", "/1", "a/0", "a/-1", "a/1234567", "../1", "a/b/1"])
def test_what_names_no_build(text: str) -> None:
    """It may be part of a path one day."""
    assert parse_build(text) is None


def test_a_place_is_a_project_in_a_region() -> None:
    """Two providers share it, or do not, whatever they are called; no two texts run together."""
    here = place_of(project="p", region="r", endpoint="e")

    assert image.PLACE.fullmatch(here)
    assert here == place_of(project="p", region="r", endpoint="e")
    assert here != place_of(project="pr", region="", endpoint="e")


@pytest.mark.parametrize("name", ["", "..", "a/b", "-a", "x" * 101])
def test_an_image_has_a_name(name: str) -> None:
    """Znodes of others do not become images."""
    with pytest.raises(CorruptRecordError, match="no name"):
        image.decode_image(name, image.encode_image(ImageRecord(name="x")))


def test_another_schema_is_not_guessed_at() -> None:
    """It belongs to a newer version; fields that are new we ignore."""
    with pytest.raises(UnknownSchemaError):
        build.decode_build(BUILD, b'{"schema": 2}')
    assert image.decode_image("a", b'{"schema": 1, "newer": 7}') == ImageRecord(name="a")


def test_long_words_are_cut_when_they_are_written() -> None:
    """A person's reason must not make the record unreadable."""
    word = Word(who="a" * 5000, why="b" * 5000, at_s=1.0)
    again = image.decode_image("a", image.encode_image(ImageRecord(name="a", paused=word)))

    assert again.paused is not None
    assert len(again.paused.who) == len(again.paused.why) == image.WORD_CHARS_MAX


def test_a_pin_ends_by_itself_and_what_is_withdrawn_is_not_served() -> None:
    """What launches boot, at any moment, is in the pointer alone."""
    word = Word(who="ada", why="x", at_s=1.0)
    one = Pointer(
        image="a",
        provider="p",
        place=HERE,
        current=5,
        previous=4,
        pinned=Pin(number=3, word=word, until_s=10.0),
    )

    assert one.served(9.9) == 3
    assert one.served(10.0) == 5
    assert replace(one, withdrawn={5: word}).served(10.0) is None
    assert dict(one.named()) == {"current": 5, "previous": 4, "pinned": 3}


@pytest.mark.parametrize("text", ["x" * 5000, "\N{PILE OF POO}" * 5000])
def test_whatever_is_said_of_a_pointer_it_can_be_read(text: str) -> None:
    """Its words are cut, and its oldest moves go; nothing that is withdrawn is given back."""
    said = Word(who=text, why=text, at_s=1.0)
    first = Pointer(
        image="debian",
        provider="p",
        place=HERE,
        current=1,
        pinned=Pin(number=2, word=said),
        withdrawn=dict.fromkeys(range(1, pointer.WITHDRAWN_MAX + 1), said),
        moves=tuple(
            Move(kind=MoveWhy.PIN, before=1, after=number, word=said)
            for number in range(1, pointer.MOVES_MAX + 1)
        ),
    )
    raw = pointer.encode_pointer(first)
    again = pointer.decode_pointer("debian", "p", raw)

    assert len(raw) <= RECORD_BYTES_MAX // 2
    assert again.withdrawn.keys() == first.withdrawn.keys()
    assert again.moves[-1].after == pointer.MOVES_MAX
    assert {len(one.word.why) for one in again.moves} == {image.WORD_CHARS_MAX}


def test_why_a_trial_failed_is_kept_in_short() -> None:
    """There may be a hundred of them in a record."""
    first = Upload(
        id=UploadId(BUILD, HERE),
        state=UploadState.STORED,
        since_s=1.0,
        trials={"p": Trial(why="x" * 5000)},
    )
    again = upload.decode_upload(first.id, upload.encode_upload(first))

    assert again.trials["p"].why == "x" * image.WORD_CHARS_MAX


COUNTS = st.dictionaries(
    st.text(max_size=20).filter(lambda one: one.isprintable()),
    st.builds(Counts, NUMBERS, NUMBERS),
    max_size=3,
)


@given(st.dictionaries(NUMBERS, st.builds(BuildTally, launches=COUNTS, jobs=COUNTS), max_size=3))
def test_a_tally_survives_the_round_trip(builds: dict[int, BuildTally]) -> None:
    """Every count of it."""
    first = Tally(image="debian", provider="here", builds=builds)

    assert first == decode_tally("debian", "here", encode_tally(first))


def test_a_tally_counts_the_newest_builds() -> None:
    """What came long ago makes room; counts of a build that is older than all are dropped."""
    tally = Tally(image="debian", provider="here")
    for number in range(1, 40):
        tally = tally.counted(number, Sample.JOB, "small", ok=number % 2 == 0)

    assert sorted(tally.builds) == list(range(8, 40))
    assert tally.of(39).total(Sample.JOB) == Counts(ok=0, failed=1)
    assert tally.counted(3, Sample.JOB, "small", ok=True) == tally
    assert tally.of(3) == tally.of(None) == BuildTally()


def test_a_tally_is_never_too_large_to_be_read() -> None:
    """Whatever labels are called: it forgets builds, oldest first, and labels past its limit."""
    tally = Tally(image="debian", provider="here")
    for number in range(1, 20):
        for label in range(205):
            tally = tally.counted(number, Sample.LAUNCH, f"{label:03d}{'x' * 200}", ok=True)
    read = decode_tally("debian", "here", encode_tally(tally))

    assert len(tally.of(19).launches) == 200
    assert read.of(19) == tally.of(19)
    assert 1 not in read.builds


@pytest.mark.parametrize(
    ("now", "then", "since"),
    [
        (Counts(9, 2), Counts(5, 1), Counts(4, 1)),
        (Counts(3, 0), Counts(5, 1), Counts(3, 0)),  # a record that was begun anew
    ],
)
def test_what_came_since(now: Counts, then: Counts, since: Counts) -> None:
    """Never less than nothing."""
    assert now.since(then) == since

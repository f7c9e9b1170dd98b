"""Sums of what machines fetch: bounded, additive, and about the last hundred."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from remuda.model import codec
from remuda.model.fetched import FETCHED_BYTES_MAX, LAST, During, Fetches, believed, read_fetches
from remuda.model.fields import COUNT_MAX, Fields
from remuda.model.ids import NodeId, ReplicaId
from remuda.model.launch import Launch, Step, decode, encode
from remuda.model.tally import BuildTally, Counts, Sample, Tally, decode_tally, encode_tally


def test_nothing_known_is_no_mean() -> None:
    """Not zero: that is what a good image brings about."""
    assert Fetches().mean_bytes is None
    assert Fetches().plus(0).mean_bytes == 0
    assert Fetches().plus(10).plus(20).mean_bytes == 15


def test_old_machines_count_less_and_less() -> None:
    """A label whose setup changes is compared with what it is now, not with years ago."""
    one = Fetches()
    for _ in range(1000):
        one = one.plus(1_000)
    for _ in range(3 * LAST):
        one = one.plus(10)
    assert one.count <= LAST
    assert one.mean_bytes is not None
    assert one.mean_bytes < 50


@given(st.lists(st.integers(0, FETCHED_BYTES_MAX), max_size=400))
def test_a_sum_always_fits_its_record(some: list[int]) -> None:
    """What is written can be read."""
    one = Fetches()
    for fetched in some:
        one = one.plus(fetched)
    assert one.count <= LAST
    assert one.total_bytes <= LAST * FETCHED_BYTES_MAX < COUNT_MAX
    tally = Tally(
        image="i", provider="p", builds={1: BuildTally(fetched_jobs={"small": one} if some else {})}
    )
    assert decode_tally("i", "p", encode_tally(tally)) == tally


@pytest.mark.parametrize("value", [True, -1, 1.5, "7", None, FETCHED_BYTES_MAX + 1, 10**400, [1]])
def test_what_no_machine_can_have_fetched_is_not_believed(value: object) -> None:
    """Whoever writes a node's record may say anything."""
    assert believed(value) is None


def test_a_record_with_more_machines_than_are_kept_is_refused() -> None:
    """A mean of it would be somebody's word."""
    fields = Fields("x", {"jobs": {"small": {"count": LAST + 1, "bytes": 1}}})
    with pytest.raises(codec.CorruptRecordError):
        list(read_fetches(fields, "jobs", 5))


def test_a_tally_keeps_setups_and_jobs_apart() -> None:
    """And counts machines that do not tell what they fetched as before."""
    tally = Tally(image="i", provider="p")
    tally = tally.counted(3, Sample.LAUNCH, "small", ok=True, fetched=700)
    tally = tally.counted(3, Sample.LAUNCH, "small", ok=True)
    tally = tally.counted(3, Sample.JOB, "small", ok=False, fetched=50)

    one = tally.of(3)
    assert one.launches == {"small": Counts(2, 0)}
    assert one.fetched(During.SETUP) == {"small": Fetches(1, 700)}
    assert one.fetched(During.JOB) == {"small": Fetches(1, 50)}
    assert decode_tally("i", "p", encode_tally(tally)) == tally


def test_a_tally_of_before_has_no_such_sums_and_is_written_as_before() -> None:
    """An older launcher reads what a newer one writes."""
    plain = Tally(image="i", provider="p").counted(3, Sample.LAUNCH, "small", ok=True)
    assert b"fetched" not in encode_tally(plain)


@pytest.mark.parametrize(("said", "kept"), [(7, 7), (None, None), (FETCHED_BYTES_MAX + 1, None)])
def test_a_launch_keeps_what_can_be_believed(said: int | None, kept: int | None) -> None:
    """From the proof on, so that whoever takes it over counts the same."""
    launch = Launch(
        id=NodeId("1"),
        pool="main",
        label="small",
        step=Step.DONE,
        owner=ReplicaId("r"),
        planned_s=1.0,
        asked_by_s=1.0,
        setup_fetched=said,
    )
    assert decode(launch.id, encode(launch)).setup_fetched == kept

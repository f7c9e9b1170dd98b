"""A take-home image that is kept for longer: as its owner wishes, and an operator lets it."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import pytest

from builder.place.sites import Sites
from builder.takehome.hand_end import EndingHand
from builder.takehome.hand_keep import KeepingHand
from builder.takehome.tasks import TakeHomeTask
from remuda.config.snapshots import SnapshotsFrom
from remuda.config.takehomes import NONE_ALLOWED, SnapshotRules
from remuda.model import tags
from remuda.model.takehome import EndWish, TakeHomeState, encode_end_wish
from remuda.store import paths
from remuda.store.api import Create, Delete, Set
from tests.unit.builder.handbench import ME, OWNER, PROVIDER, Bench
from tests.unit.builder.takings import WISH, Held, image, make, refuse

WISHED: Final = EndWish(by="ada", at_s=1.0, token="e1", for_s=3600.0)
RULES: Final = SnapshotRules(allowed=SnapshotsFrom.model_validate({"max-age": "3h"}))


@pytest.fixture
def held(tmp_path: Path) -> Iterator[Held]:
    """Give a machine that has become an image."""
    bench = Bench(tmp_path)
    made = Held(bench)
    assert make(made) is None
    yield made
    bench.close()


def wish(held: Held, data: bytes) -> None:
    """Put a wish there."""
    held.bench.others.commit([Create(path=paths.take_home_end(held.id), data=data)])


def wished(held: Held) -> bool:
    """Whether a wish is there."""
    return held.bench.others.read(paths.take_home_end(held.id)) is not None


def keep(held: Held, one: EndWish | None = WISHED, rules: SnapshotRules = RULES) -> str | None:
    """Answer a wish once; return why it is not answered."""
    bench = held.bench
    if one is not None:
        wish(held, encode_end_wish(one))
    sites = Sites(lambda: {PROVIDER: bench.images})
    hand = KeepingHand(bench.store, bench.clock, OWNER.installation, sites)
    return hand.keep(TakeHomeTask(record=held.stored, me=ME), rules).why


def test_an_image_is_kept_for_longer(held: Held) -> None:
    """On record, and on the image; the wish goes."""
    before_s = held.one.ends_s or 0.0
    assert keep(held) is None
    one = held.one
    assert one.ends_s == before_s + 3600.0
    assert one.more is not None
    assert (one.more.token, one.more.by, one.more.refused) == ("e1", "ada", None)
    assert image(held).properties[tags.ENDS] == str(round(one.ends_s))
    assert not wished(held)


@pytest.mark.parametrize(
    ("change", "rules", "why"),
    [
        ({"for_s": 3 * 3600.0}, RULES, "is kept for 3h at most, this one until"),
        ({"by": "eve"}, RULES, "it is of ada: only they, or an operator"),
        ({"by": "ci"}, RULES, "it is of ada: only they, or an operator"),
        ({}, SnapshotRules(), NONE_ALLOWED),
        ({"by": "op-1"}, replace(RULES, operators=("op-.*",)), None),
        ({"for_s": 0.0}, RULES, None),
    ],
)
def test_the_rule_that_more_time_breaks_is_said(
    held: Held, change: dict[str, Any], rules: SnapshotRules, why: str | None
) -> None:
    """And its end stays; without a time it is kept as long as may be."""
    before_s = held.one.ends_s
    assert keep(held, replace(WISHED, **change), rules) is None
    one = held.one
    assert one.more is not None
    if why is not None:
        assert why in (one.more.refused or "")
        assert one.ends_s == before_s
        return
    assert one.more.refused is None
    if not change.get("for_s", 1.0):
        assert one.ends_s == one.since_s + 3 * 3600.0
        assert keep(held, replace(WISHED, token="e2", for_s=0.0)) is None
        assert "this one until" in ((held.one.more and held.one.more.refused) or "")


def test_what_is_over_is_not_kept(held: Held) -> None:
    """It is deleted, whatever is wished by then."""
    held.bench.clock.advance(WISH.for_s + 60.0)
    assert keep(held) is None
    assert held.one.more is not None
    assert held.one.more.refused == "it is over"


def test_a_cloud_that_does_not_show_the_end_changes_nothing(held: Held) -> None:
    """What stands on the image is for people."""
    held.bench.images.edit_image = refuse  # type: ignore[method-assign,assignment]
    before_s = held.one.ends_s or 0.0
    assert keep(held) == "not here"
    assert held.one.ends_s == before_s + 3600.0
    assert not wished(held)


def test_what_is_no_wish_for_more_time_is_left(held: Held) -> None:
    """There is none, it is one for an end, or nobody can read it."""
    before = held.one
    assert keep(held, None) is None
    assert keep(held, EndWish(by="ada", at_s=1.0)) is None
    stored = held.bench.others.read(paths.take_home_end(held.id))
    assert stored is not None
    held.bench.others.commit([Set(path=stored.path, data=b"{}", version=stored.version)])
    assert "schema" in (keep(held, None) or "")
    assert held.one == before


def test_neither_a_wish_for_more_time_nor_a_broken_one_ends_an_image(held: Held) -> None:
    """Only a word for its end does, or its time; then the wish goes with it."""
    sites = Sites(lambda: {PROVIDER: held.bench.images})
    hand = EndingHand(held.bench.store, held.bench.clock, OWNER.installation, sites)
    for data in (encode_end_wish(WISHED), b"{}"):
        wish(held, data)
        ended = hand.end(TakeHomeTask(record=held.stored, me=ME))
        assert "its time is not over" in (ended.why or "")
        assert held.one.state is TakeHomeState.WHOLE
        stored = held.bench.others.read(paths.take_home_end(held.id))
        assert stored is not None
        held.bench.others.commit([Delete(path=stored.path)])
    wish(held, encode_end_wish(WISHED))
    held.bench.clock.advance(WISH.for_s + 60.0)
    assert hand.end(TakeHomeTask(record=held.stored, me=ME)).why is None
    assert not wished(held)

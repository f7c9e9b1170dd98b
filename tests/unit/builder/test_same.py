"""Builds that are the same as what is current: in no doubt, and in one transaction."""

from dataclasses import replace
from typing import Any

import pytest

from builder.build import same
from builder.build.actions import RetireBuild
from builder.build.outcome import renewed
from builder.build.same import Current
from builder.build.writes import keep_same
from builder.decide import decide
from remuda.images.inventory import MachineContents, take
from remuda.model.build import Build, BuildState, Why, decode_build
from remuda.model.image import BuildId
from remuda.model.pointer import Pointer
from remuda.model.upload import Upload, UploadState
from remuda.store.api import Check, Set, Stored
from tests.unit.builder.judging import (
    HERE,
    ME,
    NOW_S,
    POLICY,
    REVOKED,
    THERE,
    WORD,
    build,
    some,
    upload,
    world,
)

FOUND = take([("git", "1")], MachineContents(measure="contents-1"))
MADE = build(2, BuildState.BUILDING, inventory=None)
PLACES = {"p": HERE, "q": THERE}
POINTERS = {
    name: Pointer(image="a", provider=name, place=place, current=1)
    for name, place in PLACES.items()
}
UPLOADS = {"p": upload(1), "q": upload(1, THERE)}
CURRENT = Current(
    build=build(1, inventory=FOUND.digest), pointers=POINTERS, uploads=UPLOADS, newer=()
)


def test_a_build_by_its_age_may_be_skipped() -> None:
    """If the recipe allows it, and somebody knows what is in it."""
    packages = take([("git", "1")])

    assert same.why_kept(MADE, FOUND, POLICY) is None
    for why in (Why.AGE, Why.BASE_CHANGED):
        assert same.why_kept(replace(MADE, why=why), FOUND, POLICY) is None
    for why in (Why.COMMAND, Why.RECIPE_CHANGED, Why.FIRST_USE, Why.CAPTURE):
        assert "another reason" in str(same.why_kept(replace(MADE, why=why), FOUND, POLICY))
    assert "keeps builds" in str(same.why_kept(MADE, FOUND, replace(POLICY, skip_same=False)))
    for unknown in (None, packages):
        assert "nobody knows" in str(same.why_kept(MADE, unknown, POLICY))
    for gone in (replace(MADE, revoked=REVOKED), replace(MADE, unwanted=WORD)):
        assert "taken it away" in str(same.why_kept(gone, FOUND, POLICY))


@pytest.mark.parametrize(
    ("pointers", "places", "why"),
    [
        ({**POINTERS, "q": None}, PLACES, "q has none"),
        (POINTERS, {"p": HERE}, "q has none"),
        (POINTERS, {"p": HERE, "q": HERE}, "q has none"),
        ({**POINTERS, "q": replace(POINTERS["q"], current=3)}, PLACES, "not at one build: 1, 3"),
        ({**POINTERS, "q": replace(POINTERS["q"], withdrawn={1: WORD})}, PLACES, "was withdrawn"),
    ],
)
def test_all_providers_have_to_be_at_one_build(
    pointers: dict[str, Pointer | None], places: dict[str, str], why: str
) -> None:
    """Where their images lie now."""
    assert same.candidate(MADE, POINTERS, PLACES) == (1, None)

    number, told = same.candidate(MADE, pointers, places)
    assert number is None
    assert why in str(told)


def changed(**fields: Any) -> Current:
    """Return what is current, with another build."""
    assert CURRENT.build is not None
    return replace(CURRENT, build=replace(CURRENT.build, **fields))


def with_upload(one: Upload | None) -> Current:
    """Return what is current, with another upload in q."""
    return replace(CURRENT, uploads={**UPLOADS, "q": one})


@pytest.mark.parametrize(
    ("current", "why"),
    [
        (replace(CURRENT, build=None), "not on record"),
        (changed(revoked=REVOKED), "taken away"),
        (changed(unwanted=WORD), "taken away"),
        (changed(fingerprint="g"), "another recipe"),
        (changed(inventory="0" * 64), "not as build 1"),
        (changed(inventory=None), "not as build 1"),
        (with_upload(None), "not usable in q"),
        (with_upload(replace(UPLOADS["q"], state=UploadState.RETIRING)), "not usable in q"),
        (with_upload(replace(UPLOADS["q"], trials={})), "not usable in q"),
    ],
)
def test_in_any_doubt_it_is_not_the_same(current: Current, why: str) -> None:
    """What launches boot has to be proven, and wanted."""
    assert same.why_other(MADE, FOUND, CURRENT) is None
    assert why in str(same.why_other(MADE, FOUND, current))


@pytest.mark.parametrize(
    ("newer", "uploads", "pointers", "hinders"),
    [
        (build(2), [upload(2)], POINTERS, True),
        (build(2), [upload(2, state=UploadState.REJECTED), upload(2, THERE)], POINTERS, True),
        (build(2), [upload(2, state=UploadState.REJECTED)], POINTERS, False),
        (build(2), [], POINTERS, False),
        (build(2, revoked=REVOKED), [upload(2)], POINTERS, False),
        (build(2, unwanted=WORD), [upload(2)], POINTERS, False),
        (
            build(2),
            [upload(2)],
            {name: replace(one, withdrawn={2: WORD}) for name, one in POINTERS.items()},
            False,
        ),
        (
            build(2),
            [upload(2)],
            {**POINTERS, "p": replace(POINTERS["p"], withdrawn={2: WORD})},
            True,
        ),
    ],
)
def test_another_one_may_not_become_current_after_it(
    newer: Build, uploads: list[Upload], pointers: dict[str, Pointer], *, hinders: bool
) -> None:
    """It would be older than what was found now, and nobody would know what is right."""
    current = replace(CURRENT, pointers=pointers, newer=((newer, tuple(uploads)),))
    told = same.why_other(replace(MADE, id=BuildId("a", 3)), FOUND, current)

    assert (told is not None) is hinders
    assert not hinders or "build 2 may become current" in str(told)


def test_what_is_current_is_as_new_as_what_was_found() -> None:
    """Never older than before; one from the base vouches for all since the last one."""
    old = build(1, requested_s=10.0, since_full=3)
    by_age = build(2, requested_s=20.0, since_full=4)
    full = build(2, requested_s=20.0)

    assert old.fresh_s == 10.0
    assert renewed(old, by_age).fresh_s == 20.0
    assert renewed(old, by_age).since_full == 3
    assert renewed(old, full).since_full == 0
    assert renewed(replace(old, renewed_s=30.0), by_age).fresh_s == 30.0


def test_the_last_one_stays_on_record_and_older_ones_go() -> None:
    """By it the next one is judged; nothing was uploaded of any."""
    long_ago_s = NOW_S - 2 * POLICY.evidence_s
    old, new = (build(number, BuildState.SAME, since_s=long_ago_s, same_as=1) for number in (2, 3))
    plan = decide(world([build(1), old, new], [upload(1), upload(1, THERE)]))

    assert [one.id.number for one in some(plan, RetireBuild)] == [2]
    assert "last build stays" in plan.waits["a/3"]


def test_one_transaction_ends_it_renews_what_is_current_and_proves_both() -> None:
    """Whoever has moved, tried or revoked anything of it in between makes it fail."""
    assert CURRENT.build is not None
    made, now = (
        Stored(path=f"/{one.id}", value=one, version=version)
        for one, version in ((replace(MADE, owner=ME), 3), (CURRENT.build, 5))
    )
    first, second, *proofs = keep_same(made, now, {"/p": 7, "/u": 9}, FOUND.digest, now_s=NOW_S)
    assert isinstance(first, Set)
    assert isinstance(second, Set)
    ended = decode_build(MADE.id, first.data)

    assert (ended.state, ended.same_as, ended.owner) == (BuildState.SAME, 1, None)
    assert (ended.inventory, ended.ended_s) == (FOUND.digest, NOW_S)
    assert (first.version, second.version) == (3, 5)
    assert decode_build(now.value.id, second.data).renewed_s == made.value.requested_s
    assert proofs == [Check(path="/p", version=7), Check(path="/u", version=9)]

"""How the judgements see recipes."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from builder.recipe.compile import ConfiguredImages, compile_images
from remuda.config import trees
from remuda.config.model import Config
from remuda.config.sources import UnreadableError
from remuda.config.treecache import TreeCache
from remuda.config.trees import TreeEntry
from tests.unit.builder.bench import config

DAY_S = 86400.0


def nothing(path: Path) -> Sequence[TreeEntry]:
    """Return what no recipe of these tests copies."""
    raise AssertionError(path)


def configured(**images: Any) -> ConfiguredImages:
    """Return what builders work by."""
    return compile_images(config(**images), nothing)


def test_who_copies_shares_the_making_of_whom_it_copies() -> None:
    """The maker comes first, in whatever order they are written; others are alone."""
    made = configured(
        a={"providers": {"q": {"copy-from": "p"}, "p": {}}},
        b={"providers": {"q": {}, "p": {}}},
    )

    assert made.policies["a"].groups == (("p", "q"),)
    assert made.policies["a"].copies == {"q"}
    assert made.policies["b"].copies == set()
    assert sorted(made.policies["b"].groups) == [("p",), ("q",)]
    assert made.providers == ("p", "q")


def test_a_provider_more_with_an_equal_making_changes_no_fingerprint() -> None:
    """It needs an image, and the others need no new one for that."""
    one = configured(a={"providers": {"p": {}}})
    two = configured(a={"providers": {"p": {}, "q": {}}})
    other = configured(a={"providers": {"p": {}, "q": {"base": "fedora"}}})

    prints = [each.policies["a"].fingerprint for each in (one, two, other)]
    assert prints[0] == prints[1]
    assert prints[2] != prints[0]


def test_an_image_that_starts_from_ours_says_so() -> None:
    """But not in one provider from ours, and in another from the cloud's."""
    made = configured(
        a={},
        b={"base": {"image": "a"}},
        c={"base": {"image": "a"}, "providers": {"p": {}, "q": {"base": "debian"}}},
    )

    assert (made.policies["a"].parent, made.policies["b"].parent) == (None, "a")
    assert "c" not in made.policies
    assert made.unusable["c"].startswith("it starts from a, an image of the cloud, depending")


def test_cron_is_due_at_its_next_time_with_the_images_own_delay() -> None:
    """Of two images with the same schedule not both begin at once."""
    nightly = {"schedule": {"cron": "0 2 * * *", "jitter": 3600}}
    made = configured(a=nightly, b=nightly, c={})
    a, b, c = (made.policies[one].next_due_s(10 * DAY_S) for one in "abc")

    assert a is not None
    assert b is not None
    assert 10 * DAY_S + 7200 <= a < 10 * DAY_S + 7200 + 3600
    assert a != b
    assert c is None


def test_a_maximum_age_is_less_the_images_own_share_of_the_jitter() -> None:
    """It is a maximum; then the reason is age, not the schedule."""
    (policy,) = configured(a={"schedule": {"max-age": DAY_S, "jitter": 3600}}).policies.values()

    assert policy.next_due_s(0.0) is None
    assert policy.age_s_max is not None
    assert DAY_S - 3600 < policy.age_s_max <= DAY_S


def test_windows_open_when_they_are_said_to() -> None:
    """Without one it is always now."""
    window = {"rollout-window": {"opens": "0 8 * * *", "lasts": 3600}}
    made = configured(a=window, b={})
    opens_s = made.policies["a"].window_s

    assert opens_s(10 * DAY_S) == 10 * DAY_S + 8 * 3600
    assert opens_s(10 * DAY_S + 8 * 3600 + 5) == 10 * DAY_S + 8 * 3600 + 5
    assert made.policies["b"].window_s(5.0) == 5.0


def test_the_rest_is_as_written() -> None:
    """What is kept, how old it may be, and whether it is made at all."""
    (policy,) = configured(a={"keep": 5, "freshness": 60, "paused": True}).policies.values()

    assert (policy.keep, policy.fresh_s_max, policy.paused) == (5, 60.0, True)


def test_what_starts_from_the_current_build_does_so_but_for_each_nth() -> None:
    """Without that word each starts from its base, however many are said."""
    made = configured(
        a={"start-from": "current", "schedule": {"max-age": "1d"}},
        b={"start-from": "current", "full-every": 3, "skip-unchanged": False},
        c={"full-every": 3},
    )
    policies = [made.policies[name] for name in "abc"]

    assert [one.full_every for one in policies] == [7, 3, 1]
    assert [one.skip_same for one in policies] == [True, False, True]
    prints = {one.fingerprint for one in policies}
    assert len(prints) == 1, "nothing of an image is other for it"


def test_the_checks_of_labels_that_boot_an_image_are_its_checks_there() -> None:
    """Each once; those of the label and those of the pool."""
    check = {"name": "one", "clock": {}}
    doc = config(a={}).model_dump(by_alias=True, exclude_unset=True)
    doc["labels"] = {"small": {"checks": [check]}, "big": {"checks": [check]}}
    making = {"image": {"built": "a"}, "flavor": "small"}
    labels = {"small": making, "big": {**making, "checks": [{"name": "two", "clock": {}}]}}
    doc["providers"]["p"]["pools"]["main"]["labels"] = labels
    made = compile_images(Config.model_validate(doc), nothing)

    assert [one.name for one in made.checks["a", "p"]] == ["one", "two"]
    assert ("a", "q") not in made.checks


COPY = {"copy": {"from": "TOP", "to": "/x"}, "timeout": 5}


def copying(top: Path) -> Config:
    """Return a recipe that copies *top*."""
    return config(a={"steps": [{**COPY, "copy": {"from": str(top), "to": "/x"}}]}, b={})


def test_what_a_copied_folder_holds_is_part_of_the_fingerprint(tmp_path: Path) -> None:
    """Also when size and time are as before."""
    cache = TreeCache()
    file = tmp_path / "file"
    file.write_text("one")
    before = compile_images(copying(tmp_path), cache.read).policies
    stamp = file.stat().st_mtime_ns
    file.write_text("two")
    os.utime(file, ns=(stamp, stamp))
    after = compile_images(copying(tmp_path), cache.read).policies

    assert before["a"].fingerprint != after["a"].fingerprint
    assert before["b"].fingerprint == after["b"].fingerprint


def test_what_has_not_changed_is_not_hashed_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Half a gigabyte once a minute would be noticed."""
    (tmp_path / "file").write_text("one")
    cache, hashed = TreeCache(), []
    real = trees.read

    def read(top: Path) -> tuple[TreeEntry, ...]:
        hashed.append(top)
        return real(top)

    monkeypatch.setattr(trees, "read", read)
    first, second = cache.read(tmp_path), cache.read(tmp_path)

    assert first == second
    assert hashed == [tmp_path]


def test_a_folder_that_cannot_be_read_hinders_its_image_only(tmp_path: Path) -> None:
    """The others are made."""
    made = compile_images(copying(tmp_path / "none"), TreeCache().read)

    assert sorted(made.policies) == ["b"]
    assert made.unusable["a"].endswith("which it copies or reads, does not exist")
    with pytest.raises(UnreadableError):
        TreeCache().read(tmp_path / "none")

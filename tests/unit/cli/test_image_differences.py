"""What differs between builds, wherever it is told, and as docs/images/differences.md shows it."""

import re
from collections.abc import Sequence
from typing import Any, Final

import pytest

from remuda.cli.failures import failures
from remuda.cli.image.difference import diff
from remuda.cli.image.moving import promote
from remuda.cli.image.overview import list_images, show
from remuda.images.catalogue import Catalogue
from remuda.images.inventory import (
    Folder,
    Inventory,
    MachineContents,
    encode_inventory,
    take,
)
from remuda.images.library import read
from remuda.images.state import Outcome, build_result
from remuda.model.build import BuildState
from remuda.model.capsule import Capsule, encode_capsule
from remuda.model.image import BuildId
from remuda.model.upload import Trial, TrialResult, TrialTimes
from remuda.store import paths
from tests.support.imageharness import ADA, NOW_S, ImageHarness
from tests.support.source import ROOT

PAGE: Final = (ROOT / "docs/images/differences.md").read_text()
SINCE: Final = (
    "since build 41: jq:amd64 1.6-2.1 is new; openssl:amd64 3.0.13-1 → 3.0.15-1; "
    "cron.service multi-user.target is new; and 2 more"
)
HOUR_S: Final = 3600.0


def folder(name: str, files: int, kib: float, digest: str) -> Folder:
    """Return a folder."""
    return Folder(name=name, files=files, bytes=int(kib * 1024), digest=digest * 64)


def contents(*folders: Folder, services: Sequence[str] = ()) -> MachineContents:
    """Return what a machine has."""
    started = tuple((one, "multi-user.target") for one in services)
    return MachineContents(measure="contents-1", services=started, folders=folders)


BEFORE: Final = take(
    [("git", "1"), ("openssl:amd64", "3.0.13-1")],
    contents(folder("/etc/ssl", 4, 12.1, "1"), folder("/var/cache/big", 40, 91.0 * 1024, "1")),
)
AFTER: Final = take(
    [("git", "1"), ("jq:amd64", "1.6-2.1"), ("openssl:amd64", "3.0.15-1")],
    contents(
        folder("/etc/ssl", 4, 12.1, "2"),
        folder("/var/cache/big", 41, 93.5 * 1024, "2"),
        services=["cron.service"],
    ),
)


class Page(ImageHarness):
    """Has the builds of the page on record."""

    def made(
        self, number: int, inventory: Inventory | None, mib: float, times: TrialTimes, **fields: Any
    ) -> BuildId:
        """Put a build of tools on record."""
        digest = None if inventory is None else inventory.digest
        build_id = self.build(number, "tools", [], group=("alpha",), inventory=digest, **fields)
        if inventory is not None:
            self.store.ensure(paths.image_log(build_id))
            self.put(paths.image_inventory(build_id), encode_inventory(inventory))
        trial = Trial(result=TrialResult.PASSED, times=times)
        self.upload(build_id, "alpha", size_bytes=int(mib * 2**20), trials={"alpha": trial})
        return build_id


@pytest.fixture
def harness() -> Page:
    """Builds 41 and 42 of the page; 41 is current."""
    harness = Page()
    harness.image("tools", last_build=42)
    for number, found, mib, boot_s, check_s in (
        (41, BEFORE, 780.0, 14.2, 0.4),
        (42, AFTER, 783.2, 14.9, 0.5),
    ):
        times = TrialTimes(boot_s=boot_s, checks=(("the mirror is there", check_s),))
        harness.made(number, found, mib, times)
    harness.pointer(41, "tools", previous=40)
    return harness


def shown(begins: str) -> str:
    """Return the output that the page shows."""
    (block,) = [
        one
        for one in re.findall(r"^```text\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
        if one.startswith(begins)
    ]
    return block


def test_the_page_shows_what_the_command_says(harness: Page) -> None:
    """Word by word."""
    said = harness.call(diff, "tools/41", "tools/42").stdout

    assert said == shown("tools/42: other")
    assert harness.call(diff, "tools/42").stdout == said


def test_the_same_with_stable_keys(harness: Page) -> None:
    """Numbers as numbers."""
    found = harness.json(diff, "tools/41", "tools/42")

    assert (found["build"], found["before"]) == ("tools/42", "tools/41")
    assert found["differences"][0] == {
        "change": "added",
        "kind": "package",
        "name": "jq:amd64",
        "before": None,
        "after": "1.6-2.1",
    }
    assert found["differences"][-1]["after"]["files"] == 41
    assert found["measures"][1] == {
        "where": "alpha",
        "what": "boot",
        "unit": "seconds",
        "before": 14.2,
        "after": 14.9,
    }
    shown = harness.json(show, "tools/42")
    assert shown["differences"] == found["differences"]
    assert shown["measures"] == found["measures"]
    assert shown["contents"] == found["contents"]
    times = shown["verdicts"][0]["times"]
    assert times == {
        "boot_s": 14.9,
        "checks": [{"name": "the mirror is there", "seconds": 0.5}],
        "offline": [],
    }


def test_a_long_difference_is_cut_unless_all_is_wanted(harness: Page) -> None:
    """For people; with --json it is whole."""
    many = take([(f"p{number:02}", "1") for number in range(30)], contents())
    harness.made(43, many, 1.0, TrialTimes())
    said = harness.call(diff, "tools/43").stdout

    assert "and 16 more: --all" in said
    assert "/var/cache/big" in harness.call(diff, "tools/43", "--all").stdout


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("tools/41", "other/42"), "of two images"),
        (("tools/41", "tools/77"), "77"),
        (("tools/41", "tools"), "names no build"),
        (("nothing/1",), "nothing"),
    ],
)
def test_a_mistake_is_told_in_one_sentence(
    harness: Page, words: tuple[str, ...], told: str
) -> None:
    """With exit code 2."""
    result = harness.call(diff, *words)

    assert result.exit_code == 2
    assert told in result.stderr


def test_what_nobody_knows_is_said(harness: Page) -> None:
    """A build without a list, and one before which there is none."""
    harness.made(43, None, 1.0, TrialTimes())

    assert "no inventory of it is on record" in harness.call(diff, "tools/43").stdout
    assert "there is no build before it" in harness.call(diff, "tools/41").stdout
    assert "no inventory of build 43" in harness.call(diff, "tools/43", "tools/42").stdout


def test_a_difference_between_the_two_ways_may_be_what_was_left(harness: Page) -> None:
    """One from the base, beside some that were not."""
    odd = take([("git", "1")], contents(folder("/opt", 1, 1, "1")))
    harness.made(43, odd, 1.0, TrialTimes(), since_full=3)
    said = harness.call(diff, "tools/43").stdout

    assert "build 42 was made from the base, build 43 from the build before it, 3 in a row" in said
    assert "in a row" not in harness.call(diff, "tools/41", "tools/42").stdout


def test_a_move_says_what_is_new(harness: Page) -> None:
    """In a sentence, and with its key."""
    harness.pointer(41, "tools", "beta")
    said = harness.call(promote, "tools/42", "--provider", "alpha", "--why", "now").stdout
    harness.pointer(41, "tools")
    (alpha, beta) = harness.json(promote, "tools/42", "--provider", "alpha")

    assert f"tools, {SINCE}" in said
    assert (alpha["difference"], beta["difference"]) == (SINCE, None)


def test_a_failure_says_what_is_new_in_what_it_booted(harness: Page) -> None:
    """Mostly that is the reason."""
    report = Capsule(
        node="3000000007",
        label="tooled",
        pool="main",
        result="error.check",
        why="a check failed",
        at_s=NOW_S,
        image="tools/42",
    )
    harness.store.ensure(paths.failures("alpha"))
    harness.put(f"{paths.failures('alpha')}/3000000007", encode_capsule(report))
    said = harness.call(failures, "3000000007").stdout

    assert f"image: build tools/42, {SINCE}" in said
    assert SINCE in re.sub(r"\s+", " ", PAGE)
    (launch,) = harness.json(failures, "3000000007")["launches"]
    assert (launch["image"], launch["since"]) == ("tools/42", SINCE)
    assert harness.json(failures)["launches"][0]["since"] is None


def test_a_list_is_as_new_as_what_was_found_the_same() -> None:
    """The page's: what is booted was looked at two hours ago."""
    harness = Page()
    harness.image("tools", last_build=42)
    harness.pointer(41, "tools", previous=40)
    now_s = harness.clock.now_s()
    harness.made(41, BEFORE, 780.0, TrialTimes(), renewed_s=now_s - 2 * HOUR_S)
    harness.build(
        42,
        "tools",
        [],
        group=("alpha",),
        state=BuildState.SAME,
        same_as=41,
        snapshot=None,
        inventory=BEFORE.digest,
        since_s=now_s - 2 * HOUR_S,
    )
    harness.builder()
    said = harness.call(list_images).stdout

    assert said == shown("IMAGE")
    told = harness.call(show, "tools/42").stdout
    assert "same as" in told
    assert "build 41" in told
    assert "same as 41" in harness.call(show, "tools").stdout


def test_one_that_is_the_same_is_as_good_as_what_is_current(harness: Page) -> None:
    """For who waits for a build, and this one was begun by schedule a moment before."""
    same: dict[str, Any] = {"providers": [], "group": ("alpha",), "state": BuildState.SAME}
    results = []
    for more in ({}, {"unwanted": ADA}):
        harness.build(43, "tools", same_as=41, **same, **more)
        seen = Catalogue(read(harness.store))
        results.append(build_result(seen, "tools", "alpha", above=42, now_s=NOW_S))

    assert (results[0].outcome, results[0].build) == (Outcome.CURRENT, BuildId("tools", 41))
    assert results[1].outcome is Outcome.FAILED

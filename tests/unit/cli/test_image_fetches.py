"""What an image saves, as `image show` and `image diff` tell it, and as the page on it shows."""

import re
from dataclasses import replace
from pathlib import Path
from typing import Final

import pytest

from remuda.cli.image.difference import diff
from remuda.cli.image.overview import show
from remuda.model.fetched import Fetches
from remuda.model.tally import PLAIN, PLAIN_BUILD, BuildTally, Counts, Tally, encode_tally
from remuda.model.upload import TrialTimes
from remuda.store import paths
from tests.support.imageharness import PASSED, ImageHarness

PAGE: Final = (Path(__file__).parents[3] / "docs/images/offline.md").read_text()
MIB: Final = 2**20


def counted(
    counts: tuple[int, int, int, int], setup: float | None, job: float | None
) -> BuildTally:
    """Return what is counted of one label: launches and jobs, and the mean of their fetches."""
    launched, failed, jobs, bad = counts
    return BuildTally(
        launches={"tooled": Counts(launched - failed, failed)},
        jobs={"tooled": Counts(jobs - bad, bad)},
        fetched_setups={} if setup is None else {"tooled": Fetches(10, round(setup * MIB * 10))},
        fetched_jobs={} if job is None else {"tooled": Fetches(10, round(job * MIB * 10))},
    )


def tally(harness: ImageHarness, builds: dict[int, BuildTally]) -> None:
    """Put what is counted of builds on record."""
    one = Tally(image="tools", provider="alpha", builds=builds)
    harness.put(paths.tally("tools", "alpha"), encode_tally(one))


def plain(harness: ImageHarness, one: BuildTally) -> None:
    """Put on record what is counted of machines without an image of ours."""
    raw = encode_tally(Tally(image=PLAIN, provider="alpha", builds={PLAIN_BUILD: one}))
    harness.put(paths.plain_tally("alpha"), raw)


@pytest.fixture
def harness() -> ImageHarness:
    """As on the page."""
    harness = ImageHarness()
    harness.shelf(41, 42, image="tools")
    tally(harness, {42: counted((40, 0, 30, 1), 0.1, 4.2)})
    plain(harness, counted((100, 0, 80, 2), 310.0, 95.0))
    return harness


def test_the_page_shows_what_is_told(harness: ImageHarness) -> None:
    """Word for word."""
    told = harness.call(show, "tools").output.replace("alpha", "north")
    (block,) = re.findall(r"^```text\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    assert block in told


def test_the_same_with_stable_keys(harness: ImageHarness) -> None:
    """Numbers as numbers; nothing known is null."""
    tally(harness, {42: counted((40, 0, 30, 1), None, 4.2), 41: counted((9, 0, 0, 0), None, None)})
    newest, older, without = harness.json(show, "tools")["tallies"]
    assert newest["fetched"] == {
        "setup": {"machines": 0, "mean_bytes": None},
        "job": {"machines": 10, "mean_bytes": round(4.2 * MIB)},
    }
    assert older["fetched"]["job"] == {"machines": 0, "mean_bytes": None}
    assert (without["build"], without["is"]) == (None, "without image")
    assert without["fetched"]["setup"]["mean_bytes"] == 310 * MIB
    # Of those that fail nobody knows what they fetched, so that they are not counted.
    assert without["launches"] == {"ok": 100, "failed": None}
    assert without["jobs"] == {"ok": 78, "failed": 2}


@pytest.mark.parametrize("broken", [False, True])
def test_where_nothing_is_known_without_an_image_nothing_is_compared(
    harness: ImageHarness, *, broken: bool
) -> None:
    """A record that is not there, or that nobody can read, hides no build."""
    path = paths.plain_tally("alpha")
    if broken:
        harness.put(path, b"[]")
    else:
        plain(harness, BuildTally())
    (one,) = harness.json(show, "tools")["tallies"]
    assert one["build"] == 42
    assert "without an image" not in harness.call(show, "tools").output


def test_two_builds_are_compared(harness: ImageHarness) -> None:
    """Where both are known."""
    tally(
        harness,
        {41: counted((9, 0, 9, 0), 0.2, None), 42: counted((40, 0, 30, 1), 0.1, 4.2)},
    )
    told = harness.call(diff, "tools/41", "tools/42").output
    line = r"^alpha +fetched by a setup of tooled +204\.8 KiB +102\.4 KiB$"
    assert re.search(line, told, re.MULTILINE)
    assert "fetched by a job" not in told


def test_a_build_says_that_it_was_proven_without_a_network(harness: ImageHarness) -> None:
    """With how long it took; each check is compared with that of the build before."""
    times = TrialTimes(checks=(("disk", 0.5),), offline=(("clone", 2.0), ("pip", 1.1)))
    for number in (43, 44):
        build_id = harness.build(number, "tools", providers=())
        harness.upload(build_id, "alpha", trials={"alpha": replace(PASSED, times=times)})
    told = harness.call(show, "tools/44").output
    assert "alpha: offline: passed 2 checks in 3.1 s" in told
    assert "north: offline: passed 2 checks in 3.1 s" in PAGE
    measured = harness.json(diff, "tools/43", "tools/44")["measures"]
    assert "offline check clone" in [one["what"] for one in measured]
    one = TrialTimes(offline=(("clone", 2.0),))
    assert one.offline_said == "passed 1 check in 2.0 s"

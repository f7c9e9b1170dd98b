"""`remuda image list, show`: what builders say, what is in a build, and all of it on a screen."""

import pytest

from remuda.cli.image.overview import list_images, show
from remuda.cli.overview import status
from remuda.model.build import BuildState, Why
from remuda.model.capture import Captured
from remuda.model.ids import NodeId, ReplicaId
from remuda.model.image import BuildId
from remuda.model.pointer import Pin
from remuda.model.upload import Trial, TrialResult, UploadState
from remuda.store import paths
from tests.support.imageharness import ADA, FAILED, NOW_S, ImageHarness, put_packages


@pytest.fixture
def harness() -> ImageHarness:
    """Builds 1 to 3 in two providers, 3 is current; a builder is alive."""
    harness = ImageHarness()
    harness.shelf(1, 2, 3)
    harness.builder()
    return harness


def test_builders_say_why_something_waits(harness: ImageHarness) -> None:
    """What hinders them no record says; what one is at work on the record says better."""
    harness.build(4, providers=[], state=BuildState.REQUESTED)
    harness.builder("b1", waits={"debian/4": "alpha: no launcher of alpha is running"})
    harness.builder("b2", waits={"debian/3": "being worked on: building"})
    found = {one["provider"]: one for one in harness.json(list_images)}

    assert found["alpha"]["waits"] == "alpha: no launcher of alpha is running"
    assert "debian in beta, build 4: alpha: no launcher" in harness.call(list_images).stdout
    waits = harness.json(show, "debian")["waits"]
    assert {"name": "debian/4", "why": "alpha: no launcher of alpha is running"} in waits


def test_a_build_of_a_dead_builder_does_not_pass_for_being_made(harness: ImageHarness) -> None:
    """Others say what they do about it."""
    harness.build(4, providers=[], state=BuildState.SNAPSHOTTING, owner="dead")
    harness.builder(waits={"debian/4": "two listings have to tell"})
    (one, *_) = harness.json(list_images)

    assert one["waits"] == "two listings have to tell"


def test_alarms_are_told_once(harness: ImageHarness) -> None:
    """Several builders raise the same."""
    for name in ("b1", "b2"):
        harness.builder(name, alarms={"debian": ("it is old",), "other": ("so is this",)})
    text = harness.call(list_images).stdout

    assert text.count("alarm: debian: it is old") == 1
    assert harness.json(list_images)[0]["alarms"] == ["it is old"]
    assert harness.json(show, "debian")["alarms"] == ["it is old"]
    assert "so is this" not in harness.call(show, "debian").stdout
    seen = harness.call(status)
    assert "alarm: debian: it is old\nalarm: other: so is this\n" in seen.stdout
    assert harness.json(status)["images"] == {
        "alarms": {"debian": ["it is old"], "other": ["so is this"]}
    }


def test_status_says_nothing_of_images_without_alarms(harness: ImageHarness) -> None:
    """Not even an empty line."""
    assert harness.call(status).stdout.splitlines()[-1].startswith("requests:")


def test_what_left_the_configuration_is_an_orphan(harness: ImageHarness) -> None:
    """It is kept, and said to be; what is configured and was never built has a row, too."""
    harness.builder(providers={"debian": ("alpha", "gamma")}, waits={"debian for gamma": "no room"})
    found = {one["provider"]: one for one in harness.json(list_images)}
    text = harness.call(list_images).stdout

    assert {name: one["orphan"] for name, one in found.items()} == {
        "alpha": False,
        "beta": True,
        "gamma": False,
    }
    assert found["gamma"]["waits"] == "no room"
    assert "debian in beta: it is not in the configuration any more, and kept" in text
    assert text.splitlines()[2].split()[-2] == "orphan"


def test_nobody_is_an_orphan_while_a_builder_does_not_say_what_it_has(
    harness: ImageHarness,
) -> None:
    """It has only begun, or its words cannot be read."""
    harness.builder("b1", providers={"debian": ("alpha",)})
    harness.builder("b2")
    assert not any(one["orphan"] for one in harness.json(list_images))

    harness.put(paths.builder(ReplicaId("b2")), b"nonsense")
    assert not any(one["orphan"] for one in harness.json(list_images))
    assert "broken record: builders/b2" in harness.call(list_images).stdout


def test_tables_fit_a_screen_of_eighty_columns(harness: ImageHarness) -> None:
    """With a pin and its words, a provider without a build, and a build that failed."""
    harness.pointer(3, previous=2, pinned=Pin(number=2, word=ADA, until_s=9e9))
    harness.build(4, requested_s=0.0, mishap=FAILED, group=("alpha", "beta"))
    hosts = ("a" * 56, "b" * 56)
    trial = Trial(result=TrialResult.FAILED, hosts=hosts, failures=2, why="no " * 40, at_s=NOW_S)
    harness.upload(BuildId("debian", 4), "beta", state=UploadState.REJECTED, trials={"beta": trial})
    harness.builder(providers={"debian": ("alpha", "beta", "gamma")})
    tables = [
        harness.call(list_images),
        harness.call(show, "debian"),
        harness.call(show, "debian/4"),
    ]
    rows = [line for one in tables for line in one.stdout.splitlines() if "  " in line]

    assert [line for line in rows if len(line) > 80] == []


def test_the_difference_in_packages_is_shown(harness: ImageHarness) -> None:
    """The first lines, or all; programs get all."""
    many = [(f"lib{number:02}", "1") for number in range(30)]
    put_packages(harness, 3, [("gone", "1"), ("git", "2.39"), ("same", "1")])
    put_packages(harness, 4, [("git", "2.40"), ("same", "1"), *many])
    text, all_of_it = (
        harness.call(show, "debian/4").stdout,
        harness.call(show, "debian/4", "--all").stdout,
    )
    doc = harness.json(show, "debian/4")

    assert "other than in build 3: packages: 30 added, 1 removed, 1 changed" in text
    assert "and 12 more: --all" in text
    assert "more: --all" not in all_of_it
    assert "lib29" in all_of_it
    assert doc["differences"][0] == {
        "change": "changed",
        "kind": "package",
        "name": "git",
        "before": "2.39",
        "after": "2.40",
    }
    assert len(doc["differences"]) == 32
    assert harness.json(show, "debian/3")["differences"] is None


def test_packages_of_another_attempt_are_not_this_builds(harness: ImageHarness) -> None:
    """Nor is a list that is broken: the build is shown all the same."""
    put_packages(harness, 3, [("git", "1")])
    put_packages(harness, 4, [("git", "2")])
    harness.build(4, inventory="0" * 64)
    assert harness.json(show, "debian/4")["differences"] is None
    harness.put(paths.image_inventory(BuildId("debian", 4)), b"nonsense")
    assert harness.json(show, "debian/4")["differences"] is None


def test_builders_words_of_a_build_stand_with_it(harness: ImageHarness) -> None:
    """And those of its uploads."""
    harness.builder(waits={"debian/3 in bbbbbbbbbbbb": "newer builds are kept", "debian/31": "no"})

    assert harness.json(show, "debian/3")["waits"] == [
        {"name": "debian/3 in bbbbbbbbbbbb", "why": "newer builds are kept"}
    ]
    assert (
        "debian/3 in bbbbbbbbbbbb: newer builds are kept" in harness.call(show, "debian/3").stdout
    )


def test_of_whose_machine_a_build_was_captured_is_shown(harness: ImageHarness) -> None:
    """Node, label and requestor; of others nothing is said."""
    machine = Captured(
        node=NodeId("3000000001"),
        provider="alpha",
        pool="main",
        label="setup",
        requestor="ci-7",
        token="t1",
    )
    harness.build(4, why=Why.CAPTURE, captured=machine)
    text = harness.call(show, "debian/4").stdout
    assert "node 3000000001 (setup in alpha), held by ci-7" in text
    assert harness.json(show, "debian/4")["captured"] == {
        "node": "3000000001",
        "provider": "alpha",
        "pool": "main",
        "label": "setup",
        "requestor": "ci-7",
    }
    assert "captured" not in harness.call(show, "debian/3").stdout
    assert harness.json(show, "debian/3")["captured"] is None

"""`remuda image list, show, log`: everything that is on record, and what is wrong with it."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from remuda.cli.image.logs import log
from remuda.cli.image.overview import list_images, show
from remuda.cli.main import main
from remuda.model.build import Base, BuildState, Revocation, Why
from remuda.model.image import BuildId, UploadId, Word
from remuda.model.pointer import Pin
from remuda.model.upload import Trial, TrialResult, UploadState
from remuda.store import paths
from tests.support.imageharness import (
    ADA,
    FAILED,
    NOW_S,
    PLACES,
    ImageHarness,
    put_packages,
    write_log,
)

NASTY = "bad\x1b[2J\u202eevil\nremuda: all is well"


@pytest.fixture
def harness() -> ImageHarness:
    """Builds 1 to 3 in two providers, 3 is current; a builder is alive."""
    harness = ImageHarness()
    harness.shelf(1, 2, 3)
    harness.builder()
    return harness


def test_the_list_has_each_image_in_each_provider(harness: ImageHarness) -> None:
    """What is booted, what was before, and nothing more if there is nothing newer."""
    harness.shelf(1, image="ubuntu")
    result = harness.call(list_images)

    assert result.exit_code == 0
    head, *rows = result.stdout.splitlines()
    assert head.split()[:3] == ["IMAGE", "PROVIDER", "BOOTS"]
    assert [row.split()[:3] for row in rows] == [
        ["debian", "alpha", "3"],
        ["debian", "beta", "3"],
        ["ubuntu", "alpha", "1"],
        ["ubuntu", "beta", "1"],
    ]
    (one, *_) = harness.json(list_images)
    assert (one["boots"], one["previous"], one["newest"], one["state"], one["waits"]) == (
        *(3, 2, 3, "usable"),
        None,
    )
    assert one["built_at_s"] == NOW_S + 3


@pytest.mark.parametrize(
    ("fields", "uploads", "state", "waits"),
    [
        ({"state": BuildState.REQUESTED}, {}, "requested", "no builder has begun it"),
        (
            {"state": BuildState.REQUESTED, "mishap": FAILED, "retry_s": 9e9},
            {},
            "requested",
            "packages: mirror down",
        ),
        ({"state": BuildState.BUILDING, "owner": "b1"}, {}, "building", "b1 makes it in alpha"),
        ({"state": BuildState.FAILED, "mishap": FAILED}, {}, "failed", "packages: mirror down"),
        ({"unwanted": ADA}, {"state": UploadState.FAILED}, "failed", "it is failed"),
        ({}, {"state": UploadState.PENDING, "trials": {}}, "built", "it is built"),
        (
            {},
            {"state": UploadState.VALIDATING, "trials": {}, "trying": "beta", "owner": "b1"},
            "validating",
            "b1 tries it in beta",
        ),
        (
            {},
            {
                "state": UploadState.STORED,
                "trials": {"beta": Trial(why="no host", retry_s=9e9)},
            },
            "stored",
            "no host",
        ),
        (
            {},
            {
                "state": UploadState.REJECTED,
                "trials": {"beta": Trial(result=TrialResult.FAILED, why="no login")},
            },
            "rejected",
            "no login",
        ),
        ({}, {}, "usable", "it is proven, and no builder has made it current yet"),
        (
            {"revoked": Revocation(word=ADA)},
            {},
            "revoked",
            "revoked by ada@host: it is bad",
        ),
    ],
)
def test_why_something_newer_is_not_booted(
    harness: ImageHarness,
    fields: dict[str, object],
    uploads: dict[str, object],
    state: str,
    waits: str,
) -> None:
    """Said from the records alone."""
    whole = fields.get("state", BuildState.BUILT) is BuildState.BUILT
    build_id = harness.build(4, providers=[], **fields)
    if whole:
        harness.upload(build_id, "beta", **uploads)
    if uploads.get("state") is UploadState.PENDING:
        harness.put(paths.pointer("debian", "beta"), b"nonsense")
    found = {one["provider"]: one for one in harness.json(list_images)}["beta"]

    assert found["newest"] == 4
    assert found["state"] == state
    assert (found["waits"] or "").startswith(waits)


def test_a_copy_to_be_made_is_told(harness: ImageHarness) -> None:
    """In the place that the pointer names."""
    build_id = harness.build(4, providers=["alpha"])
    harness.upload(
        build_id, "beta", state=UploadState.PENDING, trials={}, retry_s=9e9, mishap=FAILED
    )
    found = {one["provider"]: one for one in harness.json(list_images)}["beta"]

    assert (found["state"], found["waits"]) == ("pending", "packages: mirror down")
    assert found["retry_at_s"] == 9e9
    assert "packages: mirror down; again in " in harness.call(list_images).stdout


def test_pins_pauses_and_what_was_taken_away_are_told(harness: ImageHarness) -> None:
    """Each with whom to ask."""
    harness.pointer(3, provider="alpha", pinned=Pin(number=2, word=ADA))
    harness.pointer(3, provider="beta", withdrawn={3: ADA})
    harness.image("paused", paused=ADA)
    harness.image("wanted", wanted=ADA)
    found = {(one["image"], one["provider"]): one for one in harness.json(list_images)}

    assert found["debian", "alpha"]["boots"] == 2
    assert found["debian", "alpha"]["waits"] == "pinned by ada@host: it is bad"
    assert found["debian", "beta"]["boots"] is None
    assert found["debian", "beta"]["waits"].startswith("launches wait: build 3 was taken away by")
    assert found["paused", None]["waits"] == "paused by ada@host: it is bad"
    assert found["wanted", None]["waits"] == "no build was begun yet; wanted by ada@host"


def test_an_image_at_its_newest_build_says_that_it_is_paused(harness: ImageHarness) -> None:
    """By whom, on record; in the configuration, as builders say."""
    harness.image(last_build=3, paused=ADA)
    assert "debian in alpha: paused by ada@host: it is bad" in harness.call(list_images).stdout

    harness.image(last_build=3)
    harness.builder(waits={"debian": "paused in the configuration"})
    assert "debian in alpha: paused in the configuration" in harness.call(list_images).stdout


def test_a_configuration_that_a_builder_cannot_use_is_told(harness: ImageHarness) -> None:
    """In the list, and for each image: what was written into the file has no effect."""
    harness.builder(waits={"configuration of b1": "remuda.yaml:3:1: no such key"})

    said = "configuration of b1: remuda.yaml:3:1: no such key; it goes on by the one before\n"
    assert said in harness.call(list_images).stdout
    assert "configuration of b1" in harness.call(show, "debian").stdout


def test_an_empty_list_says_what_that_means() -> None:
    """And so does one without a builder."""
    harness = ImageHarness()
    assert harness.call(list_images).stdout == (
        "no image is on record: no builder has started yet\n"
    )
    harness.shelf(1)
    told = "no builder is running: nothing is built, tried or deleted until somebody starts one"
    assert told in harness.call(list_images).stdout
    assert told in harness.call(show, "debian").stdout


def test_one_broken_record_hides_no_other(harness: ImageHarness) -> None:
    """It is named."""
    harness.put(paths.build(BuildId("debian", 2)), b"nonsense")
    harness.put(paths.image("debian"), b"nonsense")
    harness.put(paths.pointer("debian", "beta"), b"{}")
    result = harness.call(list_images)

    assert result.exit_code == 0
    assert "broken record: images/debian/builds/000002: it cannot be read" in result.stdout
    assert "broken record: images/debian/pointers/beta" in result.stdout
    assert result.stdout.splitlines()[1].split()[:3] == ["debian", "alpha", "3"]
    assert harness.call(show, "debian").exit_code == 0
    assert "debian/2" in harness.call(show, "debian/2").stderr


def test_an_image_is_shown_with_builds_and_moves(harness: ImageHarness) -> None:
    """And who wants what of it."""
    harness.image(last_build=3, wanted=ADA, wanted_above=3, paused=ADA)
    text = harness.call(show, "debian").stdout
    doc = harness.json(show, "debian")

    assert "paused by ada@host: it is bad" in text
    assert "ada@host wanted a build above 3: it is bad" in text
    assert [one["number"] for one in doc["builds"]] == [3, 2, 1]
    assert {one["provider"] for one in doc["providers"]} == {"alpha", "beta"}
    assert doc["image"] == "debian"


def test_a_build_is_shown_with_everything_about_it(harness: ImageHarness) -> None:
    """Where from, verdicts, mishaps, and who uses it."""
    build_id = harness.build(
        4,
        parent=BuildId("base", 7),
        fingerprint="f00d",
        inventory="cafe",
        mishap=FAILED,
        revoked=Revocation(word=ADA, inherited=BuildId("base", 7)),
        unwanted=ADA,
        started_s=NOW_S,
        ended_s=NOW_S + 61,
    )
    harness.node("3000000001", UploadId(build_id, PLACES["alpha"]))
    write_log(harness, build_id, b"x\n")
    text = harness.call(show, "debian/4").stdout
    doc = harness.json(show, "debian/4")

    for words in (
        "build base/7",
        "f00d",
        "1m1s",
        "packages (recipe): mirror down",
        "ada@host: it is bad (with build base/7)",
        "no inventory of build 3 is on record to compare with",
        "node 3000000001 of alpha",
        "passed",
        "2 done",
    ):
        assert words in text
    assert doc["references"][0]["kind"] == "launch"
    assert [one["verdict"] for one in doc["verdicts"]] == ["passed", "passed"]
    assert doc["failure"]["blame"] == "recipe"
    assert [one["ok"] for one in doc["steps"]] == [True, False]
    assert "nothing uses it" in harness.call(show, "debian/1").stdout


@pytest.mark.parametrize(
    ("before", "now", "words"),
    [
        ("a", "a", "the same as in build 3"),
        ("a", "b", "other than in build 3; which they are is not on record"),
        (None, "b", "no inventory of build 3 is on record to compare with"),
        ("a", None, "no inventory of it is on record"),
    ],
)
def test_packages_are_compared_as_far_as_they_are_on_record(
    harness: ImageHarness, before: str | None, now: str | None, words: str
) -> None:
    """Nothing is made up."""
    harness.build(3, inventory=before)
    harness.build(4, inventory=now, base=Base(id="7f3c", name="Debian 12", hash="sha512:00"))

    assert harness.json(show, "debian/4")["contents"] == words
    assert "Debian 12 (7f3c), sha512:00" in harness.call(show, "debian/4").stdout


def test_a_command_is_told_with_whose_it_was(harness: ImageHarness) -> None:
    """As far as that is still on record."""
    harness.image(last_build=4, wanted=Word(who="bob", why="toolchain", at_s=1.0), wanted_above=3)
    harness.build(4, why=Why.COMMAND)
    assert "command of bob: toolchain" in harness.call(show, "debian/4").stdout


# -- what is configured ----------------------------------------------------------------------

CONFIG = """
zookeeper: {hosts: ["zk1:2181"]}
labels: {small: {min-ready: 0}}
providers:
  alpha:
    cloud: nowhere
    ssh-key-file: /does/not/exist
    pools: {main: {labels: {small: {image: i, flavor: f}}}}
images:
  fresh: {base: Debian, flavor: f, steps: [{command: "true", timeout: 1m}]}
"""


def test_an_image_that_is_only_configured_is_no_mistake(
    harness: ImageHarness, tmp_path: Path
) -> None:
    """No builder has started with it."""
    file = tmp_path / "remuda.yaml"
    file.write_text(CONFIG)
    result = harness.call(show, "fresh", "--config", str(file))

    assert result.exit_code == 1, result.output
    assert result.stderr == (
        "remuda: image fresh is in the configuration, but not on record: no builder has started "
        "with it yet\n"
    )
    near = harness.call(show, "fres", "--config", str(file))
    assert (near.exit_code, "did you mean 'fresh'?" in near.stderr) == (2, True)


def test_the_group_stands_in_the_help() -> None:
    """With a line for each of its commands."""
    result = CliRunner().invoke(main, ["image", "--help"])

    assert result.exit_code == 0
    for name in ("build", "list", "show", "log", "promote", "rollback", "pin", "unpin", "revoke"):
        assert f"  {name} " in result.output
    for name in ("restore", "pause", "resume", "delete"):
        assert f"  {name} " in result.output
        assert CliRunner().invoke(main, ["image", name, "--help"]).exit_code == 0
    assert CliRunner().invoke(main, ["image", "nonsense"]).exit_code == 2


def test_every_key_of_the_documents_is_documented(harness: ImageHarness) -> None:
    """Scripts rely on them."""
    written = (Path(__file__).parents[3] / "docs/cli.md").read_text()
    build_id = harness.build(4, unwanted=ADA, mishap=FAILED, base=Base(id="7f3d"))
    write_log(harness, build_id, b"text")
    put_packages(harness, 3, [("git", "1")])
    put_packages(harness, 4, [("git", "2")])
    harness.builder(waits={"debian/4": "why"})
    harness.pointer(4, provider="alpha", pinned=Pin(number=2, word=ADA), withdrawn={3: ADA})
    found: set[str] = set()
    todo = [harness.json(list_images), harness.json(show, "debian"), harness.json(show, "debian/4")]
    todo += [json.loads(one) for one in harness.call(log, "debian/4", "--json").stdout.splitlines()]
    while todo:
        one = todo.pop()
        todo += one.values() if isinstance(one, dict) else one if isinstance(one, list) else ()
        found |= one.keys() if isinstance(one, dict) else set()
    named = {*PLACES.values(), "blame", "message", "id", "hash", "step"}

    assert {one for one in found - named if f"{one}" not in written} == set()

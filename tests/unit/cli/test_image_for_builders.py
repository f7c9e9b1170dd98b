"""`remuda image build, pause, resume, delete`, and what the shell completes."""

from collections.abc import Sequence
from pathlib import Path

import pytest
from click.shell_completion import ShellComplete

from remuda.cli.context import CommandContext
from remuda.cli.image.building import build
from remuda.cli.image.command import image as group
from remuda.cli.image.for_builders import delete, pause, resume
from remuda.cli.main import main
from remuda.images import library
from remuda.model.build import BuildState
from remuda.model.image import BuildId
from remuda.model.pointer import Pin
from remuda.runtime.whoami import user_at_host
from remuda.store import paths
from remuda.store.api import StoreAwayError
from tests.support.imageharness import ADA, ImageHarness
from tests.unit.cli.test_image_overview import CONFIG


@pytest.fixture
def harness() -> ImageHarness:
    """Builds 1 to 3 in two providers, 3 is current; both have a launcher."""
    harness = ImageHarness()
    harness.shelf(1, 2, 3)
    harness.launchers()
    harness.builder()
    return harness


# -- build -----------------------------------------------------------------------------------


def test_a_build_is_wanted_above_the_last(harness: ImageHarness) -> None:
    """By whom, and why; for several images in one command."""
    harness.image("ubuntu", last_build=7)
    result = harness.call(build, "debian", "ubuntu", "debian", "--why", "toolchain")

    assert result.exit_code == 0, result.output
    assert result.stdout == (
        "debian: a build above 3 is wanted\nubuntu: a build above 7 is wanted\n"
    )
    record = harness.read_image("ubuntu")
    assert record.wanted is not None
    assert (record.wanted.who, record.wanted.why) == (user_at_host(), "toolchain")
    assert (record.wanted_above, record.last_build) == (7, 7)


def test_an_image_that_is_paused_is_said_to_be(harness: ImageHarness) -> None:
    """What is asked for stays; to wait for it would be for ever."""
    harness.image(last_build=3, paused=ADA)

    assert "but it is paused by ada@host: it is bad" in harness.call(build, "debian").stdout
    refused = harness.call(build, "debian", "--wait")
    assert refused.exit_code == 1
    assert "first: remuda image resume debian" in refused.stderr


def test_one_unknown_image_keeps_all_from_being_wanted(harness: ImageHarness) -> None:
    """Nothing is half done by a slip."""
    result = harness.call(build, "debian", "debain")

    assert result.exit_code == 2
    assert "did you mean 'debian'?" in result.stderr
    assert harness.read_image().wanted is None


def test_an_image_that_is_paused_in_the_file_is_not_waited_for(
    harness: ImageHarness, tmp_path: Path
) -> None:
    """Nobody could resume it."""
    file = tmp_path / "remuda.yaml"
    file.write_text(CONFIG.replace("fresh: {", "debian: {paused: true, "))
    refused = harness.call(build, "debian", "--wait", "--config", str(file))

    assert refused.exit_code == 1
    assert "debian is paused in the configuration" in refused.stderr
    assert harness.read_image().wanted is None
    assert harness.call(build, "debian", "--config", str(file)).exit_code == 0


# -- pause, resume, delete -------------------------------------------------------------------


def test_pausing_and_resuming(harness: ImageHarness) -> None:
    """Once each; who came first is told."""
    assert harness.call(pause, "debian", "--why", "mirror").stdout == "debian is paused\n"
    paused = harness.read_image().paused
    assert paused is not None
    assert (paused.who, paused.why) == (user_at_host(), "mirror")
    again = harness.call(pause, "debian")
    assert (again.exit_code, again.stderr) == (
        1,
        f"remuda: debian was paused by {user_at_host()} already: mirror\n",
    )
    assert harness.json(resume, "debian") == {"image": "debian", "paused": False}
    assert harness.read_image().paused is None
    assert harness.call(resume, "debian").exit_code == 1
    assert harness.call(pause, "debian", "--why", " ").exit_code == 0


def test_a_broken_record_of_an_image_is_left_alone(harness: ImageHarness) -> None:
    """Its number would be lost."""
    harness.put(paths.image("debian"), b"nonsense")
    for command in (pause, resume, build):
        result = harness.call(command, "debian")
        assert result.exit_code == 1
        assert "the record of image debian cannot be read" in result.stderr


def test_a_build_that_nothing_names_is_deleted(harness: ImageHarness) -> None:
    """By builders, once nothing uses it."""
    assert harness.json(delete, "debian/1", "--why", "room") == {
        "build": "debian/1",
        "unwanted": True,
    }
    unwanted = library.read(harness.store).builds[BuildId("debian", 1)].value.unwanted
    assert unwanted is not None
    assert unwanted.why == "room"
    again = harness.call(delete, "debian/1")
    assert (again.exit_code, "was deleted by" in again.stderr) == (1, True)


@pytest.mark.parametrize(
    ("number", "sentence"),
    [
        (3, "build debian/3 is current in alpha; first: remuda image rollback debian --provider"),
        (2, "build debian/2 is previous in alpha; a rollback goes to it, and it goes by itself"),
        (1, "build debian/1 is pinned in beta; first: remuda image unpin debian --provider beta"),
    ],
)
def test_what_a_pointer_names_is_not_deleted(
    harness: ImageHarness, number: int, sentence: str
) -> None:
    """It says which command has to come first."""
    harness.pointer(3, provider="beta", pinned=Pin(number=1, word=ADA), previous=2)
    result = harness.call(delete, f"debian/{number}")

    assert result.exit_code == 1
    assert sentence in result.stderr


def test_what_goes_already_is_not_deleted_again(harness: ImageHarness) -> None:
    """Nor is what was never there."""
    harness.build(4, providers=[], state=BuildState.RETIRING)

    assert "is being deleted already" in harness.call(delete, "debian/4").stderr
    assert harness.call(delete, "debian/9").exit_code == 2
    assert harness.call(delete, "debian").exit_code == 2


# -- completion ------------------------------------------------------------------------------


def completed(harness: ImageHarness, words: Sequence[str], incomplete: str) -> list[str]:
    """Return what the shell offers."""
    context = CommandContext(zookeeper="fake:1", connect=lambda _options: harness._connect())
    shell = ShellComplete(main, {"obj": context}, "remuda", "_REMUDA_COMPLETE")
    return [one.value for one in shell.get_completions(list(words), incomplete)]


@pytest.mark.parametrize(
    ("words", "incomplete", "offered"),
    [
        (["image"], "ro", ["rollback"]),
        (["image", "rollback"], "de", ["debian", "debian-ci"]),
        (["image", "rollback"], "debian/", ["debian/3", "debian/2", "debian/1"]),
        (["image", "pin"], "debian/3", ["debian/3"]),
        (["image", "show"], "x", []),
        (["image", "show"], "../", []),
        (["image", "rollback", "debian", "--provider"], "a", ["alpha"]),
        (["image", "pin", "debian/1", "--provider"], "", ["alpha", "beta"]),
    ],
)
def test_names_are_completed(
    harness: ImageHarness, words: list[str], incomplete: str, offered: list[str]
) -> None:
    """Images, builds from the newest on, and providers."""
    harness.image("debian-ci")

    assert completed(harness, words, incomplete) == offered


def test_completion_never_fails(harness: ImageHarness, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without ZooKeeper there is nothing to offer."""

    def away() -> None:
        raise StoreAwayError("no connection")

    monkeypatch.setattr(harness, "_connect", away)
    assert completed(harness, ["image", "show"], "de") == []
    monkeypatch.delenv("REMUDA_ZOOKEEPER", raising=False)
    monkeypatch.delenv("REMUDA_CONFIG", raising=False)
    shell = ShellComplete(main, {}, "remuda", "_REMUDA_COMPLETE")
    assert shell.get_completions(["image", "show"], "de") == []
    assert shell.get_completions(["--zookeeper", "", "image", "show"], "de") == []
    assert sorted(group.list_commands(None)) == [  # type: ignore[arg-type]  # it asks nobody
        *("build", "capture", "delete", "diff", "list", "log", "pause", "pin", "promote"),
        *("provenance", "restore", "resume", "revoke", "rollback", "show", "unpin", "verify"),
        "withdraw",
    ]

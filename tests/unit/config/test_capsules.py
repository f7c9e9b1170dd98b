"""What the configuration says of capsules, and which configuration it is."""

from collections.abc import Callable
from pathlib import Path

import pytest

from launcher.capsule.hand_configured import stores_of
from launcher.capsule.hand_places import FolderStore, SwiftStore
from remuda.config.revision import revision_of
from remuda.model import tags
from remuda.model.ids import ProviderName
from tests.fakes.clock import ManualClock
from tests.unit.config.conftest import Reads

Lines = Callable[..., list[str]]

BOTH = "capsules: {folder: {path: /var/lib/kept, max-size: 1GiB}, swift: {cloud: logs}}\n"


@pytest.mark.parametrize(
    ("section", "said"),
    [
        ("jobs: ['a(']", "capsules.jobs[0]: 'a(' is not a regular expression"),
        ("folder: {path: x/y}", "capsules.folder.path: 'x/y' is no absolute path of a folder"),
        ("folder: {path: /a/../b}", "capsules.folder.path: '/a/../b' is no absolute path"),
        ("folder: {path: /x, max-size: 0}", "capsules.folder.max-size: 0 is out of range"),
        ("swift: {container: x}", "capsules.swift"),
        ("swift: {cloud: c, container: a/b}", "capsules.swift.container: 'a/b' is no name of a"),
        ("swift: {cloud: c, prefix: /x}", "capsules.swift.prefix: '/x' is no prefix"),
        ("swift: {cloud: c, keep: 100000w}", "capsules.swift.keep: '100000w' is out of range"),
        ("folders: {}", "capsules.folders"),
    ],
)
def test_a_mistake_is_told_with_its_place(reads: Reads, good: str, section: str, said: str) -> None:
    """And with what to write."""
    found = reads(f"{good}capsules: {{{section}}}\n")
    assert [one for one in map(str, found.problems) if said in one] != []


def test_what_means_nothing_is_warned_of(warns: Lines, good: str, tmp_path: Path) -> None:
    """Patterns that match no label, and a cloud for capsules that clouds.yaml does not have."""
    clouds = tmp_path / "clouds.yaml"
    clouds.write_text("clouds:\n  osic: {}\n")
    clouds.chmod(0o600)
    jobs = "capsules: {jobs: ['smal', 'a(', '.*'], swift: {cloud: nope}}\n"

    told = warns(f"clouds-file: clouds.yaml\n{good}{jobs}")
    assert [one for one in told if "capsules.jobs[0]: no label is called so" in one] != []
    assert [one for one in told if "capsules.jobs[2]" in one] == []
    assert [one for one in told if "capsules.swift.cloud: " in one and "no cloud 'nope'" in one]


def test_places_are_made_of_the_configuration(reads: Reads, good: str) -> None:
    """None of none; nothing is opened before there is something to store."""
    owner = tags.Owner(installation="i", provider=ProviderName("osic"))
    plain, both = reads(good).config, reads(good + BOTH).config
    assert plain is not None
    assert both is not None
    assert stores_of(plain, owner, ManualClock()) == ()
    folder, swift = stores_of(both, owner, ManualClock())
    assert isinstance(folder, FolderStore)
    assert (folder.folder, folder.bytes_max) == (Path("/var/lib/kept"), 2**30)
    assert isinstance(swift, SwiftStore)
    assert swift.where == "logs:remuda-capsules"


def test_a_revision_tells_configurations_apart_but_no_secret(reads: Reads, good: str) -> None:
    """The same text has the same, wherever it is read; a secret is not hashed."""
    plain, other = reads(good).config, reads(good.replace("m1.small", "m1.big")).config
    assert plain is not None
    assert other is not None
    assert revision_of(plain) != revision_of(other)
    properties = "            instance-properties: {{api_key: {}}}\n"
    first, second = (reads(good + properties.format(one)).config for one in ("aaaa", "bbbb"))
    assert first is not None
    assert second is not None
    assert revision_of(first) == revision_of(second)

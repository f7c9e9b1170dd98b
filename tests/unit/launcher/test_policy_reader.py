"""How a launcher reads the files that recipes copy, at its start and at reloads."""

from pathlib import Path

import pytest

from launcher.policy_reader import PolicyReader
from remuda.config import trees
from remuda.config.model import Config
from remuda.config.trees import TreeEntry
from tests.unit.launcher.firstuse import with_steps
from tests.unit.launcher.worlds import document


def copying(*tops: Path) -> Config:
    """Return a configuration whose image of first use copies these."""
    return Config.model_validate(
        with_steps([{"copy": {"from": str(top), "to": "/x"}, "timeout": 5} for top in tops])
    )


def test_files_are_hashed_before_a_policy_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In another thread: the brain's takes what that has read, and looks at no file itself."""
    (tmp_path / "one").write_text("1")
    config, reader = copying(tmp_path / "one", tmp_path / "none"), PolicyReader("here")
    assert reader.copied(config)
    reader.hash_files(reader.copied(config))  # what cannot be read, the policy says
    assert reader.read(config).on_demand["noble"].trouble

    config = copying(tmp_path / "one")
    reader.hash_files(reader.copied(config))
    (tmp_path / "one").write_text("changed meanwhile")

    def never(top: Path) -> tuple[TreeEntry, ...]:
        raise AssertionError(top)

    with monkeypatch.context() as patch:
        patch.setattr(trees, "read", never)
        patch.setattr(trees, "survey", never)
        first = reader.read(config).on_demand["noble"].fingerprint
    assert first is not None
    assert reader.read(config).on_demand["noble"].fingerprint != first  # once, and no longer


def test_a_launcher_that_copies_nothing_prepares_nothing() -> None:
    """Nor does one of a provider that the configuration does not have: it is refused later."""
    assert not PolicyReader("here").copied(Config.model_validate(document()))
    assert not PolicyReader("nowhere").copied(copying(Path("/x")))


def test_a_reload_hashes_only_what_has_changed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The brain waits meanwhile; what is not copied any more is forgotten."""
    one, two = tmp_path / "one", tmp_path / "two"
    one.write_text("1")
    two.write_text("2")
    hashed: list[Path] = []
    real = trees.read

    def read(top: Path) -> tuple[TreeEntry, ...]:
        hashed.append(top)
        return real(top)

    monkeypatch.setattr(trees, "read", read)
    reader = PolicyReader("here")
    first = reader.read(copying(one, two)).on_demand["noble"].fingerprint
    again = reader.read(copying(one, two)).on_demand["noble"].fingerprint
    assert first == again is not None
    assert hashed == [one, two]

    two.write_text("changed")
    assert reader.read(copying(one, two)).on_demand["noble"].fingerprint != first
    assert hashed == [one, two, two]

    reader.read(copying(two))
    reader.read(copying(one, two))
    assert hashed == [one, two, two, one]

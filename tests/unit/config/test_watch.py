"""Changes of the configuration and of what it refers to."""

import os
from pathlib import Path

import pytest

from remuda.config.model import Config
from remuda.config.problems import ConfigInvalidError
from remuda.config.watch import ConfigWatcher


@pytest.fixture
def file(tmp_path: Path, keyed: str) -> Path:
    """A configuration with a script, user data and a clouds.yaml."""
    (tmp_path / "setup.sh").write_text("true\n")
    (tmp_path / "node-key").touch(mode=0o600)
    (tmp_path / "data").write_text("#cloud-config\n")
    (tmp_path / "clouds.yaml").write_text("clouds: {osic: {}}\n")
    path = tmp_path / "config.yaml"
    text = keyed.replace("min-ready: 1", "setup: {file: setup.sh}")
    path.write_text(f"clouds-file: clouds.yaml\n{text}            user-data-file: data\n")
    return path


@pytest.fixture
def watcher(file: Path) -> ConfigWatcher:
    """A watcher that has read the file once."""
    made = ConfigWatcher(file, environ={})
    assert isinstance(made.poll(), Config)
    return made


def test_the_first_poll_returns_the_value(file: Path) -> None:
    """Before it there is none."""
    watcher = ConfigWatcher(file, environ={})

    assert watcher.last_good is None
    config = watcher.poll()
    assert isinstance(config, Config)
    assert watcher.last_good is config


def test_nothing_new_is_none(watcher: ConfigWatcher) -> None:
    """However often it is asked, and however hard."""
    assert [watcher.poll(), watcher.poll(), watcher.poll(force=True), watcher.poll()] == [None] * 4


@pytest.mark.parametrize("name", ["config.yaml", "setup.sh", "data", "clouds.yaml"])
def test_a_change_of_any_file_is_noticed_once(
    watcher: ConfigWatcher, tmp_path: Path, name: str
) -> None:
    """The configuration, scripts, user data, clouds.yaml."""
    assert watcher.poll() is None
    path = tmp_path / name
    path.write_text(path.read_text() + "# more\n")

    assert isinstance(watcher.poll(), Config)
    assert watcher.poll() is None


def test_a_changed_script_makes_another_value(watcher: ConfigWatcher, tmp_path: Path) -> None:
    """A changed clouds.yaml does not, but is reported as well."""
    before = watcher.last_good
    (tmp_path / "clouds.yaml").write_text("clouds: {osic: {auth: new}}\n")
    same = watcher.poll()
    (tmp_path / "setup.sh").write_text("false\n")
    other = watcher.poll()

    assert same == before
    assert other != before


def test_a_touched_file_is_not_news(watcher: ConfigWatcher, file: Path) -> None:
    """Content decides."""
    watcher.poll()
    os.utime(file, (1, 1))

    assert watcher.poll() is None


def test_a_replaced_file_of_the_same_time_and_size_is_noticed(
    watcher: ConfigWatcher, file: Path, tmp_path: Path
) -> None:
    """Its inode differs."""
    watcher.poll()
    before = file.stat()
    new = tmp_path / "new"
    new.write_text(file.read_text().replace("m1.small", "m1.large"))
    os.utime(new, ns=(before.st_atime_ns, before.st_mtime_ns))
    new.rename(file)

    assert file.stat().st_size == before.st_size
    assert isinstance(watcher.poll(), Config)


def test_a_second_change_within_the_clock_tick_of_the_first_is_noticed(
    watcher: ConfigWatcher, file: Path
) -> None:
    """After a change the stamps are not trusted yet, whatever they say."""
    watcher.poll()
    file.write_text(file.read_text() + "# a\n")
    assert watcher.poll() is not None
    watcher._stamps = watcher._look()  # as if the next write left the same stamp
    file.write_text(file.read_text().replace("# a", "# b"))
    watcher._stamps = watcher._look()

    assert isinstance(watcher.poll(), Config)


def test_a_bad_file_is_reported_once_and_the_last_good_stays(
    watcher: ConfigWatcher, file: Path
) -> None:
    """Another bad one is reported again; the good one returns as news."""
    text = file.read_text()
    good = watcher.last_good
    file.write_text("labels: {}\n")
    first = watcher.poll()
    again = [watcher.poll(), watcher.poll(force=True)]
    file.write_text("labels: []\n")
    second = watcher.poll()

    assert isinstance(first, ConfigInvalidError)
    assert again == [None, None]
    assert isinstance(second, ConfigInvalidError)
    assert watcher.last_good is good
    file.write_text(text)
    assert watcher.poll() == good


def test_a_file_that_disappears_and_returns(watcher: ConfigWatcher, file: Path) -> None:
    """As while an editor saves it."""
    text = file.read_text()
    file.unlink()
    gone = watcher.poll()
    file.write_text(text)

    assert isinstance(gone, ConfigInvalidError)
    assert isinstance(watcher.poll(), Config)


def test_a_key_that_was_missing_is_noticed_when_it_appears(
    watcher: ConfigWatcher, file: Path, tmp_path: Path
) -> None:
    """Nobody has to touch the configuration again."""
    file.write_text(file.read_text().replace("node-key", "key"))
    assert isinstance(watcher.poll(), ConfigInvalidError)
    (tmp_path / "key").touch(mode=0o600)

    assert isinstance(watcher.poll(), Config)


def test_a_first_file_that_is_missing_may_come_later(tmp_path: Path, good: str) -> None:
    """Then the watcher has no good value for a while."""
    path = tmp_path / "late.yaml"
    watcher = ConfigWatcher(path, environ={})

    assert isinstance(watcher.poll(), ConfigInvalidError)
    assert watcher.last_good is None
    path.write_text(good)
    assert isinstance(watcher.poll(), Config)
    assert watcher.warnings == ()

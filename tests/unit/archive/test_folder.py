"""What a job may leave that harms no other file of an archive in a folder; a disk that is full."""

import errno
import os
from pathlib import Path

import pytest

from remuda.archive.folder import FolderSink
from remuda.archive.storing import FAILURES_IN_A_ROW_MAX
from remuda.archive.trees import tree_of_texts
from remuda.archive.writer import Archive, Archived


def archived(root: Path, texts: dict[str, bytes]) -> Archived:
    """Write some files into an archive in a folder."""
    with Archive(FolderSink(root)) as archive:
        archive.put(tree_of_texts(texts))
        return archive.finish()


def test_a_file_that_is_called_like_a_part_of_another_is_kept(tmp_path: Path) -> None:
    """And so are files whose names begin alike for longer than most names are."""
    texts = {"x.part": b"first", "x": b"second"}
    texts |= {f"{'n' * 210}{number}": b"%d" % number for number in range(40)}

    done = archived(tmp_path / "a", texts)

    assert (done.files, done.failed, done.why) == (42, 0, "")
    assert {name: (tmp_path / "a" / name).read_bytes() for name in texts} == texts
    ours = {"index.html", "manifest.json"}
    assert {path.name for path in (tmp_path / "a").iterdir()} == ours | set(texts)


def test_names_that_no_folder_has_harm_no_other_file(tmp_path: Path) -> None:
    """Too long for the disk, or below what is a file: however many of them come in a row."""
    texts = {"file": b"1"}
    texts |= {f"{'x' * 300}{number}": b"" for number in range(2 * FAILURES_IN_A_ROW_MAX)}
    texts |= {f"file/{number}": b"" for number in range(2 * FAILURES_IN_A_ROW_MAX)}
    texts |= {"last": b"2"}

    done = archived(tmp_path / "a", texts)

    assert (done.files, done.failed) == (2, 4 * FAILURES_IN_A_ROW_MAX)
    assert (tmp_path / "a" / "last").read_bytes() == b"2"
    assert (tmp_path / "a" / "index.html").exists()


def test_nothing_of_a_job_takes_the_place_of_the_manifest(tmp_path: Path) -> None:
    """A folder of its name neither."""
    done = archived(tmp_path / "a", {"manifest.json/x": b"1", "y": b"2"})

    assert (done.files, done.left_out, done.why) == (1, 1, "")
    assert (tmp_path / "a" / "manifest.json").is_file()


def test_a_disk_that_is_full_ends_the_archive_with_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody writes on, and no part of a file stays."""
    sink = FolderSink(tmp_path / "a")

    def full(*_words: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(sink, "_write", full)
    with Archive(sink) as archive:
        archive.put(tree_of_texts({f"{number}": b"x" for number in range(100)}))
        done = archive.finish()

    assert (done.url, done.files) == (None, 0)
    assert done.why.endswith("No space left on device")
    assert list((tmp_path / "a").iterdir()) == []

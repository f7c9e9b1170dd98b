"""What comes into an archive, what does not, and what is said of it."""

import hashlib
import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from remuda.archive.bounds import ArchiveBounds
from remuda.archive.folder import FolderSink
from remuda.archive.sink import SinkError
from remuda.archive.trees import (
    LeftOut,
    Tree,
    TreeError,
    TreeFile,
    TreeLink,
    tree_of_folder,
    tree_of_texts,
)
from remuda.archive.writer import Archive, Archived
from remuda.known_secrets import KNOWN
from tests.fakes.archive_sink import FakeSink

_LOG = b"2026-11-30 a line of a log\n" * 100
_TOKEN = "ghp_" + "a1B2" * 9


def archived(sink: FakeSink, tree: Tree, *, under: str = "", **how: Any) -> Archived:
    """Write one tree into an archive."""
    with Archive(sink, **how) as archive:
        archive.put(tree, under)
        return archive.finish()


def manifest_of(sink: FakeSink) -> dict[str, Any]:
    """Return the manifest."""
    doc: dict[str, Any] = json.loads(sink.stored["manifest.json"])
    return doc


def test_files_are_stored_with_what_is_known_of_them() -> None:
    """Sizes, hashes of what was read, types; logs compressed, pictures not."""
    sink = FakeSink()
    png = b"\x89PNG\r\n" + bytes(2000)

    done = archived(sink, tree_of_texts({"a/x.log": _LOG, "a/b/p.png": png}, modified_s=0.0))

    assert (done.files, done.bytes, done.failed, done.left_out) == (2, len(_LOG) + 2006, 0, 0)
    assert done.why == ""
    assert done.url == "memory://index.html?temp_url_sig=0123456789"
    assert sink.stored["a/x.log"] == _LOG
    assert sink.content["a/x.log"].encoding == "gzip"
    assert sink.content["a/x.log"].size < len(_LOG) // 4
    assert sink.content["a/b/p.png"].encoding is None
    listed = {one["name"]: one for one in manifest_of(sink)["files"]}
    assert listed["a/x.log"]["sha256"] == hashlib.sha256(_LOG).hexdigest()
    assert listed["a/x.log"]["bytes"] == len(_LOG)
    assert listed["a/b/p.png"] == {
        "name": "a/b/p.png",
        "bytes": 2006,
        "sha256": hashlib.sha256(png).hexdigest(),
        "type": "image/png",
        "modified": "1970-01-01T00:00:00Z",
    }
    assert {"index.html", "a/index.html", "a/b/index.html"} < sink.stored.keys()


def test_nothing_that_a_name_holds_is_taken_for_markup_or_a_scheme() -> None:
    """Neither in the text nor in the address of a link."""
    sink = FakeSink()

    archived(sink, tree_of_texts({"<script>x</script>": "", 'a"b/<i>': "", "javascript:x": ""}))

    page = sink.stored["index.html"].decode()
    assert "<script>x" not in page
    assert 'href="./javascript%3Ax"' in page
    assert 'a"b' not in page
    assert "<i>" not in sink.stored['a"b/index.html'].decode()


@pytest.mark.parametrize(
    "name",
    ["../x", "a/../../x", "/etc/passwd", "", ".", "x/" * 70 + "y", "y" * 800, "manifest.json"],
)
def test_names_that_no_archive_has_are_left_out_and_said(name: str) -> None:
    """They end nothing: the next file comes in."""
    sink = FakeSink()

    done = archived(sink, tree_of_texts({name: "x", "good": "y"}))

    assert (done.files, done.left_out) == (1, 1)
    assert manifest_of(sink)["left_out_count"] == 1
    assert sink.stored["good"] == b"y"


def test_a_name_comes_once() -> None:
    """The first counts."""
    sink = FakeSink()
    twice = [TreeFile(name="a", pieces=(b"1",)), TreeFile(name="./a", pieces=(b"2",))]

    assert archived(sink, twice).left_out == 1
    assert sink.stored["a"] == b"1"


def test_links_are_told_if_they_lead_to_what_is_here() -> None:
    """Others are left out."""
    sink = FakeSink()
    tree = [
        TreeLink(name="latest", target="runs/2"),
        TreeLink(name="folder", target="runs"),
        TreeLink(name="away", target="../x"),
        TreeLink(name="nowhere", target="gone"),
        TreeFile(name="runs/2", pieces=(b"2",)),
    ]

    assert archived(sink, tree, under="n").left_out == 2
    links = manifest_of(sink)["links"]
    assert links == [
        {"name": "n/folder", "target": "n/runs"},
        {"name": "n/latest", "target": "n/runs/2"},
    ]
    assert 'href="./../n/runs/2"' in sink.stored["n/index.html"].decode()


def test_a_page_of_the_tree_stays_the_page_of_its_folder() -> None:
    """A report of coverage has its own."""
    sink = FakeSink()

    archived(sink, tree_of_texts({"cov/index.html": "<p>mine"}))

    assert sink.stored["cov/index.html"] == b"<p>mine"


def test_bounds_end_it_with_what_is_there() -> None:
    """And a half file is none."""
    for bounds in (ArchiveBounds(bytes_max=25), ArchiveBounds(files_max=2)):
        sink = FakeSink()
        tree = tree_of_texts({str(number): "x" * 10 for number in range(9)})

        done = archived(sink, tree, bounds=bounds)

        assert done.files == 2
        assert "there are more than" in done.why
        assert manifest_of(sink)["complete"] is False
        assert "not complete" in sink.stored["index.html"].decode()


def test_time_ends_it() -> None:
    """Also between two pieces of one file."""
    sink = FakeSink()

    done = archived(sink, tree_of_texts({"a": "x"}), bounds=ArchiveBounds(seconds=0.0))

    assert (done.files, done.why) == (0, "it takes more than 0 s")


def test_a_tree_that_breaks_off_leaves_what_came_before() -> None:
    """The broken file is not kept."""
    sink = FakeSink()

    def broken() -> Iterator[bytes]:
        yield b"half"
        raise TreeError("the machine is gone")

    done = archived(sink, [TreeFile(name="a", pieces=(b"1",)), TreeFile(name="b", pieces=broken())])

    assert (done.files, done.left_out, done.why) == (1, 1, "the machine is gone")
    assert "b" not in sink.stored


def test_what_is_not_stored_is_counted_and_said() -> None:
    """The others are there."""
    sink = FakeSink(fail=lambda name: SinkError("no such luck") if name == "b" else None)

    done = archived(sink, tree_of_texts({"a": "1", "b": "2", "c": "3"}))

    assert (done.files, done.failed, done.why) == (2, 1, "b: no such luck")
    assert manifest_of(sink)["failed"] == [{"name": "b", "why": "no such luck"}]


def test_a_sink_that_is_gone_is_not_tried_for_each_file() -> None:
    """A full disk is full; and ten failures in a row are enough."""
    for final in (True, False):
        tried: list[str] = []

        def fail(name: str, tried: list[str] = tried, *, final: bool = final) -> SinkError:
            tried.append(name)
            return SinkError("the disk is full", final=final)

        done = archived(FakeSink(fail=fail), tree_of_texts({f"{n}": "" for n in range(500)}))

        assert (done.files, done.url, done.why) == (0, None, "the disk is full")
        assert len(tried) < 20


def test_a_sink_that_hangs_does_not_hold_the_caller() -> None:
    """Its file counts as failed when the time is over, though it may come later."""
    free = threading.Event()

    def hang(_name: str) -> None:
        free.wait(60)

    sink = FakeSink(fail=hang)
    with Archive(sink, bounds=ArchiveBounds(seconds=0.2)) as archive:
        archive.put(tree_of_texts({"a": "1"}))
        archive._storing.wait()  # the pages would wait for their grace
        free.set()
        done = archive.finish()

    assert (done.files, done.failed, done.why) == (0, 1, "a: the time is over")


def test_secrets_do_not_come_into_manifest_and_pages() -> None:
    """Known ones and those that look it: in names, in reasons, in what is said of the job."""
    KNOWN.hold("test", ["correct-horse-battery"])
    sink = FakeSink()
    tree: list[TreeFile | LeftOut] = [
        TreeFile(name=f"{_TOKEN}.log", pieces=(b"x",)),
        TreeFile(name="correct-horse-battery", pieces=(b"x",)),
        LeftOut(name="x", why=f"password={_TOKEN}"),
    ]

    archived(sink, tree, about={"job": f"run --token {_TOKEN}", "password": "hunter2hunter2"})

    KNOWN.forget()
    told = b"".join([*sink.stored.values(), *(name.encode() for name in sink.stored)])
    for secret in (_TOKEN.encode(), b"correct-horse-battery", b"hunter2hunter2"):
        assert secret not in told


def test_a_folder_here_is_private_and_holds_what_was_there(tmp_path: Path) -> None:
    """Links are not followed, pipes are not opened."""
    tree = tmp_path / "tree"
    (tree / "a").mkdir(parents=True)
    (tree / "a/x.log").write_bytes(_LOG)
    (tree / "away").symlink_to("/etc/passwd")
    (tree / "near").symlink_to("a/x.log")
    (tree / "loop").symlink_to(".")
    root = tmp_path / "new" / "archive"

    with Archive(FolderSink(root)) as archive:
        archive.put(tree_of_folder(tree))
        done = archive.finish()

    assert (done.files, done.left_out) == (1, 2)
    assert done.url == (root / "index.html").as_uri()
    assert (root / "a/x.log").read_bytes() == _LOG
    assert root.stat().st_mode & 0o777 == 0o700
    assert sorted(path.name for path in root.iterdir()) == ["a", "index.html", "manifest.json"]


def test_a_folder_that_is_there_is_not_taken(tmp_path: Path) -> None:
    """Nothing of it is overwritten."""
    with pytest.raises(SinkError, match="File exists"):
        FolderSink(tmp_path)


def test_a_folder_does_not_overwrite(tmp_path: Path) -> None:
    """A file where a folder is to be fails alone."""
    with Archive(FolderSink(tmp_path / "x")) as archive:
        archive.put(tree_of_texts({"a": "1", "a/b": "2", "c": "3"}))
        done = archive.finish()

    assert (done.files, done.failed) == (2, 1)


def test_under_has_to_be_a_name() -> None:
    """A mistake of the caller is no mistake of the tree."""
    with Archive(FakeSink()) as archive, pytest.raises(ValueError, match="leads out"):
        archive.put((), under="../x")

"""Where archives may go, and what types files have."""

from pathlib import Path

import pytest

from remuda.archive.fetch import FetchPath
from remuda.archive.media import BYTES, TEXT, is_textual, media_type
from remuda.archive.places import ArchivePlace, check_folder, new_root, parse_place


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("c:logs", ArchivePlace(cloud="c", container="logs")),
        ("c:logs/a/b", ArchivePlace(cloud="c", container="logs", prefix="a/b")),
        ("c:logs/a/", ArchivePlace(cloud="c", container="logs", prefix="a")),
        ("logs", ArchivePlace(folder=Path("logs"))),
        ("/srv/a:b", ArchivePlace(folder=Path("/srv/a:b"))),
        ("./a:b", ArchivePlace(folder=Path("./a:b"))),
    ],
)
def test_places(text: str, place: ArchivePlace) -> None:
    """A colon before the first slash makes a cloud."""
    assert parse_place(text) == place


@pytest.mark.parametrize(
    "text", ["", ":x", "c:", "c:/x", "c:lo gs", "c:logs/../x", "c:logs/a//b", "c:l/" + "x" * 200]
)
def test_no_places(text: str) -> None:
    """One sentence each."""
    with pytest.raises(ValueError, match=r"says no|prefix|container|leads out|name"):
        parse_place(text)


def test_a_folder_has_to_be_one_that_can_be_written_to(tmp_path: Path) -> None:
    """Looked at before anything is lost."""
    (tmp_path / "file").write_text("")

    check_folder(tmp_path / "new" / "er")
    with pytest.raises(ValueError, match="no folder"):
        check_folder(tmp_path / "file" / "x")


def test_names_of_archives_are_not_guessed() -> None:
    """A time, and 128 bits."""
    name = new_root(0.0)

    assert name.startswith("19700101T000000Z-")
    assert len(name.rpartition("-")[2]) == 32
    assert name != new_root(0.0)


@pytest.mark.parametrize(("path", "name"), [("a/b/", "b"), ("/var/log", "log"), ("x=y", "x=y")])
def test_paths_have_names(path: str, name: str) -> None:
    """Their last part."""
    assert FetchPath.of(path) == FetchPath(path, name)


@pytest.mark.parametrize("path", ["", ".", "..", "/", "a/..", "x\x00y", "x" * 2000])
def test_paths_that_are_none(path: str) -> None:
    """They need a name, or a path."""
    with pytest.raises(ValueError, match=r"no name|no path"):
        FetchPath.of(path)


@pytest.mark.parametrize("name", ["", "../x", "/x", "a\nb"])
def test_names_that_are_none(name: str) -> None:
    """As they would be in the archive, or not at all."""
    with pytest.raises(ValueError, match="is no name in an archive"):
        FetchPath("x", name)


@pytest.mark.parametrize(
    ("name", "head", "kind"),
    [
        ("a.log", b"text", TEXT),
        ("a.log", b"\x00\x01", BYTES),
        ("a.log.1", b"text", TEXT),
        ("README", "gr\u00fcn".encode()[:-1], TEXT),
        ("core", b"\x7fELF", BYTES),
        ("a.html", b"", "text/html; charset=utf-8"),
        ("a.json", b"{}", "application/json"),
        ("a.tar.gz", b"\x1f\x8b", "application/gzip"),
        ("a.svg", b"<svg", "image/svg+xml"),
    ],
)
def test_media_types(name: str, head: bytes, kind: str) -> None:
    """By name, else by how it begins; a character may be cut in half."""
    assert media_type(name, head) == kind


def test_what_is_worth_compressing() -> None:
    """Texts are; what is compressed already is not."""
    assert [is_textual(one) for one in (TEXT, "application/json", "image/svg+xml")] == [True] * 3
    assert [is_textual(one) for one in (BYTES, "application/gzip", "image/png")] == [False] * 3

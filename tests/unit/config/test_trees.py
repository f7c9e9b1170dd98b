"""Files and folders that steps copy: what is in them, and what must not be."""

import os
import socket
from pathlib import Path

import pytest

from remuda.config import trees
from remuda.config.sources import UnreadableError
from remuda.config.trees import TreeEntry, read, survey

HELLO_SHA256 = "5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03"


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A folder with a file, a folder, and a link within it."""
    top = tmp_path / "tree"
    (top / "sub").mkdir(parents=True)
    (top / "sub" / "file").write_text("hello\n")
    (top / "link").symlink_to("sub/file")
    top.chmod(0o755)
    (top / "sub").chmod(0o750)
    (top / "sub" / "file").chmod(0o640)
    return top


def _refusal(top: Path) -> str:
    with pytest.raises(UnreadableError) as caught:
        survey(top)
    return str(caught.value)


def test_what_a_folder_holds(tree: Path) -> None:
    """By path, with types and modes, hashes of files and targets of links."""
    assert read(tree) == (
        TreeEntry(path="", mode=0o40755),
        TreeEntry(path="link", mode=0o120000, content="sub/file"),
        TreeEntry(path="sub", mode=0o40750),
        TreeEntry(
            path="sub/file",
            mode=0o100640,
            size=6,
            content=HELLO_SHA256,
        ),
    )


def test_a_single_file_and_one_behind_a_link(tree: Path) -> None:
    """The operator has named it: only links below the top are not followed."""
    (tree.parent / "named").symlink_to(tree / "sub" / "file")

    (one,) = survey(tree.parent / "named")

    assert one == TreeEntry(path="", mode=0o100640, size=6)
    assert [entry.content for entry in read(tree.parent / "named")] == [HELLO_SHA256]


@pytest.mark.parametrize("what", ["fifo", "link"])
def test_a_file_that_became_something_else_is_not_read(
    tree: Path, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    """Nobody waits for who never writes, and no link is followed to where it points by now."""
    found = survey(tree)
    file = tree / "sub" / "file"
    file.unlink()
    if what == "fifo":
        os.mkfifo(file)
    else:
        file.symlink_to("/etc/passwd")
    monkeypatch.setattr(trees, "survey", lambda _: found)

    with pytest.raises(UnreadableError, match="holds 'sub/file', which "):
        read(tree)


@pytest.mark.parametrize(
    "target", ["/etc/passwd", "../outside", "../../etc/passwd", "sub/../../outside", "sub/up/../.."]
)
def test_a_link_that_points_outside(tree: Path, target: str) -> None:
    """Whether it does so at once, on a way through folders, or through another link."""
    (tree / "sub" / "up").symlink_to(".")
    (tree / "bad").symlink_to(target)

    assert _refusal(tree) == "holds 'bad', which is a link that points outside"


def test_an_absolute_link_within_the_tree(tree: Path) -> None:
    """On the machine it would lead to somewhere else."""
    (tree / "bad").symlink_to(tree / "sub")

    assert _refusal(tree) == "holds 'bad', which is a link that points outside"


def test_links_that_lead_nowhere_or_in_a_circle_stay_within(tree: Path) -> None:
    """They are copied as they are."""
    (tree / "nowhere").symlink_to("sub/not there")
    (tree / "one").symlink_to("other")
    (tree / "other").symlink_to("one")

    assert {entry.path for entry in survey(tree)} >= {"nowhere", "one", "other"}


def test_a_top_that_is_not_there_or_a_link_to_itself(tmp_path: Path) -> None:
    """In words that follow its name."""
    (tmp_path / "self").symlink_to("self")

    assert _refusal(tmp_path / "nothing") == "does not exist"
    assert _refusal(tmp_path / "self") == "is a link that leads to itself"
    assert _refusal(tmp_path / "nul\0") == "is not a file name"


def test_what_is_neither_file_nor_folder_nor_link(tree: Path) -> None:
    """A pipe would be read for ever."""
    os.mkfifo(tree / "pipe")
    assert _refusal(tree) == "holds 'pipe', which is neither file, folder nor link"
    (tree / "pipe").unlink()
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tree / "socket"))
        assert _refusal(tree) == "holds 'socket', which is neither file, folder nor link"


def test_too_many_and_too_much(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The limit itself is allowed."""
    monkeypatch.setattr(trees, "TREE_ENTRIES_MAX", 4)
    survey(tree)
    (tree / "one more").touch()
    assert _refusal(tree) == "has more than the allowed 4 entries"
    monkeypatch.setattr(trees, "TREE_ENTRIES_MAX", 5)
    with (tree / "one more").open("wb") as file:
        file.truncate(trees.TREE_BYTES_MAX - 6)  # sparse: no disk is filled
    survey(tree)
    with (tree / "one more").open("wb") as file:
        file.truncate(trees.TREE_BYTES_MAX - 5)

    assert _refusal(tree) == "is larger than the allowed 512MiB"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_may_not_be_read(tree: Path) -> None:
    """It is named."""
    (tree / "sub" / "file").chmod(0)

    assert _refusal(tree) == "holds 'sub/file', which may not be read by this user"


def test_a_file_that_goes_while_it_is_read(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Between the look and the reading anything may happen."""
    found = survey(tree)
    monkeypatch.setattr(trees, "survey", lambda _top: found)
    (tree / "sub" / "file").unlink()

    with pytest.raises(UnreadableError, match="holds 'sub/file', which does not exist"):
        read(tree)

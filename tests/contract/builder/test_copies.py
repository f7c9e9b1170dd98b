"""Files and folders that steps put on a machine, over real connections."""

import os
import shutil
import stat
import threading
from pathlib import Path

import pytest

from remuda.model.build import Blame
from remuda.runtime.waiting import HandStoppedError
from tests.contract.builder.stepbench import SOON_S, Bench
from tests.support.deadline import wait_for

pytestmark = pytest.mark.ssh


def _tree(folder: Path) -> Path:
    """Make something to copy."""
    top = folder / "tree"
    (top / "bin").mkdir(parents=True)
    (top / "bin/tool").write_text("#!/bin/sh\n")
    (top / "bin/tool").chmod(0o755)
    (top / "bin").chmod(0o750)
    (top / ".hidden file").write_text("hidden")
    (top / "link").symlink_to("bin/tool")
    (top / "empty").mkdir()
    (top / "read-only").mkdir()
    (top / "read-only/inner").write_text("inner")
    (top / "read-only").chmod(0o555)
    return top


def _mode(path: Path) -> int:
    return stat.S_IMODE(path.lstat().st_mode)


def test_a_folder_is_copied_with_modes_and_links(bench: Bench) -> None:
    """Into one that need not be there."""
    top, to = _tree(bench.folder), bench.folder / "a/b/there"

    bench.run({"copy": {"from": str(top), "to": f"{to}/"}})

    assert (to / ".hidden file").read_text() == "hidden"
    assert (to / "read-only/inner").read_text() == "inner"
    assert (to / "link").readlink() == Path("bin/tool")
    assert (to / "empty").is_dir()
    assert (_mode(to / "bin/tool"), _mode(to / "bin")) == (0o755, 0o750)
    assert _mode(to / "read-only") == 0o555


def test_what_is_there_already_stays(bench: Bench) -> None:
    """Folders keep their mode, also behind links; files and links of a name are replaced."""
    top, to = _tree(bench.folder), bench.folder / "there"
    (to / "usr/bin").mkdir(parents=True)
    (to / "usr/bin").chmod(0o711)
    (to / "bin").symlink_to("usr/bin")
    (to / "usr/bin/old").write_text("old")
    (to / "elsewhere").write_text("mine")
    (to / ".hidden file").symlink_to("elsewhere")
    to.chmod(0o700)

    bench.run({"copy": {"from": str(top), "to": str(to)}})

    assert (to / "bin").is_symlink()
    assert sorted(one.name for one in (to / "usr/bin").iterdir()) == ["old", "tool"]
    assert (_mode(to), _mode(to / "usr/bin")) == (0o700, 0o711)
    assert (to / "elsewhere").read_text() == "mine"
    assert not (to / ".hidden file").is_symlink()


def test_a_copy_has_the_mode_that_the_step_says(bench: Bench) -> None:
    """Of files; folders have x beside each r."""
    top, to = _tree(bench.folder), bench.folder / "there"

    bench.run({"copy": {"from": str(top), "to": str(to), "mode": "0640"}})

    assert (_mode(to / "bin/tool"), _mode(to / "bin")) == (0o640, 0o750)


def test_a_file_is_copied_to_where_it_is_to_be(bench: Bench) -> None:
    """Whatever it is called here; a link that was there is replaced, not what it points to."""
    here, to = bench.folder / "here", bench.folder / "sub/there"
    here.write_text("text")
    here.chmod(0o600)
    to.parent.mkdir()
    (bench.folder / "target").write_text("mine")
    to.symlink_to(bench.folder / "target")

    bench.run({"copy": {"from": str(here), "to": str(to)}})

    assert (to.read_text(), to.is_symlink(), _mode(to)) == ("text", False, 0o600)
    assert (bench.folder / "target").read_text() == "mine"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_a_copy_belongs_to_whom_the_step_says(bench: Bench) -> None:
    """Else to root, if it runs as root."""
    top = _tree(bench.folder)
    os.chown(top / "bin/tool", 1234, 1234)
    given, own = bench.folder / "given", bench.folder / "own"

    bench.run(
        {"copy": {"from": str(top), "to": str(given), "owner": "1:2"}, "as-root": True},
        {"copy": {"from": str(top), "to": str(own)}, "as-root": True},
    )

    owners = [(one.stat().st_uid, one.stat().st_gid) for one in (given / "bin/tool", given / "bin")]
    assert owners == [(1, 2), (1, 2)]
    assert (own / "bin/tool").stat().st_uid == 0


def test_a_copy_that_does_not_fit_says_why(bench: Bench) -> None:
    """A file where a folder is, a folder where a file is, a place that cannot be written."""
    here = bench.folder / "here"
    here.write_text("text")
    (bench.folder / "folder").mkdir()
    top = _tree(bench.folder)
    (bench.folder / "there").mkdir()
    (bench.folder / "there/bin").write_text("a file")

    onto = bench.fails({"copy": {"from": str(here), "to": str(bench.folder / "folder")}})
    into = bench.fails({"copy": {"from": str(top), "to": str(bench.folder / "there")}})
    nowhere = bench.fails({"copy": {"from": str(here), "to": "/proc/x/y"}})

    assert onto[0] is into[0] is nowhere[0] is Blame.RECIPE
    assert "is a folder" in onto[1]


def test_what_cannot_be_read_here_another_builder_may_have(bench: Bench) -> None:
    """Nothing is sent of a tree that leads outside."""
    top = _tree(bench.folder)
    (top / "out").symlink_to("/etc/passwd")

    gone = bench.fails({"copy": {"from": str(bench.folder / "absent"), "to": "/x"}})
    out = bench.fails({"copy": {"from": str(top), "to": "/x"}})

    assert gone[0] is out[0] is Blame.BUILDER
    assert "points outside" in out[1]


def test_a_copy_that_hangs_ends_with_its_step(bench: Bench, home: Path) -> None:
    """What came of it is removed, and it may be tried again."""
    (home / "tar-hangs").touch()
    top = _tree(bench.folder)
    step = {"copy": {"from": str(top), "to": str(bench.folder / "to")}, "timeout": "1s"}

    whose, why = bench.fails(step)

    assert (whose, why) == (Blame.RECIPE, "no end after 1 s")
    (home / "tar-hangs").unlink()
    bench.run({**step, "timeout": "30s"})
    assert (bench.folder / "to/bin/tool").exists()


def test_a_stopped_hand_ends_a_copy(bench: Bench, home: Path) -> None:
    """Long before its limit."""
    (home / "tar-hangs").touch()
    top = _tree(bench.folder)
    step = {"copy": {"from": str(top), "to": str(bench.folder / "to")}, "timeout": "1h"}
    ended: list[BaseException] = []

    def run() -> None:
        try:
            bench.run(step)
        except HandStoppedError as exc:
            ended.append(exc)

    thread = threading.Thread(target=run)
    thread.start()
    wait_for((home / "tar-began").exists, SOON_S, "the copy")
    bench.stop.set()
    thread.join(SOON_S)

    assert len(ended) == 1
    for left in bench.came.iterdir():  # the machine is given back as it is
        shutil.rmtree(left)

"""What is on a build machine: listed by its own tools, and kept beside the build's log."""

import shutil
import subprocess
from pathlib import Path

import pytest

from builder.build.hand_inventory import keep_inventory, packages_script, read_packages
from remuda.images.buildlog import erase_log
from remuda.images.inventory import read_inventory, take
from remuda.model.build import BuildState
from remuda.model.image import BuildId
from remuda.store import paths
from remuda.store.api import Create, Delete
from tests.unit.builder.handbench import BUILD, Bench, Log, ran
from tests.unit.builder.makings import make

SHELLS = [one for one in (["/bin/sh"], ["busybox", "sh"]) if shutil.which(one[0])]
DPKG = """\
#!/bin/sh
[ "$1 $2" = "-W -f" ] || exit 1
printf 'installed git 1:2.39-1\\nconfig-files old 1\\ninstalled libc6:amd64 2.36\\n'
"""
RPM = """\
#!/bin/sh
printf 'kernel.x86_64 5.14-1\\nkernel.x86_64 5.14-2\\nvim.x86_64 2:9.0-1\\n'
"""
APK = "C:Q1\nP:musl\nV:1.2.4-r2\nA:x86_64\n\nC:Q2\nP:busybox\nV:1.36-r5\n"
LISTED = "git 1:2.39-1\nlibc6:amd64 2.36\nremuda-packages 2\n"


def run(shell: list[str], folder: Path, tools: dict[str, str]) -> str:
    """Run the script on a machine that has these tools and no other of its kind."""
    bin_ = folder / "bin"
    bin_.mkdir()
    for name in ("sed", "grep"):
        (bin_ / name).symlink_to(shutil.which(name) or "")
    for name, text in tools.items():
        (bin_ / name).write_text(text)
        (bin_ / name).chmod(0o755)
    shell_file = shutil.which(shell[0]) or ""
    # Its own folders are put behind these; tools of this host are not to be found in them.
    text = packages_script().text.replace("PATH=$PATH", "PATH=$PATH #")
    text = text.replace("/lib/apk/db/installed", f"{folder}/apk", 1)
    done = subprocess.run(
        [shell_file, *shell[1:], "-c", text],
        env={"PATH": str(bin_)},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    return done.stdout


@pytest.mark.parametrize("shell", SHELLS, ids=" ".join)
@pytest.mark.parametrize(
    ("tools", "found"),
    [
        ({"dpkg-query": DPKG}, (("git", "1:2.39-1"), ("libc6:amd64", "2.36"))),
        (
            {"rpm": RPM},
            (("kernel.x86_64", "5.14-1"), ("kernel.x86_64", "5.14-2"), ("vim.x86_64", "2:9.0-1")),
        ),
        ({}, (("musl", "1.2.4-r2"), ("busybox", "1.36-r5"))),
    ],
)
def test_each_package_tool_is_asked(
    shell: list[str], tmp_path: Path, tools: dict[str, str], found: tuple[tuple[str, str], ...]
) -> None:
    """What is removed and has only its configuration left is not installed."""
    if "rpm" in tools and shell[0] == "busybox":
        pytest.skip("busybox has an applet of that name, which it prefers to what is in its way")
    if not tools:
        (tmp_path / "apk").write_text(APK)

    assert read_packages(run(shell, tmp_path, tools)) == found


@pytest.mark.parametrize("shell", SHELLS, ids=" ".join)
def test_a_machine_without_any_tool_has_none(shell: list[str], tmp_path: Path) -> None:
    """Nor is one needed to build on it; a tool that breaks has listed what it has listed."""
    assert read_packages(run(shell, tmp_path, {})) == ()


@pytest.mark.parametrize(
    "output", ["", "git 1\n", "git 1\nremuda-packages 2\n", "git 1\nremuda-packages x\n"]
)
def test_a_list_that_is_not_whole_is_none(output: str) -> None:
    """Its beginning was cut off, or it broke."""
    assert read_packages(output) is None


def test_what_is_no_package_is_left_out() -> None:
    """It is text of strangers."""
    text = "git 1\nodd\n\x1b[2J 1\nthree words here\nremuda-packages 4\n"

    assert read_packages(text) == (("git", "1"),)


def test_a_build_has_its_packages_on_record(bench: Bench) -> None:
    """The hash in its own record, the list beside its log, which goes with that."""
    bench.session.ends["packages"] = ran(output=LISTED)
    make(bench)
    build = bench.build().value
    found = read_inventory(bench.others, build)

    assert found == take([("git", "1:2.39-1"), ("libc6:amd64", "2.36")])
    assert build.inventory == found.digest
    names = [one.name for one in bench.session.scripts]
    assert names.index("packages") < names.index("quiet")
    erase_log(bench.others, BUILD)
    assert bench.others.read(paths.image_log(BUILD)) is None


@pytest.mark.parametrize("end", [ran(), ran("killed after 120 s"), ran(output="git 1\n")])
def test_no_build_fails_for_its_packages(bench: Bench, end: object) -> None:
    """A machine without tools is as good."""
    bench.session.ends["packages"] = end  # type: ignore[assignment]
    make(bench)

    assert bench.build().value.state is BuildState.BUILT
    assert bench.build().value.inventory is None


def test_another_attempts_list_is_replaced(bench: Bench) -> None:
    """Its log may have been begun meanwhile, or not."""
    log = Log()
    bench.put_build()
    keep_inventory(bench.store, BUILD, (("a", "1"),), None, log)
    bench.others.commit([Delete(path=paths.image_inventory(BUILD))])
    first = keep_inventory(bench.store, BUILD, (("a", "1"),), None, log)
    second = keep_inventory(bench.store, BUILD, (("a", "2"),), None, log)
    stored = bench.others.read(paths.image_inventory(BUILD))

    assert stored is not None
    assert first != second
    assert "1 packages" in log.text


def test_nothing_is_left_of_a_build_that_is_gone(bench: Bench) -> None:
    """Nobody would find it any more."""
    log = Log()
    gone = BuildId("debian", 8)
    bench.others.ensure(paths.image_logs("debian"))

    assert keep_inventory(bench.store, gone, (("a", "1"),), None, log) is not None
    assert bench.others.children(paths.image_logs("debian")) == ()
    assert "is not kept" in log.text


def test_a_store_that_is_away_ends_no_build(bench: Bench) -> None:
    """The hash is known all the same."""
    log = Log()
    bench.put_build()
    bench.others.ensure(paths.image_log(BUILD))
    bench.others.commit([Create(path=paths.image_inventory(BUILD), data=b"old")])
    bench.store.away_after_next_commit()

    assert keep_inventory(bench.store, BUILD, (("a", "1"),), None, log) is not None

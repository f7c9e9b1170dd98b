"""What is deployed: the units leave little to take over, and the locks name what is declared."""

import re
import shutil
import subprocess
import tomllib
from pathlib import Path
from typing import Final

import pytest

from tests.support.source import ROOT

#: Of `systemd-analyze security`, in tenths: 0 is a service that may do nothing.
_EXPOSURE_MAX: Final = 15
_UNITS: Final = sorted((ROOT / "deploy/systemd").glob("*.service"))
_STARTED: Final = ("opt/remuda/.venv/bin/remuda", "usr/bin/java", "bin/kill")
_PIN: Final = re.compile(r"^([A-Za-z0-9._-]+)==\S+ \\$")
_HASH: Final = re.compile(r"^    --hash=sha256:[0-9a-f]{64}( \\)?$")


def plain(name: str) -> str:
    """Return a project's name as indexes compare it (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower()


def pinned(lock: str) -> set[str]:
    """Return the projects that a lock names."""
    lines = (ROOT / lock).read_text().splitlines()
    return {plain(found[1]) for line in lines if (found := _PIN.match(line))}


@pytest.mark.parametrize("unit", _UNITS, ids=lambda unit: unit.name)
def test_units_are_hardened(unit: object) -> None:
    """A launcher that is taken over can talk to the network, and do little else."""
    if shutil.which("systemd-analyze") is None:
        pytest.skip("needs systemd-analyze")
    done = subprocess.run(
        ["systemd-analyze", "security", "--no-pager", "--offline=true",
         f"--threshold={_EXPOSURE_MAX}", str(unit)],
        capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip

    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("unit", _UNITS, ids=lambda unit: unit.name)
def test_units_are_understood(unit: Path, tmp_path: Path) -> None:
    """Systemd knows every key and value, in a root that has what they start."""
    if shutil.which("systemd-analyze") is None:
        pytest.skip("needs systemd-analyze")
    folder = tmp_path / "etc/systemd/system"
    folder.mkdir(parents=True)
    for target in ("sysinit", "basic", "shutdown", "network-online", "multi-user"):
        (folder / f"{target}.target").write_text("[Unit]\nDefaultDependencies=no\n")
    shutil.copy(unit, folder)
    for program in _STARTED:
        file = tmp_path / program
        file.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy("/bin/true", file)

    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", f"--root={tmp_path}",
         unit.name.replace("@.", "@east.")],
        capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip

    assert (done.returncode, done.stdout + done.stderr) == (0, "")


def test_there_is_a_unit() -> None:
    """Or the test above says nothing."""
    assert _UNITS


@pytest.mark.parametrize("lock", ["requirements.lock", "requirements-test.lock"])
def test_locks_have_hashes(lock: str) -> None:
    """Each release with those of its files: nothing else is ever installed in its place."""
    lines = (ROOT / lock).read_text().splitlines()

    assert lines[0].startswith("#")
    odd = [line for line in lines[1:] if not (_PIN.match(line) or _HASH.match(line))]
    assert odd == []
    heads = [i for i, line in enumerate(lines) if _PIN.match(line)]
    assert heads
    assert all(_HASH.match(lines[i + 1]) for i in heads)


def test_locks_name_what_is_declared() -> None:
    """A dependency that was added without its lock would come from anywhere."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]

    def names(*lists: list[str]) -> set[str]:
        found = {re.split(r"[<>=!\[; ]", one, maxsplit=1)[0] for each in lists for one in each}
        return {plain(one) for one in found} - {"remuda"}

    assert names(project["dependencies"], extras["sasl"]) <= pinned("requirements.lock")
    assert names(project["dependencies"], *extras.values()) <= pinned("requirements-test.lock")
    assert pinned("requirements.lock") <= pinned("requirements-test.lock")
    assert not names(extras["sandbox"], extras["test"]) & pinned("requirements.lock") - names(
        project["dependencies"], extras["sasl"]
    )

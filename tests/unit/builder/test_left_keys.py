"""What a builder that was killed has left on its host is removed by the next one, and no more."""

import os
import subprocess
import sys
from pathlib import Path

from builder.hands.means import LOG_FILES_MAX, LOGS
from builder.machine.hand_login_keys import remove_left_keys, short_lived_key
from builder.wiring import KEYS, tidy

#: Makes a key, says so, and waits to be killed.
DYING = """
import sys
from pathlib import Path
from builder.machine.hand_login_keys import short_lived_key
with short_lived_key(Path(sys.argv[1])) as key:
    print(key.file, flush=True)
    sys.stdin.read()
"""


def begin(folder: Path) -> tuple[subprocess.Popen[str], Path]:
    """Start a process that works with a key; return it and the key's file."""
    process = subprocess.Popen(
        [sys.executable, "-c", DYING, str(folder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    return process, Path(process.stdout.readline().strip())


def test_keys_of_the_dead_go_and_those_of_the_living_stay(tmp_path: Path) -> None:
    """Several builders of a user share the folder."""
    folder = tmp_path / KEYS
    dead, left = begin(folder)
    living, used = begin(folder)
    try:
        with short_lived_key(folder) as ours:
            assert remove_left_keys(folder) == 0
            dead.kill()
            dead.communicate()
            assert left.exists()

            assert remove_left_keys(folder) == 1
            assert not left.parent.exists()
            assert used.exists()
            assert ours.file.exists()
    finally:
        living.communicate(input="")
    assert list(folder.iterdir()) == []


def test_what_is_no_key_of_ours_is_left_alone(tmp_path: Path) -> None:
    """Nor is a link followed."""
    folder, elsewhere = tmp_path / KEYS, tmp_path / "elsewhere"
    folder.mkdir()
    elsewhere.mkdir()
    (elsewhere / "key").write_text("x")
    (folder / "login-link").symlink_to(elsewhere)
    (folder / "login-file").write_text("x")
    (folder / "other").mkdir()

    assert remove_left_keys(folder) == 0
    assert (elsewhere / "key").exists()
    assert (folder / "other").exists()
    assert remove_left_keys(tmp_path / "missing") == 0


def test_a_builder_tidies_when_it_begins(tmp_path: Path) -> None:
    """Logs beyond the newest, and keys."""
    logs = tmp_path / LOGS
    logs.mkdir()
    for number in range(LOG_FILES_MAX + 3):
        file = logs / f"debian-{number:06}-1.log"
        file.write_text("x")
        os.utime(file, (number, number))
    (tmp_path / KEYS / "login-x").mkdir(parents=True)

    assert tidy(tmp_path)["keys"] == 1
    assert len(list(logs.iterdir())) == LOG_FILES_MAX
    assert not (logs / "debian-000002-1.log").exists()

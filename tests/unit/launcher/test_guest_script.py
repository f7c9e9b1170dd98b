"""What puts a guest's key onto a machine, run by real shells: nobody is ever locked out by it."""

import os
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Final

import pytest

from launcher.guest.actions import SetKeys
from launcher.guest.orders import MARK, key_order, mark_of, order
from launcher.node.view import NodeView
from launcher.policy import Policy
from launcher.world import World
from remuda.model.ids import NodeId
from remuda.model.publickey import parse_key
from remuda.ssh.api import ProofSpec
from tests.unit.launcher.captured import BUILD, KEY, asked, taken, world
from tests.unit.model.test_publickey import ED25519

OLD: Final = "ssh-ed25519 AAAAold somebody\n# of a person \xe9\nssh-rsa AAAAother"
BEFORE: Final = f"ssh-ed25519 AAAAbefore {MARK}\n"
SHELLS: Final = [
    pytest.param(words, id=words[-1].rpartition("/")[2])
    for words in (["dash"], ["bash", "--posix"], ["busybox", "sh"])
    if shutil.which(words[0])
]
#: Arguments are the shell and what the script gets.
_SMALL_DISK: Final = """\
set -e
mount -t tmpfs -o size=8k,mode=700 none "$HOME/.ssh"
cat >"$HOME/.ssh/authorized_keys"
chmod 640 "$HOME/.ssh/authorized_keys"
head -c 100000 /dev/zero >"$HOME/.ssh/full" 2>/dev/null || :
"$@" <"$HOME/script" && exit 9
cat "$HOME/.ssh/authorized_keys"
ls -A "$HOME/.ssh" >&2
"""


def the_script() -> str:
    """Return it, as a prover is told it."""
    made = world()
    found = order(asked(made, launch=taken(BUILD)), made.policy, KEY)
    assert isinstance(found, ProofSpec)
    assert found.setup is not None
    assert found.setup.arguments == (KEY, MARK)
    return found.setup.text


def run(
    home: Path, shell: list[str], *before: str, lines: str = KEY, mark: str = MARK
) -> subprocess.CompletedProcess[str]:
    """Run it in a home, after some other commands."""
    script = "".join(f"{one}\n" for one in before) + the_script()
    return subprocess.run(
        [*shell, "-s", lines, mark],
        input=script,
        capture_output=True,
        text=True,
        timeout=30.0,
        check=False,
        env={"HOME": str(home), "PATH": os.environ["PATH"], "LANG": "C.UTF-8"},
    )


def keys_in(home: Path, text: str, mode: int = 0o640) -> Path:
    """Make the file with the keys that open a machine."""
    folder = home / ".ssh"
    folder.mkdir(mode=0o700)
    file = folder / "authorized_keys"
    file.write_text(text, encoding="latin-1")
    file.chmod(mode)
    return file


def test_at_least_one_shell_is_there() -> None:
    """Or what follows would show nothing."""
    assert SHELLS


@pytest.mark.parametrize("shell", SHELLS)
def test_a_key_is_added_and_the_guest_before_goes(tmp_path: Path, shell: list[str]) -> None:
    """Everybody else's line stays, in its encoding; so do mode and owner; nothing is left over."""
    file = keys_in(tmp_path, BEFORE + OLD)
    owner = (file.stat().st_uid, file.stat().st_gid)
    for _ in range(2):
        ran = run(tmp_path, shell)
        assert (ran.returncode, ran.stderr) == (0, "")
        assert file.read_text(encoding="latin-1") == f"{KEY} {MARK}\n{OLD}\n"
        assert file.stat().st_mode & 0o777 == 0o640
        assert (file.stat().st_uid, file.stat().st_gid) == owner
        assert [one.name for one in file.parent.iterdir()] == ["authorized_keys"]


@pytest.mark.parametrize("shell", SHELLS)
def test_a_machine_without_keys_gets_its_first(tmp_path: Path, shell: list[str]) -> None:
    """Closed to others, as sshd wants it."""
    assert run(tmp_path, shell).returncode == 0
    file = tmp_path / ".ssh/authorized_keys"
    assert file.read_text() == f"{KEY} {MARK}\n"
    assert (file.stat().st_mode & 0o777, file.parent.stat().st_mode & 0o777) == (0o600, 0o700)


@pytest.mark.parametrize("blocks", [0, 1])
@pytest.mark.parametrize("shell", SHELLS)
def test_no_room_for_a_file_leaves_the_old_one(
    tmp_path: Path, shell: list[str], blocks: int
) -> None:
    """Whether the copy is cut, or what is written over it."""
    text = "".join(f"ssh-ed25519 {'A' * 68} {number}\n" for number in range(6))
    text = text if blocks == 0 else text * 2
    file = keys_in(tmp_path, text)
    ran = run(tmp_path, shell, f"ulimit -f {blocks}")
    assert ran.returncode != 0
    assert file.read_text() == text
    assert [one.name for one in file.parent.iterdir()] == ["authorized_keys"]


@pytest.mark.parametrize("shell", SHELLS)
def test_a_full_disk_leaves_the_old_file(tmp_path: Path, shell: list[str]) -> None:
    """A real one of two pages, both taken."""
    namespaces = ["unshare", "--user", "--map-root-user", "--mount"]
    if not shutil.which("unshare") or subprocess.run([*namespaces, "true"], check=False).returncode:
        pytest.skip("no namespaces here: a disk cannot be mounted")
    (tmp_path / ".ssh").mkdir()
    (tmp_path / "script").write_text(the_script())
    ran = subprocess.run(
        [*namespaces, "sh", "-c", _SMALL_DISK, "sh", *shell, "-s", KEY, MARK],
        input=BEFORE + "of others\n",
        capture_output=True,
        text=True,
        timeout=30.0,
        check=False,
        env={"HOME": str(tmp_path), "PATH": os.environ["PATH"]},
    )
    assert ran.stdout == BEFORE + "of others\n", ran.stderr
    assert ran.returncode == 0
    assert "No space left on device" in ran.stderr
    assert ran.stderr.splitlines()[-2:] == ["authorized_keys", "full"]


@pytest.mark.parametrize("shell", SHELLS)
def test_what_is_not_plainly_ours_is_not_touched(tmp_path: Path, shell: list[str]) -> None:
    """A link, and a thing that is no file: each is said, and stays."""
    file = keys_in(tmp_path, OLD)
    kept = file.rename(tmp_path / "elsewhere")
    file.symlink_to(kept)
    ran = run(tmp_path, shell)
    assert (ran.returncode, "is a link" in ran.stderr) == (1, True)
    assert (file.is_symlink(), kept.read_text(encoding="latin-1")) == (True, OLD)
    file.unlink()
    os.mkfifo(file)
    ran = run(tmp_path, shell)
    assert (ran.returncode, "is no file" in ran.stderr) == (1, True)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives a folder away")
@pytest.mark.parametrize("shell", SHELLS)
def test_a_folder_of_somebody_else_is_not_touched(tmp_path: Path, shell: list[str]) -> None:
    """Who owns the folder could put another file into its place at any time."""
    file = keys_in(tmp_path, OLD)
    os.chown(file.parent, 4321, 4321)
    ran = run(tmp_path, shell)
    assert (ran.returncode, "is somebody else's" in ran.stderr) == (1, True)
    assert file.read_text(encoding="latin-1") == OLD


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives a file away")
@pytest.mark.parametrize("shell", SHELLS)
def test_an_owner_is_kept_or_nothing_is_changed(tmp_path: Path, shell: list[str]) -> None:
    """Root gives the copy to whose the file was; a tool that cannot ends it."""
    file = keys_in(tmp_path, OLD)
    os.chown(file, 4321, 4322)
    assert run(tmp_path, shell).returncode == 0
    assert (file.stat().st_uid, file.stat().st_gid) == (4321, 4322)
    ran = run(tmp_path, shell, 'cp() { cat "$2" >"$3"; }')
    assert (ran.returncode, "cannot be kept" in ran.stderr) == (1, True)
    assert (file.stat().st_uid, file.stat().st_gid) == (4321, 4322)
    assert [one.name for one in file.parent.iterdir()] == ["authorized_keys"]


@pytest.mark.parametrize("shell", SHELLS)
def test_a_key_that_comes_meanwhile_is_not_lost(tmp_path: Path, shell: list[str]) -> None:
    """The job has added its own while ours was on its way to the disk."""
    file = keys_in(tmp_path, OLD)
    ran = run(tmp_path, shell, 'cp() { command cp "$@"; echo mine >>"$2"; }')
    assert (ran.returncode, "was changed meanwhile" in ran.stderr) == (1, True)
    assert file.read_text(encoding="latin-1") == f"{OLD}mine\n"


@pytest.mark.parametrize("shell", SHELLS)
def test_each_wish_has_lines_of_its_own(tmp_path: Path, shell: list[str]) -> None:
    """Two keys of one, another one's, a builder's: each comes and goes without the others."""
    file = keys_in(tmp_path, OLD)
    ada, bob = mark_of("k1"), mark_of("k2")
    both = f"{KEY}\nssh-rsa AAAAtwo"
    for lines, mark in ((both, ada), (KEY, bob), (KEY, MARK), (both, ada)):
        ran = run(tmp_path, shell, lines=lines, mark=mark)
        assert (ran.returncode, ran.stderr) == (0, "")
    theirs = f"{KEY} {MARK}\n{KEY} {bob}\n"
    ours = f"{KEY} {ada}\nssh-rsa AAAAtwo {ada}\n"
    assert file.read_text(encoding="latin-1") == f"{ours}{theirs}{OLD}\n"
    assert run(tmp_path, shell, lines="", mark=ada).returncode == 0
    assert file.read_text(encoding="latin-1") == f"{theirs}{OLD}\n"
    for mark in (MARK, bob, bob):
        assert run(tmp_path, shell, lines="", mark=mark).returncode == 0
    assert file.read_text(encoding="latin-1") == f"{OLD}\n"


@pytest.mark.parametrize(("said", "code"), [("no", 1), ("prohibit-password", 0)])
def test_an_sshd_that_lets_root_in_by_no_key_is_told(tmp_path: Path, said: str, code: int) -> None:
    """Or a key would be there that opens nothing, and nobody would know why."""
    rules = subprocess.run(["grep", "-rqi", r"^\s*match\s", "/etc/ssh"], check=False)
    if rules.returncode == 0:
        pytest.skip("the host has rules of its own for some addresses")
    tools = tmp_path / "bin"
    tools.mkdir()
    for name, text in (("sshd", f"printf 'port 22\\npermitrootlogin {said}\\nx y\\n'"), ("su", "")):
        (tools / name).write_text(f"#!/bin/sh\n{text}\n")
        (tools / name).chmod(0o755)
    made = world()
    action = SetKeys(node=NodeId("n"), token="k1", account="root", keys=(parse_key(ED25519),))
    view = asked(made, launch=taken(BUILD))
    made.policy = as_debian(made, view)
    spec = key_order(view, made.policy, action)
    assert isinstance(spec, ProofSpec)
    assert spec.setup is not None
    ran = subprocess.run(
        ["sh", "-s", *spec.setup.arguments],
        input=spec.setup.text,
        capture_output=True,
        text=True,
        timeout=30.0,
        check=False,
        env={"PATH": f"{tools}:{os.environ['PATH']}"},
    )
    told = "sshd lets nobody in as root on the machine (PermitRootLogin)\n" if code else ""
    assert (ran.returncode, ran.stderr) == (code, told)


def as_debian(made: World, view: NodeView) -> Policy:
    """Return the policy with another login than root's."""
    label = made.policy.making[view.key].model_copy(update={"username": "debian"})
    return replace(made.policy, making={**made.policy.making, view.key: label})

"""The program that goes to machines, its page, and what is asked of it."""

import re
import shutil
import subprocess
from pathlib import Path
from typing import Final

import pytest

from builder.quiet.identity import Identity
from builder.quiet.kinds import CHECKLIST, CLONE_KINDS, Kind
from builder.quiet.scripts import (
    PARTS,
    Traces,
    assert_script,
    clone_script,
    identity_script,
    prepare_script,
    quiet_script,
    text,
)
from remuda.ssh.wrapping import program
from tests.support.source import ROOT, nothing

KEY: Final = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl"
SECRET: Final = "correct horse battery"
FOLDER: Final = ROOT / "builder/quiet/sh"


def rule(kind: Kind) -> str:
    """Return the text of the rule of one kind."""
    name = f"rule_{kind.replace('-', '_')}"
    found = re.findall(rf"^{name}\(\) {{\n(.*?)^}}$", text(), re.MULTILINE | re.DOTALL)
    assert len(found) == 1, f"{len(found)} functions {name}"
    return str(found[0])


def test_every_kind_has_one_rule_and_every_rule_a_kind() -> None:
    """What is not in the table would never be applied; what is not in the script would die."""
    kinds = [*(item.kind for item in CHECKLIST), *CLONE_KINDS, Kind.SECRET]
    rules = re.findall(r"^rule_(\w+)\(\)", text(), re.MULTILINE)

    assert sorted(rules) == sorted({kind.replace("-", "_") for kind in kinds})


#: Files of the table that a function below the rule names, or the machine.
BELOW: Final = {
    "/var/lib/dpkg/lock",
    "/proc/mounts",
    "~/.ssh/authorized_keys",
    "~/.ssh/authorized_keys2",
    "AuthorizedKeysFile of sshd",
}
#: A path that is the rule's own, not the target of a link or what a variable begins.
PATH: Final = r"(?<![\w.$}\"<>/*])/(?:etc|var|boot|efi)/[\w./*{}-]+"


def test_rules_and_table_name_the_same_files() -> None:
    """Both ways: nothing is done that the page does not say, nothing said that is not done."""
    found = []
    for item in CHECKLIST:
        body = rule(item.kind)
        said = " ".join(item.files)
        found += [
            f"{item.kind}: {file} is in no rule"
            for file in item.files
            if file not in BELOW and file.removeprefix("~/") not in body
        ]
        found += [
            f"{item.kind}: {path} is not in the table"
            for path in re.findall(PATH, body)
            if path.rstrip("/") not in said and "/var/log/" not in path
        ]
    nothing(found)


def test_what_must_stay_is_named_nowhere() -> None:
    """Caches are the purpose; without UUIDs of file systems and volumes nothing boots."""
    code = "\n".join(line for line in text().splitlines() if not line.lstrip().startswith("#"))
    for word in ("apt-get clean", "clean all", "/var/cache/apt/archives '", "tune2fs", "xfs_admin"):
        assert word not in code
    for line in code.splitlines():
        if "/var/cache" in line or ".cache" in line or "loader/entries" in line:
            assert not re.search(r"\brm\b|\bgone\b|\bcleared\b|\bsmall\b", line), line


def test_the_page_has_the_table() -> None:
    """docs/quiet.md says what the code does, line by line."""
    page = (ROOT / "docs/quiet.md").read_text(encoding="utf-8")
    rows = [line for line in page.splitlines() if line.startswith("| `")]

    assert rows == [
        f"| `{item.kind}` | {item.what} | {', '.join(f'`{one}`' for one in item.files) or '-'} | "
        f"{item.why} |"
        for item in CHECKLIST
    ]


def test_all_parts_are_sent() -> None:
    """Each file once; the one that begins to work is the last."""
    assert sorted(PARTS) == sorted(path.stem for path in FOLDER.glob("*.sh"))
    assert PARTS[-1] == "main"


@pytest.mark.skipif(not shutil.which("shellcheck"), reason="needs the Debian package shellcheck")
def test_shellcheck_has_nothing_to_say(tmp_path: Path) -> None:
    """Of the whole program, as it is sent."""
    path = tmp_path / "program.sh"
    path.write_text(text())

    done = subprocess.run(
        ["shellcheck", "-s", "sh", path], capture_output=True, text=True, check=False
    )

    assert done.stdout == ""


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.sh")), ids=lambda path: path.name)
def test_parts_are_short(path: Path) -> None:
    """As modules are: at most 400 lines of at most 100 columns, in ASCII."""
    written = path.read_bytes().decode("ascii").splitlines()

    assert len(written) <= 400
    assert [line for line in written if len(line) > 100] == []


def test_secrets_are_in_no_text() -> None:
    """They go into the environment alone, and no value shows them."""
    traces = Traces(host_keys=(KEY,), login_keys=(KEY,), secrets=(SECRET,))
    for script in (quiet_script(traces), assert_script(traces), clone_script(Identity(), traces)):
        assert SECRET not in script.text
        assert SECRET not in repr(script)
        assert SECRET not in repr(traces)
        assert SECRET.encode() in program(script, "token", "nonce")


def test_all_want_root_and_have_limits() -> None:
    """Each wait on a machine ends."""
    traces = Traces(host_keys=(KEY,), login_keys=(KEY,), search_limit_s=50)
    scripts = (prepare_script(), identity_script(), quiet_script(traces))

    assert all(script.as_root and script.judge and script.text == text() for script in scripts)
    assert [script.timeout_s for script in scripts] == [1200, 300, 350]


@pytest.mark.parametrize("line", ["", "ssh-ed25519", "ssh-rsa $(id)", "AAAA\nssh-rsa", "x y z"])
def test_what_is_no_public_key_is_refused(line: str) -> None:
    """An empty pattern would meet every line of every file."""
    with pytest.raises(ValueError, match="not the line of a public key"):
        quiet_script(Traces(host_keys=(line,), login_keys=(KEY,)))
    with pytest.raises(ValueError, match="not the line of a public key"):
        quiet_script(Traces(host_keys=(KEY,), login_keys=(line,)))


@pytest.mark.parametrize("path", ["", "etc/a", "/", "/a\nb", "/a/../b", "/a\0"])
def test_what_is_no_path_is_refused(path: str) -> None:
    """Quieting removes it."""
    with pytest.raises(ValueError, match="not the absolute path"):
        quiet_script(Traces(host_keys=(KEY,), login_keys=(KEY,), build_only=(path,)))

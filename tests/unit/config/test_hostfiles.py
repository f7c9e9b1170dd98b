"""Files that the configuration names."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from remuda.config.model import USER_DATA_BYTES_MAX, ScriptFrom
from remuda.config.parts import SCRIPT_BYTES_MAX

Lines = Callable[..., list[str]]


def _with_setup(good: str, script: str) -> str:
    keyed = good.replace("cloud: osic", "cloud: osic\n    ssh-key-file: node-key")
    return keyed.replace("min-ready: 1", f"setup: {script}")


def test_the_text_of_a_script_is_part_of_the_value(
    reads: Callable, good: str, tmp_path: Path
) -> None:
    """So is its hash; a changed file makes a different value."""
    script = tmp_path / "sub" / "setup.sh"
    script.parent.mkdir()
    script.write_text("echo ${HOME}\n")
    text = _with_setup(good, "{file: sub/../sub/setup.sh}")

    first = reads(text).config.labels["small"].setup
    script.write_text("echo 2\n")
    second = reads(text).config.labels["small"].setup

    assert first.text == first.inline == "echo ${HOME}\n"
    assert first.file == str(script)
    assert second.text == "echo 2\n"
    assert first != second
    assert first.sha256 != second.sha256


def test_a_script_in_place_is_left_as_written(reads: Callable, good: str) -> None:
    """The ${} in it is the shell's."""
    config = reads(_with_setup(good, '{inline: "echo ${HOME} $${x}"}')).config

    assert config.labels["small"].setup.text == "echo ${HOME} $${x}"


def test_a_script_made_by_hand_has_no_text_until_it_is_read() -> None:
    """An empty script would make nodes ready that were never set up."""
    with pytest.raises(ValueError, match="never read"):
        _ = ScriptFrom(file="a").text


def test_user_data_is_read_in(reads: Callable, good: str, tmp_path: Path) -> None:
    """The launcher needs one attribute only."""
    (tmp_path / "data").write_text("#cloud-config\n")

    config = reads(good + "            user-data-file: data\n").config

    made = config.providers["osic"].pools["main"].labels["small"]
    assert made.user_data == "#cloud-config\n"
    assert made.user_data_file == str(tmp_path / "data")


def test_user_data_twice(says: Lines, good: str, tmp_path: Path) -> None:
    """In place or from a file, not both."""
    (tmp_path / "b").touch()
    extra = "            user-data: '#!a'\n            user-data-file: b\n"

    (line,) = says(good + extra)
    assert line.endswith("has user-data and user-data-file, which exclude each other: keep one")


@pytest.mark.parametrize(
    ("name", "complaint"),
    [
        ("missing.sh", "'missing.sh' does not exist; looked for in {0}"),
        ("/no/where", "'/no/where' does not exist"),
        (".", "'.' is a directory; looked for in {0}"),
        ("pipe", "'pipe' is a pipe, not a file; looked for in {0}"),
        ("~nobody.at.all/x", "'~nobody.at.all/x' begins with ~ but that home is not known"),
        ("large", "'large' is larger than the allowed 262,144 bytes; looked for in {0}"),
        ("binary", "'binary' is not UTF-8 text (byte 1); looked for in {0}"),
    ],
)
def test_scripts_that_cannot_be_read(
    says: Lines, good: str, tmp_path: Path, name: str, complaint: str
) -> None:
    """One clear sentence each; nothing hangs."""
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "large").write_bytes(b"x" * (SCRIPT_BYTES_MAX + 1))
    (tmp_path / "binary").write_bytes(b"x\xff")

    assert says(_with_setup(good, f"{{file: {name}}}")) == [
        f"3:19: labels.small.setup.file: {complaint.format(tmp_path)}"
    ]


def test_what_no_file_can_be_called_is_said(says: Lines, good: str, tmp_path: Path) -> None:
    """And why it is none."""
    where = "3:19: labels.small.setup.file: "
    assert says(_with_setup(good, '{file: "a\\0b"}')) == [
        f"{where}'a\\x00b' is not a file name; looked for in {tmp_path}",
        f"{where}has a NUL in it; leave it out: no text of ours holds one",
    ]


def test_user_data_that_nova_would_refuse(says: Lines, good: str, tmp_path: Path) -> None:
    """From a file or in place."""
    (tmp_path / "large").write_bytes(b"x" * (USER_DATA_BYTES_MAX + 1))

    assert "larger than the allowed 40,000" in says(good + "            user-data-file: large\n")[0]
    inline = f"            user-data: {'x' * (USER_DATA_BYTES_MAX + 1)}\n"
    assert "longer than 40,000 characters" in says(good + inline)[0]


def test_an_empty_script_is_warned_of(warns: Lines, good: str, tmp_path: Path) -> None:
    """It does nothing, which is hardly meant."""
    (tmp_path / "empty").touch()

    assert warns(_with_setup(good, "{file: empty}")) == [
        f"3:19: labels.small.setup.file: '{tmp_path}/empty' is empty"
    ]


def test_keys_are_looked_at_but_not_read(
    reads: Callable, warns: Lines, good: str, tmp_path: Path
) -> None:
    """One that everybody may read is warned of."""
    key = tmp_path / "key"
    key.write_text("s3cr3t of a key")
    text = good.replace("cloud: osic", "cloud: osic\n    ssh-key-file: key")
    key.chmod(0o600)

    assert warns(text) == []
    assert reads(text).config.providers["osic"].ssh_key_file == str(key)
    assert "s3cr3t of a key" not in repr(reads(text))
    key.chmod(0o644)
    assert warns(text) == [
        (
            f"7:19: providers.osic.ssh-key-file: everybody on this host may read '{key}'; "
            f"chmod o= {key}"
        )
    ]


def test_the_keys_of_another_provider_may_lie_elsewhere(
    says: Lines, warns: Lines, good: str
) -> None:
    """A launcher's host need not have every cloud's keys."""
    text = good.replace("cloud: osic", "cloud: osic\n    ssh-key-file: key")

    assert len(says(text)) == len(says(text, provider="osic")) == 1
    assert says(text, provider="other") == []
    assert len(warns(text, provider="other")) == 1


def test_tls_files_must_exist(says: Lines, good: str, tmp_path: Path) -> None:
    """All three."""
    (tmp_path / "ca").touch()

    lines = says(good + "zookeeper: {tls: {cert: a, key: b, ca: ca}}")

    assert [line.split(": ")[1] for line in lines] == ["zookeeper.tls.cert", "zookeeper.tls.key"]


def test_names_below_home(reads: Callable, good: str, tmp_path: Path,
                          monkeypatch: pytest.MonkeyPatch) -> None:  # fmt: skip
    """A ~ is the home of the process."""
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "setup.sh").write_text("true\n")

    assert reads(_with_setup(good, "{file: ~/setup.sh}")).config is not None

"""The loader as a whole: files, values, all problems at once."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from remuda.config.loader import load, read
from remuda.config.model import NodeImageFrom, Volume
from remuda.config.problems import ConfigInvalidError
from remuda.config.sources import CONFIG_BYTES_MAX

Says = Callable[..., list[str]]


def test_a_good_file_becomes_a_value(reads: Callable, good: str) -> None:
    """Defaults are filled in, short forms are spelled out, units are seconds and MiB."""
    text = good.replace(
        "flavor: m1.small", "flavor: {ram: 8GiB}\n            boot-from-volume: yes"
    )
    text = text.replace("min-ready: 1", "min-ready: 1\n    max-ready-age: 8h")

    reading = reads(text)

    assert not reading.problems
    assert not reading.warnings
    made = reading.config.providers["osic"].pools["main"].labels["small"]
    assert made.image == NodeImageFrom(name="ubuntu")
    assert made.flavor.ram == 8192
    assert made.boot_from_volume == Volume(size=51200)
    assert reading.config.labels["small"].max_ready_age == 28800
    assert reading.config.zookeeper.hosts == ("127.0.0.1:2181",)


def test_the_same_file_makes_equal_values(reads: Callable, good: str) -> None:
    """So a reload can see whether anything changed."""
    assert reads(good).config == reads(good).config
    assert reads(good).config != reads(good.replace("min-ready: 1", "min-ready: 2")).config


def test_all_problems_are_reported_at_once_by_place(says: Says, good: str) -> None:
    """Of all kinds: YAML, keys, types, ranges, references."""
    text = good.replace("min-ready: 1", "min-ready: many\n    max-redy-age: 1h\n    recheck: 8x")
    text = text.replace("main:", "main:\n        max-cores: -1").replace("   small:", "   smal:")
    text += "  osic: {}\n"

    assert [line.split(" ")[0] for line in says(text)] == [
        "3:16:",
        "4:5:",
        "5:14:",
        "11:20:",
        "14:11:",
        "17:3:",
    ]


def test_the_example_of_the_documentation(says: Says, good: str) -> None:
    """A mistyped label is answered with the label that was meant."""
    text = good.replace("          small:", "          smal:")

    assert says(text) == [
        "11:11: providers.osic.pools.main.labels.smal: no such label; did you mean 'small'?",
    ]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "1:1: this file is empty; it needs at least labels: and providers:"),
        ("# nothing\n", "1:1: this file is empty; it needs at least labels: and providers:"),
        ("- a\n", "1:1: this file is not a mapping; it needs at least labels: and providers:"),
        ("hello\n", "1:1: this file is not a mapping; it needs at least labels: and providers:"),
        ("a: 1\n---\n", ("2:1: this file is not YAML: expected a single document in the stream but "
         "found another document; one file holds one document: remove the second ---")),
        ("a:\n\t- b\n", ("2:1: this file is not YAML: while scanning for the next token found "
         "character '\\t' that cannot start any token; indent with spaces, not tabs")),
    ],
)  # fmt: skip
def test_what_is_no_configuration_at_all_gets_one_sentence(
    says: Says, text: str, problem: str
) -> None:
    """Nothing else is said of such a file."""
    assert says(text) == [problem]


def test_a_file_without_providers_or_labels_lacks_them(says: Says) -> None:
    """An empty configuration is never taken for one that wants nothing."""
    assert says("web: {}\n") == [
        "1:1: labels: is missing; add labels: what tests may ask for",
        "1:1: providers: is missing; add providers: who makes nodes",
    ]
    assert says("labels: {}\nproviders:\n") == [
        "1:9: labels: is empty; at least one entry is needed",
        "2:11: providers: must be a mapping, not nothing; write names and their values below it",
    ]


def test_a_missing_file(tmp_path: Path) -> None:
    """The error's text is the list of problems, beginning with the path as given."""
    path = tmp_path / "no.yaml"

    with pytest.raises(ConfigInvalidError) as caught:
        load(path)

    assert str(caught.value) == f"{path}:1:1: this file does not exist"


def test_a_file_that_is_no_file(tmp_path: Path) -> None:
    """A folder, a pipe that nobody writes to, a name with a NUL: nothing hangs or crashes."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)

    assert read(tmp_path).problems[0].message == "this file is a directory"
    assert read(pipe).problems[0].message == "this file is a pipe, not a file"
    assert read("a\0b").problems[0].message == "this file is not a file name"
    assert read(tmp_path / "pipe" / "x").problems[0].message == "this file does not exist"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_an_unreadable_file(tmp_path: Path) -> None:
    """Permissions are named."""
    path = tmp_path / "config.yaml"
    path.touch(mode=0)

    assert read(path).problems[0].message == "this file may not be read by this user"


def test_a_huge_file(tmp_path: Path) -> None:
    """It is not even parsed."""
    path = tmp_path / "config.yaml"
    path.write_bytes(b"#" * (CONFIG_BYTES_MAX + 1))

    assert read(path).problems[0].message == (
        "this file is larger than the allowed 1,048,576 bytes"
    )


def test_a_file_that_is_not_utf8(tmp_path: Path, good: str) -> None:
    """The place of the first wrong byte is named; a byte order mark is no error."""
    path = tmp_path / "config.yaml"
    path.write_bytes(b"labels: \xff")
    wrong = read(path)
    path.write_bytes(b"\xef\xbb\xbf" + good.encode())

    assert wrong.problems[0].message == "this file is not UTF-8 text (byte 8)"
    assert not read(path).problems


def test_scratch_keys_are_a_place_for_anchors(reads: Callable, good: str) -> None:
    """Only at the top."""
    text = "x-login: &login {username: zuul}\n" + good.replace(
        "image: ubuntu", "<<: *login\n            image: ubuntu"
    )

    reading = reads(text)

    assert not reading.problems
    assert reading.config.providers["osic"].pools["main"].labels["small"].username == "zuul"


def test_a_key_written_twice_names_both_places(says: Says, good: str) -> None:
    """At any depth."""
    assert says(good.replace("cloud: osic", "cloud: osic\n    cloud: other")) == [
        "7:5: providers.osic.cloud: is written twice, first at line 6, column 5; keep one of them"
    ]

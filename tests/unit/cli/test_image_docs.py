"""What docs/images.md shows: its configuration is good, its commands exist, its steps are shell."""

import re
import shlex
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import click
import pytest
import yaml
from click.testing import CliRunner

from remuda.cli.main import main
from tests.support.sshd import make_key

ROOT: Final = Path(__file__).parents[3]
TEXT: Final = (ROOT / "docs/images.md").read_text()
#: The part of the manual of commands that is about images.
MANUAL: Final = (
    (ROOT / "docs/cli.md").read_text().split("\n## `remuda image`\n")[1].split("\n## ")[0]
)


def blocks(kind: str) -> list[str]:
    """Return the fenced blocks of a kind."""
    return re.findall(rf"^```{kind}\n(.*?)^```$", TEXT, re.MULTILINE | re.DOTALL)


def merged(one: Any, other: Any) -> Any:
    """Return a document with what another says besides, or instead."""
    if not isinstance(one, Mapping) or not isinstance(other, Mapping):
        return other
    return {key: merged(one.get(key, {}), other.get(key, one.get(key))) for key in {**one, **other}}


def lines() -> Iterator[str]:
    """Yield the commands that stand on lines of their own."""
    for text in (TEXT, MANUAL):
        for line in text.splitlines():
            if re.match(r"^(?: {4})?remuda ", line):
                yield line.strip()


def mentions() -> Iterator[str]:
    """Yield the commands that a sentence or a table names; what they are about may be left out."""
    for text in (TEXT, MANUAL):
        yield from sorted(set(re.findall(r"`(remuda [^`]+)`", text)))


def resolve(words: list[str]) -> tuple[click.Command, list[str]]:
    """Return the command that is called, and the words that are left for it."""
    command: click.Command = main
    context = click.Context(main, info_name="remuda")
    rest = words[1:]
    while isinstance(command, click.Group) and rest and not rest[0].startswith("-"):
        found = command.get_command(context, rest[0])
        assert found is not None, f"there is no command {rest[0]!r} in: {shlex.join(words)}"
        command, rest = found, rest[1:]
    return command, rest


def test_there_is_something_to_look_at() -> None:
    """A page that was written anew must not make the tests empty."""
    assert len(blocks("yaml")) >= 2
    assert len([*lines()]) >= 12
    assert len([*mentions()]) >= 6


@pytest.mark.parametrize("line", [*lines()])
def test_a_command_is_one_as_it_stands(
    line: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With its arguments and options; it is not carried out."""
    (tmp_path / "remuda.yaml").touch()
    monkeypatch.chdir(tmp_path)
    command, rest = resolve(shlex.split(line, comments=True))

    assert not isinstance(command, click.Group)
    command.make_context(command.name, rest)


@pytest.mark.parametrize("line", [*mentions()])
def test_a_command_that_is_mentioned_exists(line: str) -> None:
    """And so do its options."""
    command, rest = resolve(shlex.split(line))
    known = {option for one in command.params for option in (*one.opts, *one.secondary_opts)}

    assert {word.partition("=")[0] for word in rest if word.startswith("--")} <= known


@pytest.fixture(params=range(1, len(blocks("yaml")) + 1))
def config(tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    """What the page has configured so far as one file, with stand-ins for the files of a site."""
    make_key(tmp_path / "id_ed25519")
    doc: Any = {
        "zookeeper": {"hosts": ["zk1.example.org:2181"]},
        "clouds-file": str(tmp_path / "clouds.yaml"),
    }
    for text in blocks("yaml")[: request.param]:
        doc = merged(doc, yaml.safe_load(text.replace("/etc/remuda/", f"{tmp_path}/")))
    (tmp_path / "deploy-key").touch(mode=0o600)
    (tmp_path / "clouds.yaml").touch(mode=0o600)
    (tmp_path / "clouds.yaml").write_text("clouds: {north: {region_name: RegionOne}}\n")
    file = tmp_path / "remuda.yaml"
    file.write_text(yaml.safe_dump(doc))
    return file


def test_the_configuration_is_good(config: Path) -> None:
    """As `remuda config check` finds it: without a problem."""
    result = CliRunner().invoke(main, ["config", "check", str(config)])

    assert result.exit_code == 0, result.output


def test_the_steps_are_shell(config: Path) -> None:
    """A machine's shell can read each of them."""
    image = yaml.safe_load(config.read_text())["images"]["tools"]
    scripts = [one["script"]["inline"] for one in image["checks-before"]]
    scripts += [one["command"] for one in image["steps"] if "command" in one]

    assert len(scripts) >= 2
    for text in scripts:
        assert subprocess.run(["sh", "-n", "-c", text], check=False).returncode == 0, text


def test_files_that_are_linked_exist() -> None:
    """Of this repository."""
    links = re.findall(r"\]\(([^)#]+)", TEXT)

    assert links
    assert [one for one in links if not (ROOT / "docs" / one).exists()] == []

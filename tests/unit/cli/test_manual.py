"""Every command that README, docs and help texts show is one as it stands."""

import ast
import importlib
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import click
import pytest
from click.testing import CliRunner

from remuda.cli.errors import PlainCommand
from remuda.cli.main import main
from tests.support.manual import pages, shell_blocks
from tests.support.source import ROOT
from tests.support.sshd import make_key

#: Words of a shell that end a command of ours.
_ENDS: Final = frozenset({"|", "&&", "&", ";", "<", ">", ")", "<<", ">>"})
#: Where the words that a person has to write begin.
_PLACEHOLDER: Final = re.compile(r"…|\.\.\.|[|,]| COMMAND")


def subcommands(
    command: click.Command, words: tuple[str, ...]
) -> Iterator[tuple[str, PlainCommand]]:
    """Yield all commands below one, with the words that call them."""
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            found = command.get_command(context, name)
            assert found is not None
            yield from subcommands(found, (*words, name))
    elif isinstance(command, PlainCommand):
        yield " ".join(words), command


_ALL: Final = dict(subcommands(main, ("remuda",)))


def calls_in(text: str) -> Iterator[list[str]]:
    """Yield the words of each call of `remuda` in a line of shell."""
    reader = shlex.shlex(text, posix=True, punctuation_chars=True)
    reader.whitespace_split = True
    reader.commenters = "#"
    begins, call = True, None
    for word in [*reader, ";"]:
        if word in _ENDS or word in {"(", "<(", "&;"}:
            if call:
                yield call
            begins, call = True, None
        elif call is not None:
            call.append(word)
        elif begins and word == "remuda":
            call = [word]
        else:
            begins = begins and "=" in word


def lines() -> Iterator[str]:
    """Yield the calls of pages' blocks, and of all examples in help texts."""
    for call in _calls():
        yield shlex.join(call)


def _calls() -> Iterator[list[str]]:
    for page in pages():
        if page.name == "operations.md":
            continue  # it is carried out as it stands: tests/e2e/test_operations.py
        for block in shell_blocks(page):
            for command in block.commands():
                yield from calls_in(command)
    for command in _ALL.values():
        for example in command.examples:
            yield from calls_in(example)


def mentions() -> Iterator[str]:
    """Yield the calls that sentences and tables name; what they are about may be left out."""
    for page in pages():
        if "adr" in page.parts:
            continue  # they tell what was decided then
        yield from re.findall(r"`(remuda [^`\n]+)`", page.read_text())


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
    assert len({*lines()}) >= 80
    assert len({*mentions()}) >= 40


@pytest.mark.parametrize("line", sorted({*lines()}))
def test_a_command_is_one_as_it_stands(
    line: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With its arguments and options; it is not carried out."""
    for name in ("remuda.yaml", "id_ed25519"):
        (tmp_path / name).touch()
    monkeypatch.chdir(tmp_path)
    line = re.sub(r"(?:/\w+)*/(remuda\.yaml|id_ed25519)", r"\1", line)
    words = shlex.split(line.replace("'$$'", "1"))
    command, rest = resolve(words)

    if rest in (["--version"], ["--help"]):
        return
    assert not isinstance(command, click.Group)
    command.make_context(command.name, rest)


@pytest.mark.parametrize("line", sorted({*mentions()}))
def test_a_command_that_is_mentioned_exists(line: str) -> None:
    """And so do its options."""
    text = _PLACEHOLDER.split(line)[0]
    command, rest = resolve(shlex.split(text))
    known = {option for one in command.params for option in (*one.opts, *one.secondary_opts)}
    ours = rest[: rest.index("--")] if "--" in rest else rest

    asked = {word.partition("=")[0] for word in ours if word.startswith("--")}
    assert asked <= known | {"--help", "--version"}


def test_every_command_is_in_the_manual() -> None:
    """docs/cli.md names all of them."""
    text = (ROOT / "docs/cli.md").read_text()
    names = {name.removeprefix("remuda ").split()[-1] for name in _ALL}

    assert {name for name in names if not re.search(rf"`[^`\n]*\b{name}\b", text)} == set()


def fenced(page: Path, kind: str) -> list[str]:
    """Return a page's blocks of a kind."""
    return re.findall(rf"^```{kind}\n(.*?)^```$", page.read_text(), re.MULTILINE | re.DOTALL)


def test_the_first_configuration_is_good(tmp_path: Path) -> None:
    """README's, with stand-ins for the files of a site."""
    (text,) = fenced(ROOT / "README.md", "yaml")
    make_key(tmp_path / "id_ed25519")
    clouds = tmp_path / "clouds.yaml"
    clouds.touch(mode=0o600)
    clouds.write_text("clouds: {east: {region_name: RegionOne}}\n")
    file = tmp_path / "remuda.yaml"
    file.write_text(f"clouds-file: {clouds}\n" + text.replace("/etc/remuda/", f"{tmp_path}/"))

    result = CliRunner().invoke(main, ["config", "check", str(file)])

    assert result.exit_code == 0, result.output


@pytest.mark.parametrize("page", pages(), ids=lambda page: page.name)
def test_python_is_python(page: Path) -> None:
    """Blocks can be read, and have from our packages what these have."""
    for text in fenced(page, "python"):
        tree = ast.parse(text)
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom) and node.module:
                module = importlib.import_module(node.module)
                assert [name.name for name in node.names if not hasattr(module, name.name)] == []
            elif isinstance(node, ast.Import):
                for name in node.names:
                    importlib.import_module(name.name)


#: Options that no test names as they are written, and where they are tried.
_TRIED_ELSEWHERE: Final = {
    "remuda dev --own-network": "test_dev.py tries what the plan says of it",
    "remuda dev --places": "test_dev_places.py tries every plan",
    "remuda dev --system": "test_dev.py tries every plan",
}


def test_every_option_is_tried() -> None:
    """What help promises of an option, some test holds it to."""
    tests = "\n".join(
        file.read_text() for file in (ROOT / "tests").rglob("*.py") if "manual" not in file.name
    )
    untried = {
        f"{name} {option}"
        for name, command in _ALL.items()
        for param in command.params
        if isinstance(param, click.Option)
        for option in param.opts
        if option.startswith("--") and not re.search(rf"{option}[\"'= \])]", tests)
    }

    assert untried == set(_TRIED_ELSEWHERE)


def test_links_lead_somewhere() -> None:
    """Of all pages, to files of this repository and to headings of theirs."""
    lost = []
    for page in pages():
        for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text()):
            file, _, heading = target.partition("#")
            if "://" in file or file.startswith("mailto:"):
                continue
            there = (page.parent / file).resolve() if file else page
            if not there.exists():
                lost.append(f"{page.name}: {target}")
            elif heading and there.suffix == ".md" and heading not in anchors(there):
                lost.append(f"{page.name}: {target}: no such heading")

    assert lost == []


def anchors(page: Path) -> set[str]:
    """Return the names of a page's headings, as GitHub makes them."""
    heads = re.findall(r"^#+ (.+)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", head.lower()).replace(" ", "-") for head in heads}

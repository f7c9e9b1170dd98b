"""Whatever is wrong with a command line is one sentence and exit code 2, for every command."""

from collections.abc import Iterator

import click
import pytest
from click.testing import CliRunner, Result

from remuda.cli.main import main


def _commands(group: click.Group, *before: str) -> Iterator[tuple[str, ...]]:
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        if isinstance(command, click.Group):
            yield from _commands(command, *before, name)
        else:
            yield (*before, name)


COMMANDS = sorted(_commands(main))


def _sentence_of(result: Result) -> str:
    assert result.exit_code == 2, result.output
    assert result.stdout == ""
    assert result.stderr.startswith("remuda: "), result.stderr
    assert result.stderr.count("\n") == 1
    assert "Usage:" not in result.stderr
    return result.stderr


def test_all_commands_are_tried() -> None:
    """The daemons, too, and those in groups."""
    assert {("nodes",), ("launcher",), ("builder",), ("sandbox",)} <= set(COMMANDS)
    assert {("image", "show"), ("cloud", "sweep"), ("config", "check")} <= set(COMMANDS)


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_an_unknown_option_is_one_sentence(command: tuple[str, ...]) -> None:
    """It says where to read what there is."""
    said = _sentence_of(CliRunner().invoke(main, [*command, "--no-such\noption"], prog_name="r"))

    assert said.startswith("remuda: no such option ")
    assert said.endswith(f"see r {' '.join(command)} --help\n")


@pytest.mark.parametrize(
    ("words", "meant"),
    [
        ("autohold --label small --count 2", "--label {}: remuda autohold add"),
        ("image --wait", "--wait {}: remuda image build, remuda image capture"),
        (
            "image --json",
            "--json {}: remuda image build, remuda image capture, remuda image delete, others",
        ),
    ],
)
def test_an_option_before_its_command_is_told_whose_it_is(words: str, meant: str) -> None:
    """A group of commands has hardly any of its own."""
    said = _sentence_of(CliRunner().invoke(main, words.split(), prog_name="remuda"))
    of = meant.format("comes after the command that it is for")
    assert said == f"remuda: {of}; see remuda {words.split(maxsplit=1)[0]} --help\n"


@pytest.mark.parametrize("words", ["hold @ --reason r", "run small -- echo @", "nodes --label @"])
def test_words_that_are_no_text_are_one_sentence(words: str) -> None:
    """Nobody asks for a machine to find out that no record, and no shell, takes them."""
    strange = b"\xff".decode(errors="surrogateescape")
    said = _sentence_of(CliRunner().invoke(main, words.replace("@", strange).split()))
    assert "is not in UTF-8" in said


@pytest.mark.parametrize(
    "words",
    [
        "explain",
        "explain a b",
        "nodes --state x",
        "nodes --config",
        "nodes --watch=3",
        "launcher",
        "run small",
        "run small --count 0 -- x",
        "run small --timeout soon -- x",
        "run small --copy /does/not/exist -- x",
        "request small --detach",
        "request small --relative-priority 1.5",
        "image show a/b/c",
        "completion tcsh",
        "--no-such-option",
        "--config /does/not/exist nodes",
    ],
)
def test_words_that_make_no_sense_are_one_sentence(words: str) -> None:
    """Whoever finds out: click, or we."""
    _sentence_of(CliRunner().invoke(main, words.split()))


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("node", "there is no command r node; did you mean 'nodes'?"),
        ("image lst", "there is no command r image lst; did you mean 'list'?"),
        ("cloud chek", "no such command 'chek'"),
        ("x\x1b[2J", r"there is no command r x\x1b[2J; known here: autohold, builder"),
    ],
)
def test_an_unknown_command_is_one_sentence(words: str, said: str) -> None:
    """With what may have been meant."""
    result = CliRunner().invoke(main, words.split(" "), prog_name="r")

    assert said in _sentence_of(result)


@pytest.mark.parametrize("words", [(), ("image",), ("cloud",), ("config",)])
def test_a_group_alone_shows_its_help(words: tuple[str, ...]) -> None:
    """Who types no more asks what there is."""
    result = CliRunner().invoke(main, list(words))

    assert result.exit_code == 2
    assert "\nCommands:\n" in result.output

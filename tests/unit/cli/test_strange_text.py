"""Records whose every text is written by somebody who means harm: nothing of it reaches a terminal.

What steers (escape sequences, C1 controls), what turns the order round, what hides, what ends a
UTF-8 stream (lone surrogates), and what rich would take for its own orders.
"""

import io
import json
import sys
import unicodedata
from typing import Any, Final

import click
import pytest
from click.testing import CliRunner
from rich.console import Console

from remuda.cli import output
from remuda.cli.deleting import delete
from remuda.cli.explaining import explain
from remuda.cli.failures import failures
from remuda.cli.main import main
from remuda.cli.output import Screen, Sheet
from remuda.cli.overview import nodes, pools, requests, status
from remuda.model.node import NodeState
from remuda.model.status import Ruling
from remuda.store import paths
from remuda.store.api import Create, Set
from requestor.commands.release import release
from requestor.commands.request import request
from requestor.commands.run import run
from requestor.commands.ssh import ssh
from tests.support.commands import CommandHarness

NASTY: Final = (
    "\x1b[2J\x1b]0;title\x07\x9b31m\x7f\x00\x08\r\u202eevil\u2066\u200b\u061c\u2028\ufeff\U000e0041"
    "[red]x[/red][link=http://evil]y[/link]:boom:\nremuda: all is well\ud800"
)
#: What a record may hold: one with lone surrogates is refused at the door, and its name is shown.
LEGIBLE: Final = NASTY.removesuffix("\ud800")
#: Enumerations and forms that a reader insists on; all other texts of a record become nasty.
KEPT: Final = frozenset({"state", "ruling", "state_time", "kind", "schema", "step", "type"})
TABLES: Final = (nodes, requests, pools, status, failures)
#: Lines end, and columns may stand in the evidence.
ALLOWED: Final = frozenset("\n\t")


def spoilt(value: Any, key: str = "") -> Any:
    """Return a record with every text in it made nasty."""
    if isinstance(value, dict):
        return {name: spoilt(one, name) for name, one in value.items()} | {LEGIBLE: LEGIBLE}
    if isinstance(value, list):
        return [spoilt(one, key) for one in value]
    return f"{value}{LEGIBLE}" if isinstance(value, str) and key not in KEPT else value


def spoil(harness: CommandHarness, path: str) -> None:
    """Make everything below *path* nasty."""
    store = harness.launcher.store
    for name in store.children(path):
        stored = store.read(f"{path}/{name}")
        assert stored is not None
        if stored.value:
            doc = json.loads(stored.value)
            doc = {name: one for name, one in spoilt(doc).items() if name != LEGIBLE}
            raw = json.dumps(doc).encode()
            store.commit([Set(path=stored.path, data=raw, version=stored.version)])
        spoil(harness, stored.path)


@pytest.fixture
def harness() -> CommandHarness:
    """A harness with one record of each kind, all of them nasty."""
    one = CommandHarness()
    launcher = one.launcher
    launcher.register("small", "big")
    launcher.replica()
    launcher.status(trouble="broken", config_error="wrong", quota={"cores": (1, 2)})
    launcher.ready_node(state=NodeState.HOLD, hold_job="ada", comment="why", requestor="bob")
    launcher.ready_node(state=NodeState.IN_USE, allocated_to="200-0000000000", requestor="bob")
    record = {"state": "requested", "state_time": 1.0, "requestor": "bob", "provider": "alpha"}
    record |= {"node_types": ["small", "odd"], "declined_by": ["x"], "nodes": ["1"], "tenant": "t"}
    for name in ("200-0000000000", "200-0000000005"):
        launcher.store.commit(
            [Create(path=f"{paths.REQUESTS}/{name}", data=json.dumps(record).encode())]
        )
    launcher.say("200-0000000000", Ruling.WAITING, "full", numbers={"cores": 1, "where": "here"})
    step = {"step": "setup", "name": "setup", "seconds": 1.0, "ok": False, "output": "a\nb"}
    launcher.failure("3000000009", server="s", fault="f", console="a\nb", transcript=(step,))
    for path in (paths.NODES, paths.REQUESTS, "/nodepool/components", "/remuda"):
        spoil(one, path)
    refused = json.dumps({**record, "node_types": [NASTY]}).encode()
    launcher.store.commit([Set(path=f"{paths.REQUESTS}/200-0000000005", data=refused, version=-1)])
    launcher.store.ensure(paths.verdicts("be\u202eta"), paths.failures("be\u202eta"))
    return one


def steering(text: str) -> set[str]:
    """Return the characters that must not be there."""
    return {
        char
        for char in text
        if unicodedata.category(char) in {"Cc", "Cf", "Cs", "Zl", "Zp"} and char not in ALLOWED
    }


def words(command: click.Command) -> list[str]:
    """Return what to call a command with."""
    return {"explain": ["200-0000000000"]}.get(command.name or "", [])


@pytest.mark.parametrize("form", [(), ("--json",)])
@pytest.mark.parametrize("command", [*TABLES, explain], ids=lambda one: one.name)
def test_tables_and_json_steer_nothing(
    harness: CommandHarness, command: click.Command, form: tuple[str, ...]
) -> None:
    """Whatever a record's texts hold."""
    result = harness.call(command, *words(command), *form)

    assert result.exception is None or isinstance(result.exception, SystemExit), result.exc_info
    assert steering(result.output) == set()
    assert "\nremuda: all is well" not in result.output
    if form:
        assert result.stdout.isascii()
        json.loads(result.stdout, parse_constant=pytest.fail)


def test_the_records_really_are_shown(harness: CommandHarness) -> None:
    """Else the other tests prove nothing."""
    shown = "".join(harness.call(command, *words(command)).output for command in (*TABLES, explain))

    assert "\\x1b[2J" in shown
    assert "\\u202eevil" in shown


def test_evidence_keeps_its_lines_and_nothing_else(harness: CommandHarness) -> None:
    """Each line of a stranger is set in: none passes for one of ours."""
    (name,) = harness.launcher.store.children(paths.failures("alpha"))
    stored = harness.launcher.store.read(f"{paths.failures('alpha')}/{name}")
    assert stored is not None
    node = json.loads(stored.value)["node"]
    result = harness.call(failures, node)

    assert "end of the console log:\n  " in result.output
    assert steering(result.output) == set()
    assert "\nremuda: all is well" not in result.output
    assert "\n  remuda: all is well" in result.output


@pytest.mark.parametrize("command", TABLES, ids=lambda one: one.name)
def test_a_terminal_gets_text_and_no_orders(
    harness: CommandHarness, command: click.Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of rich, too: no colours, links, or emoji that stand in a record."""
    shown: list[Sheet] = []
    monkeypatch.setattr(output, "show", shown.extend)
    harness.call(command)
    stream = io.StringIO()
    console = Console(file=stream, force_terminal=True, color_system=None, width=4000)
    for sheet in [*shown, Sheet(columns=("A",), rows=[(NASTY,)], data=None, title=NASTY)]:
        console.print(*output._rendered(sheet, 200), sep="\n")

    assert shown
    assert steering(stream.getvalue()) == set()
    assert "[red]x[/red][link=http://evil]y[/link]:boom:" in stream.getvalue()


def test_the_live_screen_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """`--watch` shows the same."""
    stream = io.StringIO()
    monkeypatch.setattr(sys, "stdout", stream)
    Screen(None).draw([Sheet(columns=("A",), rows=[(NASTY,)], data=None, notes=[NASTY])])

    assert steering(stream.getvalue()) == set()
    assert "\nremuda: all is well" not in stream.getvalue()


@pytest.mark.parametrize(
    ("command", "arguments"),
    [
        (delete, ["3000000000"]),
        (delete, [f"30{NASTY}"]),
        (release, ["3000000001"]),
        (release, [f"200-0000000009{NASTY}"]),
        (explain, [NASTY]),
        (nodes, [NASTY]),
        (nodes, ["--label", "smal"]),
        (failures, ["--provider", NASTY]),
        (request, [f"smal{NASTY}"]),
        (request, ["smal"]),
        (run, ["smal", "--", "true"]),
        (run, ["small", "--provider", "alph", "--", "true"]),
        (ssh, [f"9{NASTY}"]),
    ],
    ids=lambda one: getattr(one, "name", None),
)
def test_errors_quote_without_harm(
    harness: CommandHarness, command: click.Command, arguments: list[str]
) -> None:
    """Names of records, guesses at them, and what was typed."""
    result = harness.call(command, *arguments)

    assert steering(result.output) == set()
    assert "\nremuda: all is well" not in result.output


@pytest.mark.parametrize(
    "arguments",
    [
        (NASTY,),
        ("nodes", f"--{NASTY}"),
        ("nodes", "--state", NASTY),
        ("run", "small", "--copy", NASTY.replace("\0", ""), "--", "true"),
    ],
)
def test_mistakes_at_the_command_line_quote_without_harm(arguments: tuple[str, ...]) -> None:
    """What a script passes on may come from anywhere."""
    result = CliRunner().invoke(main, list(arguments))

    assert result.exit_code == 2
    assert steering(result.output) == set()


def test_a_jobs_own_output_is_passed_through() -> None:
    """It is the user's own command; but what records say of its machine is not."""
    fresh = CommandHarness()
    fresh.launcher.register("small")
    fresh.answer = lambda name: fresh.launcher.lend(
        str(name), [fresh.launcher.ready_node(interface_ip=f"10.0.0.1{NASTY}")]
    )
    fresh.out = b"\x1b[31mred\x1b[0m\xff\n"
    result = fresh.call(run, "small", "--", "true")

    assert result.stdout_bytes == fresh.out
    assert steering(result.stderr) == set()
    assert "10.0.0.1\\x1b" in result.stderr
    assert "\nremuda: all is well" not in result.stderr


def test_one_endless_text_does_not_widen_every_row() -> None:
    """A column is padded to its longest cell: a large record among many would take gigabytes."""
    rows = [("x" * 240_000,), *[("y",)] * 50]

    text = output.plain(Sheet(columns=("A",), rows=rows, data=None, notes=["z" * 240_000]))

    assert len(text) < 3 * output.CELL_CHARS_MAX


def test_one_wide_cell_makes_no_other_row_as_wide() -> None:
    """Ten thousand rows beside it would be a listing of megabytes."""
    rows = [("x" * 2_000, "end"), *(("y", "end") for _ in range(100))]
    lines = output.plain(Sheet(columns=("A", "B"), rows=rows, data=None)).splitlines()

    assert len(lines[1]) > 2_000
    assert max(len(line) for line in lines[2:]) <= output.COLUMN_CHARS_MAX + len("  end")

"""Tables in the width of a terminal: whatever the width, ids and addresses stay whole."""

import os
import pty
import re
import select
import subprocess
import sys
import termios
from contextlib import suppress
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from remuda.cli.layout import lay_out, text_width
from remuda.cli.output import Sheet
from remuda.cli.views.nodes import NodeFilter, nodes_sheet
from remuda.cli.views.requests import requests_sheet
from remuda.insight.tree import reader
from remuda.model.node import NodeState
from tests.support.commands import CommandHarness
from tests.support.processes import ROOT
from tests.support.standin import NOW_S

ADDRESS = "2001:db8:1234:5678:9abc:def0:1234:5678"


def _shown(sheet: Sheet, width: int) -> list[str]:
    return [
        "".join(" " * one.before + one.text for one in line)
        for row in lay_out(sheet.columns, sheet.rows, width)
        for line in row
    ]


def _busy(harness: CommandHarness) -> tuple[Sheet, Sheet]:
    """A list of nodes and one of requests with everything that makes them wide."""
    asked = "200-0000000042"
    job = {"job": "integration-tests", "pipeline": "check", "project": "example.org/project"}
    harness.launcher.ready_node("ubuntu-jammy-large", connection_port=2222)
    harness.launcher.ready_node(
        "ubuntu-jammy-large",
        state=NodeState.IN_USE,
        allocated_to=asked,
        requestor="zuul-scheduler@ci.example.org",
        remuda_job=job,
        interface_ip=ADDRESS,
    )
    harness.launcher.ready_node(
        "big", state=NodeState.HOLD, hold_job="ada", comment="a failure that is hard to explain"
    )
    read = reader(harness.launcher.store)
    nodes = nodes_sheet(read, NodeFilter(), now_s=NOW_S + 90_000)
    rows = [
        (
            *(asked, "fulfilled", "2 ubuntu-jammy-large, big", "zuul-scheduler@ci.example.org"),
            *("integration-tests (check, example.org/project, 901234)", "east-region", "100+3"),
            *("1d3h", "3000000001, 3000000002, 3000000003", "-"),
        )
    ]
    return nodes, replace(requests_sheet(read, (), now_s=NOW_S), rows=rows)


@pytest.mark.parametrize("width", [40, 60, 80, 100, 132, 200])
def test_ids_and_addresses_are_never_broken(harness: CommandHarness, width: int) -> None:
    """At 80 columns, at 60, and on any other terminal."""
    for sheet in _busy(harness):
        lines = _shown(sheet, width)
        words = {word for line in lines for word in line.split()}

        assert max(text_width(line) for line in lines) <= width
        for row in sheet.rows:
            for cell in row:
                assert set(cell.split()) - {"-"} <= words, (width, cell)


def test_a_table_that_fits_is_one_line_per_row(harness: CommandHarness) -> None:
    """As when nobody looks."""
    nodes, _ = _busy(harness)

    assert len(_shown(nodes, 400)) == 1 + len(nodes.rows)


#: A dash alone says that there is nothing: a column of those may be left out.
WORDS = (
    st.lists(st.text("ab-\u4e2d", min_size=1, max_size=12), max_size=4)
    .map(" ".join)
    .filter(lambda cell: cell != "-")
)


@given(st.lists(st.tuples(WORDS, WORDS, WORDS), max_size=5), st.integers(0, 120))
def test_any_table_keeps_its_words_and_its_width(rows: list[tuple[str, ...]], width: int) -> None:
    """Nothing is lost, and nothing stands past the edge of a terminal that is wide enough."""
    columns = ("FIRST", "SECOND", "THIRD")
    shown = lay_out(columns, rows, width)

    for row, lines in zip(rows, shown[1:], strict=True):
        assert sorted(p for cell in row for p in "".join(cell.split())) == sorted(
            p for line in lines for piece in line for p in "".join(piece.text.split())
        )
        for line in lines:
            assert sum(one.before + text_width(one.text) for one in line) <= max(width, 26)


def _on_a_terminal(width: int, code: str) -> str:
    """Return what a program of ours prints on a terminal."""
    ours, theirs = pty.openpty()
    termios.tcsetwinsize(theirs, (50, width))
    env = {**os.environ, "TERM": "xterm", "NO_COLOR": "1"}
    env.pop("COLUMNS", None)
    child = subprocess.Popen(
        [sys.executable, "-c", code], stdout=theirs, stdin=theirs, cwd=ROOT, env=env
    )
    os.close(theirs)
    said = b""
    with suppress(OSError):  # how a terminal says that nobody writes to it any more
        while select.select([ours], [], [], 60)[0] and (more := os.read(ours, 4096)):
            said += more
    os.close(ours)
    assert child.wait(60) == 0
    return re.sub(r"\x1b\[[0-9;]*m", "", said.decode())


def test_a_terminal_gets_no_more_rows_than_anybody_reads() -> None:
    """It is told how many there are; a pipe gets them all."""
    code = (
        "import sys\n"
        "from remuda.cli.output import Sheet, plain, show\n"
        "sheet = Sheet(columns=('ID',), rows=[('x',)] * 1_500, data=None, notes=['done'])\n"
        "show([sheet])\n"
        "assert plain(sheet).count('x') == 1_500\n"
    )
    said = _on_a_terminal(80, code).splitlines()

    assert said.count("x") == 1_000
    assert said[-2:] == ["and 500 more rows; all with --json, or through a pipe", "done"]


@pytest.mark.parametrize("width", [60, 80])
def test_a_real_terminal_shows_them_whole(width: int) -> None:
    """With the library that colours them between."""
    code = (
        "from remuda.cli.output import Sheet, show\n"
        "columns = ('ID', 'STATE', 'LABEL', 'PROVIDER', 'ADDRESS', 'FOR', 'NOTE')\n"
        f"row = ('3000000001', 'in-use', 'ubuntu-jammy-large', 'east', '{ADDRESS}:2222',\n"
        "    '200-0000000042', 'zuul: unit (check, example.org/project)')\n"
        "show([Sheet(columns=columns, rows=[row], data=None, notes=['a note ' * 20])])\n"
    )
    said = _on_a_terminal(width, code)

    for word in ("3000000001", "ubuntu-jammy-large", f"{ADDRESS}:2222", "200-0000000042"):
        assert word in said.split()
    assert max(len(line.rstrip()) for line in said.splitlines()) <= width

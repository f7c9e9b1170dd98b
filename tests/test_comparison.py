"""The comparison with others (docs/comparison.md) claims nothing that no test would miss."""

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

import pytest

from tests.support.source import ROOT, nothing

#: Tests of what is in work: rows may name them though they are not there, and claim nothing.
PENDING: Final = frozenset(
    {
        "tests/e2e/test_first_use.py",
        "tests/e2e/test_file_images.py",
        "tests/e2e/test_offline.py",
    }
)

PAGE: Final = ROOT / "docs/comparison.md"
OURS: Final = "Remuda"
CLAIMS: Final = frozenset({"yes", "part"})
IN_WORK: Final = "in work"
WORDS: Final = frozenset({"yes", "part", "no", "?"})
_LINK: Final = re.compile(r"\[([^\]]+)\]\(\.\./([^)#]+)\)")
_FILE: Final = re.compile(r"`(tests/[a-z0-9_/]+\.py)`")


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One capability.

    Attributes:
        others: What the others' columns say.
        ours: What our column says.
        last: What stands behind it: proofs, or what there is instead.
    """

    name: str
    others: tuple[str, ...]
    ours: str
    last: str


def rows(text: str) -> Iterator[Row]:
    """Yield the rows of all tables that have a column of ours."""
    header: list[str] = []
    for line in text.splitlines():
        if not line.startswith("|"):
            header = []
            continue
        cells = [one.strip() for one in line.strip("|").split("|")]
        if not header:
            header = cells
        elif OURS in header and not set(cells) <= {"---"}:
            column = header.index(OURS)
            assert len(cells) == len(header), line
            others = tuple(cells[1:column])
            yield Row(name=cells[0], others=others, ours=cells[column], last=cells[-1])


@cache
def names_in(path: Path) -> frozenset[str]:
    """Return the names of the tests in a file; none, if there is no such file."""
    if not path.is_file():
        return frozenset()
    tree = ast.parse(path.read_text())
    return frozenset(
        node.name
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")
    )


def wrong_in(row: Row, pending: frozenset[str] = PENDING) -> Iterator[str]:
    """Yield what is wrong with a row."""
    for word in row.others:
        if word not in WORDS:
            yield f"{row.name}: {word!r} is none of {', '.join(sorted(WORDS))}"
    proofs = _LINK.findall(row.last)
    for name, path in proofs:
        if name not in names_in(ROOT / path):
            yield f"{row.name}: there is no {path}::{name}"
    yield from _wrong_claims(row, frozenset(_FILE.findall(row.last)), pending, proven=bool(proofs))


def _wrong_claims(
    row: Row, files: frozenset[str], pending: frozenset[str], *, proven: bool
) -> Iterator[str]:
    if row.ours in CLAIMS:
        if not proven:
            yield f"{row.name}: no test proves that"
        if files:
            yield f"{row.name}: a claim names tests, not {', '.join(sorted(files))}"
    elif row.ours == IN_WORK:
        if not files or not files <= pending:
            yield f"{row.name}: it is not in work any more: say yes, part or no, and name tests"
    elif row.ours != "no":
        yield f"{row.name}: we have {row.ours!r}, which is no answer"
    elif proven or files or not row.last:
        yield f"{row.name}: what we do not have has no proof, but something instead"


def test_every_claim_names_tests_that_are_there() -> None:
    """And what is not claimed names none."""
    nothing([why for row in rows(PAGE.read_text()) for why in wrong_in(row)])


def test_the_page_says_what_we_do_not_have() -> None:
    """A comparison in which one has everything is an advertisement."""
    found = list(rows(PAGE.read_text()))
    assert len(found) >= 40
    assert sum(row.ours == "no" for row in found) >= 10
    assert len({row.name for row in found}) == len(found)
    assert all(any(word in CLAIMS for word in row.others) for row in found if row.ours == "no")


def test_what_is_in_work_is_named_in_both_places() -> None:
    """Nothing waits here for a test that no row speaks of."""
    files = {one for row in rows(PAGE.read_text()) for one in _FILE.findall(row.last)}
    assert files == PENDING


GOOD: Final = "[test_every_claim_names_tests_that_are_there](../tests/test_comparison.py)"


@pytest.mark.parametrize(
    ("ours", "last", "why"),
    [
        ("yes", "", "no test proves that"),
        ("part", "see the manual", "no test proves that"),
        ("yes", "[test_of_nothing](../tests/test_comparison.py)", "there is no tests/test_comp"),
        ("yes", "[test_x](../tests/test_nowhere.py)", "there is no tests/test_nowhere.py::test_x"),
        ("yes", f"{GOOD} `tests/e2e/test_offline.py`", "a claim names tests"),
        ("in work", "`tests/test_comparison.py`", "not in work any more"),
        ("in work", "soon", "not in work any more"),
        ("no", GOOD, "has no proof"),
        ("no", "", "something instead"),
        ("perhaps", GOOD, "no answer"),
    ],
)
def test_a_row_that_claims_too_much_is_found(ours: str, last: str, why: str) -> None:
    """Each way to say more than is so."""
    (row,) = rows(
        f"| | Zuul | Remuda | proven by |\n|---|---|---|---|\n| x | yes | {ours} | {last} |"
    )
    assert any(why in one for one in wrong_in(row))


def test_a_row_that_is_proven_is_good() -> None:
    """Else the test above would show nothing; and what was in work has to be completed."""
    table = "| | Zuul | Remuda | proven by |\n|---|---|---|---|\n"
    (row,) = rows(f"{table}| x | part | yes | {GOOD} |")
    assert list(wrong_in(row)) == []
    (row,) = rows(f"{table}| x | maybe | yes | {GOOD} |")
    assert list(wrong_in(row)) == ["x: 'maybe' is none of ?, no, part, yes"]
    (row,) = rows(f"{table}| x | no | in work | `tests/e2e/test_offline.py` |")
    assert list(wrong_in(row, frozenset({"tests/e2e/test_offline.py"}))) == []
    assert len(list(wrong_in(row, frozenset()))) == 1

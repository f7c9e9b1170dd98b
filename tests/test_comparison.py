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

PAGE: Final = ROOT / "docs/comparison.md"
OURS: Final = "Remuda"
CLAIMS: Final = frozenset({"yes", "part"})
WORDS: Final = frozenset({"yes", "part", "no", "?"})
_LINK: Final = re.compile(r"\[([^\]]+)\]\(\.\./([^)#]+)\)")


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


def wrong_in(row: Row) -> Iterator[str]:
    """Yield what is wrong with a row."""
    for word in row.others:
        if word not in WORDS:
            yield f"{row.name}: {word!r} is none of {', '.join(sorted(WORDS))}"
    proofs = _LINK.findall(row.last)
    for name, path in proofs:
        if name not in names_in(ROOT / path):
            yield f"{row.name}: there is no {path}::{name}"
    if row.ours in CLAIMS:
        if not proofs:
            yield f"{row.name}: no test proves that"
    elif row.ours != "no":
        yield f"{row.name}: we have {row.ours!r}, which is no answer"
    elif proofs or not row.last:
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


GOOD: Final = "[test_every_claim_names_tests_that_are_there](../tests/test_comparison.py)"


@pytest.mark.parametrize(
    ("ours", "last", "why"),
    [
        ("yes", "", "no test proves that"),
        ("part", "see the manual", "no test proves that"),
        ("yes", "[test_of_nothing](../tests/test_comparison.py)", "there is no tests/test_comp"),
        ("yes", "[test_x](../tests/test_nowhere.py)", "there is no tests/test_nowhere.py::test_x"),
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
    """Else the test above would show nothing."""
    table = "| | Zuul | Remuda | proven by |\n|---|---|---|---|\n"
    (row,) = rows(f"{table}| x | part | yes | {GOOD} |")
    assert list(wrong_in(row)) == []
    (row,) = rows(f"{table}| x | maybe | yes | {GOOD} |")
    assert list(wrong_in(row)) == ["x: 'maybe' is none of ?, no, part, yes"]

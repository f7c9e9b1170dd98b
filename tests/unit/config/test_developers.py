"""Developers of a configuration: whose keys there are, and each problem said with its place."""

from pathlib import Path

import pytest

from remuda.config.developers import Developer, developers_of
from remuda.config.loader import Reading
from remuda.model.publickey import parse_key
from tests.unit.config.conftest import Reads
from tests.unit.model.test_publickey import ED25519, RSA, TOKENS


def said(reading: Reading) -> list[str]:
    """Return the problems, as people read them."""
    return [str(one) for one in reading.problems]


def test_a_key_a_file_or_a_url(good: str, reads: Reads, tmp_path: Path) -> None:
    """The first is short for a section."""
    (tmp_path / "bob.pub").write_text(f"{RSA} bob\n{TOKENS[0]} token\n")
    text = f"""\
developers:
  ada: {ED25519} ada@host
  bob: {{file: bob.pub}}
  eve: {{url: "https://forge.example.org/eve.keys"}}
"""
    reading = reads(good + text)
    assert said(reading) == []
    assert reading.config is not None
    assert developers_of(reading.config.developers) == {
        "ada": (parse_key(f"{ED25519} ada@host"),),
        "bob": (parse_key(f"{RSA} bob"), parse_key(f"{TOKENS[0]} token")),
        "eve": "https://forge.example.org/eve.keys",
    }


@pytest.mark.parametrize(
    ("entry", "why"),
    [
        (f"'command=\"x\" {ED25519}'", "has options before the key"),
        ("nonsense", "is no public key of a type that is taken"),
        ("-----BEGIN OPENSSH PRIVATE KEY----- MINE", "holds a private key"),
        ('{url: "http://forge/x.keys"}', "only https://"),
        ('{url: "https://ada:MINE@forge/x.keys"}', "has a name or a password"),
        ("{file: none.pub}", "none.pub"),
        ("{}", "exactly one of key, file, url"),
        (f'{{key: {ED25519}, url: "https://h/x"}}', "url"),
    ],
    # The keys are others in each process, and names of tests have to be the same.
    ids=["options", "nonsense", "private", "http", "password", "no file", "nothing", "two"],
)
def test_each_problem_is_said(good: str, reads: Reads, entry: str, why: str) -> None:
    """With what to write, and without what might be a secret."""
    problems = said(reads(f"{good}developers:\n  ada: {entry}\n"))
    assert len(problems) == 1, problems
    assert "ada" in problems[0]
    assert why in problems[0]
    assert "MINE" not in problems[0]


def test_all_are_said_at_once(good: str, reads: Reads) -> None:
    """One for each developer."""
    assert len(said(reads(f"{good}developers:\n  ada: x\n  bob: y\n"))) == 2


def test_one_that_is_made_by_hand_has_its_key() -> None:
    """As tests and tools make them."""
    assert developers_of({"ada": Developer(key=ED25519)}) == {"ada": (parse_key(ED25519),)}

"""No pattern of ours, and nothing that reads foreign text, takes more than linear time.

A record of 240 KB once held the interpreter for 20 s, and with it the session. Every compiled
pattern of the product is found by importing everything, so that the next one is tried, too.
"""

import functools
import importlib
import re
import re._parser as sre  # type: ignore[import-not-found]  # what typeshed does not know
from collections.abc import Callable, Iterator
from typing import Any, Final

import pytest

from remuda.cloud import errors, images
from remuda.config.name_guesses import listed, nearest
from remuda.known_secrets import KnownSecrets
from remuda.redaction import (
    redact,
    redact_begin,
    redact_end,
    redact_middle,
    redact_text,
    secrets_in,
)
from remuda.visible import visible, visible_lines
from tests.support import source as code
from tests.support.growth import excess
from tests.support.source import nothing

#: What begins like something that is looked for, and never ends like it.
SEEDS: Final = (
    *(
        "a",
        "0",
        " ",
        "\n",
        "-",
        "=",
        ":",
        "'",
        '"',
        "\\",
        "<",
        "{",
        "${",
        "\x1b[",
        "\x1b]",
        "\u202e",
    ),
    *("-----BEGIN ", "-----BEGIN RSA PRIVATE KEY-----", "-----END RSA PRIVATE KEY-----", "://"),
    *("password", "password=", "password='", 'password="', "password: |\n", "--password ", "pass"),
    *("token\\", "api_key", "authorization: ", "bearer ", "eyJ", "eyJa.", "$6$", "ghp_", "-u a:"),
    *("mysql ", "mysql -x ", "sshpass -p "),
    *(
        "a@b:c://",
        "a:b|",
        "exceed",
        "exceed limit",
        "user_data ",
        "Value: ",
        "<a",
        "a_A-1.",
        "\ud800",
    ),
)
#: In one place only: patterns that somebody else gives are no constants.
NOT_COMPILED_ALLOWED: Final = {"remuda/cloud/images.py": "the operator's own pattern for images"}


def patterns() -> Iterator[tuple[str, re.Pattern[str]]]:
    """Yield every compiled pattern that a module or class of the product holds, with its name."""
    for source in code.product():
        if source.module.endswith("__main__") or source.package == "sandbox":
            continue
        module = importlib.import_module(source.module)
        spaces: list[dict[str, Any]] = [dict(vars(module))]
        spaces += [dict(vars(one)) for one in spaces[0].values() if isinstance(one, type)]
        for space in spaces:
            for name, value in space.items():
                if isinstance(value, re.Pattern) and isinstance(value.pattern, str):
                    yield f"{source.module}.{name}", value


ALL: Final = dict(sorted(patterns()))


def literals(pattern: re.Pattern[str]) -> set[str]:
    """Return the runs of plain characters within a pattern: what its own bad inputs are made of."""
    found: set[str] = set()
    todo: list[Any] = [sre.parse(pattern.pattern, pattern.flags)]
    while todo:
        part = todo.pop()
        if isinstance(part, sre.SubPattern):
            plain = (chr(value) if op is sre.LITERAL else "\0" for op, value in part)
            found |= set("".join(plain).split("\0"))
            todo += [value for op, value in part if op is not sre.LITERAL]
        elif isinstance(part, list | tuple):
            todo += part
    return found - {""}


def seeds(pattern: re.Pattern[str]) -> list[str]:
    """Return what to try a pattern with: everybody's seeds, and some of its own words."""
    own = sorted(literals(pattern))[:40]
    return [*SEEDS, *own, *(f"{word} " for word in own), *(f"{word}a" for word in own)]


@pytest.mark.parametrize("name", ALL)
def test_every_pattern_is_linear(name: str) -> None:
    """Searched for, and compared with the whole."""
    pattern = ALL[name]
    worst = [
        excess(work, seed)
        for seed in seeds(pattern)
        for work in (lambda text: sum(1 for _ in pattern.finditer(text)), pattern.fullmatch)
    ]

    nothing([one for one in worst if one])


def test_every_pattern_is_compiled_where_this_test_sees_it() -> None:
    """A pattern within a function would be tried by nobody."""
    calls = {f"re.{name}" for name in ("match", "fullmatch", "search", "sub", "subn", "split")}
    calls |= {"re.findall", "re.finditer"}
    found = [
        source.at(node, f"{name}: compile it, as a constant of the module")
        for source in code.product()
        if source.path not in NOT_COMPILED_ALLOWED and source.package != "sandbox"
        for node, name in code.uses(source)
        if name in calls
    ]

    nothing(found)
    assert len(ALL) > 20


def _answer(text: str) -> errors.Answer:
    return errors.Answer(status=500, headers={}, doc={"a": {"message": text}}, text=text)


def _known() -> KnownSecrets:
    known = KnownSecrets()
    known.note(f"{number:08d}password=" for number in range(500))
    known.note(["a" * 40, "password=" * 4, "-" * 30, "eyJeyJeyJeyJ"])
    return known


READERS: Final[dict[str, Callable[[str], object]]] = {
    "redact": lambda text: redact("cause", {"a": [text], text: text}),
    "redact_text": redact_text,
    "redact_begin": lambda text: redact_begin(text, 30_000),
    "redact_end": lambda text: redact_end(text, 30_000),
    "redact_middle": lambda text: redact_middle(text, 2_000),
    "secrets_in": secrets_in,
    "visible": visible,
    "visible_lines": visible_lines,
    "known": functools.partial(_known().mask, blank="[redacted]"),
    "message_of": lambda text: errors.message_of(_answer(text)),
    "message_of page": lambda text: errors.message_of(
        errors.Answer(status=500, headers={}, doc={}, text=text)
    ),
    "of_exception": lambda text: errors.of_exception(
        ValueError(text), errors.Effect.READ, now_s=0.0
    ),
    "fault_means_no_room": errors.fault_means_no_room,
    "retry_after_s": lambda text: errors.retry_after_s(text, now_s=0.0),
    "nearest": lambda text: nearest(text, [text[1:], "small"]),
    "nearest of many": lambda text: nearest(
        "small", [text[at : at + 300] for at in range(0, len(text), 300)]
    ),
    "listed": lambda text: listed([text]),
    "near_names": lambda text: images.near_names(text, [text[1:], "ubuntu"]),
}


@pytest.mark.parametrize("reader", READERS)
def test_what_reads_foreign_text_is_linear(reader: str) -> None:
    """Also where no pattern is at work, as in guesses at what a name was meant to be."""
    nothing([one for one in (excess(READERS[reader], seed) for seed in SEEDS) if one])


def test_the_measure_sees_what_is_quadratic() -> None:
    """It would have found the pattern that began this, and passes what is linear."""
    old = re.compile(r"(\b[a-z][a-z0-9+.-]*://[^/\s:@]+:)[^/\s@]+@")

    assert excess(lambda text: old.sub("", text), "a-", sizes=(1_024, 4_096, 16_384))
    assert not excess(lambda text: sum(map(ord, text)), "a-")

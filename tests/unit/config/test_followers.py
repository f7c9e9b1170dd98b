"""One mistake, one complaint: what merely follows from another complaint is not said."""

import itertools
from collections.abc import Callable

import pytest

Says = Callable[..., list[str]]

TEXT = """\
zookeeper:
  hosts: ["zk1:2181"]
labels:
  small:
    min-ready: 4
    checks:
      - disk: {free: 1GiB}
  big:
    min-ready: 1
providers:
  osic:
    cloud: osic
    ssh-key-file: node-key
    pools:
      main:
        max-servers: 3
        labels:
          small:
            image: {name: debian}
            flavor: m1.small
      more:
        max-servers: 3
        max-cores: 8
        labels:
          small:
            image: debian
            flavor: m1.small
            connection-type: ssh
          big:
            image: debian
            flavor: {cores: 8, ram: 2GiB}
"""

#: Each is one mistake: what is replaced, by what, and where the only complaint is.
MISTAKES = {
    "a label misspelled where it is used": ("          big:", "          bug:", "labels.bug"),
    "labels misspelled": ("\nlabels:", "\nlables:", "lables"),
    "labels of the wrong kind": ("big:\n    min-ready: 1", "big: 7", "labels.big"),
    "labels not a mapping": (
        TEXT[TEXT.index("labels:") : TEXT.index("providers:")],
        "labels: [small, big]\n",
        "labels",
    ),
    "providers misspelled": ("providers:", "provider:", "provider"),
    "pools misspelled": ("    pools:", "    poools:", "providers.osic.poools"),
    "labels of a pool misspelled": (
        "max-servers: 3\n        labels:",
        "max-servers: 3\n        label:",
        "providers.osic.pools.main.label",
    ),
    "a pool that is none": (
        TEXT[TEXT.index("      main:") : TEXT.index("      more:")],
        "      main: 3\n",
        "providers.osic.pools.main",
    ),
    "the key misspelled": ("ssh-key-file", "ssh-keyfile", "providers.osic.ssh-keyfile"),
    "no such connection": ("type: ssh", "type: shh", "connection-type"),
    "a bad flavor": ("flavor: {cores: 8, ram: 2GiB}", "flavor: 7", "labels.big.flavor"),
    "a negative limit": (
        "        max-servers: 3\n        max-c",
        "        max-servers: -9\n        max-c",
        "max-servers",
    ),
    "far too many ready": ("min-ready: 4", "min-ready: 99999999", "small.min-ready"),
    "a bad limit": ("max-cores: 8", "max-cores: many", "max-cores"),
    "a way to choose misspelled": ("{name: debian}", "{nmae: debian}", "image.nmae"),
    "an unset variable for a list": ('["zk1:2181"]', '["${NOWHERE}"]', "zookeeper.hosts[0]"),
    "an unset variable for a file": ("node-key", "${NOWHERE}", "ssh-key-file"),
    "an unset variable for a duration": (
        "min-ready: 1",
        "min-ready: 1\n    recheck: ${NOWHERE}",
        "labels.big.recheck",
    ),
    "a key that is a list": ("  big:\n    min", "  [big]:\n    min", "labels"),
}


def path_of(line: str) -> str:
    """Return the path of ``line:column: path: message``."""
    return line.split(" ", 2)[1].removesuffix(":")


def with_mistakes(*names: str) -> str | None:
    """Return the text with these mistakes, or None if one leaves no room for another."""
    text = TEXT
    for name in names:
        old, new, _ = MISTAKES[name]
        if old not in text:
            return None
        text = text.replace(old, new, 1)
    return text


def test_the_text_is_good(says: Says) -> None:
    """Else nothing here would show anything."""
    assert says(TEXT) == []


@pytest.mark.parametrize("name", MISTAKES)
def test_one_mistake_is_one_complaint(says: Says, name: str) -> None:
    """At the place that has to be changed."""
    text = with_mistakes(name)
    assert text is not None
    problems = says(text)

    assert len(problems) == 1, problems
    assert MISTAKES[name][2] in path_of(problems[0])


#: Inside of what another mistake makes unreadable, or renames, nothing can be seen.
COVERING = (
    "labels misspelled",
    "labels not a mapping",
    "providers misspelled",
    "pools misspelled",
    "labels of a pool misspelled",
    "a key that is a list",
    "a pool that is none",
    "a label misspelled where it is used",
    "the key misspelled",
)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        pair
        for pair in itertools.combinations([name for name in MISTAKES if name not in COVERING], 2)
        if with_mistakes(*pair) is not None
    ],
)
def test_two_mistakes_are_both_told(says: Says, one: str, other: str) -> None:
    """Seeing to one of them never brings up what could have been told before."""
    both = set(map(path_of, says(with_mistakes(one, other))))
    alone = {path_of(line) for name in (one, other) for line in says(with_mistakes(name))}

    assert alone == both


def test_a_label_misspelled_where_it_is_defined_is_told_where_it_is_used(says: Says) -> None:
    """Which of them is wrong nobody knows; but it is served, whatever it is called."""
    text = TEXT.replace("  small:\n    min", "  smoll:\n    min")

    assert [path_of(line) for line in says(text)] == [
        "providers.osic.pools.main.labels.small",
        "providers.osic.pools.more.labels.small",
    ]


def test_an_unserved_label_is_told_whatever_else_is_wrong(says: Says) -> None:
    """It has nothing to do with the flavor, nor with another label's name."""
    text = TEXT.replace("flavor: m1.small", "flavor: 7").replace("          big:", "          xxl:")

    assert {path_of(line) for line in says(text)} == {
        "labels.big",
        "providers.osic.pools.main.labels.small.flavor",
        "providers.osic.pools.more.labels.small.flavor",
        "providers.osic.pools.more.labels.xxl",
    }

"""Every kind of wrong value is answered in plain words."""

import re
from collections.abc import Callable

import pytest

from remuda.config import wording
from remuda.model import tags

Says = Callable[..., list[str]]

#: What replaces "cloud: osic" of the good file, and the complaint behind ``providers.osic.``.
PROVIDER = [
    ("cloud: 12", 'cloud: must be text, not 12; write it in quotes: "12"'),
    ("cloud: true", 'cloud: must be text, not true; write it in quotes: "True"'),
    ("cloud: [a]", "cloud: must be text, not a list"),
    ("cloud: ", "cloud: must be text, not nothing"),
    ("region: a", "cloud: is missing; add cloud: name in clouds.yaml"),
    ("rate: 0", "rate: 0 is out of range; must be more than 0"),
    ("rate: fast", "rate: 'fast' is not a number; write for example 10 or 0.5"),
    ("rate: yes", "rate: 'yes' is not a number; write for example 10 or 0.5"),
    ("rate: true", "rate: true is not a number; write for example 10 or 0.5"),
    ("rate: .inf", "rate: '.inf' is not a number; write for example 10 or 0.5"),
    ("rate: 1e9", "rate: 1000000000.0 is out of range; must be at most 1,000"),
    ("priority: 1.5", "priority: 1.5 is not a whole number; write digits only"),
    ("priority: true", "priority: true is not a whole number; write digits only"),
    ("priority: [1]", "priority: a list is not a whole number; write digits only"),
    ("launch-attempts: 21", "launch-attempts: 21 is out of range; must be at most 20"),
    ("api-timeout: 11m", "api-timeout: '11m' is out of range; must be at most 10m"),
    ("api-timeout: 0", "api-timeout: 0 is out of range; must be more than 0s"),
    (
        "api-timeout: soon",
        "api-timeout: 'soon' is not a duration; write for example 90s, 10m, 8h or 2d",
    ),
    ("inject-key: maybe", "inject-key: 'maybe' is neither true nor false; write true or false"),
    ("inject-key: {}", "inject-key: a mapping is neither true nor false; write true or false"),
]

#: What replaces "image: ubuntu", and the complaint behind the path of the pool's label.
POOL_LABEL = [
    (
        "connection-type: shh",
        (
            "connection-type: 'shh' is not one of the known words; did you mean 'ssh'? "
            "known here: network_cli, ssh"
        ),
    ),
    ("networks: net1", "networks: must be a list, not 'net1'; write [net1]"),
    ("networks: {a: b}", "networks: must be a list, not a mapping"),
    ("networks: [3]", 'networks[0]: must be text, not 3; write it in quotes: "3"'),
    (
        "instance-properties: [a]",
        "instance-properties: must be a mapping, not a list; write names and their values below it",
    ),
    (
        "instance-properties: {a: 1}",
        'instance-properties.a: must be text, not 1; write it in quotes: "1"',
    ),
    (
        "dynamic-instance-properties: {a: '{labl}'}",
        (
            "dynamic-instance-properties: has an unknown {labl} in 'a'; did you mean "
            "{label}? known here: {label}, {provider}, {pool}, {request}"
        ),
    ),
    (
        "dynamic-instance-properties: {a: '{label:>9}'}",
        (
            "dynamic-instance-properties: has an unknown {label:>9} in 'a'; did you mean "
            "{label}? known here: {label}, {provider}, {pool}, {request}"
        ),
    ),
    (
        "dynamic-instance-properties: {a: '{'}",
        (
            "dynamic-instance-properties: has unbalanced braces in 'a'; "
            "a plain brace is written {{ or }}"
        ),
    ),
    (
        "image: {match: '(a+)+b'}",
        (
            "image.match: '(a+)+b' repeats what is repeated already, as in (a+)+: comparing a name "
            "with it may never end; write each * and + only once around the same text"
        ),
    ),
    (
        "image: {match: '*'}",
        (
            "image.match: '*' is not a regular expression: nothing to repeat at character 1; "
            r"a plain dot, bracket or star is written \. \[ \*"
        ),
    ),
    ("image: {name: ''}", "image.name: '' is empty; write a name, or leave the key out"),
    (
        "image: 3",
        "image: must be text or a mapping, not 3; known here: built, id, match, name, properties",
    ),
    (
        "boot-from-volume: 3",
        "boot-from-volume: must be true or false or a mapping, not 3; known here: size",
    ),
    (
        "boot-from-volume: {size: 5MB}",
        "boot-from-volume.size: '5MB' is not a size; write for example 512MiB, 8GiB or 1TiB",
    ),
    (
        "boot-from-volume: {size: 5MiB}",
        "boot-from-volume.size: '5MiB' is out of range; must be at least 1GiB",
    ),
]

#: A line of the top level, and the complaint.
TOP = [
    (
        "zookeeper: {hosts: []}",
        "zookeeper.hosts: is empty; at least one item is needed",
    ),
    (
        "zookeeper: {hosts: ['a:0']}",
        (
            "zookeeper.hosts[0]: 'a:0' is not host:port; "
            "write for example zk1.example.org:2181 or [2001:db8::1]:2181"
        ),
    ),
    *(
        (f"zookeeper: {{chroot: '{path}'}}", f"zookeeper.chroot: '{path}' is not a path in ZooKee")
        for path in ("ci", "", "/", "//", "/ci/", "/ci//a", "/.", "/ci/../a", "/c i", "/a,zk2/a")
    ),
    (
        "zookeeper: {tls: 3}",
        "zookeeper.tls: must be a mapping, not 3; known here: ca, cert, check-hostname, key",
    ),
    (
        "images: {a: {command: mkdisk}}",
        "images.a.command: must be a mapping, not 'mkdisk'; write {run: …}; known here: disk-form",
    ),
    (
        "image-defaults: {checks: [{script: test -s /a}]}",
        "image-defaults.checks[0].script: must be a mapping, not 'test -s /a'; write {inline: …};",
    ),
    ("web: {port: 99999}", "web.port: 99999 is out of range; must be at most 65,535"),
    ("web: {prot: 1}", "web.prot: no such key; did you mean 'port'? known here: listen, port"),
    ("web: {Port: 1}", "web.Port: no such key; did you mean 'port'? known here: listen, port"),
    ("web: {zzz: 1}", "web.zzz: no such key; known here: listen, port"),
    ("max_hold_age: 1d", "max_hold_age: no such key; did you mean 'max-hold-age'? known here: "),
]


def _is_said(lines: list[str], complaint: str) -> bool:
    return any(line.split(": ", 1)[1].startswith(complaint) for line in lines)


@pytest.mark.parametrize(("text", "complaint"), PROVIDER)
def test_wrong_values_of_a_provider(says: Says, good: str, text: str, complaint: str) -> None:
    """Each names what is wrong and what to write."""
    lines = says(good.replace("cloud: osic", f"{text}\n    max-concurrency: 1"))

    assert _is_said(lines, f"providers.osic.{complaint}"), lines


@pytest.mark.parametrize(("text", "complaint"), POOL_LABEL)
def test_wrong_values_of_a_label_in_a_pool(
    says: Says, good: str, text: str, complaint: str
) -> None:
    """Each names what is wrong and what to write."""
    lines = says(good.replace("image: ubuntu", text))

    assert _is_said(lines, f"providers.osic.pools.main.labels.small.{complaint}"), lines


@pytest.mark.parametrize(("text", "complaint"), TOP)
def test_wrong_values_of_the_top(says: Says, good: str, text: str, complaint: str) -> None:
    """Each names what is wrong and what to write."""
    lines = says(good + text)

    assert _is_said(lines, complaint), lines


def test_names_that_are_no_names(says: Says, good: str) -> None:
    """At the key, and with the rule."""
    lines = says(good.replace("small", "so small"))

    assert lines == [
        (
            "2:3: labels.so small: 'so small' is not a name; "
            "names have 1 to 63 letters, digits, '.', '_' and '-', a letter or digit first"
        ),
        (
            "11:11: providers.osic.pools.main.labels.so small: 'so small' is not a name; "
            "names have 1 to 63 letters, digits, '.', '_' and '-', a letter or digit first"
        ),
    ]


def test_long_values_are_shown_in_part(says: Says, good: str) -> None:
    """A complaint stays one readable line."""
    (line,) = says(good.replace("image: ubuntu", f"image: {{match: '*{'x' * 500}'}}"))

    assert len(line) < 300
    assert "…" in line


def test_nothing_of_pydantic_shows_through(says: Says, good: str) -> None:
    """No words of programmers, for any of the values that these tests know."""
    texts = [good.replace("cloud: osic", text) for text, _ in PROVIDER]
    texts += [good.replace("image: ubuntu", text) for text, _ in POOL_LABEL]
    texts += [good + text for text, _ in TOP]
    for text in texts:
        for line in says(text):
            for word in ("Input", "validat", "pydantic", "dictionary", "tuple", "str ", "NoneType"):
                assert word not in line, line


def test_metadata_that_nova_would_refuse(says: Says, good: str) -> None:
    """All of it at once, said now and not at the first launch."""
    pairs = f"{{a: {'x' * 256}, b/c: d, '': e, {'f' * 256}: g, h: i, 'J-_:. 9': ''}}"
    here = "13:NN: providers.osic.pools.main.labels.small"
    names = "use 1 to 255 of A-Z, a-z, 0-9, '-', '_', ':', '.' and blanks"

    for kind in ("instance-properties", "dynamic-instance-properties"):
        lines = says(good.replace("image: ubuntu", f"image: a\n            {kind}: {pairs}"))

        assert [re.sub(r"^13:[0-9]+", "13:NN", line) for line in lines] == [
            f"{here}.{kind}.a: is longer than 255 characters",
            f"{here}.{kind}.b/c: 'b/c' is no name of metadata that Nova takes; {names}",
            f"{here}.{kind}.: '' is no name of metadata that Nova takes; {names}",
            (
                f"{here}.{kind}.{'f' * 256}: {'f' * 40!r} is no name of metadata that Nova takes;"
                f" {names}"
            ),
        ]


def test_an_installation_that_would_be_taken_for_a_check(says: Says, good: str) -> None:
    """Else the first launcher writes it into an empty ZooKeeper, and none starts there again."""
    lines = says(f"installation: {tags.TRIALS}\n{good}")

    assert "installation: 'remuda-cloud-check' marks what `remuda cloud check` makes" in lines[0]


def test_every_known_kind_of_error_has_words() -> None:
    """The fallback is for kinds that a later pydantic may invent."""
    assert "missing" in wording._WORDS
    assert callable(wording._other)


def test_a_flood_of_problems_is_cut_off(says: Says, good: str) -> None:
    """And says so."""
    lines = says(good + "".join(f"k{n}: 1\n" for n in range(600)))

    assert len(lines) == 501
    assert lines[-1].endswith(": and 100 more")


def test_monstrous_keys_are_shown_in_part(says: Says, good: str) -> None:
    """A complaint stays readable."""
    (line,) = says(good + f"? {'k' * 5000}\n: 1\n")

    assert "no such key" in line
    assert len(line) < 2000

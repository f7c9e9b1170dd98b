"""What is left open is said, where it is left, and nothing else is."""

from collections.abc import Callable
from pathlib import Path

import pytest

TLS = "tls: {cert: c, key: k, ca: a}"
NO_TLS = "has no TLS: whoever is on the way reads and changes all that goes over it"
CLEAR = f"{NO_TLS}, and digest sends the password in the clear"
NO_CREDENTIAL = "has no credential: whoever reaches it may write everything"
NO_ACL = "has no acl: whoever reaches it may write every request and node"
ROLES = "acl: {launchers: ['sasl:a'], requestors: ['sasl:b']}"
ANYONE = "acl: {launchers: ['sasl:a'], requestors: ['world:anyone']}"

Warns = Callable[..., list[str]]


@pytest.fixture
def told(warns: Warns, good: str, tmp_path: Path) -> Warns:
    """A function that returns what is warned of a text before the good one."""
    for name in ("c", "k", "a", "auth"):
        (tmp_path / name).touch(mode=0o600)
    (tmp_path / "auth").write_text("name:word\n")
    return lambda text: [one.split(": ", 1)[1] for one in warns(f"{text}\n{good}")]


@pytest.mark.parametrize(
    ("section", "wanted"),
    [
        ("", [NO_TLS, NO_CREDENTIAL]),
        ("auth-file: auth", [CLEAR, NO_ACL]),
        ("auth-file: auth, auth-scheme: sasl", [NO_TLS, NO_ACL]),
        (f"auth-file: auth, {ROLES}", [CLEAR]),
        (f"auth-file: auth, auth-scheme: sasl, {ROLES}", [NO_TLS]),
        (TLS, [NO_CREDENTIAL]),
        (f"{TLS}, auth-file: auth", [NO_ACL]),
        (f"{TLS}, auth-file: auth, creator-only: true", []),
        (f"{TLS}, auth-file: auth, {ROLES}", []),
        (f"{TLS}, {ROLES}", []),
        (f"{TLS}, auth-file: auth, {ANYONE}", ["has world:anyone"]),
        (f"tsl: {TLS[5:]}, auth-file: auth, {ROLES}", []),
        (f"tls: {TLS[5:-1]}, check-hostname: no}}, {ROLES}", ["is off: whoever has a certificate"]),
    ],
)
def test_a_zookeeper_of_the_network(told: Warns, section: str, wanted: list[str]) -> None:
    """Each door that is open, once; what may be misspelled is not said to be missing."""
    found = told(f"zookeeper: {{hosts: ['zk1:2181'], {section}}}")

    assert len(found) == len(wanted), found
    for line, words in zip(found, wanted, strict=True):
        where, _, said = line.partition(": ")
        assert where.startswith("zookeeper")
        assert said.startswith(words)


@pytest.mark.parametrize("host", ["127.0.0.1:2181", "localhost:2181", "[::1]:2181"])
def test_a_zookeeper_of_this_host_alone(told: Warns, host: str) -> None:
    """To try things out with."""
    assert told(f"zookeeper: {{hosts: ['{host}']}}") == []
    assert len(told(f"zookeeper: {{hosts: ['{host}', 'zk1:2181']}}")) == 2


@pytest.mark.parametrize(
    ("listen", "open_to_all"),
    [
        ("0.0.0.0", True),  # noqa: S104
        ("::", True),
        ("", True),
        ("0", True),
        ("0x0", True),
        ("000.0.0.0", True),
        ("::ffff:0.0.0.0", True),
        ("0:0:0:0:0:0:0:0", True),
        ("127.0.0.1", False),
        ("127.1", False),
        ("10.0.0.7", False),
        ("monitor.example.org", False),
    ],
)
def test_the_status_endpoint(told: Warns, listen: str, *, open_to_all: bool) -> None:
    """It has no login: on an address of its own that is an operator's choice."""
    found = told(f"web: {{listen: '{listen}'}}")

    assert bool(found) is open_to_all
    assert all("web.listen: is every address of this host" in one for one in found)

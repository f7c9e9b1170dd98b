"""What failed builds have in common, whose failure it was, and what is other than before."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from remuda.images.failed import blame_of, changed_since, grouped, signature
from remuda.model.build import Base, Blame, Build, Mishap
from remuda.model.build import BuildState as S
from remuda.model.image import BuildId
from tests.unit.builder.judging import build

MIRROR_AWAY = {
    "apt": "Err:1 http://deb.example.org bookworm InRelease\n"
    "  Temporary failure resolving 'deb.example.org'\n"
    "E: Some index files failed to download.",
    "apt, half a mirror": "E: Failed to fetch http://m/p.deb  File has unexpected size (12 != 13)",
    "dnf": "Error: Failed to download metadata for repo 'baseos': Cannot download repomd.xml",
    "curl": "curl: (6) Could not resolve host: files.example.org",
    "wget": "wget: unable to resolve host address 'files.example.org'",
    "busybox": "wget: bad address 'files.example.org'",
    "git": "fatal: unable to access 'https://g.example.org/': Failed to connect to g.example.org",
    "pip": "pip._vendor.urllib3.exceptions.ReadTimeoutError: HTTPSConnectionPool: Read timed out.",
    "npm": "npm ERR! code ECONNRESET",
    "go": "dial tcp: lookup proxy.example.org: no such host",
    "docker": "Error response from daemon: net/http: TLS handshake timeout",
    "a sick server": "HTTP request sent, awaiting response... 503 Service Unavailable",
}
RECIPE_WRONG = {
    "apt": "E: Unable to locate package libfoo3-dev",
    "shell": "script: line 3: meke: command not found",
    "pip": "ERROR: No matching distribution found for remuda==99",
    "git": "fatal: Remote branch v3 not found in upstream origin",
    "404": "E: Failed to fetch http://deb.example.org/x.deb  404  Not Found",
    "disk": "dpkg: error: No space left on device",
    "a test": "AssertionError: expected 200, got '503 Service Unavailable'",
    "a service": "curl: connection to localhost (127.0.0.1) port 5432: Connection refused",
    "had in the end": "curl: (28) Operation timed out\nretrying\nok\n"
    + "cc x.c\n" * 15
    + "gcc: error",
    "nothing": "",
}


@pytest.mark.parametrize("said", MIRROR_AWAY.values(), ids=MIRROR_AWAY)
def test_a_mirror_that_is_away_is_told_from_the_recipe(said: str) -> None:
    """By the words of who fetches; what follows them, up to a screenful, hides nothing."""
    assert blame_of(said) is Blame.MIRROR
    assert blame_of(f"{said}\n" + "make: *** [all] Error 1\n" * 10) is Blame.MIRROR


@pytest.mark.parametrize("said", RECIPE_WRONG.values(), ids=RECIPE_WRONG)
def test_a_broken_recipe_is_the_recipes(said: str) -> None:
    """Also if something was fetched in vain long before, and had from elsewhere."""
    assert blame_of(said) is Blame.RECIPE
    early = MIRROR_AWAY["curl"] + "\nfetched from the second mirror" * 50
    assert blame_of(f"{early}\n{said}") is Blame.RECIPE


@given(st.text(max_size=300))
def test_any_output_is_somebodys(said: str) -> None:
    """Text of strangers."""
    assert blame_of(said * 200) in {Blame.MIRROR, Blame.RECIPE}


def failed(number: int, message: str, *, blame: Blame = Blame.RECIPE, **more: object) -> Build:
    """Return a build that failed in a step."""
    mishap = Mishap(step="packages", blame=blame, message=message)
    return build(number, S.FAILED, mishap=mishap, **more)


def test_failures_that_are_one_are_grouped() -> None:
    """Numbers, hashes and times differ; the newest says what it was."""
    some = [
        failed(4, "E: cannot open /tmp/tmp.Xk3QzPw9Ab at a1b2c3d (exit code 100)"),
        failed(5, "no room", blame=Blame.MACHINE),
        failed(7, "E: cannot open /tmp/tmp.Qp0aZZyT1x at 77b2c31 (exit code 100)"),
        build(6, S.SUPERSEDED),
    ]

    first, second = grouped(some)
    assert (first.builds, first.blame) == ((7, 4), Blame.RECIPE)
    assert first.said.endswith("tmp.Qp0aZZyT1x at 77b2c31 (exit code 100)")
    assert (second.builds, second.blame) == ((5,), Blame.MACHINE)
    assert signature(build(1)) is None


def test_a_signature_is_one_short_line() -> None:
    """Whatever was said."""
    found = signature(failed(1, "x" * 5000 + "\n\ud800"))

    assert found is not None
    assert len(found) <= 160
    found.encode()


GOOD = build(3, fingerprint="f", base=Base(id="b1"), provider="p")


@pytest.mark.parametrize(
    ("good", "more", "said"),
    [
        (None, {}, "no build of it was good before"),
        (GOOD, {"base": Base(id="b1")}, "neither base nor recipe has changed"),
        (GOOD, {"base": Base(id="b2")}, "the base has changed"),
        (GOOD, {"base": Base(id="b1"), "fingerprint": "g"}, "the recipe has changed"),
        (GOOD, {"base": Base(id="b2"), "fingerprint": "g"}, "base and recipe have changed"),
        (GOOD, {"parent": BuildId("base", 2)}, "the base has changed"),
        (GOOD, {}, "the recipe is as it was"),
        (GOOD, {"fingerprint": "g"}, "the recipe has changed"),
        (GOOD, {"provider": "q", "base": Base(id="other")}, "the recipe is as it was"),
    ],
)
def test_what_has_changed_since_the_last_good_build(
    good: Build | None, more: dict[str, object], said: str
) -> None:
    """A base is compared only where it is the same cloud's."""
    fields = {"fingerprint": "f", "provider": "p", **more}
    told = changed_since(good, failed(9, "no", **fields))

    assert told.startswith(said)
    assert good is None or told.endswith("since build 3, the last good one")

"""Secrets are found by what they are, by what stands around them, and by being known."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from remuda import redaction
from remuda.known_secrets import (
    CHARS_MIN,
    KNOWN,
    PASSING_MAX,
    PIECE_CHARS_MAX,
    SOURCES_MAX,
    KnownSecrets,
)
from remuda.redaction import (
    BLANK,
    MARGIN,
    redact,
    redact_begin,
    redact_end,
    redact_middle,
    redact_text,
    secret_values,
    secrets_in,
)
from tests.unit.launcher.test_secrets import FORMS, TOKENS

AROUND = ("{}", "before {} after", "\x1b[31m{}\x1b[0m", "x: '{}'", "[1.2] {}\r\n")
SECRET = "Pl4nt3d/value+1"


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(
    "around", ["{}", "before {} after", "\x1b[31m{}\x1b[0m", "x: '{}'", "[1.2] {}\r\n"]
)
def test_a_form_is_found_wherever_it_stands(form: str, around: str) -> None:
    """In colours, in quotes, and in the middle of a line."""
    text = around.format(form.format(SECRET))

    assert SECRET not in redact_text(text)
    assert BLANK in redact_text(text)


@pytest.mark.parametrize("token", TOKENS)
@pytest.mark.parametrize(
    "around", ["{}", "got {}.", "'{}'", "x={}", "\x1b[1m{}\x1b[m", '{{"a":"{}"}}']
)
def test_a_token_is_found_by_itself(token: str, around: str) -> None:
    """Nothing around it needs to say what it is."""
    assert token not in redact_text(around.format(token))


@pytest.mark.parametrize(
    "text",
    [
        "node 3000000001 is ready",
        "HTTP 403: Quota exceeded for instances: Requested 1, but already used 10 of 10",
        "our credentials are not accepted (HTTP 401: The request requires authentication)",
        "login: our key does not open the account root",
        "host-key: the host key is ssh-ed25519 SHA256:abc, expected ssh-ed25519 SHA256:def",
        "bypass: on, compass: north",
        "docker run -u 1000:1000 image",
        "mysql -p db < dump.sql; mysql -P 3306; mkdir -p/srv; ssh -p2222 host",
        "http://registry:4873/@scope/package and https://host:8080/a@b",
        "git clone ssh://git@github.com/remuda/remuda https://github.com/x/y",
        "/var/lib/remuda/tokens/list is missing",
        "the token has expired; ask for another one",
        "has no credential: whoever reaches it may write everything",
        "key_name: infra",
        "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIFakeFakeFakeFakeFakeFakeFakeFakeFakeFakeFak",
        "-----BEGIN CERTIFICATE-----\nabc\n-----END CERTIFICATE-----",
    ],
)
def test_what_is_no_secret_stays(text: str) -> None:
    """Evidence that is masked without need is no evidence."""
    assert redact_text(text) == text


@pytest.mark.parametrize(
    ("text", "left"),
    [
        (
            "a\n-----BEGIN EC PRIVATE KEY-----\nxyz\n-----END EC PRIVATE KEY-----\nb",
            f"a\n{BLANK}\nb",
        ),
        ("a\n-----BEGIN PRIVATE KEY-----\nxyz", f"a\n{BLANK}"),
        ("xyz\n-----END RSA PRIVATE KEY-----\nb", f"{BLANK}\nb"),
        ("-----BEGIN PGP PRIVATE KEY BLOCK-----\nx\n-----END PGP PRIVATE KEY BLOCK-----", BLANK),
    ],
)
def test_keys_are_found_whole_or_cut(text: str, left: str) -> None:
    """A console is cut anywhere."""
    assert redact_text(text) == left


def test_a_begin_without_end_does_not_hide_all_evidence() -> None:
    """No key is that long."""
    text = "-----BEGIN RSA PRIVATE KEY-----\n" + "x\n" * 20_000 + "the cause"

    assert redact_text(text).endswith("the cause")


@given(st.text(alphabet=st.sampled_from("password=token: '\"\\\n\x1b[3m{}|>-uAKI Aey.J$6/@")))
def test_redacting_again_changes_nothing(text: str) -> None:
    """It is done at several doors, and records are read and shown again."""
    once = redact_text(text)

    assert redact_text(once) == once


@given(st.text(min_size=1), st.integers(8, 60))
def test_a_known_value_never_survives(text: str, size: int) -> None:
    """Wherever it stands, as often as it stands there."""
    known = KnownSecrets()
    value = ("Kn0wn-" * 10)[:size]
    known.hold("here", [value])

    assert value not in known.mask(f"{text}{value}{text}{value}{value}", BLANK)


@pytest.mark.parametrize(
    ("value", "form"),
    [
        ('k3y with "quotes"', 'k3y with \\"quotes\\"'),
        ("k3y/with/é", "k3y/with/\\u00e9"),
        ("a/b/c/d/e", "a%2Fb%2Fc%2Fd%2Fe"),
        ("a/b/c/d/e", "YS9iL2MvZC9l"),
    ],
)
def test_known_values_are_found_as_they_travel(value: str, form: str) -> None:
    """In JSON, in a URL, and in base64."""
    KNOWN.hold("here", [value])

    assert redact_text(f"x {value} y {form} z") == f"x {BLANK} y {BLANK} z"


def test_each_line_of_a_key_is_known() -> None:
    """A console puts its own words between them."""
    KNOWN.hold("key", ["-----BEGIN X-----\nAAAABBBBCCCCDDDD1\nAAAABBBBCCCCDDDD2\n-----END X-----"])

    shown = redact_text("[1] init: AAAABBBBCCCCDDDD1\n[2] init: AAAABBBBCCCCDDDD2\n[3] init: root")

    assert shown == f"[1] init: {BLANK}\n[2] init: {BLANK}\n[3] init: root"


def test_short_and_common_words_are_no_secrets() -> None:
    """Masked, they would make every text unreadable."""
    KNOWN.hold("here", ["root", "x" * (CHARS_MIN - 1), "password", "OpenStack"])

    text = f"root of openstack, password, {'x' * (CHARS_MIN - 1)}"
    assert redact_text(text) == text


def test_what_a_source_no_longer_holds_is_forgotten() -> None:
    """A new configuration, another password."""
    known = KnownSecrets()
    known.hold("file", ["the-first-value", "the-shared-value"])
    known.hold("other", ["the-shared-value"])
    known.hold("file", ["the-second-value"])

    assert known.mask("the-first-value the-second-value the-shared-value", "#") == (
        "the-first-value # #"
    )


def test_the_registry_is_bounded() -> None:
    """In values that pass by, in sources, and in the length of each."""
    known = KnownSecrets()
    known.note(f"value-number-{number:08d}" for number in range(2 * PASSING_MAX))
    for number in range(2 * SOURCES_MAX):
        known.hold(f"source {number}", [f"held-number-{number:08d}"])
    long = "".join(f"{number:05d}" for number in range(PIECE_CHARS_MAX))
    known.hold("long", [long])

    assert len(known) <= PASSING_MAX + 3 * SOURCES_MAX + 100
    assert long[:100] not in known.mask(long, "#")
    assert long[-100:] not in known.mask(long, "#")


@pytest.mark.parametrize("cut", [redact_begin, redact_end, redact_middle])
@pytest.mark.parametrize("at", range(90, 110))
def test_a_secret_at_a_cut_is_not_halved(cut: object, at: int) -> None:
    """It is seen whole before the cut."""
    KNOWN.hold("here", ["half-of-it-is-secret"])
    for text in (
        "x" * at + "half-of-it-is-secret" + "y" * 290,
        "x" * 290 + "half-of-it-is-secret" + "y" * at,
        "x" * at + " password=half-of-it-is-secret " + "y" * 290,
    ):
        shown = cut(text, 400 if cut is redact_middle else 300)  # type: ignore[operator]
        parts = {"half-of-it-is-secret"[i : i + 5] for i in range(16)}
        assert not [one for one in parts if one in shown]


_SWORD = "correct-horse-battery-staple"


@pytest.mark.parametrize("secret", [f"password={_SWORD}", f"https://ci:{_SWORD}@example.org/"])
@pytest.mark.parametrize("at", range(0, 60, 7))
def test_what_was_masked_shows_no_halved_secret_of_the_margin(secret: str, at: int) -> None:
    """Keys and tokens become short, and what was only looked at would take their place."""
    key = f"-----BEGIN PRIVATE KEY-----\n{'QUJD' * 500}\n-----END PRIVATE KEY-----\n"
    filling = key * 10
    size = 6_000
    whole = f"{'x' * 2000}\nTo {secret} go\n"
    end = whole[:-at] if at else whole
    begin = f"{secret} {filling[: size + MARGIN - len(secret) - 1 + at]}"
    half = _SWORD[len(_SWORD) // 2 :]
    assert half not in redact_end(begin + "\n", size)
    filled = filling[: size + MARGIN - len(end)]
    assert _SWORD[:9] not in redact_begin(f"{filled}\n{end}{whole}", size)


def test_documents_are_searched_by_name_and_by_what_texts_hold() -> None:
    """Also if they contain themselves, as YAML's aliases can."""
    doc = {
        "auth": {"password": "pw-1", "username": "u"},
        "user-data": "#cloud-config\nchpasswd:\n  list: |\n    root:pw-2\n    bob:pw-3\n",
        "setup": ["TOKEN=pw-4\ncurl -u me:pw-5 x\nX_TOKEN=$(cat /token)\nPASSWORD=${PW}"],
    }
    doc["self"] = doc

    assert {f"pw-{number}" for number in range(1, 6)} <= set(secret_values(doc))
    assert not {"u", "$(cat", "${PW}"} & set(secret_values(doc))
    assert secrets_in("nothing here") == []


def test_numbers_that_python_will_not_write_are_named() -> None:
    """A record may hold one of 5,000 digits."""
    assert redact("x", 10**5000) == "a number of 16610 bits"


def test_longer_texts_are_cut_before_they_are_read() -> None:
    """Nobody can make us look at more."""
    assert len(redact_text("x" * 10 * redaction.CHARS_MAX)) < 2 * redaction.CHARS_MAX

"""The forms in which secrets are looked for."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from builder.quiet.needles import NEEDLES_BYTES_MAX, UnsearchableError, make_needles
from remuda.ssh.hostkeys import make_host_key
from remuda.ssh.wrapping import exports


def met(secret: str, text: str) -> bool:
    """Return whether some line of what is looked for stands in *text*."""
    return any(line in text for line in make_needles([secret]).reveal().split("\n"))


PRINTABLE = st.text(st.characters(exclude_categories=("C", "Z"), max_codepoint=0x2FF), min_size=8)


@given(PRINTABLE.filter(lambda text: text.lower() not in {"password", "changeme"}), st.binary())
def test_a_secret_is_met_in_every_form(secret: str, before: bytes) -> None:
    """As it is, and within Base64 of anything, whatever stands before and after."""
    secret = f"q{secret}"
    raw = before + secret.encode() + b"!"

    assert met(secret, f"x{secret}x")
    assert met(secret, base64.b64encode(raw).decode())
    assert met(secret, base64.urlsafe_b64encode(raw).decode())


@given(st.binary(max_size=80))
def test_long_ones_are_met_in_broken_lines(before: bytes) -> None:
    """Mail and `base64` break lines at 76 characters."""
    secret = "0123456789-the-quick-brown-fox-jumps-over-the-lazy-dog-and-back-again" * 2

    assert met(secret, base64.encodebytes(before + secret.encode()).decode())


def test_keys_are_told_from_each_other() -> None:
    """What all keys begin with is not looked for."""
    ours, another = make_host_key().private, make_host_key().private

    assert met(ours, ours)
    assert not met(ours, another)


@pytest.mark.parametrize("secret", ["", "xyzzy", "password", "       ", "a\nb\nc"])
def test_what_every_file_holds_is_refused(secret: str) -> None:
    """In one sentence without the value."""
    with pytest.raises(UnsearchableError, match=r"^secret 2 is too short") as caught:
        make_needles(["a good secret", secret])

    if secret.strip():
        assert secret not in str(caught.value)


def test_too_many_are_refused() -> None:
    """No environment takes them."""
    with pytest.raises(UnsearchableError, match=str(NEEDLES_BYTES_MAX)):
        make_needles(f"secret number {at:05d}" for at in range(2000))


def test_they_do_not_print_and_arrive_all_the_same() -> None:
    """Hidden wherever text is made for people, whole on the machine."""
    needles = make_needles(["onlylettershere"])

    assert "onlyletters" not in repr(needles)
    assert "onlylettershere" in exports((("REMUDA_NEEDLES", needles),))
    assert exports((("A", type(needles)("plain")),)) == "export A=plain"


def test_no_secrets_are_nothing_to_look_for() -> None:
    """An empty text."""
    assert make_needles([]).reveal() == ""

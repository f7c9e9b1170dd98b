"""A secret works where bytes are made of it, and hides where text is made for people."""

import io
import traceback

import pytest

from remuda import logs
from remuda.secret import Secret

WORD = "corral gate"


@pytest.mark.parametrize(
    "shown",
    [
        str(Secret(WORD)),
        repr(Secret(WORD)),
        f"{Secret(WORD)} {Secret(WORD)!r} {Secret(WORD):>20}",
        "%s %r %-20s" % (Secret(WORD), Secret(WORD), Secret(WORD)),  # noqa: UP031 - logging's way
        f"{[Secret(WORD)]} {(Secret(WORD),)} { {'k': Secret(WORD)} }",
    ],
)
def test_a_secret_is_not_shown(shown: str) -> None:
    """In none of the ways in which a text gets into a message."""
    assert WORD not in shown
    assert "<secret>" in shown


def test_a_secret_is_not_logged() -> None:
    """As a field of its own, or inside of another one."""
    stream = io.StringIO()
    logs.configure("json", stream=stream)
    logs.get_logger(auth=Secret(WORD)).warning("some.event", options={"password": Secret(WORD)})

    assert "some.event" in stream.getvalue()
    assert WORD not in stream.getvalue()


def test_a_secret_is_in_no_traceback_with_locals() -> None:
    """Some collectors of errors show those."""
    password = Secret(WORD)
    with pytest.raises(ZeroDivisionError) as raised:
        assert password == str(1 // 0)
    shown = traceback.TracebackException.from_exception(raised.value, capture_locals=True)

    assert "password = <secret>" in "".join(shown.format())
    assert "= 'corral" not in "".join(shown.format())


def test_a_secret_is_the_text_for_whoever_uses_it() -> None:
    """Libraries encode it, compare it and take it apart."""
    secret = Secret(f"name:{WORD}")

    assert secret.encode() == f"name:{WORD}".encode()
    assert secret == f"name:{WORD}"
    assert {secret} == {f"name:{WORD}"}
    assert secret.partition(":")[2] == WORD
    assert type(secret.reveal()) is str
    assert secret.reveal() == f"name:{WORD}"
    assert Secret("x").reveal() == "x"
    assert Secret(secret).reveal() == secret.reveal()

"""Names of an archive: bounded before anything looks at them closely."""

import pytest

from remuda.archive import names
from remuda.archive.names import NAME_BYTES_MAX, BadNameError, safe_name


def test_a_name_that_is_too_long_is_not_looked_through_for_secrets(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """That takes a tenth of a second for one of 64 KiB, and a machine may send thousands."""
    looked: list[int] = []
    monkeypatch.setattr(names, "redact_text", lambda text: looked.append(len(text)) or text)
    for long in ("a" * 65_536, "\x1b" * NAME_BYTES_MAX, "ä" * NAME_BYTES_MAX, "\ud800" * 65_536):
        with pytest.raises(BadNameError, match="too long"):
            safe_name(long)
    assert looked == []
    assert safe_name("a" * NAME_BYTES_MAX) == "a" * NAME_BYTES_MAX
    assert looked == [NAME_BYTES_MAX]


def test_a_name_that_masking_makes_longer_is_bounded_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is stored is what is bounded."""
    monkeypatch.setattr(names, "redact_text", lambda text: text + "x" * NAME_BYTES_MAX)
    with pytest.raises(BadNameError, match="too long"):
        safe_name("short")

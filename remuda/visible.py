r"""Text of strangers, made safe for terminals and logs: what steers or hides is written out.

Records, labels, consoles and clouds may hold anything. A terminal obeys some of it (escape
sequences), some changes the order of what is read (bidi controls), some is not seen at all
(zero-width characters, tags), and a lone surrogate ends whoever prints it. All of that is shown
as ``\x1b``, ``\u202e``, ``\U000e0041``; every other character stays as it is.
"""

import re
from typing import Final

#: Categories Cc, Cf, Cs, Zl and Zp of Unicode, the blocks of controls that are still unassigned,
#: and the few letters and marks that by design cannot be seen (fillers, joiners, selectors).
_HIDDEN: Final = (
    r"\x00-\x1f\x7f-\x9f\xad\u034f\u0600-\u0605\u061c\u06dd\u070f\u0890\u0891\u08e2"
    r"\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u2028-\u202e\u2060-\u206f\u3164"
    r"\ud800-\udfff\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb\U000110bd\U000110cd"
    r"\U00013430-\U0001343f\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff"
)
_ONE_LINE: Final = re.compile(f"[{_HIDDEN}]")
#: The same without the two that several lines need.
_LINES: Final = re.compile(f"(?![\\t\\n])[{_HIDDEN}]")


def visible(text: str) -> str:
    r"""Return *text* as one line in which nothing hides; a line break is shown as ``\n``."""
    if text.isascii() and text.isprintable():  # nearly always, and this costs next to nothing
        return text
    return _ONE_LINE.sub(_written_out, text)


def visible_lines(text: str) -> str:
    """Return *text* with its lines and tabs, in which nothing else hides."""
    if text.isascii() and text.isprintable():
        return text
    # Consoles and Windows end their lines so; it means nothing else.
    return _LINES.sub(_written_out, text.replace("\r\n", "\n"))


def _written_out(found: re.Match[str]) -> str:
    char = found.group()
    if char in _SHORT:
        return _SHORT[char]
    code = ord(char)
    if code <= 0xFF:  # noqa: PLR2004 - as Python writes it
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"  # noqa: PLR2004 - the same


_SHORT: Final = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}

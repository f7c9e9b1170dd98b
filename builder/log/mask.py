"""Masking secrets in a stream: what comes in pieces is masked as if it had come at once."""

import re
from collections.abc import Callable
from typing import Final

from remuda.redaction import BLANK, redact_text

#: No form of a known value is longer (remuda.known_secrets: 512 characters, as they travel).
HOLD_CHARS: Final = 8 * 1024
#: A line without an end is held back up to this, and then only the last of it.
LINE_CHARS_MAX: Final = 2 * HOLD_CHARS
#: So much is masked at once; longer texts would be cut.
_PIECE_CHARS: Final = 64 * 1024
#: No private key is longer.
_KEY_CHARS_MAX: Final = 16 * 1024
#: Where a long line might be cut.
_CUTS_MAX: Final = 64
_KEY_MARK: Final = re.compile(r"-----(BEGIN|END) [A-Z0-9 ]{0,64}PRIVATE KEY")


class StreamMasker:
    """Gives out whole lines, masked; of a line that does not end, what no secret can reach into.

    Args:
        mask: Returns a text of at most 256 Ki characters without its secrets.
    """

    def __init__(self, mask: Callable[[str], str] = redact_text) -> None:
        self._mask = mask
        self._held = ""
        self._mute = False

    def feed(self, text: str) -> str:
        """Take more of the stream, and return what may be shown of it now."""
        shown = []
        for start in range(0, len(text), _PIECE_CHARS):
            self._held += self._unmuted(text[start : start + _PIECE_CHARS])
            shown.append(self._release())
        return "".join(shown)

    def rest(self) -> str:
        """Return what is held back: the stream ends, or what comes next does not belong to it."""
        held, self._held, self._mute = self._held, "", False
        return self._mask(held)

    def forget(self) -> int:
        """Drop what is held back, for something is missing after it; return how much that was."""
        held, self._held, self._mute = self._held, "", False
        return len(held)

    def _unmuted(self, text: str) -> str:
        if not self._mute:
            return text
        _, end, rest = text.partition("\n")
        self._mute = not end
        return end + rest

    def _release(self) -> str:
        end = self._held.rfind("\n") + 1
        key = self._open_key(end)
        if key is not None:
            end = key
        elif len(self._held) - end > LINE_CHARS_MAX:
            return self._cut()
        shown, self._held = self._mask(self._held[:end]), self._held[end:]
        return shown

    def _open_key(self, end: int) -> int | None:
        """Return where a line with the beginning of a key stands whose end has not come yet."""
        marks = list(_KEY_MARK.finditer(self._held, 0, end))
        if not marks or marks[-1].group(1) == "END":
            return None
        begins = marks[-1].start()
        if len(self._held) - begins > _KEY_CHARS_MAX:
            return None
        return self._held.rfind("\n", 0, begins) + 1

    def _cut(self) -> str:
        """Cut a line that does not end where that makes no difference to what is masked."""
        whole = self._mask(self._held)
        latest = len(self._held) - HOLD_CHARS
        for end in range(latest, latest - _CUTS_MAX, -1):
            head = self._mask(self._held[:end])
            if head + self._mask(self._held[end:]) == whole:
                self._held = self._held[end:]
                return head
        # Secrets all over: nothing of this line is shown any more.
        self._held, self._mute = "", True
        return BLANK

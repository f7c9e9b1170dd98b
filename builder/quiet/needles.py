"""What is looked for in the files of a machine: its secrets, in the forms in which they travel.

Secrets of several lines, such as private keys, are looked for by their lines. Base64 is looked
for at all three places that a value can have in it: within ``user:password`` it begins in the
middle of a group of three bytes.
"""

import base64
from collections.abc import Iterable, Iterator
from typing import Final

from remuda.known_secrets import CHARS_MIN, LINE_CHARS_MIN, forms
from remuda.secret import Secret

#: Linux takes 128 KiB for one variable of an environment.
NEEDLES_BYTES_MAX: Final = 96 * 1024
#: Base64 is often broken into lines of 64 or 76 characters: pieces of this length are looked for,
#: of which one lies within a line. It is 24 bytes of the value: chance does not meet them.
_PIECE_CHARS: Final = 32
#: A shorter rest of a value is not looked for by itself.
_REST_CHARS_MIN: Final = 16
#: So many lines has a private key whose first line is the same in all keys of its kind.
_KEY_LINES_MIN: Final = 3


class UnsearchableError(ValueError):
    """A secret cannot be looked for; the message says why, and never what it is."""


def make_needles(secrets: Iterable[str]) -> Secret:
    """Return the lines to look for, one per form; empty if there are no secrets.

    Raises:
        UnsearchableError: A secret is so short that any file might hold it, or they are too many.
    """
    lines: dict[str, None] = {}
    for number, secret in enumerate(secrets, 1):
        value = _without_head("".join(secret))
        plain = [form for form in forms([value]) if not _BREAKS.intersection(form)]
        if not plain:
            raise UnsearchableError(
                f"secret {number} is too short or too plain to be looked for in an image: take one "
                f"of at least {CHARS_MIN} characters"
            )
        lines |= dict.fromkeys(plain)
        for line in value.strip().splitlines():
            least = LINE_CHARS_MIN if "\n" in value.strip() else CHARS_MIN
            if len(line.strip()) >= least and not line.startswith("-----"):
                lines |= dict.fromkeys(_coded(line.strip().encode(errors="replace")))
    text = "\n".join(lines)
    size = len(text.encode(errors="replace"))
    if size > NEEDLES_BYTES_MAX:
        raise UnsearchableError(
            f"the secrets are {size} bytes in all their forms, more than {NEEDLES_BYTES_MAX}: "
            "give the machine fewer or shorter ones"
        )
    return Secret(text)


#: What no line of a file holds, and no variable.
_BREAKS: Final = frozenset("\n\0")


def _without_head(value: str) -> str:
    """Leave out the first line of a private key: that of every OpenSSH key is the same."""
    head, *body = value.strip().splitlines() or [""]
    if head.startswith("-----BEGIN") and len(body) > _KEY_LINES_MIN:
        return "\n".join(body[1:])
    return value


def _coded(raw: bytes) -> Iterator[str]:
    """Yield what of Base64 depends on nothing but *raw*, at the three places that it can have."""
    for before in range(3):
        coded = base64.b64encode(bytes(before) + raw).decode()
        # The first characters hold bits of what stands before, the last of what comes after.
        inner = coded[(before * 8 + 5) // 6 : (before + len(raw)) * 8 // 6]
        for start in range(0, len(inner), _PIECE_CHARS):
            piece = inner[start : start + _PIECE_CHARS]
            if len(piece) >= (_REST_CHARS_MIN if start else CHARS_MIN):
                yield piece
                yield piece.replace("+", "-").replace("/", "_")

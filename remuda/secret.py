"""Text that is used, but not shown: passwords, and what holds them.

A secret in a plain text is one f-string, one traceback with locals or one ``repr`` of a value
away from a log. This text behaves as any other where bytes are made of it, and hides wherever
text is made for people: ``str``, ``repr``, ``%s``, f-strings.
"""

from typing import Final, Self

_HIDDEN: Final = "<secret>"


class Secret(str):
    """See the module. Equal to, and hashed as, the text that it hides."""

    __slots__ = ()

    def __new__(cls, text: str) -> Self:
        """Hide *text*, which may be a secret already."""
        return super().__new__(cls, "".join(text))  # str() of a secret would hide it for ever

    def reveal(self) -> str:
        """Return the text itself, for a library that takes no less."""
        return "".join(self)

    def __str__(self) -> str:
        """Hide."""
        return _HIDDEN

    def __repr__(self) -> str:
        """Hide."""
        return _HIDDEN

    def __format__(self, spec: str, /) -> str:
        """Hide."""
        return format(_HIDDEN, spec)

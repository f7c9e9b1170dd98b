"""Guests: who is let onto a running machine by its launcher, beside those whom it let in at first.

A *guest key* is the public line of a key pair that somebody has made for one visit. The launcher
puts it onto the machine with the provider's own key, and says in the launch record that it has.
"""

from dataclasses import dataclass
from typing import Any, Final

from remuda.model.fields import Fields, safe
from remuda.model.imageask import read_login_key

#: Longer reasons are cut.
WHY_CHARS_MAX: Final = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Guest:
    """What has become of the last guest key of a machine.

    Attributes:
        key: ``ssh-ed25519 <base64>``.
        refused: Why it is not on the machine; None: it is.
    """

    key: str
    refused: str | None = None


def guest_doc(guest: Guest) -> dict[str, Any]:
    """Return a guest as a part of a launch; the pair of :func:`read_guest`."""
    doc: dict[str, Any] = {"login_key": guest.key}
    if guest.refused is not None:
        doc["refused"] = safe(guest.refused, WHY_CHARS_MAX)
    return doc


def read_guest(fields: Fields, key: str) -> Guest | None:
    """Return the guest in a field of a launch, or None if there was none."""
    part = fields.part(key)
    if part is None:
        return None
    line = read_login_key(part)
    if line is None:
        raise part.refuse("login_key", "a key")
    return Guest(key=line, refused=part.prose("refused", WHY_CHARS_MAX))

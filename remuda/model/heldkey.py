"""The change of a held machine's host key: how far it has come, as its launch record says.

The key that a launcher gave to a machine came with its user data, and whoever was on the machine
can read that. So a held machine makes itself another one. While nobody knows which of both it
shows, both are believed: a launcher that dies in between locks nobody out.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any, Final

from remuda.model.fields import KEY_CHARS_MAX, Fields, safe
from remuda.model.publickey import read_key

#: Longer reasons are cut.
WHY_CHARS_MAX: Final = 500
#: What machines are told to make.
KIND: Final = "ssh-ed25519"


class HostKeyStep(StrEnum):
    """How far the change has come."""

    MADE = "made"  # the new one lies on the machine; it shows either
    CHANGED = "changed"  # it has shown the new one, and nobody believes the old one any more
    KEPT = "kept"  # it could not be changed; *why* says why
    ANEW = "anew"  # it may have started as for the first time: it shows either


class HostKeyEvent(StrEnum):
    """What moves the change on."""

    MADE = "made"  # the machine has made a key, and said its public part
    SHOWN = "shown"  # another connection has met the new key
    FAILED = "failed"  # it cannot be done, or the machine does not answer
    ANEW = "anew"  # the machine may start as for the first time, with the key that it was given


_S, _E = HostKeyStep, HostKeyEvent
#: None: nothing is on record yet.
HOST_KEY_TABLE: Final[Mapping[HostKeyStep | None, Mapping[HostKeyEvent, HostKeyStep]]] = {
    None: {_E.MADE: _S.MADE, _E.FAILED: _S.KEPT},
    _S.MADE: {_E.SHOWN: _S.CHANGED, _E.FAILED: _S.KEPT},
    _S.CHANGED: {_E.ANEW: _S.ANEW},
    _S.KEPT: {},
    _S.ANEW: {_E.MADE: _S.MADE, _E.SHOWN: _S.CHANGED, _E.FAILED: _S.KEPT},
}


class IllegalHostKeyStepError(AssertionError):
    """Our own bug: code asked for a step that the table does not allow."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HostKeyChange:
    """How far the change has come.

    Attributes:
        at_s: Since when, seconds since the epoch.
        key: The new one, as ``ssh-ed25519 <base64>``; None: the machine has made none.
        why: Why the old one is kept; the machine may show the new one all the same if it was made.
        given: The one that came with the user data, once the record has the new one in its place.
    """

    step: HostKeyStep
    at_s: float
    key: str | None = None
    why: str | None = None
    given: str | None = None


def moved(
    before: HostKeyChange | None,
    event: HostKeyEvent,
    *,
    at_s: float,
    key: str | None = None,
    why: str | None = None,
) -> HostKeyChange:
    """Return the change one step on; the only way its step changes.

    Raises:
        IllegalHostKeyStepError: If the table has no such edge.
    """
    step = None if before is None else before.step
    after = HOST_KEY_TABLE[step].get(event)
    if after is None:
        raise IllegalHostKeyStepError(f"the host key is {step!s}: no edge {event!s}")
    if before is None:
        return HostKeyChange(step=after, at_s=at_s, key=key, why=why)
    return replace(before, step=after, at_s=at_s, key=key or before.key, why=why)


def change_doc(change: HostKeyChange) -> dict[str, Any]:
    """Return a change as a part of a hold; the pair of :func:`read_change`."""
    doc: dict[str, Any] = {"step": str(change.step), "at_s": round(change.at_s, 3)}
    if change.key is not None:
        doc["key"] = change.key
    if change.why is not None:
        doc["why"] = safe(change.why, WHY_CHARS_MAX)
    if change.given is not None:
        doc["given"] = change.given
    return doc


def read_change(fields: Fields, name: str) -> HostKeyChange | None:
    """Return the change in a field of a hold, or None if there is none.

    Raises:
        CorruptRecordError: If what is there is none.
    """
    part = fields.part(name)
    if part is None:
        return None
    step, key = part.word("step", HostKeyStep), part.maybe_text("key", KEY_CHARS_MAX) or None
    if key is None and step is not HostKeyStep.KEPT:
        raise part.refuse("key", "the key that the machine has made")
    if key is not None and not is_host_key(key):
        raise part.refuse("key", f"a key of type {KIND}")
    return HostKeyChange(
        step=step,
        at_s=part.number("at_s"),
        key=key,
        why=part.prose("why", WHY_CHARS_MAX),
        given=part.maybe_text("given", KEY_CHARS_MAX),
    )


def is_host_key(line: str) -> bool:
    """Whether a text is a key that a machine may have made for itself, and nothing beside it."""
    found = read_key(line)
    return found is not None and found.kind == KIND

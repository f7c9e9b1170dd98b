"""A pointer: which build of an image one provider boots, in ``…/<image>/pointers/<provider>``.

It is one znode, so that it moves at once: it never names nothing after it has named something.
What may be written into it says :mod:`remuda.images.moves`.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final

from remuda.model import codec
from remuda.model.fields import Fields
from remuda.model.image import (
    BUILD_NUMBER_MAX,
    WORD_CHARS_MAX,
    BuildId,
    Word,
    read_place,
    short_number,
    word_doc,
    word_in,
)
from remuda.model.tally import BuildTally, Counts, build_tally_doc, read_build_tally

SCHEMA: Final = 1
#: Moves that are kept, the last ones.
MOVES_MAX: Final = 20
#: Builds that were withdrawn in one provider; the oldest are forgotten when they are gone.
WITHDRAWN_MAX: Final = 100
#: Well below what is read of a record.
_BYTES_MAX: Final = codec.RECORD_BYTES_MAX // 2


class MoveWhy(StrEnum):
    """What kind of move it was."""

    FIRST = "first usable"
    ADVANCE = "newer usable"
    PROMOTE = "promote"
    ROLLBACK = "rollback"
    CANARY = "canary"  # a newer build is tried on a part of the requests
    WITHDRAW = "withdraw"  # it is not tried any more, and not to be booted here
    PIN = "pin"
    UNPIN = "unpin"
    REVOKE = "revoke"
    RESTORE = "restore"
    PLACE = "place changed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Canary:
    """That a newer build is tried on a part of the requests before it may become current.

    Attributes:
        share: Of the requests, above 0 and at most 1.
        since_s: When that began, seconds since the epoch.
        before: What was counted of launches of the current build until then: how it does at the
            same time as the canary tells whether a failure is the canary's own.
        own: What was counted of the canary itself until then, when it was tried before: whoever
            gave it back does not believe that.
    """

    number: int
    share: float
    since_s: float
    before: Counts = field(default_factory=Counts)
    own: BuildTally = field(default_factory=BuildTally)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pin:
    """That launches boot one build, whatever becomes current.

    Attributes:
        until_s: When it ends by itself, seconds since the epoch; None: never.
    """

    number: int
    word: Word
    until_s: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    """One move of a pointer: what launches were given before it, and after."""

    kind: MoveWhy
    before: int | None
    after: int | None
    word: Word


@dataclass(frozen=True, slots=True, kw_only=True)
class Pointer:
    """Which builds of an image one provider boots.

    Attributes:
        place: Where the builds lie that it names.
        current: What launches boot unless one is pinned.
        previous: What a rollback goes to.
        canary: The build that a part of the requests gets, or None.
        withdrawn: Builds that are not to be booted in this provider, whatever others say, and why.
        generation: Counts the moves.
    """

    image: str
    provider: str
    place: str
    current: int
    previous: int | None = None
    canary: Canary | None = None
    pinned: Pin | None = None
    withdrawn: Mapping[int, Word] = field(default_factory=dict)
    generation: int = 0
    moves: tuple[Move, ...] = ()

    def build(self, number: int) -> BuildId:
        """Return the id of a build of its image."""
        return BuildId(self.image, number)

    def named(self) -> Iterator[tuple[str, int]]:
        """Yield what it refers to, by what."""
        yield "current", self.current
        if self.previous is not None:
            yield "previous", self.previous
        if self.canary is not None:
            yield "canary", self.canary.number
        if self.pinned is not None:
            yield "pinned", self.pinned.number

    def pin_at(self, now_s: float) -> Pin | None:
        """Return the pin that holds now, or None; one that is over stays until it is removed."""
        pin = self.pinned
        if pin is None or (pin.until_s is not None and now_s >= pin.until_s):
            return None
        return pin

    def chosen(self, now_s: float) -> int:
        """Return what launches are to boot now, even if it is withdrawn."""
        pin = self.pin_at(now_s)
        return self.current if pin is None else pin.number

    def served(self, now_s: float) -> int | None:
        """Return what launches boot now; None: they wait, for it was revoked by force."""
        number = self.chosen(now_s)
        return None if number in self.withdrawn else number

    def tried(self, now_s: float) -> Canary | None:
        """Return the canary that some requests get now, or None; a pin holds for all of them."""
        canary = self.canary
        idle = canary is None or self.pin_at(now_s) is not None or canary.number in self.withdrawn
        return None if idle else canary


def encode_pointer(pointer: Pointer) -> bytes:
    """Serialise all but image and provider, which are in the znode's path.

    Everybody can read it, whatever was said: its oldest moves are dropped before it is too large,
    and then its words are cut.
    """
    pin = pointer.pinned
    doc: dict[str, Any] = {
        "schema": SCHEMA,
        "place": pointer.place,
        "current": pointer.current,
        "previous": pointer.previous,
        "canary": None if pointer.canary is None else pointer.canary.number,
        "canary_trial": _canary_doc(pointer.canary),
        "pinned": None
        if pin is None
        else {**(word_doc(pin.word) or {}), "build": pin.number, "until_s": pin.until_s},
        "withdrawn": {str(number): word_doc(word) for number, word in pointer.withdrawn.items()},
        "generation": pointer.generation,
        "moves": [_move_doc(one) for one in pointer.moves[-MOVES_MAX:]],
    }
    raw = codec.dump(doc)
    chars = WORD_CHARS_MAX
    while len(raw) > _BYTES_MAX and chars:
        if len(doc["moves"]) > 1:
            doc["moves"] = doc["moves"][1:]
        else:
            chars //= 2
            doc["withdrawn"] = {
                str(number): word_doc(word, chars) for number, word in pointer.withdrawn.items()
            }
        raw = codec.dump(doc)
    return raw


def _canary_doc(canary: Canary | None) -> dict[str, Any] | None:
    """Return how a canary is tried; its number stands beside it, where it always stood."""
    if canary is None:
        return None
    return {
        "share": canary.share,
        "since_s": canary.since_s,
        "ok_before": canary.before.ok,
        "failed_before": canary.before.failed,
        "own": build_tally_doc(canary.own),
    }


def _move_doc(move: Move) -> dict[str, Any]:
    return {
        "kind": move.kind,
        "from": move.before,
        "to": move.after,
        **(word_doc(move.word) or {}),
    }


def decode_pointer(image: str, provider: str, raw: bytes) -> Pointer:
    """Rebuild a pointer; the pair of :func:`encode_pointer`.

    Raises:
        CorruptRecordError: If *raw* is none of a schema we know.
    """
    fields = Fields(f"{image} in {provider}", codec.parse(f"{image} in {provider}", raw))
    fields.check_schema(SCHEMA)
    return Pointer(
        image=image,
        provider=provider,
        place=read_place(fields, "place"),
        current=fields.count("current", low=1, high=BUILD_NUMBER_MAX),
        previous=_maybe_number(fields, "previous"),
        canary=_canary(fields),
        pinned=_pin(fields.part("pinned")),
        withdrawn=dict(_withdrawn(fields)),
        generation=fields.count("generation", 0),
        moves=tuple(_move(one) for one in fields.listed("moves", MOVES_MAX)),
    )


def _maybe_number(fields: Fields, key: str) -> int | None:
    if fields.doc.get(key) is None:
        return None
    return fields.count(key, low=1, high=BUILD_NUMBER_MAX)


def _canary(fields: Fields) -> Canary | None:
    number, trial = _maybe_number(fields, "canary"), fields.part("canary_trial")
    if number is None or trial is None:
        return None
    own = trial.part("own")
    return Canary(
        number=number,
        share=trial.number("share", high=1.0),
        since_s=trial.number("since_s"),
        before=Counts(trial.count("ok_before", 0), trial.count("failed_before", 0)),
        own=BuildTally() if own is None else read_build_tally(own),
    )


def _pin(part: Fields | None) -> Pin | None:
    if part is None:
        return None
    return Pin(
        number=part.count("build", low=1, high=BUILD_NUMBER_MAX),
        word=word_in(part),
        until_s=part.maybe_number("until_s"),
    )


def _withdrawn(fields: Fields) -> Iterator[tuple[int, Word]]:
    for name, part in fields.parts("withdrawn", WITHDRAWN_MAX):
        number = short_number(name)
        if number is None:
            raise fields.refuse("withdrawn", "words by the numbers of builds")
        yield number, word_in(part)


def _move(part: Fields) -> Move:
    return Move(
        kind=part.word("kind", MoveWhy),
        before=_maybe_number(part, "from"),
        after=_maybe_number(part, "to"),
        word=word_in(part),
    )

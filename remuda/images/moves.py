"""Where a pointer may go: pure, from the records of one image in one provider.

The order of builds is their number, never the time at which one was proven. A pointer goes to an
older build by rollback, revocation or pin only, and once it names something it always does.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from remuda.model.build import Build
from remuda.model.image import OURSELVES, Word
from remuda.model.pointer import MOVES_MAX, WITHDRAWN_MAX, Canary, Move, MoveWhy, Pin, Pointer
from remuda.model.tally import Sample, Tally
from remuda.model.upload import Upload, UploadState


class MoveRefusedError(ValueError):
    """The pointer stays; the message is one sentence for whoever asked, without a full stop."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shelf:
    """One image in one provider.

    Attributes:
        place: Where the provider's images lie now; its pointer may still name another.
        uploads: Those in that place, by the number of their build.
    """

    image: str
    provider: str
    place: str
    pointer: Pointer | None
    builds: Mapping[int, Build]
    uploads: Mapping[int, Upload]

    def why_not(self, number: int) -> str | None:
        """Return why a build may not be pointed at, or None if it may."""
        name = f"build {number} of {self.image}"
        upload, build = self.uploads.get(number), self.builds.get(number)
        if upload is None or build is None:
            return f"{name} is not in {self.provider}"
        taken_back = self._taken_back(number, build)
        if taken_back is not None:
            verb, word = taken_back
            return f"{name} was {verb} by {word.who}: {word.why}"
        if upload.state is not UploadState.USABLE:
            return f"{name} is {upload.state} in {self.provider}, not usable"
        if not upload.passed(self.provider):
            return f"{name} has not passed its checks in {self.provider}"
        return None

    def _taken_back(self, number: int, build: Build) -> tuple[str, Word] | None:
        """Return what somebody did to a build so that it is not booted any more, or None."""
        if build.revoked is not None:
            return "revoked", build.revoked.word
        if build.unwanted is not None:
            return "deleted", build.unwanted
        withdrawn = self.pointer.withdrawn.get(number) if self.pointer else None
        return None if withdrawn is None else (f"withdrawn in {self.provider}", withdrawn)

    def newest(self, *, below: int | None = None) -> int | None:
        """Return the newest build that may be pointed at, older than *below* if that is given."""
        return max(
            (
                number
                for number in self.uploads
                if (below is None or number < below) and self.why_not(number) is None
            ),
            default=None,
        )

    def pointed(self) -> Pointer:
        """Return the pointer.

        Raises:
            MoveRefusedError: If there is none, or it names another place.
        """
        if self.pointer is None:
            raise MoveRefusedError(f"{self.image} has no usable build in {self.provider} yet")
        if self.pointer.place != self.place:
            raise MoveRefusedError(
                f"the pointer of {self.image} in {self.provider} still names builds in another "
                "project or region; it moves when one is usable in the new one"
            )
        return self.pointer


def advance(shelf: Shelf, *, now_s: float) -> Pointer | None:
    """Return the pointer at the newest usable build, or None if it is there, or beyond, already."""
    word = Word(who=OURSELVES, why="it passed its checks", at_s=now_s)
    newest = shelf.newest()
    if newest is None:
        return None
    pointer = shelf.pointer
    if pointer is None or pointer.place != shelf.place:
        return _first(shelf, newest, word)
    if newest <= pointer.current:
        return None
    return _go(shelf, pointer, newest, MoveWhy.ADVANCE, word)


def try_out(shelf: Shelf, share: float, tally: Tally, *, now_s: float) -> Pointer | None:
    """Return the pointer with the newest usable build as its canary, or None if there is none.

    One that is tried already is tried to its end, or what was learned of it would be in vain.

    Args:
        shelf: With a pointer that serves something there.
        share: Of the requests, which get it.
        tally: What was counted there until now: it does not count again.
        now_s: Wall clock, seconds since the epoch.
    """
    pointer, newest = shelf.pointer, shelf.newest()
    if pointer is None or newest is None or newest <= pointer.current:
        return None
    if pointer.canary is not None and shelf.why_not(pointer.canary.number) is None:
        return None
    why = f"build {newest} is tried on {share:.3g} of all requests"
    word = Word(who=OURSELVES, why=why, at_s=now_s)
    before, own = tally.of(pointer.current).total(Sample.LAUNCH), tally.of(newest)
    canary = Canary(number=newest, share=share, since_s=now_s, before=before, own=own)
    return _moved(pointer, MoveWhy.CANARY, word, canary=canary)


def withdraw(shelf: Shelf, word: Word) -> Pointer:
    """Return the pointer without its canary, which is not to be booted here any more.

    Raises:
        MoveRefusedError: If there is none.
    """
    pointer = shelf.pointed()
    if pointer.canary is None:
        raise MoveRefusedError(f"no build of {shelf.image} is tried in {shelf.provider}")
    withdrawn = _with(shelf, pointer.withdrawn, pointer.canary.number, word)
    return _moved(pointer, MoveWhy.WITHDRAW, word, canary=None, withdrawn=withdrawn)


def let_go(shelf: Shelf, word: Word) -> Pointer:
    """Return the pointer without its canary, of which nothing bad is known; it is not usable."""
    return _moved(shelf.pointed(), MoveWhy.WITHDRAW, word, canary=None)


def promote(shelf: Shelf, number: int | None, word: Word) -> Pointer:
    """Return the pointer at a newer build: *number*, or the newest that is usable.

    Raises:
        MoveRefusedError: If there is no such one.
    """
    target = shelf.newest() if number is None else number
    if target is None:
        raise MoveRefusedError(f"no build of {shelf.image} is usable in {shelf.provider}")
    _require(shelf, target)
    pointer = shelf.pointer
    if pointer is None or pointer.place != shelf.place:
        return _first(shelf, target, word)
    if target == pointer.current:
        raise MoveRefusedError(
            f"build {target} of {shelf.image} is current in {shelf.provider} already"
        )
    if target < pointer.current:
        raise MoveRefusedError(
            f"build {target} of {shelf.image} is older than build {pointer.current}, which is "
            f"current in {shelf.provider}: use rollback, or pin it"
        )
    return _go(shelf, pointer, target, MoveWhy.PROMOTE, word)


def rollback(shelf: Shelf, word: Word) -> Pointer:
    """Return the pointer at the build before, with the one that was current withdrawn here.

    Raises:
        MoveRefusedError: If no older one is usable, or a pin makes it idle.
    """
    pointer = shelf.pointed()
    pin = pointer.pin_at(word.at_s)
    if pin is not None:
        raise MoveRefusedError(
            f"{shelf.image} is pinned to build {pin.number} in {shelf.provider} by {pin.word.who}, "
            "which a rollback would not change: unpin it first"
        )
    target = _before(shelf, pointer)
    if target is None:
        raise MoveRefusedError(
            f"no usable build of {shelf.image} in {shelf.provider} is older than build "
            f"{pointer.current}"
        )
    withdrawn = _with(shelf, pointer.withdrawn, pointer.current, word)
    bare = replace(shelf, pointer=replace(pointer, withdrawn=withdrawn))
    return _moved(
        pointer,
        MoveWhy.ROLLBACK,
        word,
        current=target,
        previous=bare.newest(below=target),
        canary=None,
        withdrawn=withdrawn,
    )


def restore_here(shelf: Shelf, number: int, word: Word) -> Pointer:
    """Return the pointer with a build that was withdrawn in this provider given back.

    Raises:
        MoveRefusedError: If it was not withdrawn, or is revoked everywhere: the pointer would
            serve it again, for it was withdrawn because there was nothing else.
    """
    pointer = shelf.pointed()
    if number not in pointer.withdrawn:
        raise MoveRefusedError(
            f"build {number} of {shelf.image} is not withdrawn in {shelf.provider}"
        )
    build = shelf.builds.get(number)
    if build is not None and build.revoked is not None:
        raise MoveRefusedError(
            f"build {number} of {shelf.image} was revoked by {build.revoked.word.who} in all "
            "providers: restore it in all"
        )
    kept = {one: why for one, why in pointer.withdrawn.items() if one != number}
    return _moved(pointer, MoveWhy.RESTORE, word, withdrawn=kept)


def pin(shelf: Shelf, number: int, word: Word, *, until_s: float | None = None) -> Pointer:
    """Return the pointer pinned to any usable build; current goes on moving unseen.

    Raises:
        MoveRefusedError: If it is not usable, or the time is over already.
    """
    pointer = shelf.pointed()
    _require(shelf, number)
    if until_s is not None and until_s <= word.at_s:
        raise MoveRefusedError("a pin has to end in the future")
    return _moved(pointer, MoveWhy.PIN, word, pinned=Pin(number=number, word=word, until_s=until_s))


def unpin(shelf: Shelf, word: Word) -> Pointer:
    """Return the pointer without its pin.

    Raises:
        MoveRefusedError: If there is none.
    """
    pointer = shelf.pointed()
    if pointer.pinned is None:
        raise MoveRefusedError(f"{shelf.image} is not pinned in {shelf.provider}")
    after = _moved(pointer, MoveWhy.UNPIN, word, pinned=None)
    # It may have ended by itself already: what was booted before is its build all the same.
    last = replace(after.moves[-1], before=pointer.pinned.number)
    return replace(after, moves=(*after.moves[:-1], last))


def without(shelf: Shelf, word: Word, *, force: bool) -> Pointer | None:
    """Return the pointer without what is revoked, or None if it names nothing that is.

    By force one that has nothing else keeps its build and withdraws it: launches wait then.

    Raises:
        MoveRefusedError: If nothing usable would be left.
    """
    pointer = shelf.pointer
    if pointer is None or not any(_revoked(shelf, number) for _, number in pointer.named()):
        return None
    pinned = pointer.pinned
    if pinned is not None and _revoked(shelf, pinned.number):
        pinned = None
    canary = pointer.canary
    if canary is not None and _revoked(shelf, canary.number):
        canary = None
    current, withdrawn = pointer.current, pointer.withdrawn
    if _revoked(shelf, current):
        target = _before(shelf, pointer) or shelf.newest()
        if target is None and not force:
            raise MoveRefusedError(
                f"no usable build of {shelf.image} would be left in {shelf.provider}; "
                "with --force its launches wait until there is one"
            )
        withdrawn = _with(shelf, withdrawn, current, word) if target is None else withdrawn
        current, canary = target or current, None  # it was compared with what is gone
    previous = pointer.previous
    if current != pointer.current or (previous is not None and _revoked(shelf, previous)):
        previous = shelf.newest(below=current)
    return _moved(
        pointer,
        MoveWhy.REVOKE,
        word,
        current=current,
        previous=previous,
        canary=canary,
        pinned=pinned,
        withdrawn=withdrawn,
    )


def readmit(shelf: Shelf, numbers: Mapping[int, Word], word: Word) -> Pointer | None:
    """Return the pointer that serves again what a revocation by force had withdrawn, or None.

    Args:
        shelf: With its builds restored.
        numbers: The builds that are restored, with the words that had revoked them.
        word: Who restores them.
    """
    pointer = shelf.pointer
    if pointer is None:
        return None
    kept = {
        one: why
        for one, why in pointer.withdrawn.items()
        if one not in numbers or not _same(why, numbers[one])
    }
    if len(kept) == len(pointer.withdrawn):
        return None
    return _moved(pointer, MoveWhy.RESTORE, word, withdrawn=kept)


def _same(kept: Word, said: Word) -> bool:
    """Whether a pointer keeps the word that was said of a build; of a long one it keeps less."""
    return kept.at_s == said.at_s and said.who.startswith(kept.who)


def _require(shelf: Shelf, number: int) -> None:
    why_not = shelf.why_not(number)
    if why_not is not None:
        raise MoveRefusedError(f"{why_not}{_first_of_all(shelf, number)}")


def _first_of_all(shelf: Shelf, number: int) -> str:
    """Return the command that lets a build be pointed at again, as the end of a sentence."""
    build = shelf.builds.get(number)
    command = f"; first: remuda image restore {shelf.image}/{number}"
    if build is None or build.unwanted is not None:
        return ""
    if build.revoked is not None:
        return command
    withdrawn = shelf.pointer is not None and number in shelf.pointer.withdrawn
    return f"{command} --provider {shelf.provider}" if withdrawn else ""


def _revoked(shelf: Shelf, number: int) -> bool:
    build = shelf.builds.get(number)
    return build is not None and build.revoked is not None


def _before(shelf: Shelf, pointer: Pointer) -> int | None:
    """Return what a rollback goes to: the one before if it may, else the next older one."""
    previous = pointer.previous
    if previous is not None and previous < pointer.current and shelf.why_not(previous) is None:
        return previous
    return shelf.newest(below=pointer.current)


def _first(shelf: Shelf, number: int, word: Word) -> Pointer:
    """Return the first pointer of an image in a place."""
    old = shelf.pointer
    if old is None:
        fresh = Pointer(
            image=shelf.image, provider=shelf.provider, place=shelf.place, current=number
        )
        return replace(fresh, moves=(_move(MoveWhy.FIRST, None, number, word),), generation=1)
    return _moved(
        old,
        MoveWhy.PLACE,
        word,
        place=shelf.place,
        current=number,
        previous=None,
        canary=None,
        pinned=None,
    )


def _go(shelf: Shelf, pointer: Pointer, number: int, kind: MoveWhy, word: Word) -> Pointer:
    """Return the pointer at a newer build; what was current becomes previous if it still may."""
    kept = shelf.why_not(pointer.current) is None
    previous = pointer.current if kept else shelf.newest(below=number)
    return _moved(pointer, kind, word, current=number, previous=previous, canary=None)


def _moved(pointer: Pointer, kind: MoveWhy, word: Word, **changes: Any) -> Pointer:
    after = replace(pointer, generation=pointer.generation + 1, **changes)
    move = _move(kind, pointer.served(word.at_s), after.served(word.at_s), word)
    return replace(after, moves=(*pointer.moves, move)[-MOVES_MAX:])


def _move(kind: MoveWhy, before: int | None, after: int | None, word: Word) -> Move:
    return Move(kind=kind, before=before, after=after, word=word)


def _with(
    shelf: Shelf, withdrawn: Mapping[int, Word], number: int, word: Word
) -> Mapping[int, Word]:
    """Return what is withdrawn with one more; too many: builds that are gone, then the oldest."""
    others = sorted(withdrawn.keys() - {number}, key=lambda one: (one in shelf.builds, one))
    both = {**withdrawn, number: word}
    return {one: both[one] for one in sorted([*others[-(WITHDRAWN_MAX - 1) :], number])}

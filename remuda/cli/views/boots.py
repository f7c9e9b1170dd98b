"""What launches boot now, by provider, as a table: what every move of a pointer ends with."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from remuda.cli.output import Sheet, age
from remuda.images.state import ImageState
from remuda.model.image import Word
from remuda.model.lastuse import LastUse
from remuda.model.pointer import Canary

_COLUMNS = ("IMAGE", "PROVIDER", "BOOTS", "CURRENT", "PREVIOUS", "PINNED")
#: After a command only: where in the row it stands.
_BEFORE, _BEFORE_AT = "BEFORE", 3


@dataclass(frozen=True, slots=True, kw_only=True)
class BootOutcome:
    """What came of a command in one provider.

    Attributes:
        before: What launches booted there before it; None: nothing.
        refused: Why nothing was done, or None.
    """

    image: str
    provider: str
    before: int | None = None
    refused: str | None = None


def boots_sheet(
    found: Sequence[ImageState],
    outcomes: Sequence[BootOutcome] = (),
    differences: Mapping[tuple[str, str], str] | None = None,
    *,
    now_s: float,
) -> Sheet:
    """Return what launches boot now, and, after a command, what they did before.

    *differences* says, by image and provider, how the one differs from the other.
    """
    told_of = differences or {}
    before = {(one.image, one.provider): one for one in outcomes}
    columns = [*_COLUMNS[:_BEFORE_AT], *((_BEFORE,) if before else ()), *_COLUMNS[_BEFORE_AT:]]
    rows, data, notes = [], [], []
    for one in found:
        told = before.get((one.image, one.provider))
        row = _row(one)
        refused = told is None or told.refused is not None
        cell = "-" if told is None or refused else number_text(told.before)
        rows.append((*row[:_BEFORE_AT], *((cell,) if before else ()), *row[_BEFORE_AT:]))
        notes += state_notes(one, now_s)
        data.append(
            {
                **state_json(one),
                "before": None if told is None else told.before,
                "refused": None if told is None else told.refused,
                "difference": told_of.get((one.image, one.provider)),
            }
        )
    notes += first_use_notes(found, now_s)
    notes += dict.fromkeys(f"{image}, {said}" for (image, _), said in told_of.items())
    if not rows:
        notes.append("no provider has a build of it yet")
    return Sheet(columns=columns, rows=rows, data=data, notes=notes)


def state_json(one: ImageState) -> dict[str, object]:
    """Return the state of an image in a provider, with the stable keys of docs/cli.md."""
    pointer, newest, pin = one.pointer, one.newest, one.pin
    return {
        "image": one.image,
        "provider": one.provider,
        "boots": one.boots,
        "current": pointer and pointer.current,
        "previous": pointer and pointer.previous,
        "pinned": pin
        and {**_word(pin.word), "build": pin.number, "ends_at_s": pin.until_s or None},
        "canary": pointer and pointer.canary and canary_json(pointer.canary),
        "withdrawn": []
        if pointer is None
        else [{**_word(word), "build": number} for number, word in pointer.withdrawn.items()],
        "newest": newest and newest.id.number,
        "state": one.state,
        "changed_at_s": newest and newest.since_s,
        "waits": one.waits,
        "retry_at_s": one.retry_s or None,
        "orphan": one.orphan,
        "first_use": one.used
        and {
            "used_at_s": one.used.at_s,
            "provider": one.used.provider or None,
            "ttl_s": one.used.ttl_s,
        },
    }


def first_use_notes(found: Iterable[ImageState], now_s: float) -> list[str]:
    """Return how long images are unused that are made on first use: once for each."""
    notes = dict.fromkeys(
        f"{one.image} is made on first use: {_unused(one.used, now_s)}"
        for one in found
        if one.used is not None
    )
    return list(notes)


def _unused(used: LastUse, now_s: float) -> str:
    if used.at_s is None:
        return "when it was last used cannot be read"
    limit = "" if used.ttl_s is None else f", and goes after {age(used.ttl_s)} without use"
    where = f" (last in {used.provider})" if used.provider else ""
    return f"unused for {age(max(0.0, now_s - used.at_s))}{where}{limit}"


def canary_json(canary: Canary) -> dict[str, object]:
    """Return what is tried on a part of the requests, with the stable keys of docs/cli.md."""
    since_s = canary.since_s or None
    return {"build": canary.number, "share": canary.share, "since_s": since_s}


def _word(word: Word) -> dict[str, object]:
    return {"who": word.who, "why": word.why, "at_s": word.at_s or None}


def pinned_number(one: ImageState) -> str:
    """Return the build that is pinned now, for a cell."""
    return "-" if one.pin is None else str(one.pin.number)


def state_notes(one: ImageState, now_s: float) -> list[str]:
    """Return what stands below a table: who has pinned a build, and why a newer one waits."""
    where, notes = f"{one.image} in {one.provider}", []
    pin = one.pin
    if pin is not None:
        left = "" if pin.until_s is None else f" ({age(pin.until_s - now_s)} left)"
        notes.append(
            f"{where}: build {pin.number} is pinned by {pin.word.who}{left}: {pin.word.why}"
        )
    if one.waits is not None and (pin is None or not _of_pin(one)):
        again = "" if one.retry_s is None else f"; again in {age(one.retry_s - now_s)}"
        notes.append(f"{where}{_about(one)}: {one.waits}{again}")
    return notes


def _of_pin(one: ImageState) -> bool:
    """Whether what it waits for is the end of its pin, which is told already."""
    return one.newest is None or one.pointer is None or _is_old(one)


def number_text(number: int | None) -> str:
    """Return the number of a build, for a cell."""
    return "-" if number is None else str(number)


def _row(one: ImageState) -> tuple[str, ...]:
    pointer = one.pointer
    return (
        one.image,
        one.provider,
        "nothing" if one.boots is None else str(one.boots),
        number_text(None if pointer is None else pointer.current),
        number_text(None if pointer is None else pointer.previous),
        pinned_number(one),
    )


def _about(one: ImageState) -> str:
    """Return which build it is that waits; none if launches do, or nothing is newer."""
    if one.newest is None or one.orphan or _is_old(one):
        return ""
    launches_wait = one.pointer is not None and one.boots is None
    return "" if launches_wait else f", build {one.newest.id.number}"


def _is_old(one: ImageState) -> bool:
    """Whether the newest build is current, or older than that."""
    current = 0 if one.pointer is None else one.pointer.current
    return one.newest is None or one.newest.id.number <= current

"""What launches boot now, by provider, as a table: what every move of a pointer ends with."""

from collections.abc import Sequence
from dataclasses import dataclass

from remuda.cli.output import Sheet, age
from remuda.images.standing import Standing

_COLUMNS = ("IMAGE", "PROVIDER", "BOOTS", "BEFORE", "CURRENT", "PREVIOUS", "PINNED", "WAITS")


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
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
    found: Sequence[Standing], outcomes: Sequence[Outcome] = (), *, now_s: float
) -> Sheet:
    """Return what launches boot now, and what they did before the command."""
    before = {(one.image, one.provider): one for one in outcomes}
    rows, data = [], []
    for one in found:
        told = before.get((one.image, one.provider))
        rows.append(_row(one, told, now_s))
        data.append(
            {
                **standing_json(one),
                "before": None if told is None else told.before,
                "refused": None if told is None else told.refused,
            }
        )
    notes = [] if rows else ["no provider has a build of it yet"]
    return Sheet(columns=_COLUMNS, rows=rows, data=data, notes=notes)


def standing_json(one: Standing) -> dict[str, object]:
    """Return how an image stands in a provider, with the stable keys of docs/cli.md."""
    pointer, newest, pin = one.pointer, one.newest, one.pin
    return {
        "image": one.image,
        "provider": one.provider,
        "boots": one.boots,
        "current": pointer and pointer.current,
        "previous": pointer and pointer.previous,
        "pinned": pin and {**_word(pin.word), "build": pin.number, "until_s": pin.until_s},
        "withdrawn": []
        if pointer is None
        else [{**_word(word), "build": number} for number, word in pointer.withdrawn.items()],
        "newest": newest and newest.id.number,
        "state": one.state,
        "since_s": newest and newest.since_s,
        "waits": one.waits,
        "retry_s": one.retry_s,
    }


def _word(word: object) -> dict[str, object]:
    return {key: getattr(word, key) for key in ("who", "why", "at_s")}


def pinned_text(one: Standing, now_s: float) -> str:
    """Return the pin that holds now, for a cell."""
    if one.pin is None:
        return "-"
    left = "" if one.pin.until_s is None else f" ({age(one.pin.until_s - now_s)} left)"
    return f"{one.pin.number} by {one.pin.word.who}{left}"


def waits_text(one: Standing, now_s: float) -> str:
    """Return what an image waits for, and for how long, for a cell."""
    again = "" if one.retry_s is None else f"; again in {age(one.retry_s - now_s)}"
    return f"{one.waits or ''}{again}"


def number_text(number: int | None) -> str:
    """Return the number of a build, for a cell."""
    return "-" if number is None else str(number)


def _row(one: Standing, told: Outcome | None, now_s: float) -> tuple[str, ...]:
    pointer = one.pointer
    return (
        one.image,
        one.provider,
        "nothing" if one.boots is None else str(one.boots),
        "-" if told is None or told.refused is not None else number_text(told.before),
        number_text(None if pointer is None else pointer.current),
        number_text(None if pointer is None else pointer.previous),
        pinned_text(one, now_s),
        _about(one) + waits_text(one, now_s),
    )


def _about(one: Standing) -> str:
    """Return which build it is that waits, where no column says it."""
    current = 0 if one.pointer is None else one.pointer.current
    if one.waits is None or one.newest is None or one.newest.id.number <= current:
        return ""
    return "" if one.pointer is not None and one.boots is None else f"{one.newest.id.number}: "

"""Images by provider as a table: what launches boot, and what comes next."""

from collections.abc import Sequence

from remuda.cli.output import Sheet, age, broken_notes
from remuda.cli.views.boots import (
    first_use_notes,
    number_text,
    pinned_number,
    state_json,
    state_notes,
)
from remuda.images.catalogue import Catalogue
from remuda.images.state import ImageState, image_states, state_text
from remuda.images.words import BuilderWords
from remuda.store import paths

#: What is long stands in sentences below: a screen has eighty columns.
_COLUMNS = (
    *("IMAGE", "PROVIDER", "BOOTS", "AGE", "PREV", "PINNED"),
    *("NEWEST", "STATE", "SINCE"),
)
_NO_BUILDER = (
    "no builder is running: nothing is built, tried or deleted until somebody starts one: "
    "remuda builder --config FILE"
)
#: Where every path of ours begins, for people.
_ROOT = f"{paths.REMUDA}/"


def images_sheet(seen: Catalogue, words: BuilderWords, *, now_s: float) -> Sheet:
    """Return every image in every provider that has, or is to have, it.

    Args:
        seen: What is on record.
        words: Of the builders that are alive.
        now_s: Wall clock, seconds since the epoch.
    """
    rows, data, notes = [], [], []
    for image in seen.images():
        found = image_states(seen, image, now_s=now_s, words=words)
        alarms = list(words.alarms.get(image, ()))
        for one in found:
            rows.append(_row(seen, one, now_s))
            notes += state_notes(one, now_s)
            built_s = _built_s(seen, one)
            data.append({**state_json(one), "built_at_s": built_s, "alarms": alarms})
        notes += first_use_notes(found, now_s)
        if not found:
            rows.append((image, *["-"] * 8))
            notes.append(f"{image}: {_why_nowhere(seen, image, words)}")
            data.append({**_nowhere(seen, image, words), "built_at_s": None, "alarms": alarms})
    notes += [*alarm_notes(words), *unreadable_notes(seen)]
    notes += [
        f"{name}: {why}; it goes on by the one before" for name, why in words.unread().items()
    ]
    if not rows and not notes:
        notes.append("no image is on record: no builder has started yet")
    elif not words.living:
        notes.append(_NO_BUILDER)
    return Sheet(columns=_COLUMNS, rows=rows, data=data, notes=notes)


def alarm_notes(words: BuilderWords, only: str | None = None) -> list[str]:
    """Return what people should see to, of all images or of one, and what builders cannot say."""
    return [
        *(
            f"alarm: {image}: {text}"
            for image, texts in words.alarms.items()
            if only in {None, image}
            for text in texts
        ),
        *broken_notes({f"builders/{name}": why for name, why in words.corrupt.items()}),
    ]


def words_sheet(
    seen: Catalogue, words: BuilderWords, image: str, providers: Sequence[str]
) -> Sheet:
    """Return what builders say of an image: why something of it waits, and alarms."""
    said = words.about(image, providers)
    notes = [*alarm_notes(words, image), *unreadable_notes(seen)]
    if not words.living:
        notes.append(_NO_BUILDER)
    if words.left_out:
        notes.append(f"builders had no room to say why {words.left_out} more things wait")
    return Sheet(
        columns=("WHAT WAITS", "WHY"),
        rows=list(said.items()),
        data=[{"name": name, "why": why} for name, why in said.items()],
        notes=notes,
        title="waits",
    )


def unreadable_notes(seen: Catalogue) -> list[str]:
    """Return sentences about records that cannot be read."""
    names = [one.removeprefix(_ROOT) for one in seen.library.unreadable]
    return broken_notes(dict.fromkeys(names, "it cannot be read, and may refer to any image"))


def _why_nowhere(seen: Catalogue, image: str, words: BuilderWords) -> str:
    record = seen.library.images.get(image)
    paused = None if record is None else record.value.paused
    if paused is not None:
        return f"paused by {paused.who}: {paused.why}"
    if record is not None and record.value.wanted is not None:
        return f"no build was begun yet; wanted by {record.value.wanted.who}"
    if words.providers is not None and image not in words.providers:
        return "it is not in the configuration any more"
    return words.of(image) or "no build was begun yet"


def _nowhere(seen: Catalogue, image: str, words: BuilderWords) -> dict[str, object]:
    gone = words.providers is not None and image not in words.providers
    empty = state_json(ImageState(image=image, provider="", orphan=gone))
    return {**empty, "provider": None, "waits": _why_nowhere(seen, image, words)}


def _built_s(seen: Catalogue, one: ImageState) -> float | None:
    build = seen.builds.get(one.image, {}).get(one.boots or 0)
    return None if build is None else build.fresh_s


def _row(seen: Catalogue, one: ImageState, now_s: float) -> tuple[str, ...]:
    built_s, newest = _built_s(seen, one), one.newest
    return (
        one.image,
        one.provider,
        "nothing" if one.boots is None else str(one.boots),
        "-" if built_s is None else age(now_s - built_s),
        number_text(None if one.pointer is None else one.pointer.previous),
        pinned_number(one),
        number_text(None if newest is None else newest.id.number),
        "orphan" if one.orphan else one.state or "-",
        "-" if newest is None else age(now_s - newest.since_s),
    )


def builds_sheet(seen: Catalogue, image: str, *, now_s: float) -> Sheet:
    """Return all builds of an image, the newest first."""
    rows, data, notes = [], [], []
    for build in reversed([*seen.builds.get(image, {}).values()]):
        uploads = seen.uploads.get(build.id, {})
        states = ", ".join(f"{place[:4]} {one.state}" for place, one in uploads.items())
        rows.append(
            (
                str(build.id.number),
                state_text(build),
                str(build.why),
                ", ".join(build.group) or "-",
                age(now_s - build.requested_s),
                states or "-",
            )
        )
        if build.mishap is not None:
            notes.append(f"build {build.id.number}: {build.mishap.said}")
        data.append(
            {
                "build": str(build.id),
                "number": build.id.number,
                "state": str(build.state),
                "why": str(build.why),
                "providers": list(build.group),
                "requested_at_s": build.requested_s or None,
                "uploads": {place: str(one.state) for place, one in uploads.items()},
            }
        )
    columns = ("BUILD", "STATE", "WHY", "PROVIDERS", "AGE", "UPLOADS")
    return Sheet(columns=columns, rows=rows, data=data, notes=notes, title="builds")


def moves_sheet(seen: Catalogue, image: str, *, now_s: float) -> Sheet:
    """Return the last moves of an image's pointers, the newest first."""
    some = [
        (move.word.at_s, provider, move)
        for provider, pointer in seen.pointers.get(image, {}).items()
        for move in pointer.moves
    ]
    some.sort(key=lambda one: one[0], reverse=True)
    rows: Sequence[tuple[str, ...]] = [
        (
            provider,
            str(move.kind),
            number_text(move.before),
            number_text(move.after),
            f"{age(now_s - at_s)} ago",
            move.word.who,
            move.word.why,
        )
        for at_s, provider, move in some
    ]
    data = [
        {
            "provider": provider,
            "kind": str(move.kind),
            "from": move.before,
            "to": move.after,
            "at_s": at_s or None,
            "who": move.word.who,
            "why": move.word.why,
        }
        for at_s, provider, move in some
    ]
    columns = ("PROVIDER", "MOVE", "FROM", "TO", "WHEN", "WHO", "WHY")
    return Sheet(columns=columns, rows=rows, data=data, title="moves")

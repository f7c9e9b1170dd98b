"""Images by provider as a table: what launches boot, and what comes next."""

from collections.abc import Sequence

from remuda.cli.output import Sheet, age, broken_notes
from remuda.cli.views.boots import number_text, pinned_text, standing_json, waits_text
from remuda.images.catalogue import Catalogue
from remuda.images.standing import Standing, standings
from remuda.store import paths

_COLUMNS = (
    *("IMAGE", "PROVIDER", "BOOTS", "AGE", "PREVIOUS", "PINNED"),
    *("NEWEST", "STATE", "SINCE", "WAITS"),
)
#: Where every path of ours begins, for people.
_ROOT = f"{paths.REMUDA}/"


def images_sheet(seen: Catalogue, *, builders: int, now_s: float) -> Sheet:
    """Return every image in every provider that has, or is to have, it.

    Args:
        seen: What is on record.
        builders: How many are alive.
        now_s: Wall clock, seconds since the epoch.
    """
    rows, data = [], []
    for image in seen.images():
        found = standings(seen, image, now_s=now_s)
        for one in found:
            rows.append(_row(seen, one, now_s))
            data.append({**standing_json(one), "built_s": _built_s(seen, one)})
        if not found:
            rows.append((image, *["-"] * 8, _why_nowhere(seen, image)))
            data.append(_nowhere(seen, image))
    notes = unreadable_notes(seen)
    if not rows and not notes:
        notes.append("no image is on record: no builder has started yet")
    elif not builders:
        notes.append("no builder is running: nothing is built, tried or deleted")
    return Sheet(columns=_COLUMNS, rows=rows, data=data, notes=notes)


def unreadable_notes(seen: Catalogue) -> list[str]:
    """Return sentences about records that cannot be read."""
    names = [one.removeprefix(_ROOT) for one in seen.library.unreadable]
    return broken_notes(dict.fromkeys(names, "it cannot be read, and may refer to any image"))


def _why_nowhere(seen: Catalogue, image: str) -> str:
    record = seen.library.images.get(image)
    paused = None if record is None else record.value.paused
    if paused is not None:
        return f"paused by {paused.who}: {paused.why}"
    if record is not None and record.value.wanted is not None:
        return f"no build was begun yet; wanted by {record.value.wanted.who}"
    return "no build was begun yet"


def _nowhere(seen: Catalogue, image: str) -> dict[str, object]:
    empty = standing_json(Standing(image=image, provider=""))
    return {**empty, "provider": None, "waits": _why_nowhere(seen, image), "built_s": None}


def _built_s(seen: Catalogue, one: Standing) -> float | None:
    build = seen.builds.get(one.image, {}).get(one.boots or 0)
    return None if build is None else build.requested_s


def _row(seen: Catalogue, one: Standing, now_s: float) -> tuple[str, ...]:
    built_s, newest = _built_s(seen, one), one.newest
    return (
        one.image,
        one.provider,
        "nothing" if one.boots is None else str(one.boots),
        "-" if built_s is None else age(now_s - built_s),
        number_text(None if one.pointer is None else one.pointer.previous),
        pinned_text(one, now_s),
        number_text(None if newest is None else newest.id.number),
        one.state or "-",
        "-" if newest is None else age(now_s - newest.since_s),
        waits_text(one, now_s),
    )


def builds_sheet(seen: Catalogue, image: str, *, now_s: float) -> Sheet:
    """Return all builds of an image, the newest first."""
    rows, data = [], []
    for build in reversed([*seen.builds.get(image, {}).values()]):
        uploads = seen.uploads.get(build.id, {})
        states = ", ".join(f"{place[:4]} {one.state}" for place, one in uploads.items())
        rows.append(
            (
                str(build.id.number),
                "revoked" if build.revoked is not None else str(build.state),
                str(build.why),
                ", ".join(build.group) or "-",
                age(now_s - build.requested_s),
                states or "-",
                "" if build.mishap is None else f"{build.mishap.step}: {build.mishap.message}",
            )
        )
        data.append(
            {
                "build": str(build.id),
                "number": build.id.number,
                "state": str(build.state),
                "why": str(build.why),
                "providers": list(build.group),
                "requested_s": build.requested_s,
                "uploads": {place: str(one.state) for place, one in uploads.items()},
            }
        )
    columns = ("BUILD", "STATE", "WHY", "PROVIDERS", "AGE", "UPLOADS", "FAILURE")
    return Sheet(columns=columns, rows=rows, data=data, title="builds")


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
            "at_s": at_s,
            "who": move.word.who,
            "why": move.word.why,
        }
        for at_s, provider, move in some
    ]
    columns = ("PROVIDER", "MOVE", "FROM", "TO", "WHEN", "WHO", "WHY")
    return Sheet(columns=columns, rows=rows, data=data, title="moves")

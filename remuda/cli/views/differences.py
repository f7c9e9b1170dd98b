"""What differs between two builds, as tables: contents, sizes, and times."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from remuda.cli.output import Sheet
from remuda.images.catalogue import Catalogue
from remuda.images.comparison import Comparison
from remuda.images.inventory import Difference, ItemKind, show_bytes
from remuda.images.inventory import show_value as shown
from remuda.model.build import Build
from remuda.model.fetched import During
from remuda.model.upload import Upload

#: A new release of a distribution changes hundreds.
LINES_MAX: Final = 20


def differences_sheet(one: Comparison, *, lines_max: int | None) -> Sheet:
    """Return what differs as a table, the first lines of it unless *lines_max* is None."""
    found = one.found or ()
    rows = [(each.change, str(each.kind), each.name, *_values(each)) for each in found[:lines_max]]
    notes: list[str] = []
    if len(found) > len(rows):
        notes = [f"and {len(found) - len(rows)} more: --all"]
    data = [
        {
            "change": each.change,
            "kind": str(each.kind),
            "name": each.name,
            "before": each.before and _value(each.kind, each.before),
            "after": each.after and _value(each.kind, each.after),
        }
        for each in found
    ]
    return Sheet(
        columns=("CHANGE", "WHAT", "NAME", "BEFORE", "AFTER"),
        rows=rows,
        data=None if one.found is None else data,
        notes=[*notes, *one.notes],
        title="differences",
    )


def _values(one: Difference) -> tuple[str, str]:
    before, after = shown(one.kind, one.before), shown(one.kind, one.after)
    return (before, "other contents") if before == after else (before, after)


def _value(kind: ItemKind, value: str) -> object:
    """Return a value with the stable keys of docs/cli.md."""
    parts = value.split(":")
    if kind is not ItemKind.FOLDER or len(parts) != 3:  # noqa: PLR2004 - as Item says
        return value
    return {"files": int(parts[0]), "bytes": int(parts[1]), "hash": parts[2]}


@dataclass(frozen=True, slots=True)
class _Measured:
    """One thing that was measured of a build in one provider, or place."""

    where: str
    what: str
    unit: str
    value: float


def measures_sheet(seen: Catalogue, before: Build | None, build: Build) -> Sheet:
    """Return sizes and times of two builds beside each other, where both are known."""
    then, now = (
        {(one.where, one.what): one for one in _all_measured(seen, each)}
        for each in (before or build, build)
    )
    if before is None:
        then = {}
    both = [(then[key], now[key]) for key in then if key in now]
    rows = [(one.where, one.what, _measure(one), _measure(other)) for one, other in both]
    data = [
        {
            "where": one.where,
            "what": one.what,
            "unit": one.unit,
            "before": one.value,
            "after": other.value,
        }
        for one, other in both
    ]
    columns = ("WHERE", "WHAT", "BEFORE", "AFTER")
    return Sheet(columns=columns, rows=rows, data=data, title="size and times")


def _all_measured(seen: Catalogue, build: Build) -> Iterator[_Measured]:
    yield from _measured(seen.uploads.get(build.id, {}))
    for (image, provider), stored in seen.library.tallies.items():
        if image != build.id.image:
            continue
        counted = stored.value.of(build.id.number)
        for during in During:
            for label, one in counted.fetched(during).items():
                if one.mean_bytes is not None:
                    what = f"fetched by a {during} of {label}"
                    yield _Measured(provider, what, "bytes", one.mean_bytes)


def _measured(uploads: Mapping[str, Upload]) -> Iterator[_Measured]:
    for place, upload in uploads.items():
        if upload.size_bytes is not None:
            yield _Measured(place, "size", "bytes", upload.size_bytes)
        for provider, trial in upload.trials.items():
            if trial.times is None:
                continue
            if trial.times.boot_s is not None:
                yield _Measured(provider, "boot", "seconds", round(trial.times.boot_s, 3))
            for name, seconds in trial.times.checks:
                yield _Measured(provider, f"check {name}", "seconds", seconds)
            for name, seconds in trial.times.offline:
                yield _Measured(provider, f"offline check {name}", "seconds", seconds)


def _measure(one: _Measured) -> str:
    return show_bytes(int(one.value)) if one.unit == "bytes" else f"{one.value:.1f} s"


def difference_sheets(
    seen: Catalogue, one: Comparison, *, lines_max: int | None
) -> Sequence[Sheet]:
    """Return all that is known of the difference between two builds."""
    sheet = differences_sheet(one, lines_max=lines_max)
    head = Sheet(
        columns=(),
        rows=[],
        data={
            "build": str(one.build.id),
            "before": one.before and str(one.before.id),
            "contents": one.text,
        },
        notes=[f"{one.build.id}: {one.text}"],
    )
    return (head, sheet, measures_sheet(seen, one.before, one.build))

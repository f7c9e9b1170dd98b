"""How machines of each build went, by provider and label, as a table; it judges a canary."""

from collections.abc import Iterator

from remuda.cli.output import Sheet
from remuda.images.catalogue import Catalogue
from remuda.model.tally import BuildTally, Counts, Tally

_COLUMNS = ("PROVIDER", "BUILD", "IS", "LABEL", "LAUNCHES", "FAILED", "JOBS", "FAILED")


def tallies_sheet(seen: Catalogue, image: str) -> Sheet:
    """Return what is counted of the builds of an image, the newest first."""
    rows, data = [], []
    for (name, provider), stored in sorted(seen.library.tallies.items()):
        if name != image:
            continue
        for number, label, launches, jobs in _counts(stored.value):
            named = _named(seen, image, provider, number)
            cells = (launches.total, launches.failed, jobs.total, jobs.failed)
            rows.append((provider, str(number), named or "-", label, *map(str, cells)))
            data.append(
                {
                    "provider": provider,
                    "build": number,
                    "is": named,
                    "label": label,
                    "launches": {"ok": launches.ok, "failed": launches.failed},
                    "jobs": {"ok": jobs.ok, "failed": jobs.failed},
                }
            )
    return Sheet(columns=_COLUMNS, rows=rows, data=data, title="tallies")


def _counts(tally: Tally) -> Iterator[tuple[int, str, Counts, Counts]]:
    for number in sorted(tally.builds, reverse=True):
        one: BuildTally = tally.builds[number]
        for label in sorted({*one.launches, *one.jobs}):
            launches, jobs = (some.get(label, Counts()) for some in (one.launches, one.jobs))
            yield number, label, launches, jobs


def _named(seen: Catalogue, image: str, provider: str, number: int) -> str | None:
    """Return what a build is to launches there, or None."""
    pointer = seen.pointers.get(image, {}).get(provider)
    if pointer is None:
        return None
    if number in pointer.withdrawn:
        return "withdrawn"
    return next((name for name, named in pointer.named() if named == number), None)

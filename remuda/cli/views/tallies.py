"""How machines of each build went, by provider and label, as a table; it judges a canary.

Beside it, what they fetched from the network, as they say, and what those fetch that boot no image
of ours: what an image saves.
"""

from collections.abc import Iterator, Mapping

from remuda.cli.output import Sheet
from remuda.images.catalogue import Catalogue
from remuda.images.inventory import show_bytes
from remuda.model.fetched import During, Fetches
from remuda.model.tally import BuildTally, Counts, Tally

_COLUMNS = (
    *("PROVIDER", "BUILD", "IS", "LABEL", "LAUNCHES", "FAILED", "JOBS", "FAILED"),
    *("SETUP FETCHES", "JOB FETCHES"),
)
_WITHOUT = "without image"


def tallies_sheet(seen: Catalogue, image: str, plain: Mapping[str, BuildTally]) -> Sheet:
    """Return what is counted of the builds of an image, the newest first.

    Args:
        seen: All records.
        image: Which.
        plain: By provider, what is counted of machines that boot no image of ours.
    """
    rows, data = [], []
    notes: list[str] = []
    for (name, provider), stored in sorted(seen.library.tallies.items()):
        if name != image:
            continue
        labels: dict[str, int] = {}
        for number, label, one in _counts(stored.value):
            labels.setdefault(label, number)
            named = _named(seen, image, provider, number)
            rows.append((provider, str(number), named or "-", label, *_cells(one, label, number)))
            data.append(_json(provider, number, named, label, one))
        without = plain.get(provider, BuildTally())
        for label in sorted(labels):
            if label in without.fetched_setups or label in without.fetched_jobs:
                rows.append((provider, "-", _WITHOUT, label, *_cells(without, label, None)))
                data.append(_json(provider, None, _WITHOUT, label, without))
            built = stored.value.of(labels[label])
            notes += _saved(f"{label} in {provider}", labels[label], built, without, label)
    return Sheet(columns=_COLUMNS, rows=rows, data=data, notes=notes, title="tallies")


def _counts(tally: Tally) -> Iterator[tuple[int, str, BuildTally]]:
    for number in sorted(tally.builds, reverse=True):
        one: BuildTally = tally.builds[number]
        for label in sorted({*one.launches, *one.jobs}):
            yield number, label, one


def _failed(number: int | None, launches: Counts) -> int | None:
    """Return how many launches failed; None: without an image those that fail are not counted."""
    return None if number is None else launches.failed


def _cells(one: BuildTally, label: str, number: int | None) -> tuple[str, ...]:
    launches, jobs = (some.get(label, Counts()) for some in (one.launches, one.jobs))
    failed = _failed(number, launches)
    counts = (launches.total, "-" if failed is None else failed, jobs.total, jobs.failed)
    return (*map(str, counts), *(_mean(one, during, label) for during in During))


def _mean(one: BuildTally, during: During, label: str) -> str:
    mean = one.fetched(during).get(label, Fetches()).mean_bytes
    return "-" if mean is None else show_bytes(mean)


def _json(
    provider: str, number: int | None, named: str | None, label: str, one: BuildTally
) -> dict[str, object]:
    launches, jobs = (some.get(label, Counts()) for some in (one.launches, one.jobs))
    return {
        "provider": provider,
        "build": number,
        "is": named,
        "label": label,
        "launches": {"ok": launches.ok, "failed": _failed(number, launches)},
        "jobs": {"ok": jobs.ok, "failed": jobs.failed},
        "fetched": {str(during): fetches_json(one, during, label) for during in During},
    }


def fetches_json(one: BuildTally, during: During, label: str) -> dict[str, object]:
    """Return what machines of a label fetched, with the stable keys of docs/cli.md."""
    found = one.fetched(during).get(label, Fetches())
    return {"machines": found.count, "mean_bytes": found.mean_bytes}


def _saved(
    where: str, number: int, built: BuildTally, without: BuildTally, label: str
) -> Iterator[str]:
    """Say what an image saves, where both are known."""
    for during in During:
        now, then = (
            one.fetched(during).get(label, Fetches()).mean_bytes for one in (built, without)
        )
        if now is not None and then is not None:
            yield (
                f"{where}: a {during} fetches {show_bytes(now)} with build {number}, and "
                f"{show_bytes(then)} without an image"
            )


def _named(seen: Catalogue, image: str, provider: str, number: int) -> str | None:
    """Return what a build is to launches there, or None."""
    pointer = seen.pointers.get(image, {}).get(provider)
    if pointer is None:
        return None
    if number in pointer.withdrawn:
        return "withdrawn"
    return next((name for name, named in pointer.named() if named == number), None)

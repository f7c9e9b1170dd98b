"""How much machines fetch from the network: while they are set up, and while a job runs."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from remuda.model.fields import Fields

#: 64 TiB: more is no machine's, and is not believed.
FETCHED_BYTES_MAX: Final = 2**46
#: Older ones count half, again and again: the mean is about that of the last so many.
LAST: Final = 100


class During(StrEnum):
    """When something was fetched."""

    SETUP = "setup"  # while the label's setup script ran
    JOB = "job"  # while the holder's work ran, as far as it was reported


@dataclass(frozen=True, slots=True)
class Fetches:
    """How much was fetched, of how many machines."""

    count: int = 0
    total_bytes: int = 0

    @property
    def mean_bytes(self) -> int | None:
        """How much one machine fetches; None: nothing is known."""
        return round(self.total_bytes / self.count) if self.count else None

    def plus(self, fetched: int) -> "Fetches":
        """Return it with one machine more."""
        if self.count < LAST:
            return Fetches(self.count + 1, self.total_bytes + fetched)
        return Fetches(self.count // 2, self.total_bytes // 2).plus(fetched)


def believed(value: object) -> int | None:
    """Return bytes as somebody says them, if a machine can have fetched so many; else None."""
    if isinstance(value, bool) or not isinstance(value, int):
        return None
    return value if 0 <= value <= FETCHED_BYTES_MAX else None


def fetches_doc(some: Mapping[str, Fetches]) -> dict[str, dict[str, int]]:
    """Return them, by label, as a part of a record."""
    return {label: {"count": one.count, "bytes": one.total_bytes} for label, one in some.items()}


def read_fetches(fields: Fields, key: str, count_max: int) -> Iterator[tuple[str, Fetches]]:
    """Yield what a part of a record holds, by label.

    Raises:
        CorruptRecordError: It is no such part.
    """
    for label, part in fields.parts(key, count_max):
        yield (
            label,
            Fetches(
                part.count("count", 0, high=LAST),
                part.count("bytes", 0, high=LAST * FETCHED_BYTES_MAX),
            ),
        )

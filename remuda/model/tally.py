"""How machines of each build went in one provider, in ``…/pointers/<provider>/tally``.

Launchers count there what became of launches, and what holders of nodes reported of the work on
them: each once, in the transaction that notes in the launch's own record that it is counted. Only
what may be the image's doing is counted: a cloud that has no room says nothing of an image.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any, Final

from remuda.model import codec
from remuda.model.fetched import During, Fetches, fetches_doc, read_fetches
from remuda.model.fields import Fields
from remuda.model.image import short_number

SCHEMA: Final = 1
#: The name, and the number of the only build, under which is counted what machines fetch that boot
#: no image of ours, in ``/remuda/providers/<provider>/fetched``: with what to compare an image.
PLAIN: Final = ""
PLAIN_BUILD: Final = 1
#: Builds that are counted in one record, the newest; and labels of each.
BUILDS_MAX: Final = 32
LABELS_MAX: Final = 200
#: A record that would be larger forgets its oldest builds.
_BYTES_MAX: Final = codec.RECORD_BYTES_MAX // 2


class Sample(StrEnum):
    """What is counted of a machine."""

    LAUNCH = "launch"  # it became ready, or failed by what may be its image's fault
    JOB = "job"  # its holder reported that the work on it went well, or did not


@dataclass(frozen=True, slots=True)
class Counts:
    """How often something went well, and how often it failed."""

    ok: int = 0
    failed: int = 0

    @property
    def total(self) -> int:
        """How often it was tried."""
        return self.ok + self.failed

    def plus(self, other: "Counts") -> "Counts":
        """Return both together."""
        return Counts(self.ok + other.ok, self.failed + other.failed)

    def since(self, then: "Counts") -> "Counts":
        """Return what came after *then*; what was counted anew since counts from its beginning."""
        ok, failed = self.ok - then.ok, self.failed - then.failed
        return self if ok < 0 or failed < 0 else Counts(ok, failed)


def together(some: Iterable[Counts]) -> Counts:
    """Return the sum of *some*."""
    total = Counts()
    for one in some:
        total = total.plus(one)
    return total


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildTally:
    """What is counted of one build, by label.

    Attributes:
        fetched_setups: What machines fetched while they were set up, as they say.
        fetched_jobs: The same of the work on them, as far as that was reported.
    """

    launches: Mapping[str, Counts] = field(default_factory=dict)
    jobs: Mapping[str, Counts] = field(default_factory=dict)
    fetched_setups: Mapping[str, Fetches] = field(default_factory=dict)
    fetched_jobs: Mapping[str, Fetches] = field(default_factory=dict)

    def of(self, sample: Sample) -> Mapping[str, Counts]:
        """Return the counts of one kind."""
        return self.launches if sample is Sample.LAUNCH else self.jobs

    def fetched(self, during: During) -> Mapping[str, Fetches]:
        """Return what was fetched, by label."""
        return self.fetched_setups if during is During.SETUP else self.fetched_jobs

    def since(self, then: "BuildTally") -> "BuildTally":
        """Return what came after *then*, label by label."""
        return BuildTally(
            launches=_since(self.launches, then.launches), jobs=_since(self.jobs, then.jobs)
        )

    def total(self, sample: Sample) -> Counts:
        """Return the counts of one kind, of all labels together."""
        return together(self.of(sample).values())

    def plus(
        self, sample: Sample, label: str, one: Counts, fetched: int | None = None
    ) -> "BuildTally":
        """Return it with one more; labels beyond what a record holds are not counted.

        Args:
            sample: What it is.
            label: Of which label.
            one: How it went.
            fetched: Bytes that it fetched, if that is known.
        """
        counts = self.of(sample)
        if label not in counts and len(counts) >= LABELS_MAX:
            return self
        after = {**counts, label: counts.get(label, Counts()).plus(one)}
        if sample is Sample.LAUNCH:
            setups = _with(self.fetched_setups, label, fetched)
            return replace(self, launches=after, fetched_setups=setups)
        return replace(self, jobs=after, fetched_jobs=_with(self.fetched_jobs, label, fetched))


def _with(some: Mapping[str, Fetches], label: str, fetched: int | None) -> Mapping[str, Fetches]:
    if fetched is None:
        return some
    return {**some, label: some.get(label, Fetches()).plus(fetched)}


def _since(now: Mapping[str, Counts], then: Mapping[str, Counts]) -> dict[str, Counts]:
    return {label: one.since(then.get(label, Counts())) for label, one in now.items()}


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """What is counted of an image in one provider, by the number of the build."""

    image: str
    provider: str
    builds: Mapping[int, BuildTally] = field(default_factory=dict)

    def of(self, number: int | None) -> BuildTally:
        """Return what is counted of a build; nothing if nothing is."""
        return self.builds.get(number or 0, BuildTally())

    def counted(
        self, number: int, sample: Sample, label: str, *, ok: bool, fetched: int | None = None
    ) -> "Tally":
        """Return it with one machine more; the oldest builds make room for new ones.

        A build that is older than all that are kept is not counted any more.
        """
        one = Counts(ok=1) if ok else Counts(failed=1)
        builds = {**self.builds, number: self.of(number).plus(sample, label, one, fetched)}
        kept = sorted(builds)[-BUILDS_MAX:]
        return replace(self, builds={one: builds[one] for one in kept})


def encode_tally(tally: Tally) -> bytes:
    """Serialise all but image and provider, which are in the znode's path."""
    builds = {str(number): build_tally_doc(tally.builds[number]) for number in sorted(tally.builds)}
    raw = codec.dump({"schema": SCHEMA, "builds": builds})
    while len(raw) > _BYTES_MAX and builds:
        del builds[next(iter(builds))]
        raw = codec.dump({"schema": SCHEMA, "builds": builds})
    return raw


def build_tally_doc(one: BuildTally) -> dict[str, Any]:
    """Return the counts of one build as a part of a record."""
    doc: dict[str, Any] = {
        "launches": _counts_doc(one.launches),
        "jobs": _counts_doc(one.jobs),
    }
    for key, some in (("fetched_setups", one.fetched_setups), ("fetched_jobs", one.fetched_jobs)):
        if some:
            doc[key] = fetches_doc(some)
    return doc


def _counts_doc(some: Mapping[str, Counts]) -> dict[str, dict[str, int]]:
    return {label: {"ok": one.ok, "failed": one.failed} for label, one in some.items()}


def decode_tally(image: str, provider: str, raw: bytes) -> Tally:
    """Rebuild a tally; the pair of :func:`encode_tally`.

    Raises:
        CorruptRecordError: If *raw* is none of a schema we know.
    """
    name = f"tally of {image} in {provider}"
    fields = Fields(name, codec.parse(name, raw))
    fields.check_schema(SCHEMA)
    return Tally(image=image, provider=provider, builds=dict(_builds(fields)))


def _builds(fields: Fields) -> Iterator[tuple[int, BuildTally]]:
    for name, part in fields.parts("builds", BUILDS_MAX):
        number = short_number(name)
        if number is None:
            raise fields.refuse("builds", "counts by the numbers of builds")
        yield number, read_build_tally(part)


def read_build_tally(fields: Fields) -> BuildTally:
    """Return the counts of one build that a part of a record holds."""
    launches, jobs = (dict(_counts(fields, key)) for key in ("launches", "jobs"))
    setups, fetched_jobs = (
        dict(read_fetches(fields, key, LABELS_MAX)) for key in ("fetched_setups", "fetched_jobs")
    )
    return BuildTally(
        launches=launches, jobs=jobs, fetched_setups=setups, fetched_jobs=fetched_jobs
    )


def _counts(fields: Fields, key: str) -> Iterator[tuple[str, Counts]]:
    for label, part in fields.parts(key, LABELS_MAX):
        yield label, Counts(part.count("ok", 0), part.count("failed", 0))

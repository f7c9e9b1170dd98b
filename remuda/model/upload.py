"""An upload: a build in one place, in ``/remuda/images/<image>/builds/<number>/uploads/<place>``.

Its state says how far its bytes are; what was found by booting it stands beside that, for each
provider that has the place: an image is proven where it will run.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any, Final

from remuda.model import codec
from remuda.model.build import GROUP_MAX, Mishap, mishap_doc, read_mishap
from remuda.model.fields import LINE_CHARS_MAX, Fields, safe
from remuda.model.ids import ReplicaId
from remuda.model.image import WORD_CHARS_MAX, UploadId, maybe_place

SCHEMA: Final = 1
#: Hosts on which one image failed; it has few tries.
_HOSTS_MAX: Final = 16
#: The recipe's and those of all labels that boot an image.
_CHECKS_MAX: Final = 64
_SHA512: Final = re.compile(r"[0-9a-f]{128}")


class UploadState(StrEnum):
    """How far an upload has come."""

    PENDING = "pending"  # wanted; nobody has begun it
    MAKING = "making"  # its owner shares or carries it; there may be half an image
    STORED = "stored"  # whole, hidden, and not proven
    VALIDATING = "validating"  # a candidate boots from it
    USABLE = "usable"  # proven for one provider at least
    REJECTED = "rejected"  # failed for every provider, or revoked before it was proven
    FAILED = "failed"  # it could not be made
    RETIRING = "retiring"  # nothing new may refer to it
    DELETING = "deleting"  # nothing refers to it: it is deleted until the cloud shows it no more


class UploadEvent(StrEnum):
    """What moves an upload on."""

    TAKEN = "taken"  # a builder begins to make it
    STORED = "stored"  # whole: size and hash are right
    BROKEN = "broken"  # to be made again
    GIVEN_UP = "given up"  # broken too often, or its build is not wanted any more
    TRIED = "tried"  # a candidate was asked for
    AGAIN = "again"  # no word yet: the cloud was to blame, or once more on another host
    PROVEN = "proven"  # every check passed
    REJECTED = "rejected"  # failed twice, in every provider
    RETIRED = "retired"  # beyond what is kept, revoked, or its evidence is old
    UNREFERENCED = "unreferenced"  # retiring, and a fresh look found nothing that refers to it


class Method(StrEnum):
    """How the bytes come to a place."""

    NATIVE = "native"  # the snapshot itself
    SHARE = "share"  # membership of another project: no bytes move
    IMPORT = "import"  # the cloud fetches them
    CARRY = "carry"  # through the builder


class TrialResult(StrEnum):
    """What was found by booting an upload in a provider."""

    OPEN = "open"  # tried, and to be tried again
    PASSED = "passed"
    FAILED = "failed"


class IllegalUploadStepError(AssertionError):
    """Our own bug: code asked for a step that the table does not allow."""


_S, _E = UploadState, UploadEvent
UPLOAD_TABLE: Final[Mapping[UploadState, Mapping[UploadEvent, UploadState]]] = {
    _S.PENDING: {_E.TAKEN: _S.MAKING, _E.GIVEN_UP: _S.FAILED},
    _S.MAKING: {_E.STORED: _S.STORED, _E.BROKEN: _S.PENDING, _E.GIVEN_UP: _S.FAILED},
    _S.STORED: {_E.TRIED: _S.VALIDATING, _E.REJECTED: _S.REJECTED},
    _S.VALIDATING: {_E.PROVEN: _S.USABLE, _E.REJECTED: _S.REJECTED, _E.AGAIN: _S.STORED},
    _S.USABLE: {_E.RETIRED: _S.RETIRING},
    _S.REJECTED: {_E.RETIRED: _S.RETIRING},
    _S.FAILED: {_E.RETIRED: _S.RETIRING},
    _S.RETIRING: {_E.UNREFERENCED: _S.DELETING},
    _S.DELETING: {},
}
#: There is a whole image, and it may be booted: by users when usable, by a candidate before.
WHOLE: Final = frozenset({_S.STORED, _S.VALIDATING, _S.USABLE})
#: It comes to nothing, or goes.
ENDED: Final = frozenset({_S.REJECTED, _S.FAILED, _S.RETIRING, _S.DELETING})


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialTimes:
    """How long an image took to be proven.

    Attributes:
        boot_s: From when the cloud showed its machine running until somebody had logged in.
        checks: Of each check its name, and seconds.
        offline: The same of the checks on a second machine, without a network; empty: its recipe
            asks for none.
    """

    boot_s: float | None = None
    checks: tuple[tuple[str, float], ...] = ()
    offline: tuple[tuple[str, float], ...] = ()

    @property
    def offline_said(self) -> str | None:
        """What was proven without a network, for people; None: nothing was."""
        if not self.offline:
            return None
        count, seconds = len(self.offline), sum(seconds for _, seconds in self.offline)
        return f"passed {count} check{'s' if count > 1 else ''} in {seconds:.1f} s"


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """What booting an upload in one provider has shown.

    Attributes:
        failures: How often it failed there and the image was to blame.
        hosts: Where it failed, as far as the cloud says.
        why: The last failure.
        at_s: When this was written, seconds since the epoch.
        retry_s: Not to be tried before: the cloud was to blame.
        spoiled: How often in a row it came to nothing, and the image was not to blame.
        times: How long it took, of one that has passed.
    """

    result: TrialResult = TrialResult.OPEN
    failures: int = 0
    hosts: tuple[str, ...] = ()
    why: str | None = None
    at_s: float = 0.0
    retry_s: float = 0.0
    spoiled: int = 0
    times: TrialTimes | None = None

    @property
    def said(self) -> str | None:
        """Why it failed last, for people; None: it did not."""
        return None if self.why is None else _in_a_row(self.why, self.spoiled)


def _in_a_row(why: str, spoiled: int) -> str:
    """Return a reason with how often a cloud gave it; once is an accident."""
    return why if spoiled <= 1 else f"{why} ({spoiled} times in a row, and not by the image)"


@dataclass(frozen=True, slots=True, kw_only=True)
class Upload:
    """A build in one place.

    Attributes:
        since_s: When it came into its state, seconds since the epoch.
        attempt: How often making it went wrong, without blame on a cloud.
        spoiled: How often in a row a cloud was to blame that it could not be made.
        source: The place that it is carried from, while it is, or shared from, for ever; so long
            it refers to that upload.
        owner: The builder that makes or tries it; in other states None.
        asked_by_s: Until then a call of a dead owner may still reach the cloud.
        retry_s: Not to be begun, or deleted, again before.
        cloud_image: Its id in the cloud.
        trials: By provider.
        trying: The provider in which a candidate boots from it now, or None.
        os_hash: ``<algorithm>:<digits>``, as the cloud tells it; clouds on Ceph do not.
        carried_sha512: Of the bytes that a builder carried there, as it has computed it.
    """

    id: UploadId
    state: UploadState
    since_s: float
    method: Method | None = None
    attempt: int = 0
    spoiled: int = 0
    source: str | None = None
    owner: ReplicaId | None = None
    asked_by_s: float = 0.0
    retry_s: float = 0.0
    cloud_image: str | None = None
    trials: Mapping[str, Trial] = field(default_factory=dict)
    trying: str | None = None
    size_bytes: int | None = None
    sha256: str | None = None
    os_hash: str | None = None
    carried_sha512: str | None = None
    min_disk_gib: int = 0
    mishap: Mishap | None = None

    def after(self, event: UploadEvent, *, now_s: float, **changes: Any) -> "Upload":
        """Return the upload one step on; the only way its state changes.

        Raises:
            IllegalUploadStepError: If the table has no such edge.
        """
        try:
            state = UPLOAD_TABLE[self.state][event]
        except KeyError:
            raise IllegalUploadStepError(
                f"upload {self.id} is {self.state!s}: no edge {event!s}"
            ) from None
        return replace(self, state=state, since_s=now_s, **changes)

    @property
    def said(self) -> str | None:
        """Why it could not be made last, for people; None: nothing went wrong."""
        return None if self.mishap is None else _in_a_row(self.mishap.message, self.spoiled)

    def passed(self, provider: str) -> bool:
        """Whether it was proven in this provider."""
        trial = self.trials.get(provider)
        return trial is not None and trial.result is TrialResult.PASSED


_PLAIN: Final = (
    *("state", "since_s", "method", "attempt", "spoiled", "source", "owner", "asked_by_s"),
    *("retry_s", "cloud_image", "trying", "size_bytes", "sha256", "os_hash", "min_disk_gib"),
    "carried_sha512",
)


def encode_upload(upload: Upload) -> bytes:
    """Serialise all but the id, which is the znode's path."""
    doc: dict[str, Any] = {
        "schema": SCHEMA,
        **{name: getattr(upload, name) for name in _PLAIN},
        "verdicts": {provider: _trial_doc(one) for provider, one in upload.trials.items()},
        "failure": mishap_doc(upload.mishap),
    }
    return codec.dump({key: value for key, value in doc.items() if value is not None})


def _trial_doc(trial: Trial) -> dict[str, Any]:
    return {
        "verdict": trial.result,
        "failures": trial.failures,
        "hosts": [safe(one, LINE_CHARS_MAX) for one in trial.hosts[-_HOSTS_MAX:]],
        "why": None if trial.why is None else safe(trial.why, WORD_CHARS_MAX),
        "at_s": trial.at_s,
        "retry_s": trial.retry_s,
        "spoiled": trial.spoiled,
        **({} if trial.times is None else {"times": _times_doc(trial.times)}),
    }


def _times_doc(times: TrialTimes) -> dict[str, Any]:
    """Return the form in which the times of a trial are written."""
    doc = {"boot_s": times.boot_s, "checks": _seconds_doc(times.checks)}
    return {**doc, "offline": _seconds_doc(times.offline)} if times.offline else doc


def _seconds_doc(some: tuple[tuple[str, float], ...]) -> list[dict[str, Any]]:
    return [
        {"name": safe(name, LINE_CHARS_MAX), "seconds": round(seconds, 3)}
        for name, seconds in some[:_CHECKS_MAX]
    ]


def decode_upload(upload_id: UploadId, raw: bytes) -> Upload:
    """Rebuild an upload; the pair of :func:`encode_upload`.

    Raises:
        CorruptRecordError: If *raw* is none of a schema we know.
    """
    fields = Fields(str(upload_id), codec.parse(str(upload_id), raw))
    fields.check_schema(SCHEMA)
    owner = fields.maybe_text("owner")
    return Upload(
        id=upload_id,
        state=fields.word("state", UploadState),
        since_s=fields.number("since_s"),
        method=None if fields.doc.get("method") is None else fields.word("method", Method),
        attempt=fields.count("attempt", 0),
        spoiled=fields.count("spoiled", 0),
        source=maybe_place(fields, "source"),
        owner=ReplicaId(owner) if owner else None,
        asked_by_s=fields.number("asked_by_s", 0.0),
        retry_s=fields.number("retry_s", 0.0),
        cloud_image=fields.identifier("cloud_image"),
        trials={name: _trial(one) for name, one in fields.parts("verdicts", GROUP_MAX)},
        trying=fields.maybe_text("trying"),
        size_bytes=fields.maybe_count("size_bytes"),
        sha256=fields.maybe_text("sha256"),
        os_hash=fields.maybe_text("os_hash"),
        carried_sha512=_sha512(fields),
        min_disk_gib=fields.count("min_disk_gib", 0),
        mishap=read_mishap(fields, "failure"),
    )


def _sha512(fields: Fields) -> str | None:
    found = fields.maybe_text("carried_sha512")
    if found is not None and not _SHA512.fullmatch(found):
        raise fields.refuse("carried_sha512", "a SHA-512")
    return found


def _trial(part: Fields) -> Trial:
    return Trial(
        result=part.word("verdict", TrialResult),
        failures=part.count("failures", 0),
        hosts=part.texts("hosts", _HOSTS_MAX, LINE_CHARS_MAX),
        why=part.prose("why"),
        at_s=part.number("at_s", 0.0),
        retry_s=part.number("retry_s", 0.0),
        spoiled=part.count("spoiled", 0),
        times=_times(part.part("times")),
    )


def _times(part: Fields | None) -> TrialTimes | None:
    if part is None:
        return None
    checks, offline = (tuple(_seconds(part, key)) for key in ("checks", "offline"))
    return TrialTimes(boot_s=part.maybe_number("boot_s"), checks=checks, offline=offline)


def _seconds(part: Fields, key: str) -> Iterator[tuple[str, float]]:
    for one in part.listed(key, _CHECKS_MAX):
        yield one.prose("name", LINE_CHARS_MAX) or "?", one.number("seconds")

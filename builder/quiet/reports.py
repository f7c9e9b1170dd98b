"""Reads what a phase printed: lines of a machine that may be broken or lie.

A report counts only if it is whole: it begins and ends, every rule that was wanted says once that
it was applied, and as many findings came as its end says. So neither a lost line, a missing tool
nor a script that died is ever taken for a quiet machine.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from builder.quiet.identity import Identity, decode_identity
from builder.quiet.kinds import Kind, Residue
from remuda.model.codec import CorruptRecordError, parse, quote

#: More is no report. The scripts print at most 500 findings of at most 8 KiB.
REPORT_CHARS_MAX: Final = 1024 * 1024
RESIDUES_MAX: Final = 1_000
#: Linux knows no longer path, and hexadecimal has two characters per byte.
_FILE_CHARS_MAX: Final = 2 * 4096 + len("hex:")
_IDENTITY_BYTES_MAX: Final = 32 * 1024
_FIELDS: Final = 4
_MARK: Final = "remuda\t"


class Phase(StrEnum):
    """What the scripts do; the value is their word."""

    PREPARE = "prepare"
    IDENTITY = "identity"
    QUIET = "quiet"
    ASSERT = "assert"
    TRIM = "trim"
    CLONE = "clone"
    INVENTORY = "inventory"


class FailureClass(StrEnum):
    """Why a phase could not go on."""

    CLOUD_INIT = "cloud-init-unfinished"  # retry on another machine: it hangs
    LOCK = "lock-held"  # a package tool does not end: retry
    NOT_ROOT = "not-root"  # the login user has no sudo: the configuration is wrong
    OTHER_MACHINE = "other-machine"  # its files are not those of the machine that was met
    TOOL_MISSING = "tool-missing"  # the base image is too small


class BadReportError(ValueError):
    """What a machine said is no whole report: nothing is proven."""


@dataclass(frozen=True, slots=True)
class PhaseFailure:
    """A phase gave up.

    Attributes:
        about: A file, tool or user: text of a stranger.
    """

    kind: FailureClass
    about: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PhaseReport:
    """What one phase said.

    Attributes:
        residues: In the order found; at most :data:`RESIDUES_MAX`.
        failure: Why it gave up; then it proves nothing.
        identity: Of phase identity.
    """

    phase: Phase
    residues: tuple[Residue, ...] = ()
    failure: PhaseFailure | None = None
    identity: Identity | None = None

    @property
    def ok(self) -> bool:
        """Whether the phase ended and found nothing."""
        return self.failure is None and not self.residues


def read_report(output: str, phase: Phase, kinds: Collection[Kind] = ()) -> PhaseReport:
    """Return what *phase* reported in *output*, in which other words may stand.

    Args:
        output: What the scripts and their tools printed.
        phase: Which report is wanted.
        kinds: Whose rules must have been applied.

    Raises:
        BadReportError: There is no whole report of the phase, or more than one.
    """
    if len(output) > REPORT_CHARS_MAX:
        raise BadReportError(f"a report of {len(output)} characters, more than {REPORT_CHARS_MAX}")
    lines = [line.split("\t") for line in output.split("\n") if line.startswith(_MARK)]
    for line in lines:
        if len(line) != _FIELDS:
            raise BadReportError(f"a line of {len(line)} fields, not {_FIELDS}")
    own, ended = _span(lines, phase)
    failure = _failure(own)
    residues = tuple(_residue(kind, file) for _, word, kind, file in own if word == "residue")
    if failure is not None:
        return PhaseReport(phase=phase, residues=residues[:RESIDUES_MAX], failure=failure)
    if ended is None:
        raise BadReportError(f"the report of phase {phase} has no end")
    if str(len(residues)) != ended or len(residues) > RESIDUES_MAX:
        raise BadReportError(f"{len(residues)} findings came, {quote(ended)} were sent")
    _check_applied([kind for _, word, kind, _ in own if word == "applied"], kinds)
    return PhaseReport(phase=phase, residues=residues, identity=_identity(own, phase))


def _span(lines: Sequence[Sequence[str]], phase: Phase) -> tuple[list[Sequence[str]], str | None]:
    """Return the lines between the only beginning and the end, and what the end says."""
    begins = [at for at, line in enumerate(lines) if line[1] == "begin" and line[2] == phase]
    if len(begins) != 1:
        raise BadReportError(f"{len(begins)} reports of phase {phase}, not one")
    own: list[Sequence[str]] = []
    for line in lines[begins[0] + 1 :]:
        if line[1] == "end":
            if line[2] != phase:
                raise BadReportError(f"phase {phase} ends as {quote(line[2])}")
            return own, line[3]
        if line[1] not in {"residue", "applied", "identity", "failed"}:
            raise BadReportError(f"an unknown word {quote(line[1])} in phase {phase}")
        own.append(line)
    return own, None


def _failure(own: Iterable[Sequence[str]]) -> PhaseFailure | None:
    for _, word, kind, about in own:
        if word == "failed":
            try:
                return PhaseFailure(FailureClass(kind), _file(about))
            except ValueError:
                raise BadReportError(f"an unknown failure {quote(kind)}") from None
    return None


def _residue(word: str, file: str) -> Residue:
    try:
        kind = Kind(word)
    except ValueError:
        raise BadReportError(f"an unknown kind {quote(word)}") from None
    return Residue(kind, _file(file))


def _file(text: str) -> str:
    """Return a name that may be in hexadecimal."""
    if len(text) > _FILE_CHARS_MAX:
        raise BadReportError(f"a name of {len(text)} characters")
    if not text.startswith("hex:"):
        return text
    try:
        return bytes.fromhex(text.removeprefix("hex:")).decode(errors="replace")
    except ValueError:
        raise BadReportError("a name that is no hexadecimal") from None


def _check_applied(applied: Sequence[str], kinds: Collection[Kind]) -> None:
    if sorted(applied) != sorted(kinds):
        missing = ", ".join(sorted(set(kinds) - set(applied))) or "others"
        raise BadReportError(f"not the rules that were wanted were applied: {missing}")


def _identity(own: Iterable[Sequence[str]], phase: Phase) -> Identity | None:
    found = [doc for _, word, _, doc in own if word == "identity"]
    if len(found) != (phase is Phase.IDENTITY):
        raise BadReportError(f"{len(found)} identities in phase {phase}")
    if not found:
        return None
    try:
        return decode_identity(parse("identity", found[0].encode(), _IDENTITY_BYTES_MAX))
    except (CorruptRecordError, UnicodeEncodeError) as exc:
        raise BadReportError(str(exc)) from None

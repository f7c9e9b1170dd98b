"""What is found wrong with a configuration while it is looked at."""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Final

from remuda.config.document import Document, Flaw, Path, Place
from remuda.config.problems import Problem
from remuda.redaction import redact_begin

#: A file with more problems than this is not the file that was meant.
PROBLEMS_MAX: Final = 500
#: Longest message, hint or path; a key of a megabyte is shown in part.
_TEXT_MAX: Final = 1000


@dataclass(slots=True)
class Report:
    """Collects problems and warnings of one document while it is looked at."""

    file: str
    document: Document
    _problems: list[Problem] = field(default_factory=list)
    _warnings: list[Problem] = field(default_factory=list)
    _flawed: set[Path] = field(default_factory=set)
    _unread: set[Path] = field(default_factory=set)

    def problem(self, path: Path, message: str, hint: str = "", *, at_key: bool = False) -> None:
        """Note something that forbids the use of the file.

        The place is that of *path*, or of the nearest thing above it that exists; of its key
        instead of its value if *at_key*.
        """
        if not self._is_unread(path):
            self._problems.append(self._placed(path, message, hint, at_key=at_key))

    def warning(self, path: Path, message: str, hint: str = "", *, at_key: bool = False) -> None:
        """Note something that is probably not meant; arguments as of ``problem``."""
        if not self._is_unread(path):
            self._warnings.append(self._placed(path, message, hint, at_key=at_key))

    def flaw(self, flaw: Flaw) -> None:
        """Note what the YAML itself should not say, at the flaw's own place."""
        self._problems.append(self._made(flaw.path, flaw.place, flaw.message, flaw.hint))
        self._flawed.add(flaw.path)

    def flawed(self, path: Path) -> bool:
        """Whether the YAML at *path* itself has a flaw: something of it was left out."""
        return path in self._flawed

    def unread(self, path: Path) -> None:
        """Take no more complaints about *path* and below: its value is not known."""
        self._unread.add(path)

    def problems(self) -> tuple[Problem, ...]:
        """Return the problems noted so far, by place, each once."""
        return _in_order(self._problems)

    def warnings(self) -> tuple[Problem, ...]:
        """Return the warnings noted so far, by place, each once."""
        return _in_order(self._warnings)

    def _is_unread(self, path: Path) -> bool:
        return any(path[:end] in self._unread for end in range(len(path) + 1))

    def _placed(self, path: Path, message: str, hint: str, *, at_key: bool) -> Problem:
        return self._made(path, self.document.place(path, at_key=at_key), message, hint)

    def _made(self, path: Path, place: Place, message: str, hint: str) -> Problem:
        return Problem(
            file=self.file,
            line=place.line,
            column=place.column,
            path=_clipped(dotted(path)),
            message=_clipped(message),
            hint=_clipped(hint),
        )


def dotted(path: Path) -> str:
    """Write *path* as ``labels.small.checks[0]``."""
    steps = (f"[{step}]" if isinstance(step, int) else f".{step}" for step in path)
    return "".join(steps).removeprefix(".")


def _clipped(text: str) -> str:
    return text if len(text) <= _TEXT_MAX else f"{redact_begin(text, _TEXT_MAX)}…"


def _in_order(problems: Iterable[Problem]) -> tuple[Problem, ...]:
    found = sorted(set(problems))
    if len(found) <= PROBLEMS_MAX:
        return tuple(found)
    more = f"and {len(found) - PROBLEMS_MAX} more"
    return (*found[:PROBLEMS_MAX], replace(found[PROBLEMS_MAX], path="", message=more, hint=""))

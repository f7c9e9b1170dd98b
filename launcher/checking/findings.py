"""What a check finds: one line per question, with a verdict and what to do about it."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final

from remuda.cloud.api import (
    BadOrderError,
    CloudConfigError,
    CloudError,
    NoRoomError,
    TryLaterError,
    UnauthorizedError,
)


class State(StrEnum):
    """The verdict on one question."""

    OK = "ok"
    WARNING = "warning"  # works, but will surprise somebody
    PROBLEM = "problem"  # nodes will not come, or not work
    UNTESTED = "untested"  # could not be asked, or only --boot can tell


class Area(StrEnum):
    """What a question is about, in the order in which they are shown."""

    CONFIG = "config"
    LOGIN = "login"
    TIME = "time"
    LATENCY = "latency"
    SERVERS = "servers"
    RIGHTS = "rights"
    LABEL = "label"
    FLOATING_IPS = "floating-ips"
    QUOTA = "quota"
    BOOT = "boot"


_ORDER: Final = {area: number for number, area in enumerate(Area)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """The answer to one question.

    Attributes:
        subject: What was looked at: ``main/small image``, ``delete``.
        text: What was found.
        advice: What to do; empty if there is nothing to do.
    """

    area: Area
    subject: str
    state: State
    text: str
    advice: str = ""


@dataclass(slots=True)
class Findings:
    """Collects the answers of one check.

    Attributes:
        facts: The same as data, by the documented keys.
    """

    lines: list[Finding] = field(default_factory=list)
    facts: dict[str, Any] = field(default_factory=dict)

    def ok(self, area: Area, subject: str, text: str) -> None:
        """Note that something is as it should be."""
        self._add(area, subject, State.OK, text)

    def warning(self, area: Area, subject: str, text: str, advice: str) -> None:
        """Note something that works, but will surprise somebody."""
        self._add(area, subject, State.WARNING, text, advice)

    def problem(self, area: Area, subject: str, text: str, advice: str) -> None:
        """Note something that keeps nodes from coming."""
        self._add(area, subject, State.PROBLEM, text, advice)

    def untested(self, area: Area, subject: str, text: str, advice: str = "") -> None:
        """Note what could not be asked."""
        self._add(area, subject, State.UNTESTED, text, advice)

    @contextmanager
    def guarded(self, area: Area, subject: str) -> Iterator[None]:
        """Turn the cloud's refusal of a question into a problem, so that the others are asked."""
        try:
            yield
        except CloudError as exc:
            self.problem(area, subject, str(exc), advice_for(exc))

    def ordered(self) -> tuple[Finding, ...]:
        """Return all findings by area, else in the order of asking."""
        return tuple(sorted(self.lines, key=lambda one: _ORDER[one.area]))

    def count(self, state: State) -> int:
        """Return how many findings have this verdict."""
        return sum(one.state is state for one in self.lines)

    def _add(self, area: Area, subject: str, state: State, text: str, advice: str = "") -> None:
        self.lines.append(
            Finding(area=area, subject=subject, state=state, text=text, advice=advice)
        )


_ADVICE: Final[Mapping[type[CloudError], str]] = {
    CloudConfigError: "correct clouds.yaml",
    UnauthorizedError: "check user, password or application credential, project and its roles",
    TryLaterError: "check that the service can be reached from here, then run this again",
    NoRoomError: "raise the quota, or remove what is not needed",
    BadOrderError: "correct the configuration, or ask the cloud's operator",
}


def advice_for(error: CloudError) -> str:
    """Return what to do about a cloud's error."""
    for kind, advice in _ADVICE.items():
        if isinstance(error, kind):
            return advice
    return "ask the cloud's operator"

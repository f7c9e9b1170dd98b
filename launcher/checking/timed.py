"""Steps with times, as a check tells them to a person and to programs."""

from dataclasses import dataclass
from typing import Any, Final

from remuda.ssh.api import StepTaken

#: Between two looks; short, so that Ctrl-C is noticed.
PERIOD_S_MAX: Final = 2.0
STOPPED: Final = "stopped by you"


@dataclass(frozen=True, slots=True, kw_only=True)
class Timed:
    """One step that ended.

    Attributes:
        kind: What the launcher calls it: ``create``, ``check`` …
        name: The check's name, else the same as *kind*.
        output: The end of what a script printed.
    """

    kind: str
    name: str
    seconds: float
    ok: bool
    why: str = ""
    output: str = ""

    @classmethod
    def of_proof(cls, taken: StepTaken, *, why: str) -> "Timed":
        """Return a step of a proof, with why it failed."""
        return cls(
            kind=str(taken.step),
            name=taken.name,
            seconds=taken.seconds,
            ok=taken.ok,
            why=why,
            output=taken.output,
        )

    def as_data(self) -> dict[str, Any]:
        """Return it by the documented keys."""
        return {
            "step": self.kind,
            "name": self.name,
            "seconds": round(self.seconds, 3),
            "ok": self.ok,
            "why": self.why,
            "output": self.output,
        }

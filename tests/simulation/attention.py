"""When a launcher could hear what was written: what it may not know yet is no fault of its own."""

from dataclasses import dataclass, field
from typing import Final

#: What is written takes effect within so long where the launcher is alive.
EFFECT_S: Final = 1.0


@dataclass(slots=True)
class Attention:
    """The times at which one launcher heard of everything at once."""

    _since_s: float | None = None
    _spans: list[tuple[float, float]] = field(default_factory=list)

    def look(self, now_s: float, *, hears: bool) -> None:
        """Take down whether it hears now."""
        if hears and self._since_s is None:
            self._since_s = now_s
        elif not hears and self._since_s is not None:
            self._spans.append((self._since_s, now_s))
            self._since_s = None

    def knows(self, written_s: float, now_s: float) -> bool:
        """Whether it must know by now what was written then."""
        spans = list(self._spans)
        if self._since_s is not None:
            spans.append((self._since_s, now_s))
        return any(end_s - max(begun_s, written_s) > EFFECT_S for begun_s, end_s in spans)

"""A circuit breaker as a value: too many failures in a row, and only a probe gets through."""

from dataclasses import dataclass, replace

#: More doublings than this exceed every maximum, and later on every float.
DOUBLINGS_MAX = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Breaker:
    """Closed while *failures* is below the threshold.

    Attributes:
        failures: Launches that failed in a row.
        opened: How often it has opened since the last success; the pause doubles each time.
        open_until_s: No launch before this (monotonic seconds); afterwards one probe at a time.
        why: The last failure, for the verdict.
    """

    failures: int = 0
    opened: int = 0
    open_until_s: float = 0.0
    why: str = ""

    def failed(
        self, *, now_s: float, why: str, threshold: int, base_s: float, max_s: float
    ) -> "Breaker":
        """Return the breaker after one more failure."""
        failures = self.failures + 1
        if failures < threshold:
            return replace(self, failures=failures, why=why)
        if now_s < self.open_until_s:
            # Launches that were under way when it opened add nothing new.
            return replace(self, failures=failures, why=why)
        pause_s = min(max_s, base_s * 2.0 ** min(self.opened, DOUBLINGS_MAX))
        return Breaker(
            failures=failures, opened=self.opened + 1, open_until_s=now_s + pause_s, why=why
        )

    def allowed(self, *, now_s: float, coming: int, threshold: int) -> int | None:
        """Return how many launches may start now; None: any number.

        Args:
            now_s: Monotonic seconds.
            coming: Launches of the same kind that are under way.
            threshold: Failures in a row that open it.
        """
        if self.failures < threshold:
            return None
        if now_s < self.open_until_s:
            return 0
        return max(0, 1 - coming)

"""How one image stands in the demo's providers, and waiting until all of them boot a build."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from remuda.cli.demo.stage import DemoFailedError, DemoStage
from remuda.cli.terminal import say

#: A build and its trials take ten seconds; many times that where others are at work, too.
_BUILD_S: Final = 180.0
#: States of a newest build that will not become current any more.
_VAIN: Final = frozenset({"failed", "rejected"})

ImageRow = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class WatchedImage:
    """One image in all providers; raises DemoFailedError when it does not come as it has to."""

    stage: DemoStage
    name: str

    def rows(self) -> list[ImageRow]:
        """Return how it stands in each provider that is to have it."""
        found = self.stage.ask("image", "list")
        return [one for one in found if one["image"] == self.name and one["newest"] is not None]

    def newest(self) -> int:
        """Return the number of the newest build; 0: there is none."""
        return max((int(row["newest"]) for row in self.rows()), default=0)

    def until_current(self, number: int) -> None:
        """Wait until every provider boots the build, saying what happens."""
        shown = ""

        def current() -> bool:
            nonlocal shown
            rows = self.rows()
            if (line := told(rows)) != shown:
                say(f"    {line}")
                shown = line
            for row in rows:
                if row["newest"] == number and row["state"] in _VAIN:
                    raise DemoFailedError(
                        f"build {number} is {row['state']} in {row['provider']}: {row['waits']}"
                    )
            return bool(rows) and all(row["boots"] == number for row in rows)

        self.wait(current, _BUILD_S, f"build {number} did not become current everywhere")

    def wait(self, done: Callable[[], bool], limit_s: float, failure: str) -> None:
        """Wait until *done* is true, at most *limit_s* seconds."""
        if not self.stage.wait(done, limit_s):
            raise DemoFailedError(f"{failure}: {told(self.rows())}")


def told(rows: list[ImageRow]) -> str:
    """Return in one line how far the newest build has come in each provider."""
    parts = [
        f"{row['provider']} boots {row['boots'] or 'nothing'}"
        + ("" if row["boots"] == row["newest"] else f" (build {row['newest']}: {row['state']})")
        for row in rows
    ]
    return ", ".join(parts) or "no build yet"

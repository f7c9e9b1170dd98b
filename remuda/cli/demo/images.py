"""The demo's image: made by a script, booted, broken, mended, and rolled back."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from remuda.cli.demo.jobs import Jobs, title
from remuda.cli.demo.stage import DemoFailedError
from remuda.cli.dev import recipe
from remuda.cli.terminal import say

#: A build and its trials take ten seconds; many times that where others are at work, too.
_BUILD_S: Final = 180.0
#: A builder looks at its files every two seconds.
_BEGIN_S: Final = 60.0
#: States of a newest build that will not become current any more.
_VAIN: Final = frozenset({"failed", "rejected"})

ImageRow = Mapping[str, Any]


@dataclass(slots=True)
class DemoImages:
    """One image in all providers; raises DemoFailedError when something does not really work."""

    jobs: Jobs

    def play(self) -> None:
        """Show all of it, or say why that cannot be."""
        if why := self.jobs.stage.no_images:
            title("DemoImages are left out")
            say(f"    Here none can be made: {why}.")
            return
        self._first()
        self._broken()
        self._second()
        self._back()

    def _first(self) -> None:
        title("An image: a builder runs this script since the start, and each cloud tries it")
        self.jobs.stage.tool("cat", recipe.SCRIPT_NAME)
        self._until_current(1)
        self.jobs.show("image", "list")
        self._release("from an image", 1)
        say(f"    {recipe.TOOL} is in the image; nothing was installed on this machine.")

    def _broken(self) -> None:
        title("A broken build: what it installs cannot be run")
        number = self._change("s/chmod 755/chmod 644/")
        self.jobs.show("image", "log", f"{recipe.IMAGE}/{number}", "--follow")
        rows = self._rows()
        if any((row["newest"], row["state"]) != (number, "failed") for row in rows):
            raise DemoFailedError(f"build {number} is broken, but was not refused: {_told(rows)}")
        say("    Refused, before a snapshot was made. What is booted stays:")
        self._release("despite a broken build", 1)

    def _second(self) -> None:
        title("A good one: proven in each cloud, it is swapped in there")
        number = self._change("s/chmod 644/chmod 755/; s/version=1/version=2/")
        self._until_current(number)
        self.jobs.show("image", "list")
        self._release("from the next image", 2)

    def _back(self) -> None:
        title("It was not so good after all: one command rolls back, in all clouds")
        self.jobs.show("image", "rollback", recipe.IMAGE, "--why", "tools 2 breaks our tests")
        self._release("after the rollback", 1)

    def _change(self, edit: str) -> int:
        """Change the script; return the number of the build that a builder begins for it."""
        before = begun = self._newest()
        self.jobs.stage.tool("sed", "-i", edit, recipe.SCRIPT_NAME)  # at once and whole

        def there() -> bool:
            nonlocal begun
            begun = self._newest()
            return begun > before

        self._wait(there, _BEGIN_S, "no build was begun though its script has changed")
        say(f"    A builder has seen that: build {begun} begins.")
        return begun

    def _until_current(self, number: int) -> None:
        """Wait until every provider boots the build, saying what happens."""
        shown = ""

        def current() -> bool:
            nonlocal shown
            rows = self._rows()
            if (line := _told(rows)) != shown:
                say(f"    {line}")
                shown = line
            for row in rows:
                if row["newest"] == number and row["state"] in _VAIN:
                    raise DemoFailedError(
                        f"build {number} is {row['state']} in {row['provider']}: {row['waits']}"
                    )
            return bool(rows) and all(row["boots"] == number for row in rows)

        self._wait(current, _BUILD_S, f"build {number} did not become current everywhere")

    def _wait(self, done: Callable[[], bool], limit_s: float, failure: str) -> None:
        if not self.jobs.stage.wait(done, limit_s):
            raise DemoFailedError(f"{failure}: {_told(self._rows())}")

    def _rows(self) -> list[ImageRow]:
        """Return how the image stands in each provider that is to have it."""
        found = self.jobs.stage.ask("image", "list")
        return [one for one in found if one["image"] == recipe.IMAGE and one["newest"] is not None]

    def _newest(self) -> int:
        return max((int(row["newest"]) for row in self._rows()), default=0)

    def _release(self, task: str, version: int) -> None:
        ran = self.jobs.run(task, recipe.LABEL, "release")
        if f"tools {version}" not in ran.out.splitlines():
            raise DemoFailedError(f"{task}: the machine has other tools than tools {version}")


def _told(rows: list[ImageRow]) -> str:
    """Return in one line how far the newest build has come in each provider."""
    parts = [
        f"{row['provider']} boots {row['boots'] or 'nothing'}"
        + ("" if row["boots"] == row["newest"] else f" (build {row['newest']}: {row['state']})")
        for row in rows
    ]
    return ", ".join(parts) or "no build yet"

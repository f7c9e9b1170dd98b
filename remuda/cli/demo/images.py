"""The demo's images; the first is made by a script, booted, broken, mended, and rolled back."""

from dataclasses import dataclass
from typing import Final

from remuda.cli.demo.captures import DemoCapture
from remuda.cli.demo.first_use import DemoFirstUse
from remuda.cli.demo.jobs import Jobs, title
from remuda.cli.demo.stage import DemoFailedError
from remuda.cli.demo.watching import WatchedImage, told
from remuda.cli.dev import recipe
from remuda.cli.terminal import say

#: A builder looks at its files every two seconds.
_BEGIN_S: Final = 60.0


def show_images(jobs: Jobs) -> None:
    """Show each way to an image, or say why that cannot be."""
    if why := jobs.stage.no_images:
        title("Images are left out")
        say(f"    Here none can be made: {why}.")
        return
    DemoImages(jobs).play()
    DemoCapture(jobs).play()
    DemoFirstUse(jobs).play()


@dataclass(slots=True)
class DemoImages:
    """One image in all providers; raises DemoFailedError when something does not really work."""

    jobs: Jobs

    @property
    def image(self) -> WatchedImage:
        """How it stands."""
        return WatchedImage(self.jobs.stage, recipe.IMAGE)

    def play(self) -> None:
        """Show all of it."""
        self._first()
        self._broken()
        self._second()
        self._back()

    def _first(self) -> None:
        title("An image: a builder runs this script since the start, and each cloud tries it")
        self.jobs.stage.tool("cat", recipe.SCRIPT_NAME)
        self.image.until_current(1)
        self.jobs.show("image", "list")
        self._release("from an image", 1)
        say(f"    {recipe.TOOL} is in the image; nothing was installed on this machine.")

    def _broken(self) -> None:
        title("A broken build: what it installs cannot be run")
        number = self._change("s/chmod 755/chmod 644/")
        self.jobs.show("image", "log", f"{recipe.IMAGE}/{number}", "--follow")
        rows = self.image.rows()
        if any((row["newest"], row["state"]) != (number, "failed") for row in rows):
            raise DemoFailedError(f"build {number} is broken, but was not refused: {told(rows)}")
        say("    Refused, before a snapshot was made. What is booted stays:")
        self._release("despite a broken build", 1)

    def _second(self) -> None:
        title("A good one: proven in each cloud, it is swapped in there")
        number = self._change("s/chmod 644/chmod 755/; s/version=1/version=2/")
        self.image.until_current(number)
        self.jobs.show("image", "list")
        self._release("from the next image", 2)

    def _back(self) -> None:
        title("It was not so good after all: one command rolls back, in all clouds")
        self.jobs.show("image", "rollback", recipe.IMAGE, "--why", "tools 2 breaks our tests")
        self._release("after the rollback", 1)

    def _change(self, edit: str) -> int:
        """Change the script; return the number of the build that a builder begins for it."""
        before = begun = self.image.newest()
        self.jobs.stage.tool("sed", "-i", edit, recipe.SCRIPT_NAME)  # at once and whole

        def there() -> bool:
            nonlocal begun
            begun = self.image.newest()
            return begun > before

        self.image.wait(there, _BEGIN_S, "no build was begun though its script has changed")
        say(f"    A builder has seen that: build {begun} begins.")
        return begun

    def _release(self, task: str, version: int) -> None:
        ran = self.jobs.run(task, recipe.LABEL, "release")
        if f"tools {version}" not in ran.out.splitlines():
            raise DemoFailedError(f"{task}: the machine has other tools than tools {version}")

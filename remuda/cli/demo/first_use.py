"""The demo's image on first use: the first job's machine makes what the second one finds."""

from dataclasses import dataclass
from typing import Final

from remuda.cli.demo.jobs import Jobs, title
from remuda.cli.demo.stage import DemoFailedError
from remuda.cli.demo.watching import WatchedImage
from remuda.cli.dev import recipe
from remuda.cli.terminal import say

#: Exits with 0 if the machine was made ready here, with 1 if on another machine.
_HERE: Final = (
    f'echo "made on $(cat {recipe.MADE_ON}), now on $(hostname)"; '
    f'test "$(cat {recipe.MADE_ON})" = "$(hostname)"'
)


@dataclass(frozen=True, slots=True)
class DemoFirstUse:
    """Two jobs that want an image that nobody has made before."""

    jobs: Jobs

    def play(self) -> None:
        """Show all of it."""
        title("An image on first use: there is none yet, so the machine makes itself ready")
        image = WatchedImage(self.jobs.stage, recipe.ON_DEMAND)
        if image.newest():
            raise DemoFailedError(f"{recipe.ON_DEMAND} was made before anybody asked for it")
        self.jobs.run("first use", recipe.ON_DEMAND, "sh", "-c", _HERE)
        say("    Beside it a builder has begun to make the image:")
        image.until_current(1)
        self.jobs.run("second use", recipe.ON_DEMAND, "sh", "-c", _HERE, code=1)
        say("    It was made on another machine: this one has booted the image.")

"""The demo's captured image: a job's machine, as the job has left it, becomes what others boot."""

from dataclasses import dataclass
from typing import Final

from remuda.cli.demo.jobs import Jobs, title
from remuda.cli.demo.stage import DemoFailedError
from remuda.cli.demo.watching import WatchedImage
from remuda.cli.dev import recipe
from remuda.cli.terminal import say

_WORK: Final = "what a job took an hour for"


@dataclass(frozen=True, slots=True)
class DemoCapture:
    """One job that ends with an image, and one that begins with it."""

    jobs: Jobs

    def play(self) -> None:
        """Show all of it."""
        title(f"A job ends with: make an image named {recipe.CAPTURED} of this machine")
        image = WatchedImage(self.jobs.stage, recipe.CAPTURED)
        number = image.newest() + 1
        node = self.jobs.take("to be captured", recipe.CAPTURED_OF)
        self.jobs.show("ssh", node, "--", f"echo {_WORK} >{recipe.LEFT}")
        self.jobs.show("image", "capture", node, "--as", recipe.CAPTURED)
        self.jobs.show("release", node)
        image.until_current(number)
        ran = self.jobs.run("from that image", recipe.CAPTURED, "cat", recipe.LEFT)
        if _WORK not in ran.out.splitlines():
            raise DemoFailedError("a machine of the captured image has not what its job has left")
        say("    It booted with what the other job had left; nothing was done on it.")

"""Commands of the demo, run as a person would, and who got which machine by them."""

import re
import shlex
from dataclasses import dataclass, field
from typing import Final

from remuda.cli.demo.stage import CommandRan, DemoFailedError, DemoStage
from remuda.cli.terminal import say, say_title

#: What `request --wait` prints of each machine: node, address, port, user, label, provider.
_TAKEN: Final = re.compile(r"^(\d{10}) \S+ \d+ \S+ (\S+) (\S+)$", re.MULTILINE)
_WHO: Final = re.compile(r"remuda: (\S+) (\d{10}) at (\S+) \((\S+)\) after ([\d.]+) s")
#: A job that goes on elsewhere gives its machine back long before.
_KEEP: Final = "20m"


def title(text: str) -> None:
    """Begin a new step."""
    say("")
    say_title(f"== {text}")


@dataclass(frozen=True, slots=True)
class JobUse:
    """Who got what."""

    task: str
    label: str
    node: str
    provider: str
    waited_s: float


@dataclass(slots=True)
class Jobs:
    """Runs commands on machines, and keeps in mind who got what."""

    stage: DemoStage
    uses: list[JobUse] = field(default_factory=list)

    def run(
        self, task: str, label: str, *command: str, code: int = 0, options: tuple[str, ...] = ()
    ) -> CommandRan:
        """Run *command* on a machine, which has to end with *code*.

        Raises:
            DemoFailedError: If it ends otherwise, or nobody says on which machine it ran.
        """
        ran = self.show("run", label, *options, "--", *command, code=code)
        found = _WHO.findall(ran.out)
        if not found:
            raise DemoFailedError(f"{task}: the command did not say which machine it got")
        for what, node, _, provider, waited in found:
            self.uses.append(JobUse(task, what, node, provider, float(waited)))
        return ran

    def take(self, task: str, label: str) -> str:
        """Take a machine as a job does that goes on elsewhere; return its node.

        Raises:
            DemoFailedError: If there is none.
        """
        begun_s = self.stage.clock.monotonic_s()
        ran = self.show("request", label, "--wait", "--detach", "--keep", _KEEP)
        taken = _TAKEN.search(ran.out)
        if taken is None:
            raise DemoFailedError(f"{task}: no machine was given")
        node, what, provider = taken.groups()
        waited_s = self.stage.clock.monotonic_s() - begun_s
        self.uses.append(JobUse(task, what, node, provider, waited_s))
        return node

    def show(self, *arguments: str, code: int = 0) -> CommandRan:
        """Say which command is run, and run it.

        Raises:
            DemoFailedError: If it ends with another code.
        """
        said = shlex.join(("remuda", *arguments))
        say(f"  $ {said}")
        ran = self.stage.remuda(*arguments)
        if ran.code != code:
            raise DemoFailedError(f"{said}: exit code {ran.code}, not {code}")
        return ran

"""`remuda demo`, the command: real work on an installation of its own, and a word on each step."""

import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import click

from remuda.cli.demo.holds import DemoHold
from remuda.cli.demo.images import show_images
from remuda.cli.demo.jobs import Jobs, title
from remuda.cli.demo.stage import DemoFailedError, DemoStage
from remuda.cli.errors import CommandFailedError, PlainCommand
from remuda.cli.output import Sheet, show
from remuda.cli.terminal import say
from remuda.runtime.clock import SystemClock

_WARM_S: Final = 120.0
#: More than both clouds hold ready, so that new machines must be made while one is broken.
_RUNS_WHILE_BROKEN: Final = 5
_ODD_CODE: Final = 7


@dataclass(slots=True)
class _Demo:
    """The play; raises DemoFailedError as soon as something does not really work."""

    jobs: Jobs

    @property
    def stage(self) -> DemoStage:
        """Where it plays."""
        return self.jobs.stage

    def play(self) -> None:
        """Show everything."""
        self._warm_up()
        self._run_one()
        self._other_label()
        self._two_at_once()
        DemoHold(self.jobs).play()
        show_images(self.jobs)
        self._break_one()
        self._who_got_what()

    def _warm_up(self) -> None:
        title("Both launchers fill their pools: 2 small and 1 big to be ready")
        shown = ""

        def warm() -> bool:
            nonlocal shown
            ready = _ready(self.stage.ask("nodes"))
            line = ", ".join(f"{n} {label}" for label, n in sorted(ready.items())) or "none yet"
            if line != shown:
                say(f"    ready: {line}")
                shown = line
            return ready.get("small", 0) >= 2 and ready.get("big", 0) >= 1  # noqa: PLR2004

        if not self.stage.wait(warm, _WARM_S):
            raise DemoFailedError("the pools did not become warm")
        self.stage.remuda("nodes")
        say("    Each was logged into, with the host key we gave it, and passed its checks.")

    def _run_one(self) -> None:
        title("A command on a fresh machine: output as it comes, exit code passed on")
        script = 'echo "I am $(id -un) on $(hostname)"; for i in 1 2 3; do echo "test $i"; done'
        self.jobs.run("one command", "small", "sh", "-c", script)
        self.jobs.run("its exit code", "small", "sh", "-c", f"exit {_ODD_CODE}", code=_ODD_CODE)
        say(f"    The exit code was {_ODD_CODE}, as it should be.")

    def _other_label(self) -> None:
        title("Another label: a bigger machine")
        self.jobs.run(
            "another label", "big", "sh", "-c", 'echo "$REMUDA_LABEL machine $(hostname)"'
        )

    def _two_at_once(self) -> None:
        title("Two machines in one request: both or none, from one cloud")
        self.jobs.run("two at once", "small", "hostname", options=("--count", "2"))
        if len({use.provider for use in self.jobs.uses[-2:]}) != 1:
            raise DemoFailedError("the two machines came from two clouds")

    def _break_one(self) -> None:
        title("Cloud alpha breaks: from now on every boot there fails")
        self.stage.break_cloud("alpha")
        for number in range(1, _RUNS_WHILE_BROKEN + 1):
            task = f"while broken {number}"
            self.jobs.run(task, "small", "sh", "-c", f'echo "job {number} of $(hostname) is done"')
        if not any(use.provider == "beta" for use in self.jobs.uses[-_RUNS_WHILE_BROKEN:]):
            raise DemoFailedError("the healthy cloud served nothing")
        failed = self.stage.ask("failures")
        if not failed:
            raise DemoFailedError("no failed launch was reported though a cloud is broken")
        say("    All were served. What the operator sees meanwhile:")
        self.stage.remuda("status")
        self.stage.remuda("failures")

    def _who_got_what(self) -> None:
        title("Who got what")
        columns = ("TASK", "LABEL", "NODE", "PROVIDER", "WAITED")
        rows = [
            (use.task, use.label, use.node, use.provider, f"{use.waited_s:.1f} s")
            for use in self.jobs.uses
        ]
        show([Sheet(columns=columns, rows=rows, data=None)])
        nodes = [use.node for use in self.jobs.uses]
        if len(nodes) != len(set(nodes)):
            raise DemoFailedError("a node was handed out twice")
        say(f"    {len(nodes)} machines, each handed out exactly once.")


def _ready(nodes: list[Mapping[str, Any]]) -> dict[str, int]:
    ready: dict[str, int] = {}
    for node in nodes:
        if node["state"] == "ready":
            ready[node["label"]] = ready.get(node["label"], 0) + 1
    return ready


@click.command(cls=PlainCommand, examples=("remuda demo",))
def demo() -> None:
    """Show the whole product at work on this machine, in under two minutes.

    Starts a ZooKeeper, two clouds with real machines, a launcher for each and a builder, works
    with them, makes images, breaks one of the clouds, and cleans up. Exits with 0 only if
    everything really worked.
    """
    clock = SystemClock()
    begun_s = clock.monotonic_s()
    title("Starting ZooKeeper, two clouds and a launcher for each")
    stage = DemoStage.temporary()
    try:
        with stage:
            _Demo(Jobs(stage)).play()
            title("Cleaning up")
    except DemoFailedError as failed:
        say(f"Everything the parts said is in {stage.folder}", err=True)
        why, _, lines = str(failed).partition("\n")
        raise CommandFailedError(f"the demo failed: {why}", 1, lines=lines) from failed
    shutil.rmtree(stage.folder, ignore_errors=True)
    say(f"    Done in {clock.monotonic_s() - begun_s:.0f} s; nothing is left behind.")

"""The demo's hold: a job fails, its machine stays, and a developer's own key opens it."""

from dataclasses import dataclass
from typing import Final

from remuda.cli.demo.jobs import Jobs, title
from remuda.cli.demo.stage import DemoFailedError
from remuda.cli.terminal import say

_BROKEN_CODE: Final = 3
_TRACE: Final = "/tmp/trace"  # noqa: S108 - on a machine that is thrown away
_KEY: Final = "developer_key"


@dataclass(frozen=True, slots=True)
class DemoHold:
    """One machine that is kept after its job, looked into, and given back."""

    jobs: Jobs

    def play(self) -> None:
        """Show all of it."""
        title("A job fails: its machine is kept for a developer, with the developer's key on it")
        stage = self.jobs.stage
        script = f'echo "assertion failed on line 42" >{_TRACE}; exit {_BROKEN_CODE}'
        self.jobs.run(
            "fails and is held",
            "small",
            "sh",
            "-c",
            script,
            options=("--hold-on-failure=1h",),
            code=_BROKEN_CODE,
        )
        node = self.jobs.uses[-1].node
        stage.tool("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "ada", "-f", _KEY)
        key = f"{stage.facts['dir']}/{_KEY}"
        self.jobs.show("key", "add", node, "--key", f"{key}.pub")
        self.jobs.show("holds")
        seen = self.jobs.show("ssh", node, "--identity", key, "--", "cat", _TRACE)
        if "assertion failed on line 42" not in seen.out:
            raise DemoFailedError("the held machine has not what its job has left")
        self.jobs.show("release", node)
        say("    With a key that no pool knows, on the machine as its job has left it.")

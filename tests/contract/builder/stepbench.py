"""A machine with an sshd and stand-ins for tools, on which steps of recipes run."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import pytest

from remuda.config.images import BaseFrom, BuildStep
from remuda.config.parts import FlavorFrom
from remuda.config.recipes import ImageRecipe, ProviderMaking
from remuda.model.build import Blame
from remuda.model.image import BuildId
from remuda.runtime.waiting import Waiting
from remuda.secret import Secret
from remuda.ssh.api import Login
from remuda.ssh.session import SshSession, open_session
from remuda.steps.runner import StepContext, StepFailedError, StepRunner
from tests.fakes.clock import ManualClock
from tests.support import sshd as servers
from tests.support.sshd import Sshd

VALUE: Final = "correct-horse-battery"
MIB: Final = 1024 * 1024
SOON_S: Final = 60.0
#: Notes how it was called, and fails as often as a file says.
_APT: Final = """\
#!/bin/sh
echo "$DEBIAN_FRONTEND $*" >>"$HOME_OF_TEST/apt-calls"
left=$(cat "$HOME_OF_TEST/apt-fails" 2>/dev/null || echo 0)
[ "$left" -gt 0 ] || exit 0
echo $((left - 1)) >"$HOME_OF_TEST/apt-fails"
echo 'E: the mirror is away' >&2
exit 100
"""
#: Takes nothing of what is sent if a file says so.
_TAR: Final = """\
#!/bin/sh
if [ -e "$HOME_OF_TEST/tar-hangs" ]; then touch "$HOME_OF_TEST/tar-began"; exec sleep 300; fi
exec /usr/bin/tar "$@"
"""
_SUDO: Final = """\
#!/bin/sh
[ "$1" = -n ] || exit 9
shift
SUDO_WAS_HERE=yes exec "$@"
"""
_ID: Final = """\
#!/bin/sh
[ "$*" = -u ] && [ -z "$SUDO_WAS_HERE" ] && echo 1000 && exit
exec /usr/bin/id "$@"
"""


class Log:
    """Keeps the end of what it is told, and counts all of it."""

    def __init__(self) -> None:
        self.steps: list[str] = []
        self.text = ""
        self.total = 0
        self.heard = threading.Event()

    def step(self, name: str) -> None:
        """Note it."""
        self.steps.append(name)

    def write(self, data: bytes) -> None:
        """Note it."""
        self.total += len(data)
        self.text = (self.text + data.decode())[-10_000:]
        self.heard.set()

    def close(self, *, ok: bool | None = None) -> None:
        """Do nothing."""


class Bench:
    """A machine, and how steps run on it."""

    def __init__(self, server: Sshd, folder: Path) -> None:
        self.server, self.folder = server, folder
        self.came = folder / "came"
        self.came.mkdir()
        self.log = Log()
        self.clock = ManualClock()
        self.stop = threading.Event()
        self.secrets: dict[str, Secret] = {}
        self.environment: dict[str, str] = {}
        login = Login(
            address="127.0.0.1",
            port=server.port,
            user=server.user,
            key_file=str(server.key_file),
            host_keys=(server.host_key,),
        )
        self.session: SshSession = open_session(login)

    def run(self, *steps: dict[str, Any]) -> str:
        """Take steps, as a file has them; return what they printed."""
        read = tuple(BuildStep.model_validate({"timeout": "30s", **one}) for one in steps)
        making = ProviderMaking(
            base=BaseFrom(name="b"), flavor=FlavorFrom(name="f"), username=self.server.user
        )
        recipe = ImageRecipe(
            name="noble", makings={"north": making}, steps=read, environment=self.environment
        )
        context = StepContext(
            build=BuildId("noble", 3), provider="north", recipe=recipe, secrets=self.secrets
        )
        # Between retries only the clock moves.
        waiting = Waiting(self.clock, self.stop.is_set, self.clock.advance)
        StepRunner(
            session=self.session,
            context=context,
            waiting=waiting,
            log=self.log,
            came=str(self.came),
        ).run_all()
        return self.log.text

    def fails(self, *steps: dict[str, Any]) -> tuple[Blame, str]:
        """Take steps of which one must fail; return whose failure it is, and why."""
        with pytest.raises(StepFailedError) as caught:
            self.run(*steps)
        return caught.value.blame, caught.value.why


@contextmanager
def serving(folder: Path, home: Path) -> Iterator[Sshd]:
    """Run a machine whose user is not root, but has a sudo; and that has an apt-get."""
    tools = folder / "bin"
    tools.mkdir()
    for name, text in {"apt-get": _APT, "tar": _TAR, "sudo": _SUDO, "id": _ID}.items():
        (tools / name).write_text(text)
        (tools / name).chmod(0o755)
    path = f"{tools}:/usr/sbin:/usr/bin:/bin HOME_OF_TEST={home}"
    with servers.running(folder, path=path) as server:
        yield server

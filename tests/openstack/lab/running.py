"""Starting and ending the lab as a whole, and looking how it is."""

import shutil
import signal
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from tests.openstack.lab import databases, seed, settings
from tests.openstack.lab.install import install
from tests.openstack.lab.layout import HERE, SERVICES, Layout
from tests.openstack.lab.processes import await_up, end, memory_mib, pid_of, spawn

_UP_S: Final = 180.0
_SERVER_ERROR: Final = 500
#: Nova in mount and pid namespaces of its own: the servers' file systems and processes lie
#: within, so that whatever happens, they are gone when it is gone.
_ENCLOSED: Final = ("unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc")


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """How one process is."""

    name: str
    pid: int | None
    up: bool
    mib: int
    where: str

    def __str__(self) -> str:
        """Return a line of a table."""
        word = "up" if self.up else "hung" if self.pid else "down"
        return f"{self.name:<10} {word:<5} pid {self.pid or '-':<8} {self.mib:>5} MiB  {self.where}"


def start(layout: Layout, say: Callable[[str], None]) -> None:
    """Start what does not run and wait until servers can be booted.

    Raises:
        LabError: With the end of the log of what failed.
    """
    say("installing what is missing (minutes the first time)")
    install(layout)
    settings.write_all(layout)
    say("starting the database server")
    databases.start(layout)
    databases.load_schemas(layout)
    say("starting the services")
    for name in SERVICES[:-1]:
        _spawn(layout, name)
    await_up(layout, "keystone", lambda: answers(layout, "keystone"), _UP_S)
    seed.accounts(layout)
    _spawn(layout, "nova")  # it logs in to the others as it starts
    for name in SERVICES[1:]:
        await_up(layout, name, lambda name=name: answers(layout, name), _UP_S)
    say("services answer; making networks, flavors and an image")
    seed.contents(layout)
    layout.faults.unlink(missing_ok=True)
    say("ready")


def stop(layout: Layout) -> None:
    """End everything."""
    for name in reversed(("mariadb", *SERVICES)):
        _end(layout, name)


def wipe(layout: Layout) -> None:
    """End everything and forget all state."""
    stop(layout)
    shutil.rmtree(layout.state, ignore_errors=True)


def restart(layout: Layout, name: str) -> None:
    """End one process and start it again."""
    _end(layout, name)
    if name == "mariadb":
        databases.start(layout)
        return
    _spawn(layout, name)
    await_up(layout, name, lambda: answers(layout, name), _UP_S)


def is_up(layout: Layout) -> bool:
    """Return whether everything answers."""
    return layout.clouds_file.exists() and all(answers(layout, name) for name in SERVICES)


def state(layout: Layout, name: str) -> State:
    """Return how one process is."""
    pid = pid_of(layout, name)
    up = databases.speaks(layout, "SELECT 1") if name == "mariadb" else answers(layout, name)
    return State(
        name=name,
        pid=pid,
        up=pid is not None and up,
        mib=memory_mib(pid) if pid else 0,
        where=layout.url(name) if name in SERVICES else "unix socket",
    )


def answers(layout: Layout, name: str) -> bool:
    """Return whether a service's API answers."""
    try:
        urllib.request.urlopen(f"{layout.url(name)}/", timeout=5).close()  # noqa: S310 - loopback
    except urllib.error.HTTPError as exc:
        return exc.code < _SERVER_ERROR
    except OSError:
        return False
    return True


def _spawn(layout: Layout, name: str) -> None:
    command = [str(layout.venv / "bin" / "python"), str(HERE / "inside" / "serve.py"), name]
    if name == "nova":
        command = [*_ENCLOSED, *command]
    spawn(layout, name, command, settings.environment(layout, name))


def _end(layout: Layout, name: str) -> None:
    # unshare(1) ignores SIGTERM; its child dies with it.
    end(layout, name, number=signal.SIGKILL if name == "nova" else signal.SIGTERM)

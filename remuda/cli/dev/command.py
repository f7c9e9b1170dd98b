"""`remuda dev`, the command."""

import fcntl
import json
import os
import pwd
import shlex
import shutil
import signal
import socket
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import FrameType
from typing import Any, Final

import click
import yaml

from remuda.cli import output
from remuda.cli.dev import keeping, recipe
from remuda.cli.dev.announcement import announcement
from remuda.cli.dev.children import ChildEndedError, ChildProcesses
from remuda.cli.dev.control import ControlFailedError, why_no_images
from remuda.cli.dev.keys import write_keys
from remuda.cli.dev.plan import (
    CLOUDS_MAX,
    DevPlan,
    Places,
    clouds_of,
    environment,
    merged_clouds,
    remuda_document,
)
from remuda.cli.dev.reviving import Reviver
from remuda.cli.dev.starting import controls, revivable, start_clouds, start_serving
from remuda.cli.dev.yamltext import readable
from remuda.cli.errors import CommandFailedError, MistakeError, PlainCommand
from remuda.cli.extras import need
from remuda.cli.terminal import say
from remuda.runtime.clock import SystemClock
from remuda.store.embedded import EmbeddedServer, ServerOptions

#: A folder with this file in it is ours to write into again.
_MARK: Final = "remuda-dev.json"
_SSH_PORTS: Final = (22, 2222)


@click.command(
    cls=PlainCommand,
    examples=(
        "remuda dev",
        "remuda dev --dir ./try --clouds 1",
        "remuda dev --dir ./try --ready-file ./try.json &",
    ),
)
@click.option(
    "--dir",
    "folder",
    type=click.Path(path_type=Path, file_okay=False),
    help="Where everything goes; kept. [default: a temporary folder, removed]",
)
@click.option(
    "--clouds",
    default=2,
    show_default=True,
    type=click.IntRange(1, CLOUDS_MAX),
    help="How many providers, each with a launcher and, unless --places says otherwise, a cloud.",
)
@click.option(
    "--places",
    default=Places.APART.value,
    show_default=True,
    type=click.Choice([one.value for one in Places]),
    help="A cloud for each provider; or one cloud, and for each a region, a project, or neither.",
)
@click.option(
    "--boot",
    "boot_s",
    default=1.0,
    show_default=True,
    type=click.FloatRange(0, 3600),
    help="Seconds that a machine takes to boot.",
)
@click.option(
    "--machines",
    default="auto",
    show_default=True,
    type=click.Choice(["auto", "namespace", "plain", "none"]),
    help="The sandbox's kind of machines.",
)
@click.option(
    "--system",
    default="auto",
    show_default=True,
    type=click.Choice(["auto", "host", "minimal"]),
    help="What machines see of this one: all, or what a minimal Debian has.",
)
@click.option(
    "--own-network",
    is_flag=True,
    help="Each machine has a network of its own, as trials without one need it. Needs root and ip.",
)
@click.option("--no-launchers", is_flag=True, help="Only ZooKeeper and the clouds.")
@click.option(
    "--ready-file",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write what --json prints here when all is up.",
)
@click.option("--json", "as_json", is_flag=True, help="Print where everything is as JSON.")
def dev(
    *,
    folder: Path | None,
    clouds: int,
    places: str,
    boot_s: float,
    machines: str,
    system: str,
    own_network: bool,
    no_launchers: bool,
    ready_file: Path | None,
    as_json: bool,
) -> None:
    """Run everything here: ZooKeeper, clouds with real machines, launchers and a builder.

    Runs until Ctrl-C or SIGTERM; launchers and the builder are replaced when they die. Machines
    are reachable from this machine only. As root they are real machines with a root of their own,
    which share this one's kernel and network: run in them only what you trust.
    """
    if ready_file is not None and not ready_file.absolute().parent.is_dir():
        raise MistakeError(f"--ready-file: there is no folder {ready_file.absolute().parent}")
    need("sandbox")
    _warn_root()
    with ExitStack() as undo:
        undo.enter_context(_terminable())
        place = _folder(folder, undo)
        plan = DevPlan(
            folder=place,
            clouds=clouds_of(place, clouds, Places(places)),
            machines=machines,
            system=system,
            own_network=own_network,
            boot_s=boot_s,
            user=pwd.getpwuid(os.getuid()).pw_name,
            ssh_port=_ssh_port(),
        )
        server = undo.enter_context(
            EmbeddedServer(ServerOptions(folder=place / "zookeeper", session_s_max=60.0))
        )
        clock = SystemClock()
        children = undo.enter_context(ChildProcesses(clock))
        children.watch("zookeeper", server.pid, place / "zookeeper" / "zookeeper.log")
        try:
            start_clouds(plan, children)
            plan = _told(plan)
            _write(plan, server.hosts)
            if not no_launchers:
                plan = replace(plan, pages=start_serving(plan, children, server.hosts, clock))
            note = partial(_note, plan, server, children, ready_file)
            _announce(plan, note(), as_json=as_json)
            names = [] if no_launchers else revivable(plan)
            Reviver(children, names, tell=_tell, revived=note, clock=clock).watch()
        except (ChildEndedError, ControlFailedError) as failed:
            raise CommandFailedError(str(failed), 1) from failed


@contextmanager
def _terminable() -> Iterator[None]:
    """Let SIGTERM unwind as Ctrl-C does; for `remuda dev` both are the ordinary end."""

    def end(_number: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, end)
    try:
        yield
    except KeyboardInterrupt:
        raise click.exceptions.Exit(0) from None
    finally:
        signal.signal(signal.SIGTERM, before)


def _folder(wanted: Path | None, undo: ExitStack) -> Path:
    """Return an empty folder of ours, absolute.

    Raises:
        MistakeError: If it holds something that is not ours, or another runs there.
    """
    if wanted is None:
        return Path(undo.enter_context(tempfile.TemporaryDirectory(prefix="remuda-dev-")))
    place = wanted.absolute()
    try:
        place.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise MistakeError(f"--dir: cannot make {place}: {error.strerror}") from error
    mark = place / _MARK
    if any(place.iterdir()) and not mark.exists():
        raise MistakeError(f"{place} is not empty and was not made by remuda dev")
    _take(place, undo)
    # The clouds of the last time are gone with all machines; so is what ZooKeeper knew of them.
    shutil.rmtree(place / "zookeeper", ignore_errors=True)
    mark.write_text("{}\n")
    return place


def _take(place: Path, undo: ExitStack) -> None:
    """Take a folder until the end: another of us would write over what this one runs on."""
    number = os.open(place, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    undo.callback(os.close, number)
    try:
        fcntl.flock(number, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise MistakeError(f"another remuda dev runs in {place}: name another --dir") from error


def _ssh_port() -> int:
    """Return 22 if machines can have it at addresses of their own here, else another one."""
    for port in _SSH_PORTS:
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.77.255.254", port))
            except OSError:
                continue
            return port
    return _SSH_PORTS[-1]


def _told(plan: DevPlan) -> DevPlan:
    """Return a plan with what the sandboxes say of themselves."""
    states = [one.state() for one in controls(plan)]
    project = states[0]["projects"][keeping.DEVELOPER]
    return replace(plan, no_images=why_no_images(states), project=project)


def _write(plan: DevPlan, hosts: tuple[str, ...]) -> None:
    documents = [yaml.safe_load(cloud.clouds_file.read_text()) for cloud in plan.sandboxes]
    _write_private(plan.clouds_file, yaml.safe_dump(merged_clouds(documents)))
    write_keys(plan)
    if not plan.no_images and not plan.script_file.exists():
        plan.script_file.write_text(recipe.SCRIPT)  # it stays as somebody has changed it
    plan.config_file.write_text(readable(remuda_document(plan, hosts)))
    exports = [f"export {key}={shlex.quote(value)}\n" for key, value in environment(plan).items()]
    plan.env_file.write_text("".join(exports))


def _write_private(path: Path, text: str) -> None:
    path.touch(mode=0o600)
    path.chmod(0o600)
    path.write_text(text)


def _facts(plan: DevPlan, server: EmbeddedServer, children: ChildProcesses) -> dict[str, Any]:
    return {
        "dir": str(plan.folder),
        "zookeeper": ",".join(server.hosts),
        "config": str(plan.config_file),
        "clouds_yaml": str(plan.clouds_file),
        "key": str(plan.key_file),
        "env": str(plan.env_file),
        "environment": environment(plan),
        "providers": {cloud.provider: cloud.cloud for cloud in plan.clouds},
        "image": None if plan.no_images else recipe.IMAGE,
        "no_images": plan.no_images or None,
        "pages": dict(plan.pages),
        "developer": {
            "name": keeping.DEVELOPER,
            "key": str(plan.developer_key),
            "cloud": plan.developer_cloud,
            "project": plan.project,
        },
        "pids": {"dev": os.getpid(), **children.pids},
    }


def _note(
    plan: DevPlan, server: EmbeddedServer, children: ChildProcesses, ready_file: Path | None
) -> dict[str, Any]:
    """Write down where everything is, and return it."""
    facts = _facts(plan, server, children)
    text = json.dumps(facts, indent=2)
    (plan.folder / _MARK).write_text(f"{text}\n")
    if ready_file is not None:
        # Readers see the whole of it or nothing.
        new = ready_file.with_name(f".{ready_file.name}.{os.getpid()}")
        new.write_text(f"{text}\n")
        new.rename(ready_file)
    return facts


def _warn_root() -> None:
    """Say what a person who tries this out as root should know beforehand."""
    if os.geteuid() == 0:
        say(
            "remuda: this runs as root: jobs in its machines share the kernel and the network of "
            "this host, ZooKeeper included, and can read its /etc and /usr; "
            "run only what you trust (docs/security.md)",
            err=True,
        )


def _tell(sentence: str) -> None:
    say(f"remuda: {sentence}", err=True)


def _announce(plan: DevPlan, facts: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        output.emit_json(facts)
        return
    # It is another project's, and no part of what we install.
    bare = "" if shutil.which("openstack") else "    (Debian: python3-openstackclient)"
    say(announcement(plan, bare=bare))

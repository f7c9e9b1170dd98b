"""``python -m tests.openstack.lab``: a real, small OpenStack on the loopback."""

import fcntl
import sys
import time

import click

from tests.openstack.lab import running
from tests.openstack.lab.install import missing
from tests.openstack.lab.layout import SERVICES, Layout
from tests.openstack.lab.processes import LabError

_HOW = """
It is up. To talk to it:

    export OS_CLIENT_CONFIG_FILE={clouds}
    {bin}/openstack --os-cloud lab server list
    {bin}/openstack --os-cloud lab server create --image debian-12 --flavor m1.small \\
        --network public --wait first

Accounts: lab (servers answer at 127.10.x.y), lab-fip (floating IPs), lab-other (another project),
lab-admin. Port of SSH: {port}. Its faults, and all else: docs/openstack-lab.md.
To end it: make openstack-lab-stop
"""


@click.group()
def main() -> None:
    """Run Keystone, Glance, Placement, Nova, Neutron and Swift, unmodified, on 127.0.0.1."""


def _say(begun_s: float, text: str) -> None:
    click.echo(f"[{time.monotonic() - begun_s:6.1f} s] {text}", err=True)


@main.command()
def check() -> None:
    """Say whether this machine can carry the lab: exit 0, or 3 with one sentence."""
    if why := missing(Layout.here()):
        click.echo(why)
        sys.exit(3)


@main.command()
def start() -> None:
    """Install what is missing, start what does not run, wait, and say how to talk to it."""
    layout = Layout.here()
    begun_s = time.monotonic()
    if why := missing(layout):
        raise click.ClickException(why)
    with _alone(layout):
        running.start(layout, lambda text: _say(begun_s, text))
    where = layout.venv / "bin"
    click.echo(_HOW.format(clouds=layout.clouds_file, bin=where, port=layout.ssh_port()))


@main.command()
def stop() -> None:
    """End everything; servers that it booted die with it."""
    layout = Layout.here()
    with _alone(layout):
        running.stop(layout)


@main.command()
def status() -> None:
    """Say what runs; exit 1 unless all does."""
    layout = Layout.here()
    lines = [running.state(layout, name) for name in ("mariadb", *SERVICES)]
    for line in lines:
        click.echo(str(line))
    sys.exit(not all(line.up for line in lines))


@main.command()
@click.argument("name", type=click.Choice(("mariadb", *SERVICES)))
def restart(name: str) -> None:
    """End one service and start it again; for nova that is a crash of the hypervisor."""
    layout = Layout.here()
    with _alone(layout):
        running.restart(layout, name)


@main.command()
def wipe() -> None:
    """End everything and forget all state; what is installed stays."""
    layout = Layout.here()
    with _alone(layout):
        running.wipe(layout)


class _alone:  # noqa: N801 - reads as a word of the language
    """One command at a time; complaints become sentences."""

    def __init__(self, layout: Layout) -> None:
        layout.home.mkdir(parents=True, exist_ok=True)
        self._lock = (layout.home / ".lock").open("w")

    def __enter__(self) -> None:
        fcntl.flock(self._lock, fcntl.LOCK_EX)

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        self._lock.close()
        if isinstance(error, LabError):
            raise click.ClickException(str(error))


if __name__ == "__main__":
    main(prog_name="python -m tests.openstack.lab")
